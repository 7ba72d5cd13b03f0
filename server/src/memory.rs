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
        let had = held.0.as_ref();
        let had = had.map_or(0, OwnedSemaphorePermit::num_permits);
        let Ok(lacking) = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(had)) else {
            return false;
        };
        if lacking == 0 {
            return true;
        }
        let Ok(permit) = Arc::clone(&self.units).try_acquire_many_owned(lacking) else {
            return false;
        };
        match &mut held.0 {
            Some(held) => held.merge(permit),
            nothing => *nothing = Some(permit),
        }
        true
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

#[cfg(test)]
mod tests;
