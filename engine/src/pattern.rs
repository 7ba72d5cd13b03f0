//! A direct walk of a pattern over a resource: the status, and where and why the resource is not as the pattern says.
//!
//! The pattern is plain JSON with its variables resolved and its anchors in the keys. Verdicts of rules come from their
//! compiled programs; this walk explains them, and judges patterns that are only known at run time.
//! Follows `reference/kyverno.md` §2.1 and §2.2, and words its reasons as Kyverno does.

mod anchors;

use serde_json::{Map, Value};

use crate::ast::pattern::Anchor;
use crate::go_format::{sprint, type_name};
use crate::scalar;
use crate::wildcard;

use anchors::Met;
pub use anchors::Seen;

/// Deepest pattern that is walked; policies are bounded far below this when they are read.
const MAX_DEPTH: usize = 128;

/// What is not as the pattern says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What it means for the rule.
    pub status: Status,
    /// Where, as `/spec/containers/0/image/`.
    pub path: String,
    /// Why, in Kyverno's words.
    pub reason: String,
}

/// What a mismatch means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// The resource breaks the pattern.
    Fail,
    /// A key is there that must not be: a failure also where keys of anchors are missing.
    Forbidden,
    /// The resource cannot be compared with the pattern: an error of the rule.
    Broken,
    /// A condition does not hold, so the pattern is not about this.
    Skip,
    /// The same, said of a whole map or list: what holds it may go on beside it.
    Nested,
}

