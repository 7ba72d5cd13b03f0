//! JSON Patch (RFC 6902) with what Kyverno adds: negative indexes, removing what is not there, and `add` making its parents.
//!
//! Operations are read once and applied in order; one that does not fit ends the patch, and nothing of it counts.

mod misfit;

use serde_json::{Map, Value};

use super::{MAX_OPERATIONS, PatchError, bound};

pub use misfit::misfit;

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Adds or replaces a value.
    Add {
        /// Where.
        path: Pointer,
        /// What.
        value: Value,
    },
    /// Removes a value, if it is there.
    Remove {
        /// Where.
        path: Pointer,
    },
    /// Replaces a value that is there.
    Replace {
        /// Where.
        path: Pointer,
        /// What with.
        value: Value,
    },
    /// Moves a value.
    Move {
        /// Where from.
        from: Pointer,
        /// Where to.
        path: Pointer,
    },
    /// Copies a value.
    Copy {
        /// Where from.
        from: Pointer,
        /// Where to.
        path: Pointer,
    },
    /// Ends the patch with an error unless the value is as said.
    Test {
        /// Where.
        path: Pointer,
        /// What it must be.
        value: Value,
    },
}

/// A JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    /// Its steps without the escapes; none for the whole document.
    steps: Vec<String>,
}

impl Pointer {
    /// Reads a pointer; what stands before the first `/` counts for nothing.
    pub fn parse(text: &str) -> Self {
        let step = |step: &str| step.replace("~1", "/").replace("~0", "~");
        Self {
            text: text.to_owned(),
            steps: text.split('/').skip(1).map(step).collect(),
        }
    }

    /// The whole document.
    fn is_root(&self) -> bool {
        self.text.is_empty()
    }

