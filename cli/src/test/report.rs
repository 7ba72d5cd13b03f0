//! What a run of tests came to, as people and machines read it.

use anyhow::Result;
use serde_json::{Value, json};

use super::rows::{Line, Outcome};
use super::run::TestResult;
use crate::io::Io;
use crate::render::human::{self, printable};
use crate::render::json;
use crate::render::table::{Cell, Tint, table};

/// Whether what misleads is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// As Kyverno's runner has it.
    Lenient,
    /// A line that tested nothing fails.
    Strict,
}

/// What is shown of lines.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Only what failed.
    pub failures_only: bool,
    /// Messages too.
    pub messages: bool,
}

/// How many lines came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// As expected.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
    /// Nothing matched.
    pub skipped: usize,
    /// Could not be tested.
    pub errors: usize,
}

impl Summary {
    /// Counts all lines; a file that cannot be read is an error.
    pub fn of(results: &[TestResult], strictness: Strictness) -> Self {
        let mut summary = Self::default();
        for result in results {
            for (line, warnings) in result.lines() {
                *summary.count(judged(line, warnings, strictness)) += 1;
            }
            if result.is_broken && result.rows.is_empty() {
                summary.errors += 1;
            }
        }
        summary
    }

    /// Whether the run ends well.
    pub fn is_good(self) -> bool {
        self.failed == 0 && self.errors == 0
    }

    fn count(&mut self, outcome: Outcome) -> &mut usize {
        match outcome {
            Outcome::Pass => &mut self.passed,
            Outcome::Fail => &mut self.failed,
            Outcome::Skip => &mut self.skipped,
            Outcome::Error => &mut self.errors,
        }
    }
}

/// The outcome of a line, what misleads taken into account.
fn judged(line: &Line, warnings: &[String], strictness: Strictness) -> Outcome {
    if strictness == Strictness::Strict && line.outcome.is_good() && !warnings.is_empty() {
        Outcome::Fail
    } else {
        line.outcome
    }
}

/// One JSON document on stdout.
pub fn show_json(results: &[TestResult], strictness: Strictness, io: &mut Io<'_>) -> Result<()> {
    let summary = Summary::of(results, strictness);
    let mut lines = Vec::new();
    for result in results {
        for (line, warnings) in result.lines() {
            lines.push(line_as_json(result, line, warnings, strictness));
        }
    }
    let diagnostics: Vec<Value> = results
        .iter()
        .flat_map(|result| &result.diagnostics)
        .map(json::diagnostic)
        .collect();
    let document = json!({
        "summary": {
            "passed": summary.passed,
            "failed": summary.failed,
            "skipped": summary.skipped,
            "errors": summary.errors,
        },
        "results": lines,
        "diagnostics": diagnostics,
    });
    writeln!(io.stdout, "{document:#}")?;
    Ok(())
}

fn line_as_json(
    result: &TestResult,
    line: &Line,
    warnings: &[String],
    strictness: Strictness,
) -> Value {
    json!({
        "test": result.name,
        "file": result.path.display().to_string(),
        "policy": line.policy,
        "rule": line.rule,
        "resource": line.resource,
        "expected": line.expected,
        "actual": line.actual,
        "outcome": judged(line, warnings, strictness).name(),
        "reason": line.reason,
        "message": line.message,
        "warnings": warnings,
    })
}

/// Tables on stdout, diagnostics and warnings on stderr.
pub fn show_human(
    results: &[TestResult],
    strictness: Strictness,
    shown: Shown,
    io: &mut Io<'_>,
) -> Result<()> {
    for result in results {
        show_test(result, strictness, shown, io)?;
    }
    let summary = Summary::of(results, strictness);
    let passed = summary.passed + summary.skipped;
    let failed = summary.failed + summary.errors;
    if shown.failures_only {
        let all = passed + failed;
        writeln!(
            io.stdout,
            "\nTest Summary: {failed} out of {all} tests failed"
        )?;
    } else {
        writeln!(
            io.stdout,
            "\nTest Summary: {passed} tests passed and {failed} tests failed"
        )?;
    }
    if summary.errors > 0 {
        writeln!(
            io.stdout,
            "{} of them could not be tested at all",
            summary.errors
        )?;
    }
    Ok(())
}

