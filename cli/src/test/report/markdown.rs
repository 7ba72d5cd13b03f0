//! Tables in Markdown, for the summary of a pipeline or a comment on a change.

use std::fmt::{self, Write as _};

use super::super::rows::Line;
use super::super::run::TestResult;
use super::{Shown, Summary, judged};

/// A heading and a table for each test, and the summary below.
pub fn document(results: &[TestResult], shown: Shown) -> Result<String, fmt::Error> {
    let mut text = String::from("# Policy tests\n");
    for result in results {
        write_test(&mut text, result, shown)?;
    }
    let summary = Summary::of(results, shown.strictness);
    let passed = summary.passed + summary.skipped;
    let failed = summary.failed + summary.errors;
    writeln!(
        text,
        "\n**{passed} tests passed and {failed} tests failed**"
    )?;
    Ok(text)
}

fn write_test(text: &mut String, result: &TestResult, shown: Shown) -> fmt::Result {
    let lines: Vec<_> = result
        .lines()
        .filter(|(line, warnings)| shown.shows(line, warnings))
        .collect();
    if lines.is_empty() && result.diagnostics.is_empty() {
        return Ok(());
    }
    let path = result.path.display().to_string();
    let name = if result.name.is_empty() {
        "(no name)"
    } else {
        &result.name
    };
    writeln!(text, "\n## {} ({})\n", cell(name), cell(&path))?;
    if !lines.is_empty() {
        let messages = if shown.messages { " MESSAGE |" } else { "" };
        writeln!(
            text,
            "| ID | POLICY | RULE | RESOURCE | RESULT | REASON |{messages}"
        )?;
        let rule = if shown.messages { " --- |" } else { "" };
        writeln!(text, "| --- | --- | --- | --- | --- | --- |{rule}")?;
    }
    for (index, (line, warnings)) in lines.into_iter().enumerate() {
        write_line(text, index + 1, (line, warnings), shown)?;
    }
    for diagnostic in &result.diagnostics {
        let (line, column) = diagnostic.position();
        let (file, message) = (cell(&diagnostic.source.name), cell(&diagnostic.message));
        writeln!(text, "\n- {file}:{line}:{column}: {message}")?;
    }
    Ok(())
}

fn write_line(
    text: &mut String,
    number: usize,
    (line, warnings): (&Line, &[String]),
    shown: Shown,
) -> fmt::Result {
    let word = if judged(line, warnings, shown.strictness).is_good() {
        "Pass"
    } else {
        "Fail"
    };
    let (policy, rule) = (cell(&line.policy), cell(&line.rule));
    let (resource, reason) = (cell(&line.resource), cell(&line.reason));
    write!(
        text,
        "| {number} | {policy} | {rule} | {resource} | {word} | {reason} |"
    )?;
    if shown.messages {
        write!(text, " {} |", cell(&line.message))?;
    }
    writeln!(text)
}

/// A text that stays within its cell and means nothing else.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        match character {
            '\n' => cell.push_str("<br>"),
            '<' => cell.push_str("&lt;"),
            '&' => cell.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' => {
                cell.push('\\');
                cell.push(character);
            }
            control if control.is_control() => cell.push(' '),
            other => cell.push(other),
        }
    }
    cell
}
