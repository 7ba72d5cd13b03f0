//! What time it is, for an engine that reads no clock.

use std::time::{SystemTime, UNIX_EPOCH};

use regent_engine::jmespath::Environment;

/// The time now, and a seed that is another one each time.
pub fn environment() -> Environment {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Environment {
        seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: now.subsec_nanos(),
        seed: u64::from(now.subsec_nanos()),
    }
}
