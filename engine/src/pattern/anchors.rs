//! What a walk meets in the resource: keys of anchors, and, where it is to be known, everything that it compares.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Mismatch;
use crate::ast::pattern::Anchor;

/// What was met.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// By key as written, whether it was found in any map where it was looked for.
    keys: RefCell<BTreeMap<String, bool>>,
    /// What was compared, in order; none where nobody wants to know.
    seen: Option<RefCell<Vec<Seen>>>,
}

/// One place of a pattern that was compared with one of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which node of the pattern, by its address: it stands for the node as long as the pattern is not moved.
    pub node: usize,
    /// The anchor of the node's key, where that is what was judged.
    pub anchor: Option<Anchor>,
    /// Where in the resource, as [`super::Mismatch::path`].
    pub path: String,
    /// What was there.
    pub value: Option<Value>,
    /// Why it is not as the pattern says, where it is not.
    pub reason: Option<String>,
}

impl Seen {
    /// What stands for a node of a pattern.
    pub fn address(node: &Value) -> usize {
        std::ptr::from_ref(node).addr()
    }
}

impl Met {
    /// One that keeps what is compared.
    pub(super) fn seeing() -> Self {
        Self {
            seen: Some(RefCell::default()),
            ..Self::default()
        }
    }

    /// Everything that was compared.
    pub(super) fn into_seen(self) -> Vec<Seen> {
        self.seen.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Notes a comparison.
    pub(super) fn note(
        &self,
        (node, anchor): (&Value, Option<Anchor>),
        (path, value): (&dyn Fn() -> String, Option<&Value>),
        result: &Result<(), Mismatch>,
    ) {
        if let Some(seen) = &self.seen {
            seen.borrow_mut().push(Seen {
                node: Seen::address(node),
                anchor,
                path: path(),
                value: value.cloned(),
                reason: result
                    .as_ref()
                    .err()
                    .map(|mismatch| mismatch.reason.clone()),
            });
        }
    }

    /// Notes the keys of a map of the pattern that is compared with a map of the resource.
    pub(super) fn look(&self, entries: &Map<String, Value>, fields: &Map<String, Value>) {
        for raw in entries.keys() {
            if let (Some(Anchor::Condition | Anchor::Existence), key) = Anchor::split(raw) {
                let mut met = self.keys.borrow_mut();
                *met.entry(raw.clone()).or_insert(false) |= fields.contains_key(key);
            }
        }
    }

    /// Whether a key was found nowhere.
    pub(super) fn is_missing(&self) -> bool {
        self.keys.borrow().values().any(|found| !found)
    }
}
