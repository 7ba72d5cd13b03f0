//! Which elements of a list and of its patch are one, without comparing each with each.
//!
//! Only for lists in which that is plain: each element has the first key, and no two of the object's or of the patch's
//! could be meant by one. For all others `lists` does as kustomize does, which takes the square of their length.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::lists::key_of;

/// Of an identity: the object's element, and whether the patch has one.
#[derive(Debug, Default)]
struct Known {
    old: Option<usize>,
    is_patched: bool,
}

/// For each element of the patch the place of the one that it is merged into; nothing where the list is not ordinary.
pub(super) fn pairs(
    old: &[Value],
    patch: &[Value],
    keys: &[&'static str],
) -> Option<Vec<Option<usize>>> {
    // Of an element that is replaced kustomize keeps the old one.
    if patch.iter().any(|item| key_of(item, "$patch") == "replace") {
        return None;
    }
    let (first, rest) = keys.split_first()?;
    by_first(old, patch, (first, rest)).or_else(|| {
        let all_of = |item| all_of(item, keys);
        match rest {
            [] => None,
            _ => paired(old, patch, all_of, |_, _| true),
        }
    })
}

/// Where the first key tells all apart. An element of the patch that has it alone is about whichever has it.
fn by_first(
    old: &[Value],
    patch: &[Value],
    (first, rest): (&str, &[&str]),
) -> Option<Vec<Option<usize>>> {
    let key = |item| Some(key_of(item, first)).filter(|text| !text.is_empty());
    let is_one = |mine: &Value, theirs: &Value| {
        rest.iter().all(|key| key_of(theirs, key).is_empty())
            || rest
                .iter()
                .all(|key| key_of(theirs, key) == key_of(mine, key))
    };
    paired(old, patch, key, is_one)
}

/// The texts of all keys, where there are all.
fn all_of<'v>(item: &'v Value, keys: &[&str]) -> Option<Vec<Cow<'v, str>>> {
    let texts = keys.iter().map(|key| key_of(item, key));
    texts
        .map(|text| Some(text).filter(|text| !text.is_empty()))
        .collect()
}

fn paired<'v, K: std::hash::Hash + Eq>(
    old: &'v [Value],
    patch: &'v [Value],
    key: impl Fn(&'v Value) -> Option<K>,
    is_one: impl Fn(&Value, &Value) -> bool,
) -> Option<Vec<Option<usize>>> {
    let mut known: HashMap<K, Known> = HashMap::with_capacity(old.len());
    for (place, item) in old.iter().enumerate() {
        let one = known.entry(key(item)?).or_default();
        if one.old.replace(place).is_some() {
            return None;
        }
    }
    let mut pairs = Vec::with_capacity(patch.len());
    for item in patch {
        let one = known.entry(key(item)?).or_default();
        if std::mem::replace(&mut one.is_patched, true) {
            return None;
        }
        let mine = one.old.and_then(|place| old.get(place));
        if mine.is_some_and(|mine| !is_one(mine, item)) {
            return None;
        }
        pairs.push(one.old);
    }
    Some(pairs)
}