impl Mismatch {
    fn new(status: Status, path: &str, reason: impl Into<String>) -> Self {
        Self {
            status,
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    fn is_skip(&self) -> bool {
        matches!(self.status, Status::Skip | Status::Nested)
    }
}

/// Compares a resource with a pattern.
pub fn walk(pattern: &Value, resource: &Value) -> Result<(), Mismatch> {
    let met = Met::default();
    element(pattern, resource, &Place::top(&met))
}

/// Whether the walk up to the first mismatch met a key of `()` or `^()` in no map where it looked for it: then the mismatch
/// is an error of the rule.
pub fn keys_are_missing(pattern: &Value, resource: &Value) -> bool {
    let met = Met::default();
    // Only what was met on the way counts here.
    drop(element(pattern, resource, &Place::top(&met)));
    met.is_missing()
}

/// The same as [`walk`], with everything that was compared on the way.
pub fn look(pattern: &Value, resource: &Value) -> (Result<(), Mismatch>, Vec<Seen>) {
    let met = Met::seeing();
    let found = element(pattern, resource, &Place::top(&met));
    (found, met.into_seen())
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Place<'a> {
    met: &'a Met,
    /// How it came here: none at the top.
    way: Option<(&'a Place<'a>, Step<'a>)>,
    /// The last two keys, which say whether keys are labels or annotations.
    above: &'a str,
    key: &'a str,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Place<'a> {
    fn top(met: &'a Met) -> Self {
        Place {
            met,
            way: None,
            above: "",
            key: "",
            depth: 0,
        }
    }

    fn below<'b>(&'b self, key: &'b str) -> Place<'b> {
        Place {
            met: self.met,
            way: Some((self, Step::Key(key))),
            above: self.key,
            key,
            depth: self.depth + 1,
        }
    }

    fn item(&self, index: usize) -> Place<'_> {
        Place {
            met: self.met,
            way: Some((self, Step::Item(index))),
            above: self.above,
            key: self.key,
            depth: self.depth + 1,
        }
    }

    /// The path, which only a mismatch needs, and who wants to know what was compared.
    fn path(&self) -> String {
        match self.way {
            None => "/".to_owned(),
            Some((place, Step::Key(key))) => format!("{}{key}/", place.path()),
            Some((place, Step::Item(index))) => format!("{}{index}/", place.path()),
        }
    }

    fn note(&self, node: &Value, value: Option<&Value>, result: &Result<(), Mismatch>) {
        self.met
            .note((node, None), (&|| self.path(), value), result);
    }

    fn has_wildcard_keys(&self) -> bool {
        self.above == "metadata" && matches!(self.key, "labels" | "annotations")
    }
}

fn element(pattern: &Value, resource: &Value, place: &Place<'_>) -> Result<(), Mismatch> {
    if place.depth > MAX_DEPTH {
        let reason = "the pattern is nested too deeply";
        return Err(Mismatch::new(Status::Fail, &place.path(), reason));
    }
    let found = match (pattern, resource) {
        (Value::Object(entries), Value::Object(fields)) => {
            place.met.look(entries, fields);
            return map(entries, fields, place);
        }
        (Value::Array(items), Value::Array(elements)) => {
            return list(items, elements, (pattern, resource), place);
        }
        (Value::Object(_), other) => {
            let reason = format!(
                "pattern and resource have different structures. Path: {}. Expected map[string]interface {{}}, found {}",
                place.path(),
                type_name(other)
            );
            Err(Mismatch::new(Status::Fail, &place.path(), reason))
        }
        (Value::Array(_), _) => {
            let reason = format!(
                "validation rule failed at path {}, resource does not satisfy the expected overlay pattern",
                place.path()
            );
            Err(Mismatch::new(Status::Fail, &place.path(), reason))
        }
        (leaf, _) => compare(leaf, resource, place),
    };
    place.note(pattern, Some(resource), &found);
    found
}

/// A leaf; of a list all elements must be as it says.
fn compare(leaf: &Value, resource: &Value, place: &Place<'_>) -> Result<(), Mismatch> {
    let parsed = scalar::Pattern::parse(leaf);
    let same = match resource {
        Value::Array(elements) => elements
            .iter()
            .all(|element| scalar::matches(&parsed, element)),
        other => scalar::matches(&parsed, other),
    };
    if same {
        return Ok(());
    }
    let reason = format!(
        "resource value '{}' does not match '{}' at path {}",
        sprint(resource),
        sprint(leaf),
        place.path()
    );
    Err(Mismatch::new(Status::Fail, &place.path(), reason))
}

/// A key of a pattern, its anchor taken off.
struct Entry<'p> {
    anchor: Option<Anchor>,
    key: &'p str,
    value: &'p Value,
}

fn map(
    entries: &Map<String, Value>,
    fields: &Map<String, Value>,
    place: &Place<'_>,
) -> Result<(), Mismatch> {
    let (conditions, others) = in_phases(entries);
    anchored(&conditions, fields, place)?;
    for entry in &others {
        field(entry, fields, place)?;
    }
    Ok(())
}

/// Keys in the order of judging: conditions first, then fields that hold anchors, then the others.
fn in_phases(entries: &Map<String, Value>) -> (Vec<Entry<'_>>, Vec<Entry<'_>>) {
    let mut conditions = Vec::new();
    let mut others: Vec<Entry<'_>> = Vec::new();
    for (raw, value) in entries {
        let (anchor, key) = match Anchor::split(raw) {
            // It means something in mutation only, and is a key like any other here.
            (Some(Anchor::AddIfAbsent), _) => (None, raw.as_str()),
            found => found,
        };
        let entry = Entry { anchor, key, value };
        match anchor {
            Some(Anchor::Condition | Anchor::Equality | Anchor::Negation | Anchor::Existence) => {
                conditions.push(entry);
            }
            Some(Anchor::Global) => others.insert(0, entry),
            _ if holds_anchors(value) => others.insert(0, entry),
            _ => others.push(entry),
        }
    }
    (conditions, others)
}

/// The keys that a key of the pattern stands for: those of labels and annotations may be wildcards, and stand for all that
/// match. What matches none is a key that is not there.
fn keys<'k>(key: &'k str, fields: &'k Map<String, Value>, place: &Place<'_>) -> Vec<&'k str> {
    let mut found = Vec::new();
    if place.has_wildcard_keys() && wildcard::has_wildcard(key) {
        let names = fields.keys().map(String::as_str);
        found.extend(names.filter(|name| wildcard::matches(key, name)));
    }
    if found.is_empty() {
        found.push(key);
    }
    found
}

