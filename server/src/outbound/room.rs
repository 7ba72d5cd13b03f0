//! Room for answers that are being read: whoever sends much at once is refused, instead of taking the memory of all.

use crate::memory::{Held, Memory};

/// The beginning of an answer takes no room: manifests and lists have some kilobytes, and never lack any.
const FREE: usize = 64 << 10;

/// The room that an answer may take: of that for all, and of that for whoever sends it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) of_all: Memory,
    pub(crate) own: Memory,
}

/// What an answer has taken; given back when the answer is dropped.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    of_all: Held,
    own: Held,
}

impl Room {
    /// Takes what an answer needs that has grown to `bytes`; whether there was as much.
    pub(super) fn grow(&self, taken: &mut Taken, bytes: usize) -> bool {
        let needed = bytes.saturating_sub(FREE);
        self.own.grow(&mut taken.own, needed) && self.of_all.grow(&mut taken.of_all, needed)
    }
}

#[cfg(test)]
mod tests;
