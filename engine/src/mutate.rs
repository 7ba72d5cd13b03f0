//! What a `mutate` rule does to an object, as a computation over JSON.
//!
//! Knows nothing of rules, variables or requests: a patch comes with its variables resolved, an object goes in, an object
//! comes out. Whether a patch applies at all is decided before, by the rule's program.

pub mod diff;
pub mod json_patch;
pub mod merge_keys;
pub mod strategic_merge;

mod anchors;
mod lists;
pub(crate) mod unmet;

use serde_json::Value;
use thiserror::Error;

/// Deepest object that is patched; Kubernetes itself refuses what is nested more deeply than this.
pub const MAX_DEPTH: usize = 512;

/// Most operations of one JSON patch: real ones have some ten.
pub const MAX_OPERATIONS: usize = 10_000;

/// Most values that a patched object may hold: etcd keeps 1.5 MiB, in which there is no room for more.
pub const MAX_VALUES: usize = 1_000_000;

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
        "the patched object is larger than {MAX_VALUES} values or deeper than {MAX_DEPTH} levels"
    )]
    TooLarge,
}

/// Refuses what is too large or too deep to go on with.
fn bound(value: &Value) -> Result<(), PatchError> {
    let mut left = MAX_VALUES;
    if fits(value, MAX_DEPTH, &mut left) {
        Ok(())
    } else {
        Err(PatchError::TooLarge)
    }
}

fn fits(value: &Value, depth: usize, left: &mut usize) -> bool {
    if depth == 0 || *left == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => items.iter().all(|item| fits(item, depth - 1, left)),
        Value::Object(fields) => fields.values().all(|field| fits(field, depth - 1, left)),
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
