//! Works the anchors of a strategic merge patch off, so that a plain patch is left.
//!
//! `+(key)` stays where the object has no such field; `(key)` and `<(key)` are conditions, judged by the walk of patterns.
//! An element of a list with anchors is tried against each element of the object's list, and stands in the patch once for
//! each that it is about, under its name. As in Kyverno these trials share one copy, so that the first element decides
//! for all whether `+(key)` is added.

use serde_json::{Map, Value};

use crate::ast::pattern::Anchor;
use crate::pattern;

use super::{PatchError, Room, spend, wrong_shape};

/// Why a part of a patch does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unmet {
    /// A condition of this map does not hold.
    Condition,
    /// A condition of the whole rule does not hold.
    Global,
    /// The patch does not fit the object.
    Wrong(String),
    /// It is more work, or comes to more, than one may.
    TooLarge,
}

impl From<PatchError> for Unmet {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::TooLarge => Self::TooLarge,
            other => Self::Wrong(other.to_string()),
        }
    }
}

/// Turns a patch with anchors into one without.
pub(super) fn work_off(patch: &mut Value, object: &Value) -> Result<(), Unmet> {
    walk(patch, Some(object))?;
    if let Value::Object(fields) = patch {
        strip_conditions(fields);
        drop_empty_fields(fields);
    }
    Ok(())
}

/// The anchor of a key that means something here.
pub(super) fn anchor_of(key: &str) -> Option<(Anchor, &str)> {
    match Anchor::split(key) {
        (Some(anchor @ (Anchor::Condition | Anchor::Global | Anchor::AddIfAbsent)), bare) => {
            Some((anchor, bare))
        }
        _ => None,
    }
}

fn is_condition(key: &str) -> bool {
    matches!(
        anchor_of(key),
        Some((Anchor::Condition | Anchor::Global, _))
    )
}

fn field<'a>(object: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    object?.as_object()?.get(name)
}

fn walk(patch: &mut Value, object: Option<&Value>) -> Result<(), Unmet> {
    match patch {
        Value::Object(fields) => walk_map(fields, object),
        Value::Array(items) if matches!(items.first(), Some(Value::Object(_))) => {
            walk_list(items, object)
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Ok(())
        }
    }
}

fn walk_map(fields: &mut Map<String, Value>, object: Option<&Value>) -> Result<(), Unmet> {
    add_if_absent(fields, object);
    conditions(fields, object, Anchor::Global)?;
    conditions(fields, object, Anchor::Condition)?;
    for (name, value) in fields.iter_mut() {
        if anchor_of(name).is_none() {
            walk(value, field(object, name))?;
        }
    }
    Ok(())
}

/// Works `+(key)` off; says whether there was one.
fn add_if_absent(fields: &mut Map<String, Value>, object: Option<&Value>) -> bool {
    let keys = fields.keys().filter_map(|key| match anchor_of(key) {
        Some((Anchor::AddIfAbsent, bare)) => Some((key.clone(), bare.to_owned())),
        _ => None,
    });
    let keys: Vec<_> = keys.collect();
    for (key, bare) in &keys {
        let value = fields.remove(key);
        if field(object, bare).is_none()
            && let Some(value) = value
        {
            fields.insert(bare.clone(), value);
        }
    }
    !keys.is_empty()
}

/// Judges the conditions of one kind of a map.
fn conditions(
    fields: &mut Map<String, Value>,
    object: Option<&Value>,
    kind: Anchor,
) -> Result<(), Unmet> {
    let unmet = || match kind {
        Anchor::Global => Unmet::Global,
        _ => Unmet::Condition,
    };
    for (key, condition) in fields.iter_mut() {
        let bare = match anchor_of(key) {
            Some((anchor, bare)) if anchor == kind => bare,
            _ => continue,
        };
        let actual = field(object, bare).ok_or_else(unmet)?;
        let mut compared = as_compared(condition);
        if let Value::Object(fields) = condition
            && add_if_absent(fields, Some(actual))
            && let Value::Object(others) = &mut compared
        {
            others.retain(|key, _| !matches!(anchor_of(key), Some((Anchor::AddIfAbsent, _))));
            if others.is_empty() {
                continue;
            }
        }
        if pattern::walk(&compared, &as_compared(actual)).is_err() {
            return Err(unmet());
        }
    }
    Ok(())
}

