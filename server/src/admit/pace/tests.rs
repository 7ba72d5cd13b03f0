use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::{Here, LONG, Pace, TRIALS, TRIALS_AFTER_LONG, caught};
use crate::metrics::HostFailure;

const SHORT: Duration = Duration::from_micros(200);

fn short(pace: &Pace, times: u32) {
    (0..times).for_each(|_| pace.note(SHORT));
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all();
    builder.build().unwrap()
}

#[test]
fn evaluations_are_short_once_many_were_and_until_one_is_long() {
    let pace = &Pace(AtomicU32::new(TRIALS));
    short(pace, TRIALS - 1);
    assert!(!pace.is_short());
    short(pace, 1);
    assert!(pace.is_short());
    pace.note(LONG);
    short(pace, TRIALS_AFTER_LONG - 1);
    assert!(!pace.is_short());
    short(pace, 1);
    assert!(pace.is_short());
}

#[test]
fn one_thread_is_left_for_connections() {
    let one = runtime(1).block_on(async { Here::start() });
    assert!(one.turn().is_none());
    let three = runtime(3).block_on(async { Here::start() });
    let first = three.turn();
    let second = three.turn();
    assert!(first.is_some() && second.is_some() && three.turn().is_none());
    drop(first);
    assert!(three.turn().is_some());
}

#[test]
fn a_panic_ends_the_job_alone() {
    let done = caught(|| panic!("a defect"));
    assert_eq!(done, Err::<(), _>(HostFailure::Panic));
    assert_eq!(caught(|| 1), Ok(1));
}

/// How long five short naps take.
async fn naps() -> Duration {
    let began = Instant::now();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

/// Whichever thread looks after timers: when it evaluates, another one does.
#[test]
fn a_long_evaluation_holds_up_no_timers() {
    let runtime = runtime(2);
    let here = runtime.block_on(async { Here::start() });
    let long = Duration::from_millis(600);
    let late = runtime.block_on(async {
        let waits: Vec<_> = (0..20).map(|_| tokio::spawn(naps())).collect();
        // From a task that a timer has just woken up: its thread is the one that looked after timers.
        let blocked: Arc<Here> = Arc::clone(&here);
        let blocking = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let _turn = blocked.turn().unwrap();
            caught(|| std::thread::sleep(long)).unwrap();
        });
        let mut late = Duration::ZERO;
        for wait in waits {
            late = late.max(wait.await.unwrap());
        }
        blocking.await.unwrap();
        late
    });
    assert!(late < long / 2, "{late:?}");
}
