//! `JUnit`'s XML: one document, a suite for each test, a case for each line.
//!
//! The attributes and elements are those that both Ant's and Jenkins' schemas know, in their order.

use std::fmt::{self, Write as _};

use regent_engine::go_time::Time;

use super::super::rows::{Line, Outcome};
use super::super::run::TestResult;
use super::{Strictness, judged};

/// The whole document; `began` is when the run did, in seconds since 1970.
pub fn document(
    results: &[TestResult],
    strictness: Strictness,
    began: i64,
) -> Result<String, fmt::Error> {
    let began = Time::from_unix(began, 0).to_string();
    let began = began.trim_end_matches('Z');
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (id, result) in results.iter().enumerate() {
        write_suite(&mut text, (id, result), strictness, began)?;
    }
    text.push_str("</testsuites>\n");
    Ok(text)
}

fn write_suite(
    text: &mut String,
    (id, result): (usize, &TestResult),
    strictness: Strictness,
    began: &str,
) -> fmt::Result {
    let path = result.path.display().to_string();
    let outcomes: Vec<Outcome> = result
        .lines()
        .map(|(line, warnings)| judged(line, warnings, strictness))
        .collect();
    let count = |wanted: Outcome| outcomes.iter().filter(|found| **found == wanted).count();
    let errors = result.errors(strictness);
    let (name, package) = (attribute(suite_name(result)), attribute(&path));
    writeln!(
        text,
        "  <testsuite name=\"{name}\" package=\"{package}\" id=\"{id}\" timestamp=\"{began}\" hostname=\"localhost\" \
         tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        outcomes.len() + usize::from(errors > 0),
        count(Outcome::Fail),
        count(Outcome::Error) + usize::from(errors > 0),
        count(Outcome::Skip),
        result.duration.as_secs_f64(),
    )?;
    text.push_str("    <properties/>\n");
    if errors > 0 {
        let message = diagnostics(result);
        writeln!(
            text,
            "    <testcase name=\"{package}\" classname=\"{package}\" time=\"0\">\n      \
             <error type=\"Load error\">{}</error>\n    </testcase>",
            content(&message)
        )?;
    }
    for ((line, warnings), outcome) in result.lines().zip(&outcomes) {
        write_case(text, line, warnings, *outcome)?;
    }
    let output = result.warnings.join("\n");
    writeln!(text, "    <system-out/>")?;
    writeln!(text, "    <system-err>{}</system-err>", content(&output))?;
    writeln!(text, "  </testsuite>")
}

fn suite_name(result: &TestResult) -> &str {
    if result.name.is_empty() {
        "test"
    } else {
        &result.name
    }
}

fn write_case(
    text: &mut String,
    line: &Line,
    warnings: &[String],
    outcome: Outcome,
) -> fmt::Result {
    let (name, class) = (
        attribute(&format!("{} {}", line.rule, line.resource)),
        attribute(&line.policy),
    );
    write!(
        text,
        "    <testcase name=\"{name}\" classname=\"{class}\" time=\"0\""
    )?;
    let element = match outcome {
        Outcome::Pass => return writeln!(text, "/>"),
        Outcome::Skip => return writeln!(text, "><skipped/></testcase>"),
        Outcome::Fail => "failure",
        Outcome::Error => "error",
    };
    let mut message = line.message.clone();
    for warning in warnings {
        message.push_str("\nwarning: ");
        message.push_str(warning);
    }
    let reason = attribute(&line.reason);
    writeln!(
        text,
        ">\n      <{element} message=\"{reason}\" type=\"{reason}\">{}</{element}>\n    </testcase>",
        content(&message)
    )
}

fn diagnostics(result: &TestResult) -> String {
    let lines = result.diagnostics.iter().map(|diagnostic| {
        let (line, column) = diagnostic.position();
        let (file, message) = (&diagnostic.source.name, &diagnostic.message);
        format!("{file}:{line}:{column}: {message}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

fn content(text: &str) -> String {
    escaped(text)
}

/// What XML 1.0 allows, with what has a meaning there escaped.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(character),
            '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
                safe.push(character);
            }
            _ => safe.push('\u{fffd}'),
        }
    }
    safe
}
