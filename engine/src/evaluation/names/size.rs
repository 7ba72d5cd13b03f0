//! How large the values of contexts become together.

use std::io::{self, Write};

use serde_json::Value;

use crate::jmespath::ScopeError;
use crate::limits::{CONTEXT_DEPTH, ContextSize};
use crate::program::ContextEntry;

use super::Names;

impl Names<'_> {
    /// The value of an entry, with its bytes counted among those of the context.
    pub(super) fn counted(&self, entry: &ContextEntry, value: Value) -> Result<Value, ScopeError> {
        let ContextSize(most) = self.ground.request.context_size();
        let mut room = Room {
            left: most.saturating_sub(self.context_bytes()),
            taken: 0,
        };
        if is_deeper(&value, CONTEXT_DEPTH) {
            return Err(ScopeError::Failed(format!(
                "the context entry {} is deeper than {CONTEXT_DEPTH} levels",
                entry.name
            )));
        }
        match serde_json::to_writer(&mut room, &value) {
            Ok(()) => {
                self.bytes.set(self.bytes.get() + room.taken);
                Ok(value)
            }
            Err(_) => Err(ScopeError::TooLarge(format!(
                "with the context entry {} the context is larger than {most} bytes",
                entry.name
            ))),
        }
    }

    /// Bytes of the entries that are there, of this layer and those below.
    fn context_bytes(&self) -> usize {
        let below = self.below.map_or(0, Names::context_bytes);
        below.saturating_add(self.bytes.get())
    }
}

/// Whether a value has more levels of lists and maps; no deeper is it gone through.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let deeper = |value| {
        levels
            .checked_sub(1)
            .is_none_or(|left| is_deeper(value, left))
    };
    match value {
        Value::Array(items) => items.iter().any(deeper),
        Value::Object(fields) => fields.values().any(deeper),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Counts what is written, and takes no more than there is room for.
struct Room {
    left: usize,
    taken: usize,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len());
        self.left = left.ok_or(io::ErrorKind::OutOfMemory)?;
        self.taken += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
