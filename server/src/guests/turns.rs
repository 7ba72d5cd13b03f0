//! The turns of a policy's modules: how many calls of them run at once, and what those may still take that run away.
//!
//! A module that never ends would take half of the processors for as long as somebody asks. After [`LATE`] calls that ran
//! out of time, those that follow get a tenth of their time, one after the other, and the one that uses that up makes the
//! next wait for [`SHARE`] times as long: a twentieth of a processor. A module that is well again answers in its tenth.
//!
//! It may be the object that makes a module slow. So it is counted where requests come from, by namespaces: whoever makes
//! such objects has to wait for himself, and nobody else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regent_engine::evaluation::need::GuestNeed;
use regent_engine::wasm::bounds::Limits;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many calls run out of time before those that follow get less of it: one or two are a machine that was busy.
const LATE: u32 = 3;
/// How long a call that ran out of time counts.
const COUNTS: Duration = Duration::from_mins(1);
/// The least time of a call: policies take a millisecond, and the processor is shared.
const LEAST: Duration = Duration::from_millis(100);
/// How much longer the next one waits than a call ran.
const SHARE: u32 = 20;
/// How long calls get less: at first, and then twice as long each time up to the most. Between them one call gets all of
/// its time, which takes a second of a processor.
const FIRST: Duration = Duration::from_mins(1);
const MOST: Duration = Duration::from_mins(5);
/// How many places are told apart for a policy; what comes after them counts as one.
const PLACES: usize = 256;

/// The turns of one policy's modules.
#[derive(Debug)]
pub(super) struct Turns {
    permits: Arc<Semaphore>,
    /// Places of which calls ran out of time lately.
    late: Mutex<BTreeMap<String, Arc<Late>>>,
}

/// A place of which calls ran out of time.
#[derive(Debug)]
struct Late {
    conduct: Mutex<Conduct>,
    /// One call at a time, while they get less.
    turn: Arc<Semaphore>,
}

/// What a call may take, and what it holds meanwhile.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) limits: Limits,
    permit: OwnedSemaphorePermit,
    /// The turn of its place, where calls of that get less than the policy says.
    of_place: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// The time that its call gets, where that is less than the policy says.
    pub(super) fn short(&self) -> Option<Duration> {
        self.of_place.as_ref().map(|_| self.limits.timeout)
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(concurrency())),
            late: Mutex::default(),
        }
    }

    /// Waits for a turn; none is given once nobody gives turns any more.
    pub(super) async fn next(&self, need: &GuestNeed) -> Option<Turn> {
        let limits = need.guest.limits;
        let mut permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        // Looked at once its turn is there: those before it may have been late meanwhile.
        let short = self
            .known(need)
            .filter(|late| late.is_short(Instant::now()));
        let Some(late) = short else {
            let of_place = None;
            return Some(Turn {
                limits,
                permit,
                of_place,
            });
        };
        // Others do not wait while it waits for its own.
        drop(permit);
        let of_place = Some(Arc::clone(&late.turn).acquire_owned().await.ok()?);
        permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let timeout = shortened(limits.timeout);
        Some(Turn {
            limits: Limits { timeout, ..limits },
            permit,
            of_place,
        })
    }

    /// Says that a call ran out of its time. Whether calls from there get less from now on, and for how long.
    pub(super) fn was_late(&self, need: &GuestNeed, turn: Turn) -> Option<Duration> {
        let Turn {
            limits,
            permit,
            of_place,
        } = turn;
        drop(permit);
        let Some(of_place) = of_place else {
            return self.noted(need).is_late(Instant::now());
        };
        let rest = limits.timeout.saturating_mul(SHARE);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // The request has its answer: only those that come after it wait.
            drop(runtime.spawn(async move {
                tokio::time::sleep(rest).await;
                drop(of_place);
            }));
        }
        None
    }

    /// What is known of the place that a call is about; mostly nothing was late anywhere.
    fn known(&self, need: &GuestNeed) -> Option<Arc<Late>> {
        let late = || self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if late().is_empty() {
            return None;
        }
        // Read while others may go on.
        let place = place(need);
        let late = late();
        late.get(&place).or_else(|| late.get("")).cloned()
    }

    /// The place that a call is about, from now on.
    fn noted(&self, need: &GuestNeed) -> Arc<Late> {
        let mut place = place(need);
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        late.retain(|_, one| !one.is_forgotten(now));
        if late.len() >= PLACES && !late.contains_key(&place) {
            place.clear();
        }
        let one = late.entry(place).or_insert_with(|| {
            Arc::new(Late {
                conduct: Mutex::default(),
                turn: Arc::new(Semaphore::new(1)),
            })
        });
        Arc::clone(one)
    }
}

