//! Lists whose elements have keys, or are a set.
//!
//! An element of the patch is merged into the one that has its key, and comes first where there is none.
//! Elements without a key cannot be addressed: what kustomize then makes of the list is kept to, odd as it is, because a
//! valid object has none. But that a patch with such an element takes the object's own elements away is refused.

use std::borrow::Cow;

use serde_json::Value;

use super::strategic_merge::{Directive, Origin, Place, directive, merge};
use super::{MAX_OPERATIONS, PatchError, index, spend, wrong_shape};

/// What is merged into a list.
#[derive(Debug)]
pub(super) enum New {
    /// Nothing.
    Nothing,
    /// These elements.
    Elements(Vec<Value>),
    /// The list is new itself.
    Itself,
}

impl New {
    fn elements(&self) -> &[Value] {
        match self {
            Self::Elements(elements) => elements,
            Self::Nothing | Self::Itself => &[],
        }
    }
}

/// Merges a list whose elements have keys.
pub(super) fn merge_keyed(
    old: Vec<Value>,
    new: &New,
    keys: &[&'static str],
    place: Place,
) -> Result<Vec<Value>, PatchError> {
    let patch = new.elements();
    if let Some(other) = old.iter().chain(patch).find(|item| !is_map_or_null(item)) {
        return Err(PatchError::DoesNotApply(wrong_shape("MappingNode", other)));
    }
    if let Some(pairs) = index::pairs(&old, patch, keys) {
        return merge_pairs(old, new, &pairs, place);
    }
    merge_each_with_each(old, new, keys, place)
}

/// Merges any list, odd ones included.
pub(super) fn merge_each_with_each(
    mut old: Vec<Value>,
    new: &New,
    keys: &[&'static str],
    place: Place,
) -> Result<Vec<Value>, PatchError> {
    let patch = new.elements();
    // Each element is looked for among the others.
    if old.len() + patch.len() > MAX_OPERATIONS {
        return Err(PatchError::TooLarge);
    }
    let identities = identities(patch.iter().chain(&old), keys);
    let mut merged = Vec::new();
    for identity in &identities {
        spend(old.len() + patch.len() + merged.len())?;
        let identity = identity.known();
        let place_in_old = old.iter().position(|item| identity.is_of(item));
        let mine = place_in_old.and_then(|place| old.get(place)).cloned();
        let theirs = patch.iter().find(|item| identity.is_of(item));
        let origin = match (new, theirs) {
            (New::Itself, _) => Origin::Itself,
            (_, Some(theirs)) => Origin::Patch(theirs),
            (_, None) => Origin::Nothing,
        };
        let value = merge(mine, origin, place)?;
        let Some(value) = value.filter(|value| !is_empty(value)) else {
            if identity.is_nobodys()
                && let Some(item) = patch.iter().find(|item| is_about_nobody(item, keys))
                && old.iter().any(|item| identity.addresses(item))
            {
                return Err(PatchError::DoesNotApply(without_keys(item, keys)));
            }
            identity.remove_from(&mut old);
            continue;
        };
        let value = identity.with_keys(value);
        identity.set_in(&mut merged, &value);
        let replaces = match theirs {
            Some(Value::Object(fields)) => directive(fields)? == Directive::Replace,
            _ => false,
        };
        if let Some(place) = place_in_old.and_then(|place| old.get_mut(place))
            && !replaces
        {
            *place = value;
        }
    }
    if keys.len() == 1 {
        keep_old(&mut merged, old, &identities)?;
    }
    Ok(merged)
}

/// Merges an ordinary list, of which it is known which elements are one: the patch's elements, then the others.
fn merge_pairs(
    old: Vec<Value>,
    new: &New,
    pairs: &[Option<usize>],
    place: Place,
) -> Result<Vec<Value>, PatchError> {
    let mut old: Vec<Option<Value>> = old.into_iter().map(Some).collect();
    let mut merged = Vec::with_capacity(old.len());
    for (theirs, pair) in new.elements().iter().zip(pairs) {
        let mine = pair.and_then(|place| old.get_mut(place)?.take());
        let value = merge(mine, Origin::Patch(theirs), place)?;
        merged.extend(value.filter(|value| !is_empty(value)));
    }
    for item in old.into_iter().flatten() {
        let origin = match new {
            New::Itself => Origin::Itself,
            New::Nothing | New::Elements(_) => Origin::Nothing,
        };
        let value = merge(Some(item), origin, place)?;
        merged.extend(value.filter(|value| !is_empty(value)));
    }
    Ok(merged)
}

fn is_map_or_null(item: &Value) -> bool {
    matches!(item, Value::Object(_) | Value::Null)
}

/// An element that says something, and has none of the keys that would say of which element.
fn is_about_nobody(item: &Value, keys: &[&str]) -> bool {
    !is_empty(item) && keys.iter().all(|key| key_of(item, key).is_empty())
}

/// As in Kubernetes this is an error: the merge would leave nothing of the object's own elements.
fn without_keys(item: &Value, keys: &[&str]) -> String {
    let fields = item.as_object().into_iter().flatten();
    let fields: Vec<&str> = fields.map(|(name, _)| name.as_str()).collect();
    format!(
        "an element of a list in the patch ({}) has no {}, by which the object's elements are told apart, and would take them away; an anchor does not stay in the patch",
        fields.join(", "),
        keys.join(" or "),
    )
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

/// What makes an element that element: its keys with their texts, empty where it lacks one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    keys: Vec<&'static str>,
    texts: Vec<String>,
}

/// The different identities of elements, in their order.
fn identities<'a>(items: impl Iterator<Item = &'a Value>, keys: &[&'static str]) -> Vec<Identity> {
    let mut seen = std::collections::BTreeSet::new();
    let mut identities = Vec::new();
    for item in items {
        let texts = keys.iter().map(|key| key_of(item, key).into_owned());
        let texts: Vec<String> = texts.collect();
        if seen.insert(texts.clone()) {
            identities.push(Identity {
                keys: keys.to_vec(),
                texts,
            });
        }
    }
    identities
}

/// The text of an element's key; empty where it has none.
pub(super) fn key_of<'v>(item: &'v Value, key: &str) -> Cow<'v, str> {
    match item.get(key) {
        None | Some(Value::Null) => Cow::Borrowed(""),
        Some(value) => text(value),
    }
}

