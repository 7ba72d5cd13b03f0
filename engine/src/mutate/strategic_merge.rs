//! Strategic merge as Kyverno does it: anchors are worked off first, then the patch is merged as kustomize merges.
//!
//! kustomize's results are kept to also where they surprise, since what a policy does to a cluster is what they are:
//! new elements of a list come first, an empty map in a patch says nothing, a map without its merge key loses others.

use serde_json::{Map, Value};

use super::anchors::{self, Unmet};
use super::lists;
use super::merge_keys::{ListMerge, Shape};
use super::{MAX_DEPTH, PatchError, bound, wrong_shape};

/// Merges a patch, its anchors included, into an object.
pub fn apply(object: &Value, patch: &Value) -> Result<Value, PatchError> {
    apply_to(object.clone(), patch)
}

/// The same to an object that nobody else needs: what the patch does not say anything of is not copied.
pub fn apply_to(object: Value, patch: &Value) -> Result<Value, PatchError> {
    bound(patch)?;
    let mut patch = patch.clone();
    match anchors::work_off(&mut patch, &object) {
        Ok(()) => {}
        // A condition at the top, or a global one, that does not hold: the rule changes nothing.
        Err(Unmet::Condition | Unmet::Global) => patch = Value::Object(Map::new()),
        Err(Unmet::Wrong(reason)) => {
            let reason = format!("failed to preProcess rule: {reason}");
            return Err(PatchError::DoesNotApply(reason));
        }
        Err(Unmet::TooLarge) => return Err(PatchError::TooLarge),
    }
    let place = Place::root(&object);
    let merged = merge(Some(object), Origin::Patch(&patch), place)?
        .ok_or_else(|| PatchError::DoesNotApply("the patch deletes the whole object".to_owned()))?;
    bound(&merged)?;
    Ok(merged)
}

/// What is merged into a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// Nothing: the value stays, and only its lists are looked through.
    Nothing,
    /// A part of the patch.
    Patch(&'a Value),
    /// The value is a part of the patch that is new in the object: directives and null in it count.
    Itself,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    shape: Option<Shape>,
    /// How the value is merged if it is a list.
    list: Option<(ListMerge, Shape)>,
    depth: usize,
}

impl Place {
    pub(super) fn root(object: &Value) -> Self {
        Self {
            shape: shape_of(object),
            list: None,
            depth: 0,
        }
    }

    fn field(self, name: &str) -> Self {
        Self {
            shape: self.shape.map(|shape| shape.field(name)),
            list: self.shape.and_then(|shape| shape.list(name)),
            depth: self.depth + 1,
        }
    }

    pub(super) fn element(self, shape: Shape) -> Self {
        Self {
            shape: Some(shape),
            list: None,
            depth: self.depth + 1,
        }
    }
}

fn shape_of(object: &Value) -> Option<Shape> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    Shape::of(text("apiVersion")?, text("kind")?)
}

/// What becomes of a value; none where it goes.
pub(super) fn merge(
    value: Option<Value>,
    origin: Origin<'_>,
    place: Place,
) -> Result<Option<Value>, PatchError> {
    if place.depth > MAX_DEPTH {
        return Err(PatchError::TooLarge);
    }
    match (value, origin) {
        (None, Origin::Nothing | Origin::Itself | Origin::Patch(Value::Null)) => Ok(None),
        (None | Some(Value::Null), Origin::Patch(new)) => added(new, place),
        (Some(Value::Null), Origin::Nothing) => Ok(Some(Value::Null)),
        (Some(Value::Null), Origin::Itself) | (Some(_), Origin::Patch(Value::Null)) => Ok(None),
        (Some(Value::Object(fields)), origin) => merge_map(fields, origin, place),
        (Some(Value::Array(items)), origin) => merge_list(items, origin, place),
        (Some(scalar), Origin::Nothing | Origin::Itself) => Ok(Some(scalar)),
        (Some(_), Origin::Patch(new @ (Value::Object(_) | Value::Array(_)))) => {
            Err(PatchError::DoesNotApply(wrong_shape("ScalarNode", new)))
        }
        (Some(_), Origin::Patch(scalar)) => Ok(Some(scalar.clone())),
    }
}

/// A part of the patch where the object has nothing.
fn added(new: &Value, place: Place) -> Result<Option<Value>, PatchError> {
    merge(Some(new.clone()), Origin::Itself, place)
}

/// What a patch says about a map or list as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

const DIRECTIVE: &str = "$patch";

/// The directive of a map.
pub(super) fn directive(fields: &Map<String, Value>) -> Result<Directive, PatchError> {
    match fields.get(DIRECTIVE) {
        None => Ok(Directive::Merge),
        Some(Value::String(text)) if text == "merge" => Ok(Directive::Merge),
        Some(Value::String(text)) if text == "replace" => Ok(Directive::Replace),
        Some(Value::String(text)) if text == "delete" => Ok(Directive::Delete),
        Some(other) => {
            let text = other
                .as_str()
                .map_or_else(|| other.to_string(), str::to_owned);
            Err(PatchError::DoesNotApply(format!(
                "unknown patch strategy '{text}'"
            )))
        }
    }
}

