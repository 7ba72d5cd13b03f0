//! Which anchors of a strategic merge patch do not hold, for whoever wants to know why nothing was changed.
//!
//! A walk of its own beside that of `anchors`, which never changes what a patch does.

use serde_json::Value;

use crate::ast::pattern::Anchor;
use crate::pattern;

use super::anchors::{anchor_of, as_compared};

/// An anchor that does not hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unmet {
    /// Which.
    pub(crate) anchor: Anchor,
    /// The key as the patch has it.
    pub(crate) key: String,
    /// What it wants.
    pub(crate) wanted: Value,
    /// Where in the object, as a JSON pointer.
    pub(crate) path: String,
    /// What is there.
    pub(crate) seen: Option<Value>,
}

/// The most that is said of one patch.
const MOST: usize = 8;

/// The anchors that do not hold, in the order of the patch.
pub(crate) fn unmet(patch: &Value, object: &Value) -> Vec<Unmet> {
    let mut found = Vec::new();
    look(patch, Some(object), "", &mut found);
    found.truncate(MOST);
    found
}

fn look(patch: &Value, object: Option<&Value>, at: &str, found: &mut Vec<Unmet>) {
    match (patch, object) {
        (Value::Object(fields), _) => {
            for (key, wanted) in fields {
                let (anchor, bare) = match anchor_of(key) {
                    Some((Anchor::AddIfAbsent, _)) => continue,
                    Some((anchor, bare)) => (Some(anchor), bare),
                    None => (None, key.as_str()),
                };
                let below = format!("{at}/{}", bare.replace('~', "~0").replace('/', "~1"));
                let seen = object.and_then(|object| object.get(bare));
                match anchor {
                    None => look(wanted, seen, &below, found),
                    Some(anchor) if !holds(wanted, seen) => found.push(Unmet {
                        anchor,
                        key: key.clone(),
                        wanted: wanted.clone(),
                        path: below,
                        seen: seen.cloned(),
                    }),
                    Some(_) => {}
                }
            }
        }
        (Value::Array(items), Some(Value::Array(elements))) => {
            for item in items {
                for (index, element) in elements.iter().enumerate() {
                    look(item, Some(element), &format!("{at}/{index}"), found);
                }
            }
        }
        _ => {}
    }
}

fn holds(wanted: &Value, seen: Option<&Value>) -> bool {
    let is = |seen: &Value| pattern::walk(&as_compared(wanted), &as_compared(seen)).is_ok();
    seen.is_some_and(is)
}