/// A scalar as YAML writes it; nothing for what is none.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => Cow::Owned(value.to_string()),
        Value::Array(_) | Value::Object(_) => Cow::Borrowed(""),
    }
}

impl Identity {
    /// Only those keys that the element has; the first where it has none.
    fn known(&self) -> Self {
        let known = self.keys.iter().zip(&self.texts);
        let known: Vec<_> = known.filter(|(_, text)| !text.is_empty()).collect();
        if known.is_empty() {
            return Self {
                keys: self.keys.iter().take(1).copied().collect(),
                texts: self.texts.iter().take(1).cloned().collect(),
            };
        }
        Self {
            keys: known.iter().map(|(key, _)| **key).collect(),
            texts: known.iter().map(|(_, text)| (*text).clone()).collect(),
        }
    }

    /// Whether it is that of elements without a key.
    fn is_nobodys(&self) -> bool {
        self.texts.iter().all(String::is_empty)
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &String)> {
        self.keys.iter().copied().zip(&self.texts)
    }

    fn is_of(&self, item: &Value) -> bool {
        item.is_object()
            && self.pairs().all(|(key, wanted)| {
                let value = item.get(key);
                value.is_some_and(|value| text(value) == *wanted)
            })
    }

    /// The same, but that no text at all stands for any.
    fn addresses(&self, item: &Value) -> bool {
        self.pairs().all(|(key, wanted)| {
            let value = item.get(key);
            value.is_some_and(|value| wanted.is_empty() || text(value) == *wanted)
        })
    }

    fn remove_from(&self, items: &mut Vec<Value>) {
        items.retain(|item| !is_empty(item) && !self.addresses(item));
    }

    fn set_in(&self, items: &mut Vec<Value>, value: &Value) {
        items.retain(|item| !is_empty(item));
        let mut found = false;
        for item in items.iter_mut() {
            if self.addresses(item) {
                item.clone_from(value);
                found = true;
            }
        }
        if !found {
            items.push(value.clone());
        }
    }

    /// The element with its keys, should merging have lost one.
    fn with_keys(&self, mut value: Value) -> Value {
        if let Value::Object(fields) = &mut value {
            for (key, text) in self.pairs().filter(|(_, text)| !text.is_empty()) {
                let text = || Value::String(text.clone());
                fields.entry(key.to_owned()).or_insert_with(text);
            }
        }
        value
    }
}

/// Puts the object's own elements behind the merged ones; each that was merged stands where its merged form does.
fn keep_old(
    merged: &mut Vec<Value>,
    old: Vec<Value>,
    identities: &[Identity],
) -> Result<(), PatchError> {
    let keyless = |items: &[Value], key: &str| items.iter().any(|item| item.get(key).is_none());
    let Some(key) = identities.first().and_then(|one| one.keys.first()) else {
        return Ok(());
    };
    // Without an element that has no key, doing it once or once an element is the same.
    let rounds = if keyless(&old, key) {
        identities.len()
    } else {
        1
    };
    let mut from = old;
    for _ in 0..rounds {
        for item in &from {
            spend(merged.len())?;
            match item.get(*key) {
                None => *merged = vec![item.clone()],
                Some(value) => {
                    let identity = Identity {
                        keys: vec![key],
                        texts: vec![text(value).into_owned()],
                    };
                    identity.set_in(merged, item);
                }
            }
        }
        from.clone_from(merged);
    }
    Ok(())
}

/// Merges a set of scalars: the patch's come first.
pub(super) fn merge_set(old: Vec<Value>, new: &New) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for item in new.elements().iter().cloned().chain(old) {
        if seen.insert(text(&item).into_owned()) {
            merged.push(item);
        }
    }
    merged
}
