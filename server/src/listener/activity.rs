//! What goes on on a connection, and since when nothing does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::answers::Unread;

/// How often a connection is looked at, at most.
const LEAST: Duration = Duration::from_millis(10);

/// A client that sends nothing for so long of what is waited for is taken for one that will not.
const STALLED: Duration = Duration::from_millis(500);

/// What goes on on a connection.
pub(super) struct Activity {
    start: Instant,
    in_flight: AtomicUsize,
    /// Those of them that only the client can go on with: their bodies are on their way, or their answers.
    waiting: AtomicUsize,
    /// Milliseconds from `start` to when it last did.
    progress: AtomicU64,
    /// Milliseconds from `start` to the end of the last request; zero where there was none.
    last: AtomicU64,
    leave: Notify,
    /// Answers that its client has not read.
    pub(super) unread: Unread,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            progress: AtomicU64::new(0),
            last: AtomicU64::new(0),
            leave: Notify::new(),
            unread: Unread::default(),
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Since when nothing goes on, and whether anything did before; none where a request is in flight, but for one whose
    /// client has stopped in the middle of it.
    ///
    /// Sorted, the first are those that never asked anything, or not to its end, the longest open before the others.
    pub(super) fn idle(&self) -> Option<(bool, Instant)> {
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        if in_flight > self.waiting.load(Ordering::Relaxed) {
            return None;
        }
        let at = |milliseconds: &AtomicU64| {
            let milliseconds = milliseconds.load(Ordering::Relaxed);
            (
                milliseconds > 0,
                self.start + Duration::from_millis(milliseconds),
            )
        };
        if in_flight > 0 {
            let (_, since) = at(&self.progress);
            return (since.elapsed() >= STALLED).then_some((false, since));
        }
        Some(at(&self.last))
    }

    /// Takes note that the client went on.
    pub(super) fn went_on(&self) {
        self.progress.store(self.milliseconds(), Ordering::Relaxed);
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

/// Something in flight that only the client can go on with, until it is dropped.
pub(super) struct Waiting(Arc<Activity>);

impl Waiting {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        activity.went_on();
        activity.waiting.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }

    /// Takes note that the client went on.
    pub(super) fn went_on(&self) {
        self.0.went_on();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.went_on();
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
