//! Memory for what requests are told: the data of their contexts, and evidence that was not at hand.
//!
//! Whoever writes a resource says how many images and pieces of data a policy asks for, and whoever runs the registry or the
//! service that is named how large each is. So what one request is told is bounded, and what all are told at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use regent_engine::evaluation::need::Fact;
use regent_engine::image::Evidence;
use regent_engine::weight;

use crate::memory::{Held, Memory};

/// What one request may be told, in bytes of memory.
const OF_ONE: usize = 128 << 20;
/// What all requests that are under way may be told together.
const OF_ALL: usize = 256 << 20;
/// The beginning of each is not counted among that of all: ordinary requests never lack any, however many there are.
const FREE: usize = 1 << 20;

/// Room for what all requests are told.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    memory: Memory,
    /// Evidence that requests have, by its address: many may have the same, which takes its room once.
    shared: Arc<Mutex<BTreeMap<usize, Weak<Shared>>>>,
}

/// Evidence with its room, which no other evidence takes the address of as long as it is here.
#[derive(Debug)]
struct Shared {
    evidence: Arc<Evidence>,
    _held: Held,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            memory: Memory::of(OF_ALL),
            shared: Arc::default(),
        }
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
    held: Vec<Held>,
    evidence: Vec<Arc<Shared>>,
}

impl Room {
    /// The room of evidence: what somebody has already is there.
    fn share(&self, evidence: &Arc<Evidence>) -> Option<Arc<Shared>> {
        let address = Arc::as_ptr(evidence) as usize;
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shared.get(&address).and_then(Weak::upgrade)
            && Arc::ptr_eq(&known.evidence, evidence)
        {
            return Some(known);
        }
        shared.retain(|_, one| one.strong_count() > 0);
        let made = Arc::new(Shared {
            evidence: Arc::clone(evidence),
            _held: self.memory.take(evidence.weight())?,
        });
        shared.insert(address, Arc::downgrade(&made));
        Some(made)
    }
}

impl Told {
    /// Takes the room for a fact; whether there was as much.
    pub(crate) fn take(&self, fact: &Fact) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match fact {
            Fact::Data(Ok(value)) => taken.data(weight::of(value), &self.room),
            Fact::Image(Ok(image)) => taken.evidence(image.evidence(), &self.room),
            // Bounded where they are made, or shared by all.
            Fact::Data(Err(_))
            | Fact::Image(Err(_))
            | Fact::NamespaceLabels(_)
            | Fact::Roles(_)
            | Fact::Inventory(_)
            | Fact::Guest(_) => true,
        }
    }
}

impl Taken {
    /// Counts what one request is told; the sum before, or nothing where that is too much.
    fn count(&mut self, bytes: usize) -> Option<usize> {
        let before = self.bytes;
        let after = before.checked_add(bytes).filter(|after| *after <= OF_ONE)?;
        self.bytes = after;
        Some(before)
    }

    fn data(&mut self, bytes: usize, room: &Room) -> bool {
        let Some(before) = self.count(bytes) else {
            return false;
        };
        let counted = |bytes: usize| bytes.saturating_sub(FREE);
        let held = room.memory.take(counted(self.bytes) - counted(before));
        let is_there = held.is_some();
        if !is_there {
            self.bytes = before;
        }
        self.held.extend(held);
        is_there
    }

    fn evidence(&mut self, evidence: &Arc<Evidence>, room: &Room) -> bool {
        let is_known = |one: &Arc<Shared>| Arc::ptr_eq(&one.evidence, evidence);
        if self.evidence.iter().any(is_known) {
            return true;
        }
        let before = self.bytes;
        let shared = self
            .count(evidence.weight())
            .and_then(|_before| room.share(evidence));
        let is_there = shared.is_some();
        if !is_there {
            self.bytes = before;
        }
        self.evidence.extend(shared);
        is_there
    }
}

#[cfg(test)]
mod tests;
