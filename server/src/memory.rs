//! Memory that many share: how much of it there is for all, and what each of them holds.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are counted as one: a semaphore counts no further than to some hundred millions at once.
const UNIT: usize = 1 << 10;

/// What there is for all.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    units: Arc<Semaphore>,
    all: usize,
}

/// What somebody holds of it, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<OwnedSemaphorePermit>);

impl Memory {
    /// So many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        let all = bytes / UNIT;
        Self {
            units: Arc::new(Semaphore::new(all)),
            all,
        }
    }

    /// Takes so many bytes; none where there are not as many left. Nobody waits for them: those who hold some might wait for
    /// each other.
    pub(crate) fn take(&self, bytes: usize) -> Option<Held> {
        let mut held = Held::default();
        self.grow(&mut held, bytes).then_some(held)
    }

    /// Takes what lacks until so many bytes are held; whether there was as much.
    pub(crate) fn grow(&self, held: &mut Held, bytes: usize) -> bool {
        let Some(lacking) = held.lacking(bytes) else {
            return false;
        };
        if lacking == 0 {
            return true;
        }
        let permit = Arc::clone(&self.units).try_acquire_many_owned(lacking);
        permit.is_ok_and(|permit| held.add(permit))
    }

    /// Waits for what lacks until so many bytes are held; whether there ever is as much. Those who hold some may wait for each
    /// other: each of them has to give up in time.
    pub(crate) async fn wait_to_grow(&self, held: &mut Held, bytes: usize) -> bool {
        let Some(lacking) = held.lacking(bytes) else {
            return false;
        };
        let permit = Arc::clone(&self.units).acquire_many_owned(lacking).await;
        permit.is_ok_and(|permit| held.add(permit))
    }

    /// Waits for so many bytes, or for all where that is more. Whoever waits must hold nothing that others wait for.
    ///
    /// None once nobody is given any more, which does not happen.
    pub(crate) async fn wait_for(&self, bytes: usize) -> Option<Held> {
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.all)).ok()?;
        let permit = Arc::clone(&self.units).acquire_many_owned(units).await;
        permit.ok().map(|permit| Held(Some(permit)))
    }

    /// Bytes that nobody holds.
    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.units.available_permits() * UNIT
    }
}

impl Held {
    /// Units that lack until so many bytes are held; none where nobody counts as far.
    fn lacking(&self, bytes: usize) -> Option<u32> {
        let had = self.0.as_ref();
        let had = had.map_or(0, OwnedSemaphorePermit::num_permits);
        u32::try_from(bytes.div_ceil(UNIT).saturating_sub(had)).ok()
    }

    fn add(&mut self, permit: OwnedSemaphorePermit) -> bool {
        match &mut self.0 {
            Some(held) => held.merge(permit),
            nothing => *nothing = Some(permit),
        }
        true
    }
}

#[cfg(test)]
mod tests;