fn show_test(
    result: &TestResult,
    strictness: Strictness,
    shown: Shown,
    io: &mut Io<'_>,
) -> Result<()> {
    let (policies, resources) = result.sizes;
    let path = printable(&result.path.display().to_string());
    let name = printable(&result.name);
    let is_bad =
        |(line, warnings): (&Line, &[String])| !judged(line, warnings, strictness).is_good();
    let has_rows = !shown.failures_only || result.lines().any(is_bad);
    if has_rows || result.is_broken {
        writeln!(io.stdout, "Loading test {name} ( {path} ) ...")?;
        writeln!(
            io.stdout,
            "  Applying {policies} {} to {resources} {} ...",
            if policies == 1 { "policy" } else { "policies" },
            if resources == 1 {
                "resource"
            } else {
                "resources"
            },
        )?;
    }
    if has_rows {
        writeln!(io.stdout, "  Checking results ...\n")?;
        let text = table(
            &header(shown),
            &cells(result, strictness, shown),
            io.colours,
        );
        writeln!(io.stdout, "{text}")?;
    }
    show_notes(result, strictness, shown, io)
}

fn show_notes(
    result: &TestResult,
    strictness: Strictness,
    shown: Shown,
    io: &mut Io<'_>,
) -> Result<()> {
    // A file that cannot be read is shown with its line; what a policy says of itself is `check`'s to show.
    for diagnostic in &result.diagnostics {
        if result.is_broken {
            write!(io.stderr, "{}", human::render(diagnostic, io.style()))?;
        } else {
            writeln!(io.stderr, "{}", human::line(diagnostic))?;
        }
    }
    let path = printable(&result.path.display().to_string());
    for warning in &result.warnings {
        writeln!(io.stderr, "{path}: warning: {}", printable(warning))?;
    }
    let severity = match strictness {
        Strictness::Lenient => "warning",
        Strictness::Strict => "error",
    };
    for (index, row) in result.rows.iter().enumerate() {
        for warning in &row.warnings {
            let number = index + 1;
            writeln!(
                io.stderr,
                "{path}: {severity}: result {number}: {}",
                printable(warning)
            )?;
        }
        for line in &row.lines {
            if line.outcome == Outcome::Fail && !shown.messages && !line.message.is_empty() {
                let message = printable(&line.message).replace('\n', "\n    ");
                writeln!(
                    io.stderr,
                    "  {}: {}:\n    {message}",
                    line.resource, line.reason
                )?;
            }
        }
    }
    Ok(())
}

fn header(shown: Shown) -> Vec<&'static str> {
    let mut header = vec!["ID", "POLICY", "RULE", "RESOURCE", "RESULT", "REASON"];
    if shown.messages {
        header.push("MESSAGE");
    }
    header
}

fn cells(result: &TestResult, strictness: Strictness, shown: Shown) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut id = 0;
    for (line, warnings) in result.lines() {
        id += 1;
        let outcome = judged(line, warnings, strictness);
        if !shown.failures_only || !outcome.is_good() {
            rows.push(row_cells(id, line, outcome, shown));
        }
    }
    rows
}

fn row_cells(id: usize, line: &Line, outcome: Outcome, shown: Shown) -> Vec<Cell> {
    let (word, tint) = match outcome {
        Outcome::Pass | Outcome::Skip => ("Pass", Tint::Good),
        Outcome::Fail => ("Fail", Tint::Bad),
        Outcome::Error => ("Error", Tint::Bad),
    };
    let reason = if outcome == line.outcome {
        line.reason.clone()
    } else {
        format!("{} (strict)", line.reason)
    };
    let mut cells = vec![
        Cell::plain(id.to_string()),
        Cell::plain(printable(&line.policy)),
        Cell::plain(printable(&line.rule)),
        Cell::plain(printable(&line.resource)),
        Cell::tinted(word, tint),
        Cell::plain(printable(&reason)),
    ];
    if shown.messages {
        cells.push(Cell::plain(printable(&line.message)));
    }
    cells
}
