//! Memory for what requests are told: the data of their contexts, and evidence that was not at hand.
//!
//! Whoever writes a resource says how many images and pieces of data a policy asks for, and whoever runs the registry or the
//! service that is named how large each is. So what one request is told is bounded, and what all are told at once.

use std::sync::{Arc, Mutex, PoisonError};

use regent_engine::evaluation::need::Fact;
use regent_engine::weight;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one request may be told, in bytes of memory.
const OF_ONE: usize = 128 << 20;
/// What all requests that are under way may be told together.
const OF_ALL: usize = 256 << 20;
/// The beginning of each is not counted among that of all: ordinary requests never lack any, however many there are.
const FREE: usize = 1 << 20;
/// Bytes of one permit.
const PERMIT: usize = 1 << 10;

/// Room for what all requests are told.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(OF_ALL / PERMIT)))
    }

    /// Nothing was told yet to a request.
    pub(crate) fn told(&self) -> Told {
        Told {
            room: self.clone(),
            taken: Mutex::default(),
        }
    }
}

/// What one request was told; its room is given back with it.
#[derive(Debug)]
pub(crate) struct Told {
    room: Room,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Told {
    /// Takes the room for a fact; whether there was as much.
    pub(crate) fn take(&self, fact: &Fact) -> bool {
        let bytes = weight(fact);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let before = taken.bytes;
        let after = before.saturating_add(bytes);
        if after > OF_ONE {
            return false;
        }
        let permits = |bytes: usize| bytes.saturating_sub(FREE).div_ceil(PERMIT);
        let lacking = permits(after) - permits(before);
        let Ok(lacking) = u32::try_from(lacking) else {
            return false;
        };
        if lacking > 0 {
            // Nobody waits for room: those who have some might wait for each other.
            let Ok(permit) = Arc::clone(&self.room.0).try_acquire_many_owned(lacking) else {
                return false;
            };
            taken.permits.push(permit);
        }
        taken.bytes = after;
        true
    }
}

/// The memory that a fact takes for this request alone, roughly.
fn weight(fact: &Fact) -> usize {
    match fact {
        Fact::Data(Ok(value)) => weight::of(value),
        Fact::Image(Ok(image)) => image.evidence().weight(),
        // Bounded where they are made, or shared by all.
        Fact::Data(Err(_))
        | Fact::Image(Err(_))
        | Fact::NamespaceLabels(_)
        | Fact::Roles(_)
        | Fact::Inventory(_)
        | Fact::Guest(_) => 0,
    }
}

#[cfg(test)]
mod tests;
