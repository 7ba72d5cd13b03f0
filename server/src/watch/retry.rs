//! When a registry is asked again for a module that it did not give: nothing changes on disk when it is back.

use std::time::{Duration, Instant};

/// How soon for the first time.
pub(super) const FIRST: Duration = Duration::from_secs(10);

/// How late at most: each time takes twice as long to come.
pub(super) const MOST: Duration = Duration::from_mins(5);

/// The next time, if there is one.
#[derive(Debug)]
pub(super) struct Retry {
    wait: Duration,
    due: Option<Instant>,
}

impl Default for Retry {
    /// Nothing to be asked for again, and soon where there will be.
    fn default() -> Self {
        Self {
            wait: FIRST,
            due: None,
        }
    }
}

impl Retry {
    /// Whether it is time.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Asking again begins; should it end by a defect, the next time is not at once.
    pub(super) fn begin(&mut self, now: Instant) {
        self.wait = (self.wait * 2).min(MOST);
        self.due = Some(now + self.wait);
    }

    /// Everything was asked for, and something is missing or not.
    pub(super) fn end(&mut self, missing: bool, now: Instant) {
        self.due = missing.then(|| now + self.wait);
    }
}
