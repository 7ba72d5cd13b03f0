//! What goes on on a connection, and since when nothing does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// How often a connection is looked at, at most.
const LEAST: Duration = Duration::from_millis(10);

/// What goes on on a connection.
pub(super) struct Activity {
    start: Instant,
    in_flight: AtomicUsize,
    /// Milliseconds from `start` to the end of the last request; zero where there was none.
    last: AtomicU64,
    leave: Notify,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            in_flight: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            leave: Notify::new(),
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Since when nothing goes on, and whether anything did before; none where a request is in flight.
    ///
    /// Sorted, the first are those that never asked anything, the longest open before the others.
    pub(super) fn idle(&self) -> Option<(bool, Instant)> {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let last = self.last.load(Ordering::Relaxed);
        Some((last > 0, self.start + Duration::from_millis(last)))
    }

    /// Tells the connection to give its place up.
    pub(super) fn tell_to_leave(&self) {
        self.leave.notify_one();
    }

    /// Returns when the connection is told so, and nothing goes on on it that came meanwhile.
    pub(super) async fn told_to_leave(&self) {
        loop {
            self.leave.notified().await;
            if self.idle().is_some() {
                return;
            }
        }
    }

    /// Returns when nothing was in flight for `limit`.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let left = match self
                .idle()
                .map(|(_, since)| limit.checked_sub(since.elapsed()))
            {
                Some(None | Some(Duration::ZERO)) => return,
                Some(Some(left)) => left,
                None => limit,
            };
            sleep(left.max(LEAST)).await;
        }
    }
}

/// A request in flight; ends when it is dropped, answered or not.
pub(super) struct Busy(Arc<Activity>);

impl Busy {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // That there was a request is to be seen, however soon it ended.
        let now = self.0.milliseconds().max(1);
        self.0.last.store(now, Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
