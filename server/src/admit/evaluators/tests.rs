use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::time::timeout;

use super::{Evaluators, MAX_MEMORY};
use crate::metrics::HostFailure;

#[tokio::test]
async fn jobs_are_done_by_as_many_threads_as_there_are_and_no_more() {
    let evaluators = Evaluators::start(2).unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let name = || thread::current().name().map(str::to_owned);
        let (one, other) = tokio::join!(evaluators.run(name), evaluators.run(name));
        seen.extend([one.unwrap().unwrap(), other.unwrap().unwrap()]);
    }
    let known = ["evaluator-0", "evaluator-1"];
    assert!(
        seen.iter().all(|name| known.contains(&name.as_str())),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_job_that_panics_ends_alone() {
    let evaluators = Evaluators::start(1).unwrap();
    for _ in 0..3 {
        let ended = evaluators.run(|| panic!("on purpose")).await;
        assert_eq!(ended, Err::<(), _>(HostFailure::Panic));
    }
    assert_eq!(evaluators.run(|| 7).await, Ok(7));
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_counts_until_it_ends() {
    let evaluators = Evaluators::start(1).unwrap();
    let (go_on, wait) = mpsc::channel::<()>();
    let stuck = evaluators.run(move || wait.recv());
    let brief = Duration::from_millis(50);
    assert!(timeout(brief, stuck).await.is_err());
    assert!(evaluators.turn().is_none());
    assert!(timeout(brief, evaluators.run(|| 7)).await.is_err());
    go_on.send(()).unwrap();
    assert_eq!(evaluators.run(|| 7).await, Ok(7));
    assert!(evaluators.turn().is_some());
}

#[tokio::test]
async fn who_evaluates_elsewhere_takes_the_place_of_a_thread() {
    let evaluators = Evaluators::start(1).unwrap();
    let turn = evaluators.turn().unwrap();
    let brief = Duration::from_millis(50);
    assert!(timeout(brief, evaluators.run(|| 7)).await.is_err());
    drop(turn);
    assert_eq!(evaluators.run(|| 7).await, Ok(7));
}

#[tokio::test]
async fn large_bodies_wait_for_each_other() {
    let evaluators = Evaluators::start(1).unwrap();
    let whole = evaluators.room(MAX_MEMORY).await.unwrap();
    let soon = Duration::from_millis(10);
    timeout(soon, evaluators.room(1)).await.unwrap_err();
    drop(whole);
    let halves = (
        evaluators.room(MAX_MEMORY / 2),
        evaluators.room(MAX_MEMORY / 2),
    );
    let (one, other) = tokio::join!(halves.0, halves.1);
    assert!(one.is_ok() && other.is_ok());
    timeout(soon, evaluators.room(1)).await.unwrap_err();
}