fn holds_anchors(pattern: &Value) -> bool {
    match pattern {
        Value::Object(entries) => entries.iter().any(|(key, value)| {
            matches!(Anchor::split(key).0, Some(anchor) if anchor != Anchor::AddIfAbsent)
                || holds_anchors(value)
        }),
        Value::Array(items) => items.iter().any(holds_anchors),
        _ => false,
    }
}

/// Anchors of one map: where one skips, failures of the others do not count.
fn anchored(
    entries: &[Entry<'_>],
    fields: &Map<String, Value>,
    place: &Place<'_>,
) -> Result<(), Mismatch> {
    let mut skips: Vec<Mismatch> = Vec::new();
    let mut hard = Vec::new();
    let mut applied = false;
    for entry in entries {
        match field(entry, fields, place) {
            Ok(()) => applied = true,
            Err(mismatch) if mismatch.is_skip() => skips.push(mismatch),
            Err(mismatch) => hard.push(mismatch),
        }
    }
    if skips.is_empty() {
        return hard.into_iter().next().map_or(Ok(()), Err);
    }
    let direct = skips.iter().any(|mismatch| mismatch.status == Status::Skip);
    // What must not be there counts beside skips from further below, not beside one of this map's own.
    let mut forbidden = hard
        .into_iter()
        .filter(|mismatch| !direct && mismatch.status == Status::Forbidden);
    if let Some(mismatch) = forbidden.next() {
        return Err(mismatch);
    }
    if !applied || direct {
        return Err(combined(&skips, place));
    }
    Ok(())
}

/// Several skips as one.
fn combined(skips: &[Mismatch], place: &Place<'_>) -> Mismatch {
    let reasons: Vec<&str> = skips
        .iter()
        .map(|mismatch| mismatch.reason.as_str())
        .collect();
    Mismatch::new(Status::Nested, &place.path(), reasons.join("; "))
}

fn field(
    entry: &Entry<'_>,
    fields: &Map<String, Value>,
    place: &Place<'_>,
) -> Result<(), Mismatch> {
    let keys = keys(entry.key, fields, place);
    let judged = |key: &str| judged(entry, fields.get(key), place, &place.below(key));
    let noted = |key: &str, found: Result<(), Mismatch>| {
        if entry.anchor.is_some() {
            let met = (entry.value, entry.anchor);
            let below = place.below(key);
            place
                .met
                .note(met, (&|| below.path(), fields.get(key)), &found);
        }
        found
    };
    if !matches!(entry.anchor, Some(Anchor::Condition | Anchor::Global)) {
        return keys.into_iter().try_for_each(|key| noted(key, judged(key)));
    }
    // A condition holds where it does of one of the keys.
    let mut unmet = None;
    for key in keys {
        match judged(key) {
            Ok(()) => return noted(key, Ok(())),
            Err(mismatch) if unmet.is_none() => unmet = Some((key, mismatch)),
            Err(_) => {}
        }
    }
    unmet.map_or(Ok(()), |(key, mismatch)| noted(key, Err(mismatch)))
}

fn judged(
    entry: &Entry<'_>,
    there: Option<&Value>,
    place: &Place<'_>,
    below: &Place<'_>,
) -> Result<(), Mismatch> {
    match entry.anchor {
        Some(Anchor::Condition) => condition(entry, there, below),
        Some(Anchor::Global) => match there {
            None => Ok(()),
            Some(value) => element(entry.value, value, below).map_err(|inner| {
                let reason = format!("global anchor mismatch: {}", inner.reason);
                Mismatch::new(Status::Skip, &inner.path, reason)
            }),
        },
        Some(Anchor::Equality) => match there {
            None => Ok(()),
            Some(value) => element(entry.value, value, below),
        },
        Some(Anchor::Negation) if there.is_none() => Ok(()),
        Some(Anchor::Negation) => {
            let reason = format!(
                "negation anchor matched in resource: {} is not allowed",
                below.path()
            );
            Err(Mismatch::new(Status::Forbidden, &below.path(), reason))
        }
        Some(Anchor::Existence) => there.map_or(Ok(()), |value| existence(entry, value, below)),
        Some(Anchor::AddIfAbsent) | None => plain(entry, there, place, below),
    }
}

fn condition(entry: &Entry<'_>, there: Option<&Value>, below: &Place<'_>) -> Result<(), Mismatch> {
    let Some(value) = there else {
        let reason =
            "conditional anchor mismatch: conditional anchor key doesn't exist in the resource";
        return Err(Mismatch::new(Status::Skip, &below.path(), reason));
    };
    element(entry.value, value, below).map_err(|inner| {
        let reason = format!("conditional anchor mismatch: {}", inner.reason);
        Mismatch::new(Status::Skip, &inner.path, reason)
    })
}

fn plain(
    entry: &Entry<'_>,
    there: Option<&Value>,
    place: &Place<'_>,
    below: &Place<'_>,
) -> Result<(), Mismatch> {
    let value = there.unwrap_or(&Value::Null);
    if entry.value.as_str() == Some("*") {
        let found = if value.is_null() {
            let reason = format!("{}/{} not found", place.path(), below.key);
            Err(Mismatch::new(Status::Fail, &place.path(), reason))
        } else {
            Ok(())
        };
        below.note(entry.value, there, &found);
        return found;
    }
    element(entry.value, value, below)
}

/// `^(key)`: each map of the pattern has an element that matches it.
fn existence(entry: &Entry<'_>, value: &Value, below: &Place<'_>) -> Result<(), Mismatch> {
    let Value::Array(elements) = value else {
        let reason = format!(
            "invalid resource type {}: Existence ^ () anchor can be used only on list/array type resource",
            type_name(value)
        );
        return Err(Mismatch::new(Status::Fail, &below.path(), reason));
    };
    let Value::Array(items) = entry.value else {
        let reason = format!(
            "invalid pattern type {}: Pattern has to be of list to compare against resource",
            type_name(entry.value)
        );
        return Err(Mismatch::new(Status::Fail, &below.path(), reason));
    };
    for item in items {
        if !item.is_object() {
            let reason = format!(
                "invalid pattern type {}: Pattern has to be of type map to compare against items in resource",
                type_name(entry.value)
            );
            return Err(Mismatch::new(Status::Fail, &below.path(), reason));
        }
        let found = elements
            .iter()
            .enumerate()
            .any(|(index, value)| element(item, value, &below.item(index)).is_ok());
        if !found {
            let reason = format!(
                "existence anchor validation failed at path {}",
                below.path()
            );
            return Err(Mismatch::new(Status::Fail, &below.path(), reason));
        }
    }
    Ok(())
}

fn list(
    items: &[Value],
    elements: &[Value],
    (pattern, resource): (&Value, &Value),
    place: &Place<'_>,
) -> Result<(), Mismatch> {
    let found = match items.first() {
        None => Err(Mismatch::new(
            Status::Fail,
            &place.path(),
            "pattern Array empty",
        )),
        Some(first @ Value::Object(_)) => {
            let pairs = elements.iter().map(|element| (first, element));
            return each(pairs, place);
        }
        Some(Value::Array(_)) => {
            if elements.len() >= items.len() {
                return each(items.iter().zip(elements), place);
            }
            let reason = format!(
                "validate Array failed, array length mismatch, resource Array len is {} and pattern Array len is {}",
                elements.len(),
                items.len()
            );
            Err(Mismatch::new(Status::Broken, "", reason))
        }
        Some(leaf) => {
            let found = compare(leaf, resource, place);
            place.note(leaf, Some(resource), &found);
            return found;
        }
    };
    place.note(pattern, Some(resource), &found);
    found
}

/// Elements of one list: those that skip do not count, unless all do.
fn each<'v>(
    pairs: impl Iterator<Item = (&'v Value, &'v Value)>,
    place: &Place<'_>,
) -> Result<(), Mismatch> {
    let mut skips = Vec::new();
    let mut applied = false;
    for (index, (pattern, value)) in pairs.enumerate() {
        match element(pattern, value, &place.item(index)) {
            Ok(()) => applied = true,
            Err(mismatch) if mismatch.is_skip() => skips.push(mismatch),
            Err(mismatch) => return Err(mismatch),
        }
    }
    if !applied && !skips.is_empty() {
        return Err(combined(&skips, place));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
