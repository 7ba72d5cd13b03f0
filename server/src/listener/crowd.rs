//! Who gives way where all places are taken: a connection that nothing goes on on, before an API server has to wait.
//!
//! Whoever reaches the port can open as many connections as there are places, and say nothing; until they end by
//! themselves no review would come in.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::activity::Activity;

/// How long is waited for those that were told to leave, before others are.
const PATIENCE: Duration = Duration::from_millis(250);

/// The part of all places that is made free at once: whoever opens many connections opens more.
const SHARE: usize = 16;

/// All connections of a listener.
pub(super) struct Crowd {
    places: Arc<Semaphore>,
    at_once: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<Activity>>,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    activity: Arc<Activity>,
    number: u64,
    open: Arc<Mutex<Open>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Crowd {
    /// Of at most `limit` connections.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limit)),
            at_once: (limit / SHARE).max(1),
            open: Arc::default(),
        }
    }

    /// A place for one more; where all are taken, once one of those that nothing goes on on has left.
    pub(super) async fn place(&self) -> Place {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                break Some(permit);
            }
            self.make_room();
            let acquired = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned());
            match acquired.await {
                // Nobody closes the semaphore.
                Ok(permit) => break permit.ok(),
                Err(_late) => {}
            }
        };
        let activity = Arc::new(Activity::new());
        let mut open = locked(&self.open);
        let number = open.next;
        open.next += 1;
        open.connections.insert(number, Arc::clone(&activity));
        Place {
            activity,
            number,
            open: Arc::clone(&self.open),
            _permit: permit,
        }
    }

    /// Tells some to leave: first those that never asked anything or stopped in the middle of it, then those whose last request is longest ago.
    fn make_room(&self) {
        let open = locked(&self.open);
        let idle = open.connections.values();
        let mut idle: Vec<_> = idle
            .filter_map(|activity| Some((activity.idle()?, activity)))
            .collect();
        idle.sort_by_key(|(since, _)| *since);
        for (_, activity) in idle.into_iter().take(self.at_once) {
            activity.tell_to_leave();
        }
    }
}

impl Crowd {
    /// Lets go of some whose clients do not read their answers: of those first that have the most to read.
    pub(super) fn let_slow_readers_go(&self) {
        let open = locked(&self.open);
        let all = open.connections.values();
        let mut slow: Vec<_> = all
            .filter_map(|activity| Some((activity.unread.slow()?, activity)))
            .collect();
        slow.sort_by_key(|(bytes, _)| Reverse(*bytes));
        for (_, activity) in slow.into_iter().take(self.at_once) {
            activity.unread.tell_to_leave();
        }
    }
}

impl Place {
    /// What goes on on the connection.
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.open).connections.remove(&self.number);
    }
}

fn locked(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    // What it protects is whole after every statement.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
