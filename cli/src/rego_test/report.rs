//! Results of tests in the shapes that `opa test` gives them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::rego::foreign::suite::{Case, Test};
use serde_json::{Value, json};

use crate::args::rego::{RegoFormat, RegoTestArgs};
use crate::io::Io;

/// A test and how it ended.
#[derive(Debug, Clone)]
pub struct Row {
    /// The file that it is in.
    pub file: String,
    /// The test.
    pub test: Test,
    /// How it ended.
    pub outcome: Outcome,
    /// Its cases by name, where it has some.
    pub cases: BTreeMap<String, Case>,
    /// What it printed.
    pub printed: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is true.
    Passed,
    /// It is undefined, or anything but true.
    Failed,
    /// It is not to be run yet.
    Skipped,
    /// It could not be evaluated, and why.
    Broken(String),
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "PASS",
            Self::Failed => "FAIL",
            Self::Skipped => "SKIPPED",
            Self::Broken(_) => "ERROR",
        }
    }
}

/// Shows results.
pub fn show(rows: &[Row], args: &RegoTestArgs, io: &mut Io<'_>) -> Result<()> {
    match args.format {
        RegoFormat::Json => {
            let rows: Vec<Value> = rows.iter().map(as_json).collect();
            writeln!(io.stdout, "{:#}", Value::Array(rows))?;
        }
        RegoFormat::Pretty => pretty(rows, args, io)?,
    }
    if rows.is_empty() {
        writeln!(io.stderr, "no test was run")?;
    }
    Ok(())
}

fn pretty(rows: &[Row], args: &RegoTestArgs, io: &mut Io<'_>) -> Result<()> {
    let shown = |row: &&Row| args.verbose || row.outcome != Outcome::Passed;
    for row in rows.iter().filter(shown) {
        writeln!(io.stdout, "{}:{}:", row.file, row.test.place.0)?;
        let (path, word) = (row.test.path(), row.outcome.word());
        match row.outcome {
            Outcome::Skipped => writeln!(io.stdout, "{path}: {word}")?,
            _ => writeln!(io.stdout, "{path}: {word} ({:.3?})", row.took)?,
        }
        show_cases(&row.cases, "  ", args, io)?;
        if let Outcome::Broken(message) = &row.outcome {
            writeln!(io.stdout, "  {message}")?;
        }
        if !row.printed.is_empty() {
            writeln!(io.stdout)?;
            for line in row.printed.iter().flat_map(|text| text.lines()) {
                writeln!(io.stdout, "  {line}")?;
            }
            writeln!(io.stdout)?;
        }
    }
    if rows.iter().any(|row| shown(&row)) {
        writeln!(io.stdout, "{}", "-".repeat(80))?;
    }
    let words: Vec<&str> = rows.iter().flat_map(words).collect();
    for word in ["PASS", "FAIL", "SKIPPED", "ERROR"] {
        let count = words.iter().filter(|known| **known == word).count();
        if count > 0 {
            writeln!(io.stdout, "{word}: {count}/{}", words.len())?;
        }
    }
    Ok(())
}

fn show_cases(
    cases: &BTreeMap<String, Case>,
    indent: &str,
    args: &RegoTestArgs,
    io: &mut Io<'_>,
) -> Result<()> {
    let shown = |(_, case): &(&String, &Case)| args.verbose || case.failed;
    for (name, case) in cases.iter().filter(shown) {
        writeln!(io.stdout, "{indent}{name}: {}", word(case))?;
        show_cases(&case.cases, &format!("{indent}  "), args, io)?;
    }
    Ok(())
}

const fn word(case: &Case) -> &'static str {
    if case.failed { "FAIL" } else { "PASS" }
}

/// How a test ended; of one with cases, how each ended that has none within it.
fn words(row: &Row) -> Vec<&'static str> {
    let mut words = Vec::new();
    let mut cases: Vec<&Case> = row.cases.values().collect();
    while let Some(case) = cases.pop() {
        if case.cases.is_empty() {
            words.push(word(case));
        }
        cases.extend(case.cases.values());
    }
    if words.is_empty() || matches!(row.outcome, Outcome::Broken(_)) {
        return vec![row.outcome.word()];
    }
    words
}

fn as_json(row: &Row) -> Value {
    let (line, column) = row.test.place;
    let nanoseconds = u64::try_from(row.took.as_nanos()).unwrap_or(u64::MAX);
    let mut shown = json!({
        "location": {"file": row.file, "row": line, "col": column},
        "package": row.test.package,
        "name": row.test.name,
        "duration": nanoseconds,
    });
    let more = match &row.outcome {
        Outcome::Passed => None,
        Outcome::Failed => Some(("fail", json!(true))),
        Outcome::Skipped => Some(("skip", json!(true))),
        Outcome::Broken(message) => Some(("error", json!({"message": message}))),
    };
    let printed = (!row.printed.is_empty()).then(|| {
        let text = format!("{}\n", row.printed.join("\n"));
        ("output", json!(STANDARD.encode(text)))
    });
    let cases = (!row.cases.is_empty()).then(|| ("sub_results", cases_as_json(&row.cases)));
    if let Some(fields) = shown.as_object_mut() {
        let more = more.into_iter().chain(cases).chain(printed);
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    shown
}

fn cases_as_json(cases: &BTreeMap<String, Case>) -> Value {
    let shown = cases.iter().map(|(name, case)| {
        let mut fields = json!({"name": name});
        let failed = case.failed.then_some(("fail", json!(true)));
        let below = (!case.cases.is_empty()).then(|| ("sub_results", cases_as_json(&case.cases)));
        if let Some(fields) = fields.as_object_mut() {
            let more = failed.into_iter().chain(below);
            fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        (name.clone(), fields)
    });
    Value::Object(shown.collect())
}
