//! Applying a rule's patch to an object, and saying where two objects differ.
//!
//! Knows JSON alone.

use regent_engine::response::PatchOperation;
use serde_json::Value;

/// Applies operations in order; one that does not apply is an error that names it.
pub fn apply(object: &mut Value, operations: &[PatchOperation]) -> Result<(), String> {
    for operation in operations {
        match operation {
            PatchOperation::Add { path, value } => add(object, path, value.clone()),
            PatchOperation::Replace { path, value } => object
                .pointer_mut(path)
                .map(|place| *place = value.clone())
                .ok_or(()),
            PatchOperation::Remove { path } => remove(object, path),
        }
        .map_err(|()| format!("the patch of `{}` does not apply", path_of(operation)))?;
    }
    Ok(())
}

fn path_of(operation: &PatchOperation) -> &str {
    match operation {
        PatchOperation::Add { path, .. }
        | PatchOperation::Replace { path, .. }
        | PatchOperation::Remove { path } => path,
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), ()> {
    let Some((parent, key)) = path.rsplit_once('/') else {
        *object = value;
        return Ok(());
    };
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.insert(unescape(key), value);
            Ok(())
        }
        Some(Value::Array(items)) if key == "-" => {
            items.push(value);
            Ok(())
        }
        Some(Value::Array(items)) => match key.parse::<usize>() {
            Ok(index) if index <= items.len() => {
                items.insert(index, value);
                Ok(())
            }
            _ => Err(()),
        },
        _ => Err(()),
    }
}

fn remove(object: &mut Value, path: &str) -> Result<(), ()> {
    let (parent, key) = path.rsplit_once('/').ok_or(())?;
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&unescape(key)).map(drop).ok_or(()),
        Some(Value::Array(items)) => match key.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                Ok(())
            }
            _ => Err(()),
        },
        _ => Err(()),
    }
}

fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

/// Without what Kyverno's runner does not compare: nulls, empty maps and lists, and its own bookkeeping labels.
pub fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(Value::Object(labels)) = object.pointer_mut("/metadata/labels") {
        labels.retain(|key, _| {
            !key.starts_with("generate.kyverno.io/") && key != "app.kubernetes.io/managed-by"
        });
    }
    prune(&mut object);
    object
}

fn prune(value: &mut Value) {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, value| !is_nothing(value));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(prune);
            items.retain(|value| !is_nothing(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// More differences than a person reads.
const MAX_DIFFERENCES: usize = 20;

/// Where two values differ, one line for each place.
pub fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, actual, "", &mut found);
    found.truncate(MAX_DIFFERENCES);
    found
}

fn compare(expected: &Value, actual: &Value, path: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(seen)) => {
            for (key, value) in wanted {
                let path = format!("{path}/{key}");
                match seen.get(key) {
                    Some(seen) => compare(value, seen, &path, found),
                    None => found.push(format!("{path}: expected {value}, found nothing")),
                }
            }
            for (key, value) in seen.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                found.push(format!("{path}/{key}: expected nothing, found {value}"));
            }
        }
        (Value::Array(wanted), Value::Array(seen)) if wanted.len() == seen.len() => {
            for (index, (wanted, seen)) in wanted.iter().zip(seen).enumerate() {
                compare(wanted, seen, &format!("{path}/{index}"), found);
            }
        }
        _ if expected == actual => {}
        _ => {
            let path = if path.is_empty() { "/" } else { path };
            found.push(format!("{path}: expected {expected}, found {actual}"));
        }
    }
}

#[cfg(test)]
mod tests;