impl Late {
    fn is_short(&self, now: Instant) -> bool {
        self.conduct(|conduct| conduct.is_short(now))
    }

    fn is_late(&self, now: Instant) -> Option<Duration> {
        self.conduct(|conduct| conduct.late(now))
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.conduct(|conduct| conduct.is_forgotten(now))
    }

    fn conduct<T>(&self, look: impl FnOnce(&mut Conduct) -> T) -> T {
        look(&mut self.conduct.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a request comes from: the namespace of its object, or whoever made it where it is of none.
fn place(need: &GuestNeed) -> String {
    #[derive(Deserialize)]
    struct Request {
        #[serde(default)]
        namespace: String,
        #[serde(default, rename = "userInfo")]
        user: User,
    }
    #[derive(Default, Deserialize)]
    struct User {
        #[serde(default)]
        username: String,
    }
    match serde_json::from_str(&need.request) {
        Ok(Request { namespace, user }) if namespace.is_empty() => {
            format!("user {}", user.username)
        }
        Ok(Request { namespace, .. }) => namespace,
        // One place for all that cannot be told apart.
        Err(_) => String::new(),
    }
}

/// How calls from somewhere behaved.
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

    /// Whether all that is known of it was too long ago.
    fn is_forgotten(&self, now: Instant) -> bool {
        let last = self.last.max(self.short_until);
        last.is_none_or(|last| now.saturating_duration_since(last) > COUNTS)
    }

    /// One more call ran out of its whole time.
    fn late(&mut self, now: Instant) -> Option<Duration> {
        if self.is_forgotten(now) {
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

    fn asks(namespace: &str, user: &str) -> GuestNeed {
        let request = serde_json::json!({"namespace": namespace, "userInfo": {"username": user}});
        GuestNeed {
            guest: Arc::new(crate::guests::tests::guest(Duration::from_millis(2))),
            uid: String::new(),
            request: request.to_string().into(),
            answers: [].into(),
            seconds: 0,
        }
    }

    #[test]
    fn a_place_is_a_namespace_or_a_user() {
        assert_eq!(place(&asks("shop", "alice")), "shop");
        assert_eq!(place(&asks("", "alice")), "user alice");
    }

    #[tokio::test]
    async fn who_makes_modules_late_waits_for_himself_alone() {
        let turns = Turns {
            permits: Arc::new(Semaphore::new(1)),
            late: Mutex::default(),
        };
        let (bad, good) = (asks("bad", ""), asks("good", ""));
        for _ in 0..LATE {
            let turn = turns.next(&bad).await.unwrap();
            assert_eq!(turn.short(), None);
            turns.was_late(&bad, turn);
        }
        let timeout = bad.guest.limits.timeout;
        let turn = turns.next(&bad).await.unwrap();
        assert_eq!(turn.short(), Some(timeout));
        let before = Instant::now();
        assert_eq!(turns.was_late(&bad, turn), None);
        // Others find a turn that is free, with all of their time.
        let mut other = Box::pin(turns.next(&good));
        let turn = futures_util::FutureExt::now_or_never(&mut other).flatten();
        assert_eq!(turn.map(|turn| turn.short()), Some(None));
        let next = turns.next(&bad).await.unwrap();
        assert!(before.elapsed() >= timeout * SHARE);
        // One that answers gives its turn back.
        drop(next);
        assert!(turns.next(&bad).await.is_some());
    }

    #[tokio::test]
    async fn what_waited_while_others_were_late_gets_less_too() {
        let turns = Turns {
            permits: Arc::new(Semaphore::new(1)),
            late: Mutex::default(),
        };
        let bad = asks("bad", "");
        let turn = turns.next(&bad).await.unwrap();
        let mut queued = Box::pin(turns.next(&bad));
        assert!(futures_util::FutureExt::now_or_never(&mut queued).is_none());
        for _ in 1..LATE {
            turns.noted(&bad).is_late(Instant::now());
        }
        turns.was_late(&bad, turn);
        assert!(queued.await.unwrap().short().is_some());
    }

    #[test]
    fn places_are_bounded_and_forgotten() {
        let turns = Turns::new();
        for number in 0..2 * PLACES {
            turns
                .noted(&asks(&format!("n{number}"), ""))
                .is_late(Instant::now());
        }
        let places = turns.late.lock().unwrap().len();
        assert_eq!(places, PLACES + 1);
        // What is not told apart counts as one.
        assert!(turns.known(&asks("another", "")).is_some());
    }
}