    /// The way to the parent, and the last step.
    fn split(&self) -> Option<(&[String], &str)> {
        let (last, parents) = self.steps.split_last()?;
        Some((parents, last))
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Reads a patch: a list of operations.
pub fn parse(patch: &Value) -> Result<Vec<Operation>, PatchError> {
    let Value::Array(items) = patch else {
        return Err(malformed("a JSON patch is a list of operations"));
    };
    if items.len() > MAX_OPERATIONS {
        return Err(PatchError::TooLarge);
    }
    items.iter().map(operation).collect()
}

fn malformed(reason: &str) -> PatchError {
    PatchError::Malformed(format!("failed to decode patches: {reason}"))
}

fn operation(item: &Value) -> Result<Operation, PatchError> {
    let Value::Object(fields) = item else {
        return Err(malformed("an operation is a map"));
    };
    let wrong = |what: &str| malformed(&format!("invalid operation {item}: {what}"));
    let pointer = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Ok(Pointer::parse(text)),
        Some(_) | None => Err(wrong(&format!("failed to decode '{name}'"))),
    };
    let value = || {
        let value = fields.get("value");
        value.cloned().ok_or_else(|| {
            wrong("failed to decode 'value': operation, missing value field: missing value")
        })
    };
    let path = pointer("path");
    Ok(match fields.get("op").and_then(Value::as_str) {
        Some("add") => Operation::Add {
            value: value()?,
            path: path?,
        },
        Some("replace") => Operation::Replace {
            value: value()?,
            path: path?,
        },
        Some("remove") => Operation::Remove { path: path? },
        Some("move") => Operation::Move {
            from: pointer("from")?,
            path: path?,
        },
        Some("copy") => Operation::Copy {
            from: pointer("from")?,
            path: path?,
        },
        Some("test") => Operation::Test {
            value: fields.get("value").cloned().unwrap_or(Value::Null),
            path: path?,
        },
        _ => return Err(wrong("unsupported operation")),
    })
}

/// Applies a patch to an object.
pub fn apply(object: &Value, operations: &[Operation]) -> Result<Value, PatchError> {
    apply_to(object.clone(), operations)
}

/// The same to an object that nobody else needs.
pub fn apply_to(mut document: Value, operations: &[Operation]) -> Result<Value, PatchError> {
    for operation in operations {
        apply_one(&mut document, operation)?;
        match operation {
            // What is moved may come to a place that is made for it.
            Operation::Add { .. }
            | Operation::Replace { .. }
            | Operation::Copy { .. }
            | Operation::Move { .. } => bound(&document)?,
            Operation::Remove { .. } | Operation::Test { .. } => {}
        }
    }
    Ok(document)
}

fn apply_one(document: &mut Value, operation: &Operation) -> Result<(), PatchError> {
    match operation {
        Operation::Add { path, value } => add(document, path, value.clone()),
        Operation::Remove { path } => remove(document, path),
        Operation::Replace { path, value } => replace(document, path, value.clone()),
        Operation::Move { from, path } => move_value(document, from, path),
        Operation::Copy { from, path } => copy(document, from, path),
        Operation::Test { path, value } => test(document, path, value),
    }
}

fn missing(reason: &str) -> PatchError {
    PatchError::DoesNotApply(format!("{reason}: missing value"))
}

fn does_not_apply(reason: impl Into<String>) -> PatchError {
    PatchError::DoesNotApply(reason.into())
}

fn add(document: &mut Value, path: &Pointer, value: Value) -> Result<(), PatchError> {
    if path.is_root() {
        *document = value;
        return Ok(());
    }
    ensure_parents(document, path)?;
    let absent = || {
        missing(&format!(
            "add operation does not apply: doc is missing path: \"{path}\""
        ))
    };
    let (parents, key) = path.split().ok_or_else(absent)?;
    let container = find(document, parents).ok_or_else(absent)?;
    insert(container, key, value)
        .map_err(|reason| does_not_apply(format!("error in add for path: '{path}': {reason}")))
}

fn remove(document: &mut Value, path: &Pointer) -> Result<(), PatchError> {
    let Some((parents, key)) = path.split() else {
        return Ok(());
    };
    let Some(container) = find(document, parents) else {
        return Ok(());
    };
    take(container, key)
        .map(drop)
        .map_err(|reason| does_not_apply(format!("error in remove for path: '{path}': {reason}")))
}

fn replace(document: &mut Value, path: &Pointer, value: Value) -> Result<(), PatchError> {
    if path.is_root() {
        *document = value;
        return Ok(());
    }
    let absent = |what: &str| {
        missing(&format!(
            "replace operation does not apply: doc is missing {what}: {path}"
        ))
    };
    let (parents, key) = path.split().ok_or_else(|| absent("path"))?;
    let container = find(document, parents).ok_or_else(|| absent("path"))?;
    let place = match container {
        Value::Object(fields) => fields.get_mut(key),
        Value::Array(items) => index_of(key, items.len()).and_then(|index| items.get_mut(index)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    *place.ok_or_else(|| absent("key"))? = value;
    Ok(())
}

fn move_value(document: &mut Value, from: &Pointer, path: &Pointer) -> Result<(), PatchError> {
    if from.is_root() {
        return Err(does_not_apply(
            "unable to move entire document to another path: invalid state detected",
        ));
    }
    let absent = |which: &str, at: &Pointer| {
        missing(&format!(
            "move operation does not apply: doc is missing {which} path: {at}"
        ))
    };
    let (parents, key) = from.split().ok_or_else(|| absent("from", from))?;
    let container = find(document, parents).ok_or_else(|| absent("from", from))?;
    let wrong = |key: &str, reason: String| {
        does_not_apply(format!("error in move for path: '{key}': {reason}"))
    };
    let value = peek(container, key)
        .map_err(|reason| wrong(key, reason))?
        .clone();
    take(container, key).map_err(|reason| wrong(key, reason))?;
    let (parents, key) = path.split().ok_or_else(|| absent("destination", path))?;
    let container = find(document, parents).ok_or_else(|| absent("destination", path))?;
    insert(container, key, value).map_err(|reason| wrong(&path.text, reason))
}

fn copy(document: &mut Value, from: &Pointer, path: &Pointer) -> Result<(), PatchError> {
    let absent = || {
        missing(&format!(
            "copy operation does not apply: doc is missing from path: \"{from}\""
        ))
    };
    let value = if from.is_root() {
        document.clone()
    } else {
        let (parents, key) = from.split().ok_or_else(absent)?;
        let container = find(document, parents).ok_or_else(absent)?;
        let value = peek(container, key);
        value
            .map_err(|reason| {
                does_not_apply(format!("error in copy for from: '{from}': {reason}"))
            })?
            .clone()
    };
    // Each copy may double the document; without a bound here thirty of them would fill the memory.
    bound(&value)?;
    let absent = || {
        missing(&format!(
            "copy operation does not apply: doc is missing destination path: {path}"
        ))
    };
    let (parents, key) = path.split().ok_or_else(absent)?;
    let container = find(document, parents).ok_or_else(absent)?;
    insert(container, key, value).map_err(|reason| {
        does_not_apply(format!("error while adding value during copy: {reason}"))
    })?;
    bound(document)
}

fn test(document: &mut Value, path: &Pointer, expected: &Value) -> Result<(), PatchError> {
    let failed = || PatchError::TestFailed(path.text.clone());
    if path.is_root() {
        return if same(document, expected) {
            Ok(())
        } else {
            Err(failed())
        };
    }
    let absent = || {
        missing(&format!(
            "test operation does not apply: is missing path: {path}"
        ))
    };
    let (parents, key) = path.split().ok_or_else(absent)?;
    let container = find(document, parents).ok_or_else(absent)?;
    let actual = match container {
        Value::Object(fields) => fields.get(key).unwrap_or(&Value::Null),
        other => peek(other, key).map_err(|reason| {
            does_not_apply(format!("error in test for path: '{path}': {reason}"))
        })?,
    };
    if same(actual, expected) {
        Ok(())
    } else {
        Err(failed())
    }
}

/// Equality of JSON, where `1` and `1.0` are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

/// The container that steps lead to; null stands for nothing.
fn find<'a>(document: &'a mut Value, steps: &[String]) -> Option<&'a mut Value> {
    let mut container = document;
    for step in steps {
        container = match container {
            // An empty step leads nowhere: Kyverno takes it for the container itself.
            _ if step.is_empty() => container,
            Value::Object(fields) => fields.get_mut(step)?,
            Value::Array(items) => {
                let index = index_of(step, items.len())?;
                items.get_mut(index)?
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    matches!(container, Value::Object(_) | Value::Array(_)).then_some(container)
}

/// Where an index leads in a list; a negative one counts from the end.
fn index_of(step: &str, length: usize) -> Option<usize> {
    let index: i64 = step.parse().ok()?;
    let from_end = usize::try_from(index.unsigned_abs()).ok()?;
    let index = if index < 0 {
        length.checked_sub(from_end)?
    } else {
        from_end
    };
    (index < length).then_some(index)
}

fn peek<'a>(container: &'a Value, key: &str) -> Result<&'a Value, String> {
    match container {
        Value::Object(fields) => fields
            .get(key)
            .ok_or_else(|| format!("unable to get nonexistent key: {key}: missing value")),
        Value::Array(items) => index_of(key, items.len())
            .and_then(|index| items.get(index))
            .ok_or_else(|| invalid_index(key)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("invalid state detected".to_owned())
        }
    }
}

fn invalid_index(key: &str) -> String {
    if key.parse::<i64>().is_err() {
        return format!(
            "strconv.Atoi: parsing {}: invalid syntax",
            Value::String(key.to_owned())
        );
    }
    format!("Unable to access invalid index: {key}: invalid index referenced")
}

/// Takes a value out; one that is not there is none.
fn take(container: &mut Value, key: &str) -> Result<Option<Value>, String> {
    match container {
        Value::Object(fields) => Ok(fields.remove(key)),
        Value::Array(items) => match index_of(key, items.len()) {
            Some(index) => Ok(Some(items.remove(index))),
            None if key.parse::<i64>().is_err() => Err(invalid_index(key)),
            None => Ok(None),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("invalid state detected".to_owned())
        }
    }
}

fn insert(container: &mut Value, key: &str, value: Value) -> Result<(), String> {
    match container {
        Value::Object(fields) => {
            fields.insert(key.to_owned(), value);
            Ok(())
        }
        Value::Array(items) if key == "-" => {
            items.push(value);
            Ok(())
        }
        Value::Array(items) => {
            if key.parse::<i64>().is_err() {
                let reason = invalid_index(key);
                return Err(format!(
                    "value was not a proper array index: '{key}': {reason}"
                ));
            }
            // Behind the last element is a place too, and it is what `-1` stands for.
            let index = index_of(key, items.len() + 1).ok_or_else(|| invalid_index(key))?;
            items.insert(index, value);
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err("invalid state detected".to_owned())
        }
    }
}

/// Makes the containers on the way to a path that are not there: lists where the next step is an index, else maps.
fn ensure_parents(document: &mut Value, path: &Pointer) -> Result<(), PatchError> {
    let mut container = document;
    for (step, next) in path.steps.iter().zip(path.steps.iter().skip(1)) {
        if step.is_empty() {
            continue;
        }
        // `-` is always a new element.
        if step == "-" || child(container, step).is_none_or(|child| child.is_null()) {
            pad(container, step)?;
            let made = make(next)?;
            // What has no place for it is said when the value is added: there the whole path is known.
            if put(container, step, made).is_err() {
                return Ok(());
            }
        }
        container = match child(container, step) {
            Some(child @ (Value::Object(_) | Value::Array(_))) => child,
            Some(_) | None => return Err(does_not_apply("invalid state detected")),
        };
    }
    Ok(())
}

fn child<'a>(container: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match container {
        Value::Object(fields) => fields.get_mut(step),
        Value::Array(items) => {
            let index = if step == "-" {
                items.len().checked_sub(1)
            } else {
                index_of(step, items.len())
            };
            items.get_mut(index?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Fills a list with null up to an index that is behind its end.
fn pad(container: &mut Value, step: &str) -> Result<(), PatchError> {
    let (Value::Array(items), Ok(index)) = (container, step.parse::<usize>()) else {
        return Ok(());
    };
    if index > super::MAX_VALUES {
        return Err(PatchError::TooLarge);
    }
    while items.len() < index {
        items.push(Value::Null);
    }
    Ok(())
}

/// What stands where `next` is the step after it.
fn make(next: &str) -> Result<Value, PatchError> {
    let index = match next.parse::<i64>() {
        Ok(index) => index,
        Err(_) if next == "-" => 0,
        Err(_) => return Ok(Value::Object(Map::new())),
    };
    if index < -1 {
        return Err(does_not_apply(format!(
            "Unable to ensure path for negative index other than -1: {index}: invalid index referenced"
        )));
    }
    let length = usize::try_from(index.max(0)).unwrap_or(usize::MAX);
    if length > super::MAX_VALUES {
        return Err(PatchError::TooLarge);
    }
    Ok(Value::Array(vec![Value::Null; length]))
}

/// Puts a made container where nothing, or null, was.
fn put(container: &mut Value, step: &str, made: Value) -> Result<(), String> {
    if let Value::Array(items) = container
        && let Some(place) = index_of(step, items.len()).and_then(|index| items.get_mut(index))
    {
        *place = made;
        return Ok(());
    }
    insert(container, step, made)
}
