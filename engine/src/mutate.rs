//! What a `mutate` rule does to an object, as a computation over JSON.
//!
//! Knows nothing of rules, variables or requests: a patch comes with its variables resolved, an object goes in, an object
//! comes out. Whether a patch applies at all is decided before, by the rule's program.

pub mod diff;
pub mod json_patch;
pub mod merge_keys;
pub mod strategic_merge;

mod anchors;
mod index;
mod lists;
pub(crate) mod unmet;

use serde_json::Value;
use thiserror::Error;

use crate::fuel;

/// Deepest object that is patched; Kubernetes itself refuses what is nested more deeply than this.
pub const MAX_DEPTH: usize = 512;

/// Most operations of one JSON patch: real ones have some ten.
pub const MAX_OPERATIONS: usize = 10_000;

/// Most values that a patched object may hold: etcd keeps 1.5 MiB, in which there is no room for more.
pub const MAX_VALUES: usize = 1_000_000;

/// Most bytes of text that a patched object may hold: an API server takes requests of 3 MiB.
pub const MAX_TEXT: usize = 8 << 20;

/// Why a patch could not be applied, in Kyverno's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatchError {
    /// The patch is none: not JSON, or an operation that does not exist.
    #[error("{0}")]
    Malformed(String),
    /// It does not fit the object.
    #[error("{0}")]
    DoesNotApply(String),
    /// A `test` operation found something else.
    #[error("testing value {0} failed: test failed")]
    TestFailed(String),
    /// The object would become larger or deeper than any that can be stored.
    #[error(
        "the patched object is larger than {MAX_VALUES} values or {MAX_TEXT} bytes, or deeper than {MAX_DEPTH} levels"
    )]
    TooLarge,
}

/// What a value costs that is looked at, merged or copied, in units of [`fuel`].
const VALUE: u64 = 50;

/// Refuses what is too large or too deep to go on with.
fn bound(value: &Value) -> Result<(), PatchError> {
    Room::default().take(value)
}

/// Spends for work on so many values; an error where there is not as much.
fn spend(values: usize) -> Result<(), PatchError> {
    let values = u64::try_from(values).unwrap_or(u64::MAX);
    if fuel::spend(VALUE.saturating_mul(values)) {
        Ok(())
    } else {
        Err(PatchError::TooLarge)
    }
}

/// What is left of what a patched object may hold.
#[derive(Debug)]
struct Room {
    values: usize,
    text: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            values: MAX_VALUES,
            text: MAX_TEXT,
        }
    }
}

impl Room {
    /// Takes what a value needs, and spends for each value in it.
    fn take(&mut self, value: &Value) -> Result<(), PatchError> {
        let before = self.values;
        let fits = self.fits(value, MAX_DEPTH);
        spend(before - self.values)?;
        if fits {
            Ok(())
        } else {
            Err(PatchError::TooLarge)
        }
    }

    fn fits(&mut self, value: &Value, depth: usize) -> bool {
        if depth == 0 || self.values == 0 {
            return false;
        }
        self.values -= 1;
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => self.has_room(text),
            Value::Array(items) => items.iter().all(|item| self.fits(item, depth - 1)),
            Value::Object(fields) => fields
                .iter()
                .all(|(name, field)| self.has_room(name) && self.fits(field, depth - 1)),
        }
    }

    fn has_room(&mut self, text: &str) -> bool {
        let left = self.text.checked_sub(text.len());
        self.text = left.unwrap_or(0);
        left.is_some()
    }
}

/// What a YAML parser calls the shape of a value.
fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => "ScalarNode",
        Value::Array(_) => "SequenceNode",
        Value::Object(_) => "MappingNode",
    }
}

/// Says that a value has another shape than is expected of it.
fn wrong_shape(expected: &str, value: &Value) -> String {
    let found = shape(value);
    let contents = flow(value);
    format!("wrong node kind: expected {expected} but got {found}: node contents:\n{contents}\n")
}

/// A value as YAML in flow style writes it: JSON with blanks behind commas and colons.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::String(name.clone()), flow(value))
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests;
