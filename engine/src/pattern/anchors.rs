//! Which keys of anchors a walk met in the resource.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ast::pattern::Anchor;

/// By key as written, whether it was found in any map where it was looked for.
#[derive(Debug, Default)]
pub(super) struct Met(RefCell<BTreeMap<String, bool>>);

impl Met {
    /// Notes the keys of a map of the pattern that is compared with a map of the resource.
    pub(super) fn look(&self, entries: &Map<String, Value>, fields: &Map<String, Value>) {
        for raw in entries.keys() {
            if let (Some(Anchor::Condition | Anchor::Existence), key) = Anchor::split(raw) {
                let mut met = self.0.borrow_mut();
                *met.entry(raw.clone()).or_insert(false) |= fields.contains_key(key);
            }
        }
    }

    /// Whether a key was found nowhere.
    pub(super) fn is_missing(&self) -> bool {
        self.0.borrow().values().any(|found| !found)
    }
}
