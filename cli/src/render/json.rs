//! Diagnostics for machines.

use regent_engine::diagnostic::Diagnostic;
use regent_engine::source::{Source, Span};
use serde_json::{Value, json};

use super::human::severity_name;
use super::place::Place;

/// One diagnostic as an object: `code`, `severity`, `message`, `file`, `labels`, `help`.
pub fn diagnostic(diagnostic: &Diagnostic) -> Value {
    let source = &diagnostic.source;
    let labels: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let mut place = place(source, label.span);
            if let Some(fields) = place.as_object_mut() {
                fields.insert("text".to_owned(), Value::from(label.text.as_str()));
            }
            place
        })
        .collect();
    json!({
        "code": diagnostic.code.name(),
        "severity": severity_name(diagnostic.severity),
        "message": diagnostic.message,
        "file": source.name,
        "labels": labels,
        "help": diagnostic.help,
    })
}

/// A place: lines and columns from one, the end exclusive.
fn place(source: &Source, span: Span) -> Value {
    let Place { start, end, .. } = Place::of(source, span);
    json!({"line": start.0, "column": start.1, "endLine": end.0, "endColumn": end.1})
}
