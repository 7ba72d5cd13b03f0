//! Lines that failed as findings of code scanning, each at the rule that it is about.

use super::super::rows::{Judged, Line};
use super::super::run::TestResult;
use super::{Strictness, judged};
use crate::render::sarif::{Finding, Level};

/// What failed, what misleads, and what is wrong with files.
pub fn findings(results: &[TestResult], strictness: Strictness) -> Vec<Finding> {
    let mut findings = Vec::new();
    for result in results {
        findings.extend(result.diagnostics.iter().map(Finding::of_diagnostic));
        for row in &result.rows {
            of_row(row, strictness, &mut findings);
        }
    }
    findings
}

fn of_row(row: &Judged, strictness: Strictness, findings: &mut Vec<Finding>) {
    for line in &row.lines {
        if !judged(line, &row.warnings, strictness).is_good() {
            findings.push(failure(row, line));
        }
    }
    for warning in &row.warnings {
        findings.push(Finding {
            rule: "misleading-result".to_owned(),
            level: match strictness {
                Strictness::Lenient => Level::Warning,
                Strictness::Strict => Level::Error,
            },
            message: warning.clone(),
            place: row.place.clone(),
            related: None,
        });
    }
}

fn failure(row: &Judged, line: &Line) -> Finding {
    let Line {
        policy,
        rule,
        resource,
        reason,
        message,
        ..
    } = line;
    let (place, related) = match &row.rule_place {
        Some(place) => (
            place.clone(),
            Some((row.place.clone(), "what the test expects")),
        ),
        None => (row.place.clone(), None),
    };
    Finding {
        rule: format!("{policy}/{rule}"),
        level: Level::Error,
        message: format!("{resource}: {reason}: {message}")
            .trim_end_matches([' ', ':'])
            .to_owned(),
        place,
        related,
    }
}
