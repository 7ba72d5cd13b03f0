use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Absorb, IN_A_ROW};

/// Counts how often a task was woken.
struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that is ready when it is polled for the nth time, and wakes itself until then.
fn ready_at(nth: usize) -> impl Future<Output = usize> {
    let mut polls = 0;
    poll_fn(move |context| {
        polls += 1;
        if polls == nth {
            return Poll::Ready(polls);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

fn poll_once(future: impl Future<Output = usize>) -> (Poll<usize>, usize) {
    let counted = Arc::new(Counted(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&counted));
    let mut future = std::pin::pin!(Absorb::new(future));
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    (polled, counted.0.load(Ordering::Relaxed))
}

#[test]
fn what_wakes_itself_is_polled_again_and_nobody_else_is_woken() {
    assert_eq!(poll_once(ready_at(1)), (Poll::Ready(1), 0));
    assert_eq!(poll_once(ready_at(IN_A_ROW)), (Poll::Ready(IN_A_ROW), 0));
}

#[test]
fn what_wakes_itself_without_end_lets_others_in_between() {
    assert_eq!(poll_once(ready_at(IN_A_ROW + 1)), (Poll::Pending, 1));
    assert_eq!(poll_once(ready_at(usize::MAX)), (Poll::Pending, 1));
}

#[test]
fn what_waits_for_others_wakes_nobody() {
    assert_eq!(poll_once(std::future::pending()), (Poll::Pending, 0));
}

#[tokio::test]
async fn it_is_woken_up_in_the_end() {
    let woken = timeout(Duration::from_secs(10), Absorb::new(ready_at(1000)));
    assert_eq!(woken.await, Ok(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_word_from_another_thread_is_lost() {
    const WORDS: usize = 20_000;
    let (to_it, mut words) = mpsc::channel(1);
    let (back, mut echoes) = mpsc::channel(1);
    let echoing = async move {
        while let Some(word) = words.recv().await {
            back.send(word).await.unwrap();
        }
    };
    let echo = tokio::spawn(Absorb::new(echoing));
    let talk = async {
        for word in 0..WORDS {
            to_it.send(word).await.unwrap();
            assert_eq!(echoes.recv().await, Some(word));
        }
    };
    timeout(Duration::from_mins(1), talk).await.unwrap();
    drop(to_it);
    echo.await.unwrap();
}
