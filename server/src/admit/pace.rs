//! Whether an evaluation runs where its connection is served, or on a thread of its own.
//!
//! A thread of its own costs two changes of threads, which is a quarter of a small request; where its connection is
//! served, an evaluation that takes its time would hold up others. So that neither connections nor timers wait for one:
//!
//! - A body of more than [`SMALL`] bytes, or of a kind whose evaluations were not short each of the last times, gets a
//!   thread of its own. What is known is known of a snapshot of the policies, and is gone with it.
//! - At most all threads but one of those that serve connections evaluate at once. A runtime of one thread never does.
//! - While any evaluates, a thread of the host wakes another one up every [`TICK`]: it takes over what is awaited from
//!   the network and the clock, where the one that evaluates was who looked after it. An evaluation that is long after
//!   all holds up its own request, and others for no longer than that.

use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use regent_engine::admission::AdmissionRequest;
use regent_engine::evaluation::Phase;
use tokio::runtime::Handle;

use crate::metrics::HostFailure;

#[cfg(test)]
mod tests;

/// Bytes of a body: what policies make of it may grow with its square.
pub(crate) const SMALL: usize = 16 << 10;
/// An evaluation of less is short: an ordinary one takes a tenth of a millisecond, and the rest is for a machine that is
/// busy with something else.
const LONG: Duration = Duration::from_millis(10);
/// How many evaluations must have been short before one runs where its connection is served.
const TRIALS: u32 = 16;
/// The same after one that was long.
const TRIALS_AFTER_LONG: u32 = 512;
/// How often others are woken up.
const TICK: Duration = Duration::from_millis(10);
/// Kinds that share what is known of them now and then.
const CELLS: usize = 64;

/// How long evaluations of a snapshot of policies take.
#[derive(Debug)]
pub(crate) struct Paces {
    hasher: RandomState,
    cells: [Pace; CELLS],
}

/// The same of some kind: how many must be short yet.
#[derive(Debug)]
pub(crate) struct Pace(AtomicU32);

impl Default for Paces {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            cells: std::array::from_fn(|_| Pace(AtomicU32::new(TRIALS))),
        }
    }
}

impl Paces {
    /// What is known of evaluations of requests like this one.
    pub(crate) fn of(&self, request: &AdmissionRequest, phase: Phase) -> Option<&Pace> {
        let kind = &request.kind;
        let key = (
            (&kind.group, &kind.kind, &request.sub_resource),
            (request.operation, phase == Phase::Mutate),
        );
        let cell = usize::try_from(self.hasher.hash_one(key) % CELLS as u64).ok()?;
        self.cells.get(cell)
    }
}

impl Pace {
    /// Whether the last ones were short.
    pub(crate) fn is_short(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Takes note of how long one took. Of two at once one may be forgotten, but never a long one for a short one.
    pub(crate) fn note(&self, took: Duration) {
        if took >= LONG {
            self.0.store(TRIALS_AFTER_LONG, Ordering::Relaxed);
            return;
        }
        let left = self.0.load(Ordering::Relaxed);
        if let Some(fewer) = left.checked_sub(1) {
            let order = Ordering::Relaxed;
            match self.0.compare_exchange(left, fewer, order, order) {
                // Where a long one came in between, this counts for nothing.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Who may evaluate where connections are served.
#[derive(Debug)]
pub(crate) struct Here {
    /// How many at once.
    most: usize,
    now: AtomicUsize,
}

/// One that evaluates there.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Here);

impl Here {
    /// On the threads of the runtime that this is called in; nobody may where the thread that wakes cannot be started.
    pub(crate) fn start() -> Arc<Self> {
        let runtime = Handle::current();
        let most = runtime.metrics().num_workers().saturating_sub(1);
        let here = Arc::new(Self {
            most,
            now: AtomicUsize::new(0),
        });
        if most == 0 {
            return here;
        }
        let watched = Arc::downgrade(&here);
        let waking = std::thread::Builder::new().name("wake-workers".to_owned());
        let waking = waking.spawn(move || wake(&watched, &runtime));
        match waking {
            Ok(_runs_on) => here,
            Err(error) => {
                tracing::warn!(%error, "each evaluation gets a thread of its own");
                Arc::new(Self {
                    most: 0,
                    now: AtomicUsize::new(0),
                })
            }
        }
    }

    /// A turn, if there is one left.
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        let turn = Turn(self);
        let before = self.now.fetch_add(1, Ordering::Relaxed);
        // Given back where it is one too many.
        (before < self.most).then_some(turn)
    }
}

/// Wakes a thread of the runtime up again and again while another one evaluates, as long as anybody may.
fn wake(watched: &Weak<Here>, runtime: &Handle) {
    while let Some(here) = watched.upgrade() {
        if here.now.load(Ordering::Relaxed) > 0 {
            drop(runtime.spawn(async {}));
        }
        drop(here);
        std::thread::sleep(TICK);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does it here and now; a panic ends the job alone.
pub(crate) fn caught<T>(job: impl FnOnce() -> T) -> Result<T, HostFailure> {
    catch_unwind(AssertUnwindSafe(job)).map_err(|_panicked| HostFailure::Panic)
}