/// Scalars are compared as texts here, on both sides.
pub(super) fn as_compared(value: &Value) -> Value {
    match value {
        Value::Null => Value::String("null".to_owned()),
        Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
        Value::String(_) | Value::Array(_) | Value::Object(_) => value.clone(),
    }
}

fn walk_list(items: &mut Vec<Value>, object: Option<&Value>) -> Result<(), Unmet> {
    let elements = match object {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(other) => return Err(Unmet::Wrong(wrong_shape("SequenceNode", other))),
    };
    let mut addressed = Vec::new();
    let mut room = Room::default();
    for item in items.iter().filter(|item| has_anchors(item, is_any)) {
        addressed.extend(try_each(item, object.is_some(), elements, &mut room)?);
    }
    items.append(&mut addressed);
    Ok(())
}

/// What it costs to try an element, as so many values.
const TRIAL: usize = 4;

/// What an element with anchors comes to: a copy for each element of the object that it is about.
fn try_each(
    item: &Value,
    exists: bool,
    elements: &[Value],
    room: &mut Room,
) -> Result<Vec<Value>, Unmet> {
    let for_all = has_anchors(item, |anchor| anchor == Anchor::Global);
    let mut copy = item.clone();
    let mut addressed = Vec::new();
    let mut held = false;
    let mut global = None;
    for element in elements {
        spend(TRIAL)?;
        match walk(&mut copy, Some(element)) {
            Ok(()) if for_all => held = true,
            Ok(()) => {
                room.take(&copy)?;
                addressed.extend(under_name(&copy, element));
            }
            Err(Unmet::Condition) => {}
            Err(unmet @ Unmet::Global) => global = Some(unmet),
            Err(stop @ (Unmet::Wrong(_) | Unmet::TooLarge)) => return Err(stop),
        }
    }
    if !exists {
        match walk(&mut copy, None) {
            Ok(()) => held |= for_all,
            Err(Unmet::Condition) => return Ok(addressed),
            Err(other) => return Err(other),
        }
    }
    match global {
        Some(unmet) if !held => Err(unmet),
        _ => Ok(addressed),
    }
}

/// The element for one of the object's, which has to have a name: by nothing else can it be addressed.
fn under_name(item: &Value, element: &Value) -> Option<Value> {
    let name = element.get("name").filter(|name| !is_blank(name))?;
    let mut item = item.clone();
    if is_dropped(&mut item, Scalars::Dropped) {
        return None;
    }
    item.as_object_mut()?
        .insert("name".to_owned(), name.clone());
    Some(item)
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_any(_: Anchor) -> bool {
    true
}

/// Whether anchors are left in a value. A text is none, whatever it looks like: it may be one of the object's.
fn has_anchors(value: &Value, wanted: impl Fn(Anchor) -> bool + Copy) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            anchor_of(key).is_some_and(|(anchor, _)| wanted(anchor))
                || (!is_blank(value) && has_anchors(value, wanted))
        }),
        Value::Array(items) => items.iter().any(|item| has_anchors(item, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What becomes of scalars below a condition, and of those that are part of the patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalars {
    Dropped,
    Kept,
}

/// Takes out what only said when the patch applies; says whether nothing is left.
fn is_dropped(value: &mut Value, scalars: Scalars) -> bool {
    match value {
        Value::Object(fields) => {
            strip_conditions(fields);
            drop_empty_fields(fields)
        }
        Value::Array(items) => {
            let was_empty = items.is_empty();
            items.retain_mut(|item| !has_anchors(item, is_any) && !is_dropped(item, Scalars::Kept));
            items.is_empty() && !was_empty
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            scalars == Scalars::Dropped
        }
    }
}

/// Drops conditions; one with something of the patch below it loses its anchor and stays.
fn strip_conditions(fields: &mut Map<String, Value>) {
    let conditions: Vec<String> = fields
        .keys()
        .filter(|key| is_condition(key))
        .cloned()
        .collect();
    for key in conditions {
        let Some(mut value) = fields.remove(&key) else {
            continue;
        };
        if let Some((_, bare)) = anchor_of(&key)
            && !is_dropped(&mut value, Scalars::Dropped)
        {
            fields.insert(bare.to_owned(), value);
        }
    }
}

/// Drops fields of which nothing is left; says whether that were all.
fn drop_empty_fields(fields: &mut Map<String, Value>) -> bool {
    fields.retain(|_, value| !is_dropped(value, Scalars::Kept));
    fields.is_empty()
}
