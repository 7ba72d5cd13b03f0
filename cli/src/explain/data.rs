//! Explanations for machines.

use regent_engine::trace::Origin;
use serde_json::{Value, json};

use super::{Explanation, Part, help};
use crate::render::place::Place;

/// One explanation as an object: `title`, `file` and `parts`.
pub fn document(explanation: &Explanation) -> Value {
    let parts = explanation.parts.iter();
    json!({
        "title": explanation.title,
        "file": explanation.source.name,
        "parts": parts.map(|part| part_as_json(explanation, part)).collect::<Vec<_>>(),
    })
}

fn part_as_json(explanation: &Explanation, part: &Part) -> Value {
    let Place { start, end, .. } = Place::of(&explanation.source, part.span);
    let variables = part.variables.iter().map(|variable| {
        let Place { start, .. } = Place::of(&explanation.source, variable.span);
        let origin = match variable.origin {
            Origin::Expression => "expression",
            Origin::Context(_) => "context",
        };
        let mut object =
            json!({"origin": origin, "name": variable.name, "line": start.0, "column": start.1});
        let (field, value) = match &variable.value {
            Ok(value) => ("value", value.clone()),
            Err(reason) => ("error", reason.as_str().into()),
        };
        if let Some(fields) = object.as_object_mut() {
            fields.insert(field.to_owned(), value);
            if let Some(help) = help(variable) {
                fields.insert("help".to_owned(), help.into());
            }
        }
        object
    });
    json!({
        "kind": part.kind.name(),
        "line": start.0,
        "column": start.1,
        "endLine": end.0,
        "endColumn": end.1,
        "held": part.held.as_ref().ok(),
        "error": part.held.as_ref().err(),
        "wanted": part.wanted,
        "path": part.path,
        "seen": part.seen,
        "element": part.element,
        "variables": variables.collect::<Vec<_>>(),
        "rego": {"package": part.package, "rules": part.rego},
        "message": part.sentence(),
    })
}