fn without_directive(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = fields.clone();
    fields.remove(DIRECTIVE);
    fields
}

fn merge_map(
    mut fields: Map<String, Value>,
    origin: Origin<'_>,
    place: Place,
) -> Result<Option<Value>, PatchError> {
    let place = Place {
        shape: place
            .shape
            .filter(|shape| *shape != Shape::Plain)
            .or_else(|| {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                Shape::of(text("apiVersion")?, text("kind")?)
            }),
        ..place
    };
    match origin {
        Origin::Nothing => every_field(&mut fields, place, |_| Origin::Nothing)?,
        Origin::Itself => {
            if directive(&fields)? == Directive::Delete {
                return Ok(None);
            }
            fields.remove(DIRECTIVE);
            every_field(&mut fields, place, |_| Origin::Itself)?;
        }
        Origin::Patch(Value::Object(patch)) => match directive(patch)? {
            Directive::Delete => return Ok(None),
            Directive::Replace => return added(&Value::Object(without_directive(patch)), place),
            Directive::Merge => {
                every_field(&mut fields, place, |name| {
                    patch.get(name).map_or(Origin::Nothing, Origin::Patch)
                })?;
                for (name, new) in patch {
                    if name == DIRECTIVE || fields.contains_key(name) {
                        continue;
                    }
                    if let Some(value) = merge(None, Origin::Patch(new), place.field(name))? {
                        fields.insert(name.clone(), value);
                    }
                }
            }
        },
        Origin::Patch(other) => {
            return Err(PatchError::DoesNotApply(wrong_shape("MappingNode", other)));
        }
    }
    Ok(Some(Value::Object(fields)))
}

fn every_field<'p>(
    fields: &mut Map<String, Value>,
    place: Place,
    origin: impl Fn(&str) -> Origin<'p>,
) -> Result<(), PatchError> {
    let mut gone = Vec::new();
    for (name, value) in fields.iter_mut() {
        let origin = origin(name);
        if matches!(origin, Origin::Nothing) && !value.is_object() && !value.is_array() {
            continue;
        }
        match merge(Some(value.take()), origin, place.field(name))? {
            Some(merged) => *value = merged,
            None => gone.push(name.clone()),
        }
    }
    for name in gone {
        fields.remove(&name);
    }
    Ok(())
}

fn merge_list(
    items: Vec<Value>,
    origin: Origin<'_>,
    place: Place,
) -> Result<Option<Value>, PatchError> {
    let new = match origin {
        Origin::Nothing | Origin::Itself => None,
        Origin::Patch(Value::Array(new)) => Some(new.as_slice()),
        Origin::Patch(other) => {
            return Err(PatchError::DoesNotApply(wrong_shape("SequenceNode", other)));
        }
    };
    let Some((strategy, shape)) = place.list else {
        let items = new.map_or(items, <[Value]>::to_vec);
        return Ok(Some(Value::Array(items)));
    };
    let place = place.element(shape);
    let (items, origin) = match (new, origin) {
        (Some(new), _) => match list_directive(new)? {
            Some((Directive::Delete, _)) => return Ok(None),
            Some((Directive::Replace, rest)) => (rest, lists::New::Itself),
            Some((Directive::Merge, rest)) => (items, lists::New::Elements(rest)),
            None => (items, lists::New::Elements(new.to_vec())),
        },
        (None, Origin::Itself) => match list_directive(&items)? {
            Some((Directive::Delete, _)) => return Ok(None),
            Some((_, rest)) => (rest, lists::New::Itself),
            None => (items, lists::New::Itself),
        },
        (None, Origin::Nothing | Origin::Patch(_)) => (items, lists::New::Nothing),
    };
    let merged = match strategy {
        ListMerge::Keys(keys) => lists::merge_keyed(items, &origin, keys, place)?,
        ListMerge::Set => lists::merge_set(items, &origin),
    };
    Ok(Some(Value::Array(merged)))
}

/// The directive of a list: an element that holds nothing else; with the elements without it.
fn list_directive(items: &[Value]) -> Result<Option<(Directive, Vec<Value>)>, PatchError> {
    let place = items.iter().position(|item| item.get(DIRECTIVE).is_some());
    let Some((place, Value::Object(fields))) =
        place.and_then(|place| Some((place, items.get(place)?)))
    else {
        return Ok(None);
    };
    if fields.len() > 1 {
        return Ok(None);
    }
    let directive = directive(fields)?;
    let others = items
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != place);
    let rest = others.map(|(_, item)| item.clone()).collect();
    Ok(Some((directive, rest)))
}
