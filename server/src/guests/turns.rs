//! The turns of a policy's modules: how many calls of them run at once, and what a module that runs away may still take.
//!
//! Modules that never end would take half of the processors for as long as somebody asks. After [`LATE`] calls that ran
//! out of time, those that follow get a tenth of their time, and one that uses that up keeps its turn for [`SHARE`] times
//! as long without running: a twentieth of a processor for each turn. A module that is well again answers in its tenth.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regent_engine::wasm::bounds::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many calls run out of time before those that follow get less of it: one or two are a machine that was busy.
const LATE: u32 = 3;
/// How long a call that ran out of time counts.
const COUNTS: Duration = Duration::from_mins(1);
/// The least time of a call: policies take a millisecond, and the processor is shared.
const LEAST: Duration = Duration::from_millis(100);
/// How much longer a turn is kept than its call ran.
const SHARE: u32 = 20;
/// How long calls get less: at first, and then twice as long each time up to the most. Between them one call gets all of
/// its time, which takes a second of a processor.
const FIRST: Duration = Duration::from_mins(1);
const MOST: Duration = Duration::from_mins(5);

/// The turns of one policy's modules.
#[derive(Debug)]
pub(super) struct Turns {
    permits: Arc<Semaphore>,
    conduct: Mutex<Conduct>,
}

/// What a call may take, and what it holds meanwhile.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) limits: Limits,
    /// Whether that is less than the policy says.
    is_short: bool,
    permit: OwnedSemaphorePermit,
}

impl Turn {
    /// The time that its call gets, where that is less than the policy says.
    pub(super) fn short(&self) -> Option<Duration> {
        self.is_short.then_some(self.limits.timeout)
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(concurrency())),
            conduct: Mutex::default(),
        }
    }

    /// Waits for a turn; none is given once nobody gives turns any more.
    pub(super) async fn next(&self, limits: Limits) -> Option<Turn> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let is_short = self.conduct(|conduct| conduct.is_short(Instant::now()));
        let timeout = if is_short {
            shortened(limits.timeout)
        } else {
            limits.timeout
        };
        Some(Turn {
            limits: Limits { timeout, ..limits },
            is_short,
            permit,
        })
    }

    /// Says that a call ran out of its time. Whether calls get less from now on, and for how long.
    pub(super) fn was_late(&self, turn: Turn) -> Option<Duration> {
        if !turn.is_short {
            return self.conduct(|conduct| conduct.late(Instant::now()));
        }
        let rest = turn.limits.timeout.saturating_mul(SHARE);
        let permit = turn.permit;
        // Nobody waits for it: the request has its answer.
        drop(tokio::runtime::Handle::try_current().map(|runtime| {
            runtime.spawn(async move {
                tokio::time::sleep(rest).await;
                drop(permit);
            })
        }));
        None
    }

    fn conduct<T>(&self, look: impl FnOnce(&mut Conduct) -> T) -> T {
        look(&mut self.conduct.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How a policy's modules behaved.
#[derive(Debug, Default)]
struct Conduct {
    /// Calls that ran out of their whole time.
    late: u32,
    /// The last of them.
    last: Option<Instant>,
    /// Until when calls get less.
    short_until: Option<Instant>,
    /// For how long they did.
    short_for: Option<Duration>,
}

impl Conduct {
    fn is_short(&self, now: Instant) -> bool {
        self.short_until.is_some_and(|until| now < until)
    }

    /// One more call ran out of its whole time.
    fn late(&mut self, now: Instant) -> Option<Duration> {
        let last = self.last.max(self.short_until);
        if last.is_some_and(|last| now.saturating_duration_since(last) > COUNTS) {
            *self = Self::default();
        }
        self.late = self.late.saturating_add(1);
        self.last = Some(now);
        if self.late < LATE || self.is_short(now) {
            return None;
        }
        let next = self
            .short_for
            .map_or(FIRST, |before| (before * 2).min(MOST));
        self.short_for = Some(next);
        self.short_until = Some(now + next);
        Some(next)
    }
}

/// A tenth of a time.
fn shortened(timeout: Duration) -> Duration {
    (timeout / 10).max(LEAST).min(timeout)
}

/// Calls of one policy's modules at once: half of the cores, so that a module that runs away leaves the others theirs.
fn concurrency() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn conduct_after(late: u32, now: Instant) -> Conduct {
        let mut conduct = Conduct::default();
        for number in 0..late {
            conduct.late(now + SECOND * number);
        }
        conduct
    }

    #[test]
    fn three_late_calls_within_a_minute_make_the_next_ones_short() {
        let now = Instant::now();
        let mut conduct = conduct_after(2, now);
        assert!(!conduct.is_short(now + SECOND));
        assert_eq!(conduct.late(now + 50 * SECOND), Some(FIRST));
        assert!(conduct.is_short(now + 51 * SECOND));
        assert!(!conduct.is_short(now + 111 * SECOND));
    }

    #[test]
    fn late_calls_that_are_far_apart_are_forgotten() {
        let now = Instant::now();
        let mut conduct = conduct_after(2, now);
        assert_eq!(conduct.late(now + 62 * SECOND), None);
        assert_eq!(conduct.late(now + 63 * SECOND), None);
        assert_eq!(conduct.late(now + 64 * SECOND), Some(FIRST));
    }

    #[test]
    fn a_module_that_still_runs_away_is_short_for_longer_each_time() {
        let mut now = Instant::now();
        let mut conduct = conduct_after(3, now);
        now += 2 * SECOND;
        let mut before = FIRST;
        for expected in [120, 240, 300, 300] {
            now += before + SECOND;
            assert!(!conduct.is_short(now), "one call gets all of its time");
            before = SECOND * expected;
            assert_eq!(conduct.late(now), Some(before));
            assert!(conduct.is_short(now + SECOND));
        }
    }

    #[test]
    fn a_module_that_was_well_for_a_minute_begins_anew() {
        let now = Instant::now();
        let mut conduct = conduct_after(3, now);
        let later = now + 2 * SECOND + FIRST + COUNTS + SECOND;
        assert_eq!(conduct.late(later), None);
        assert_eq!(conduct.late(later + SECOND), None);
        assert_eq!(conduct.late(later + 2 * SECOND), Some(FIRST));
    }

    #[test]
    fn a_short_call_gets_a_tenth_but_not_less_than_it_needs() {
        let of = |millis| shortened(Duration::from_millis(millis)).as_millis();
        assert_eq!(
            [of(10_000), of(1_000), of(300), of(20)],
            [1_000, 100, 100, 20]
        );
    }

    #[tokio::test]
    async fn a_short_call_that_is_late_keeps_its_turn() {
        let turns = Turns {
            permits: Arc::new(Semaphore::new(1)),
            conduct: Mutex::default(),
        };
        let timeout = Duration::from_millis(2);
        let limits = Limits {
            timeout,
            ..Limits::default()
        };
        for _ in 0..LATE {
            let turn = turns.next(limits).await.unwrap();
            assert_eq!(turn.short(), None);
            turns.was_late(turn);
        }
        let turn = turns.next(limits).await.unwrap();
        assert_eq!(turn.short(), Some(timeout));
        let before = Instant::now();
        assert_eq!(turns.was_late(turn), None);
        let next = turns.next(limits).await.unwrap();
        assert!(before.elapsed() >= timeout * SHARE);
        // One that answers gives its turn back.
        drop(next);
        assert!(turns.next(limits).await.is_some());
    }
}
