//! What a statement says, and the envelope that it was signed in: the text is kept, and not all that it becomes when it is
//! read.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::weight::{self, Weight};

/// What the predicates of one image may take in memory that are kept as they are read: provenance takes some 100 kB, and a
/// report of what was scanned some MB. A bill of materials takes ten times its text, and few rules look at one.
pub const KEPT: usize = 4 << 20;

/// The most that a predicate may take in memory while it is judged: ten to fifteen times its text is common, and evidence
/// has at most 4 MiB of text.
pub const MAX_PREDICATE: usize = 64 << 20;

/// Why there is no predicate to judge.
#[derive(Debug, Error)]
pub enum PredicateError {
    /// The statement is no JSON, or has no such field.
    #[error("the statement cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It takes more than [`MAX_PREDICATE`].
    #[error("the predicate takes more than {MAX_PREDICATE} bytes of memory")]
    TooLarge,
}

/// The predicate of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate(Kept);

#[derive(Debug, Clone, PartialEq)]
enum Kept {
    Value(Arc<Value>),
    /// The statement that has it, and what it takes in memory once it is read.
    Statement(Arc<[u8]>, usize),
}

#[derive(Deserialize)]
struct Weighed {
    #[serde(default)]
    predicate: Weight,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    predicate: Value,
}

impl Predicate {
    /// The predicate of a statement, the JSON of in-toto; null where it has none. It is kept as it is read where that takes
    /// no more than is `left` for that, of [`KEPT`] for one image.
    pub fn of_statement(statement: &Arc<[u8]>, left: &mut usize) -> Result<Self, PredicateError> {
        let weighed: Weighed = serde_json::from_slice(statement)?;
        let weight = weighed.predicate.0;
        if weight > MAX_PREDICATE {
            return Err(PredicateError::TooLarge);
        }
        let Some(after) = left.checked_sub(weight) else {
            return Ok(Self(Kept::Statement(Arc::clone(statement), weight)));
        };
        let written: Written = serde_json::from_slice(statement)?;
        *left = after;
        Ok(written.predicate.into())
    }

    /// What it says; one that is not kept is read each time.
    pub fn value(&self) -> Result<Arc<Value>, PredicateError> {
        match &self.0 {
            Kept::Value(value) => Ok(Arc::clone(value)),
            Kept::Statement(statement, _) => {
                let written: Written = serde_json::from_slice(statement)?;
                Ok(Arc::new(written.predicate))
            }
        }
    }

    /// The bytes that it takes beside the statement's text, roughly.
    pub(super) fn weight(&self) -> usize {
        match &self.0 {
            Kept::Value(value) => weight::of(value),
            Kept::Statement(..) => 0,
        }
    }

    /// The bytes that its value takes, roughly.
    pub fn weight_of_value(&self) -> usize {
        match &self.0 {
            Kept::Value(value) => weight::of(value),
            Kept::Statement(_, weight) => *weight,
        }
    }
}

impl From<Value> for Predicate {
    fn from(value: Value) -> Self {
        Self(Kept::Value(Arc::new(value)))
    }
}

/// A DSSE envelope with one signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The type of what was signed.
    pub payload_type: &'static str,
    /// What was signed.
    pub payload: Arc<[u8]>,
    /// The signature.
    pub signature: Vec<u8>,
    /// The hint at a key that came with it.
    pub key_id: String,
}

impl Envelope {
    /// As cosign prints it: `payloadType`, `payload` with the signed bytes in base64, `signatures`.
    pub fn to_json(&self) -> Value {
        json!({
            "payloadType": self.payload_type,
            "payload": STANDARD.encode(&self.payload),
            "signatures": [{ "keyid": self.key_id, "sig": STANDARD.encode(&self.signature) }],
        })
    }

    /// The bytes that it takes, roughly.
    pub(super) fn weight(&self) -> usize {
        self.payload.len() + self.signature.len() + self.key_id.len()
    }
}

#[cfg(test)]
mod tests;
