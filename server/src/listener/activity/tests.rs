use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Activity, Busy, Waiting};

#[test]
fn who_stops_in_the_middle_gives_way_and_who_waits_for_us_does_not() {
    let activity = Arc::new(Activity {
        start: Instant::now() - Duration::from_secs(100),
        ..Activity::new()
    });
    let asked = || activity.idle().map(|(asked, _)| asked);
    let progress = |seconds: u64| activity.progress.store(seconds * 1000, Ordering::Relaxed);
    assert_eq!(asked(), Some(false));
    let busy = Busy::new(Arc::clone(&activity));
    let body = Waiting::new(Arc::clone(&activity));
    assert_eq!(asked(), None, "it only began");
    progress(99);
    assert_eq!(asked(), Some(false), "it stopped");
    body.went_on();
    assert_eq!(asked(), None, "it goes on");
    progress(99);
    let other = Busy::new(Arc::clone(&activity));
    assert_eq!(asked(), None, "another is being answered");
    drop(other);
    drop(body);
    progress(99);
    assert_eq!(asked(), None, "all of it is here");
    drop(busy);
    assert_eq!(asked(), Some(true));
}
