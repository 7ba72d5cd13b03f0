//! One document for machines, as JSON or YAML.

use serde_json::{Value, json};

use super::super::rows::Line;
use super::super::run::TestResult;
use super::{Shown, Summary, judged};
use crate::explain;
use crate::render::json;

/// `summary`, `results` and `diagnostics`.
pub fn document(results: &[TestResult], shown: Shown) -> Value {
    let summary = Summary::of(results, shown.strictness);
    let mut lines = Vec::new();
    for result in results {
        for (line, warnings) in result.lines() {
            if shown.shows(line, warnings) {
                lines.push(line_as_json(result, line, warnings, shown));
            }
        }
    }
    let diagnostics = results.iter().flat_map(|result| &result.diagnostics);
    let diagnostics: Vec<Value> = diagnostics.map(json::diagnostic).collect();
    json!({
        "summary": {
            "passed": summary.passed,
            "failed": summary.failed,
            "skipped": summary.skipped,
            "errors": summary.errors,
        },
        "results": lines,
        "diagnostics": diagnostics,
    })
}

fn line_as_json(result: &TestResult, line: &Line, warnings: &[String], shown: Shown) -> Value {
    let mut document = json!({
        "test": result.name,
        "file": result.path.display().to_string(),
        "policy": line.policy,
        "rule": line.rule,
        "resource": line.resource,
        "expected": line.expected,
        "actual": line.actual,
        "outcome": judged(line, warnings, shown.strictness).name(),
        "reason": line.reason,
        "message": line.message,
        "warnings": warnings,
    });
    if let (Some(fields), Some(why)) = (document.as_object_mut(), &line.explanation) {
        fields.insert("explanation".to_owned(), explain::data::document(why));
    }
    document
}
