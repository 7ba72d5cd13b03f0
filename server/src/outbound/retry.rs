//! When a request is sent once more.
//!
//! Knows nothing of what is asked: only how an attempt ended.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use super::{Answer, Fault};

/// Attempts after the first.
const MOST: u32 = 2;
/// The first wait at least; each is three times the one before, and half as much again by chance.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait that somebody may ask for.
const LONGEST: Duration = Duration::from_secs(5);
/// An attempt that took longer is not repeated: whoever answers nothing is not waited for twice.
const QUICK: Duration = Duration::from_secs(2);

/// How long to wait before the next attempt; nothing where this one counts.
pub(super) fn wait(done: &Result<Answer, Fault>, tries: u32, took: Duration) -> Option<Duration> {
    if tries >= MOST || took > QUICK {
        return None;
    }
    match done {
        Ok(answer) if is_busy(answer) => Some(asked_for(answer).unwrap_or_else(|| backoff(tries))),
        // A connection that was kept too long: at once, and once.
        Err(Fault::Reset(_)) if tries == 0 => Some(Duration::ZERO),
        Err(Fault::Unreachable(_)) => Some(backoff(tries)),
        Ok(_) | Err(Fault::Reset(_) | Fault::Final(_)) => None,
    }
}

fn is_busy(answer: &Answer) -> bool {
    [429, 502, 503, 504].contains(&answer.status.as_u16())
}

/// `Retry-After` in seconds.
fn asked_for(answer: &Answer) -> Option<Duration> {
    let seconds = answer.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(FIRST, LONGEST))
}

/// By chance, so that all who were refused at one moment do not come back at one moment.
fn backoff(tries: u32) -> Duration {
    let least = FIRST * 3_u32.pow(tries);
    let chance = u32::try_from(RandomState::new().build_hasher().finish() % 1_000).unwrap_or(0);
    least + least * chance / 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_not_for_ever() {
        let waits: Vec<Duration> = (0..2).map(backoff).collect();
        assert!(waits[0] >= FIRST && waits[0] <= FIRST * 3 / 2, "{waits:?}");
        assert!(
            waits[1] >= FIRST * 3 && waits[1] <= FIRST * 9 / 2,
            "{waits:?}"
        );
        let reset = || Err(Fault::Reset(String::new()));
        assert_eq!(wait(&reset(), 0, Duration::ZERO), Some(Duration::ZERO));
        assert_eq!(wait(&reset(), 1, Duration::ZERO), None);
        let gone = || {
            let error = crate::image::fetch::FetchError::Unavailable(String::new());
            Err(Fault::Unreachable(error))
        };
        assert!(wait(&gone(), 1, Duration::ZERO).is_some());
        assert_eq!(wait(&gone(), 2, Duration::ZERO), None);
        assert_eq!(wait(&gone(), 0, Duration::from_secs(3)), None);
    }
}
