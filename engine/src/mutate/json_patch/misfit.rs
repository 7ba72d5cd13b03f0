//! Which operation of a patch does not fit, and what there is where it was to be applied: for explanations only.

use serde_json::Value;

use super::{Operation, Pointer, apply_one};

/// Which operation of a patch does not fit an object, and what there is where it was to be applied: the value itself, or
/// what the nearest map above it has; none where all of them fit.
pub fn misfit(object: &Value, operations: &[Operation]) -> Option<(usize, String)> {
    let mut document = object.clone();
    for (index, operation) in operations.iter().enumerate() {
        let before = document.clone();
        if apply_one(&mut document, operation).is_err() {
            return Some((index, surroundings(&before, operation.reads())));
        }
    }
    None
}

/// Longest list of names that is shown.
const MOST_NAMES: usize = 8;

/// What there is at the end of a path, or nearest to it.
fn surroundings(document: &Value, path: &Pointer) -> String {
    let (mut value, mut known) = (document, String::new());
    let mut missing = false;
    for step in &path.steps {
        let next = match value {
            Value::Array(items) => step.parse().ok().and_then(|at: usize| items.get(at)),
            other => other.get(step),
        };
        let Some(next) = next else {
            missing = true;
            break;
        };
        value = next;
        known = format!("{known}/{}", step.replace('~', "~0").replace('/', "~1"));
    }
    let place = if known.is_empty() {
        "the object".to_owned()
    } else {
        format!("`{known}`")
    };
    match value {
        Value::Object(fields) if fields.is_empty() => format!("{place} is an empty map"),
        Value::Object(fields) if missing => {
            let names = fields.keys().take(MOST_NAMES);
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            let more = if fields.len() > MOST_NAMES {
                ", ..."
            } else {
                ""
            };
            format!("{place} has {}{more}", names.join(", "))
        }
        Value::Array(items) if missing => format!("{place} has {} elements", items.len()),
        other => format!("{place} is {other}"),
    }
}

impl Operation {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
        }
    }

    /// Where something has to be for it to fit.
    const fn reads(&self) -> &Pointer {
        match self {
            Self::Move { from, .. } | Self::Copy { from, .. } => from,
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Test { path, .. } => path,
        }
    }
}
