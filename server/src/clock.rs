//! What time it is, for an engine that reads no clock.

use std::time::{Duration, SystemTime};

use regent_engine::jmespath::Environment;

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The time now, and a seed that is another one each time: `random` draws from it.
pub fn environment() -> Environment {
    // A clock before 1970 is one that is not set: expressions see its start.
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let nanoseconds = since.subsec_nanos();
    Environment {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanoseconds,
        seed: since.as_secs().rotate_left(32) ^ u64::from(nanoseconds),
    }
}
