use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{After, Fetching, Key, Patience};

/// Longer than anything here takes, unless it never ends.
const TIME: Duration = Duration::from_secs(20);

fn fetching(of_host: Duration, after: After) -> Fetching {
    Fetching::new(Patience {
        of_host,
        of_all: TIME,
        after,
    })
}

fn key(host: &str, module: usize) -> Key {
    let nothing = String::new;
    Key {
        host: host.to_owned(),
        of: [module.to_string(), nothing(), nothing(), nothing()],
    }
}

fn bytes() -> Bytes {
    Bytes::from_static(b"module")
}

fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < TIME);
        std::thread::yield_now();
    }
}

#[test]
fn a_host_that_does_not_answer_is_waited_for_once() {
    for after in [After::Kept, After::Forgotten] {
        let fetching = fetching(Duration::from_millis(50), after);
        let begun = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        for number in 0..1000 {
            let ended = fetching.get(&key("away", number), TIME, || {
                begun.fetch_add(1, Ordering::Relaxed);
                pending()
            });
            assert_eq!(ended, Err("`away` has not given it in time".to_owned()));
        }
        assert!(start.elapsed() < Duration::from_secs(10));
        // Who loads policies once begins nothing that nobody would see the end of.
        let wanted = if after == After::Kept { 1000 } else { 1 };
        assert_eq!(begun.load(Ordering::Relaxed), wanted);
        // Nobody else waits for it.
        assert_eq!(
            fetching.get(&key("there", 0), TIME, || ready(Ok(bytes()))),
            Ok(bytes())
        );
    }
}

#[test]
fn all_hosts_together_are_not_waited_for_longer_than_one_is_patient() {
    let fetching = Fetching::new(Patience {
        of_host: TIME,
        of_all: Duration::from_millis(50),
        after: After::Kept,
    });
    for number in 0..20 {
        let host = format!("away-{number}");
        assert!(fetching.get(&key(&host, 0), TIME, pending).is_err());
    }
}

#[test]
fn what_was_not_waited_for_is_there_the_next_time() {
    let fetching = fetching(Duration::from_millis(1), After::Kept);
    let (comes, key) = (Arc::new(Notify::new()), key("slow", 0));
    let wait = Arc::clone(&comes);
    let late = async move {
        wait.notified().await;
        Ok(bytes())
    };
    assert!(fetching.get(&key, TIME, || late).is_err());
    fetching.settle();
    assert!(!fetching.has_news());
    // Policies that are loaded meanwhile begin no other.
    assert!(
        fetching
            .get(&key, TIME, || ready(Err("again".to_owned())))
            .is_err()
    );
    fetching.settle();
    comes.notify_one();
    until(|| fetching.has_news());
    assert_eq!(fetching.get(&key, TIME, pending), Ok(bytes()));
    fetching.settle();
    assert!(!fetching.has_news());
}

#[test]
fn what_failed_is_asked_for_once_each_time_that_policies_are_loaded() {
    let fetching = fetching(TIME, After::Kept);
    let (asked, key) = (AtomicUsize::new(0), key("there", 0));
    let ask = || {
        fetching.get(&key, TIME, || {
            asked.fetch_add(1, Ordering::Relaxed);
            ready(Err("it is not there".to_owned()))
        })
    };
    for times in 1..3 {
        for _ in 0..3 {
            assert_eq!(ask(), Err("it is not there".to_owned()));
        }
        assert_eq!(asked.load(Ordering::Relaxed), times);
        fetching.settle();
        assert!(!fetching.has_news());
    }
}

#[test]
fn what_nobody_names_any_more_is_forgotten() {
    let fetching = fetching(Duration::ZERO, After::Kept);
    let key = key("slow", 0);
    assert!(fetching.get(&key, TIME, || async { Ok(bytes()) }).is_err() || !fetching.has_news());
    until(|| fetching.has_news() || fetching.shared.lock().fetches.is_empty());
    fetching.settle();
    fetching.settle();
    assert!(!fetching.has_news());
    assert!(fetching.shared.lock().fetches.is_empty());
}

#[test]
fn a_fetch_that_ends_by_a_defect_or_never_is_an_error() {
    let fetching = fetching(TIME, After::Kept);
    let defect = fetching.get(&key("there", 0), TIME, || async { panic!("a defect") });
    assert_eq!(defect, Err("internal error".to_owned()));
    let never = fetching.get(&key("there", 1), Duration::from_millis(1), pending);
    assert_eq!(never, Err("it was not fetched in time".to_owned()));
}
