//! Tables for people.

use anyhow::Result;
use regent_engine::diagnostic::Severity;

use super::super::rows::{DIFFERENT, Line, Outcome};
use super::super::run::{TestResult, misleads};
use super::{Shown, Strictness, Summary, judged};
use crate::io::{Colours, Io};
use crate::render::explanation;
use crate::render::human::{self, printable};
use crate::render::table::{Cell, Tint, table, tinted};

/// Tables on stdout, diagnostics and warnings on stderr.
pub fn show(results: &[TestResult], shown: Shown, io: &mut Io<'_>) -> Result<()> {
    for result in results {
        show_test(result, shown, io)?;
    }
    let summary = Summary::of(results, shown.strictness);
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

fn show_test(result: &TestResult, shown: Shown, io: &mut Io<'_>) -> Result<()> {
    let (policies, resources) = result.sizes;
    let path = printable(&result.path.display().to_string());
    let name = printable(&result.name);
    let has_rows = result
        .lines()
        .any(|(line, warnings)| shown.shows(line, warnings));
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
        let text = table(&header(shown), &cells(result, shown), io.colours);
        writeln!(io.stdout, "{text}")?;
    }
    show_notes(result, shown, io)
}

fn show_notes(result: &TestResult, shown: Shown, io: &mut Io<'_>) -> Result<()> {
    // A file that cannot be read is shown with its line; what a policy says of itself is `check`'s to show.
    let strict = shown.strictness == Strictness::Strict;
    for diagnostic in &result.diagnostics {
        let mut diagnostic = diagnostic.clone();
        if strict && misleads(&diagnostic) {
            // What misleads is said as what it counts as.
            diagnostic.severity = Severity::Error;
        }
        let diagnostic = &diagnostic;
        if result.is_broken {
            write!(io.stderr, "{}", human::render(diagnostic, io.style()))?;
        } else {
            writeln!(io.stderr, "{}", human::line(diagnostic))?;
            if let Some(help) = &diagnostic.help {
                writeln!(io.stderr, "  help: {}", printable(help))?;
            }
        }
    }
    let path = printable(&result.path.display().to_string());
    for warning in &result.warnings {
        writeln!(io.stderr, "{path}: warning: {}", printable(warning))?;
    }
    let severity = shown.strictness.severity();
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
                let message = indented(&line.message, line.reason == DIFFERENT, io.colours);
                let resource = printable(&line.resource);
                writeln!(io.stderr, "  {resource}: {}:\n{message}", line.reason)?;
            }
            if let Some(why) = &line.explanation {
                write!(io.stderr, "{}", explanation::render(why, io.style()))?;
            }
        }
    }
    Ok(())
}

/// A message below its line; what is expected in red and what was found in green, where it is a difference.
fn indented(message: &str, is_difference: bool, colours: Colours) -> String {
    let lines = message.lines().map(|line| {
        let tint = match line.get(..2) {
            Some("- ") if is_difference => Tint::Bad,
            Some("+ ") if is_difference => Tint::Good,
            _ => Tint::Plain,
        };
        format!("    {}", tinted(&printable(line), tint, colours))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn header(shown: Shown) -> Vec<&'static str> {
    let mut header = vec!["ID", "POLICY", "RULE", "RESOURCE", "RESULT", "REASON"];
    if shown.messages {
        header.push("MESSAGE");
    }
    header
}

fn cells(result: &TestResult, shown: Shown) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut id = 0;
    for (line, warnings) in result.lines() {
        id += 1;
        if shown.shows(line, warnings) {
            let outcome = judged(line, warnings, shown.strictness);
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
