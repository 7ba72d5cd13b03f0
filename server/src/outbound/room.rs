//! Room for answers that are being read: whoever sends much at once is refused, instead of taking the memory of all.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The beginning of an answer takes no room: manifests and lists have some kilobytes, and never lack any.
const FREE: usize = 64 << 10;
/// Bytes of one permit.
const PERMIT: usize = 1 << 10;

/// Room for so many bytes.
pub(crate) fn of_bytes(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / PERMIT))
}

/// The room that an answer may take: of that for all, and of that for whoever sends it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) of_all: Arc<Semaphore>,
    pub(crate) own: Arc<Semaphore>,
}

/// What an answer has taken; given back when the answer is dropped.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    of_all: Option<OwnedSemaphorePermit>,
    own: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Takes what an answer needs that has grown to `bytes`; whether there was as much.
    pub(super) fn grow(&self, taken: &mut Taken, bytes: usize) -> bool {
        let needed = bytes.saturating_sub(FREE).div_ceil(PERMIT);
        more(&self.own, &mut taken.own, needed) && more(&self.of_all, &mut taken.of_all, needed)
    }
}

fn more(room: &Arc<Semaphore>, taken: &mut Option<OwnedSemaphorePermit>, needed: usize) -> bool {
    let had = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let Ok(lacking) = u32::try_from(needed.saturating_sub(had)) else {
        return false;
    };
    if lacking == 0 {
        return true;
    }
    // Nobody waits for room: those who have some might wait for each other.
    let Ok(permit) = Arc::clone(room).try_acquire_many_owned(lacking) else {
        return false;
    };
    match taken {
        Some(taken) => taken.merge(permit),
        None => *taken = Some(permit),
    }
    true
}

#[cfg(test)]
mod tests;
