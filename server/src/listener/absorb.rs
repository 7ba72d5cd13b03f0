//! A task that wakes itself while it runs is polled again at once.
//!
//! hyper hands a body from a connection to the service that reads it within one task, which so wakes itself with each
//! request. The runtime puts such a task behind all others, and wakes another thread up for it, which finds nothing to do:
//! two changes of threads for each small request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

#[cfg(test)]
mod tests;

/// How often at most it is polled in a row: what wakes itself without end lets others in between.
const IN_A_ROW: usize = 3;

/// Nobody polls it.
const WAITS: u8 = 0;
/// It is polled.
const RUNS: u8 = 1;
/// It is polled, and was woken meanwhile.
const WOKEN: u8 = 2;

/// The future that does so.
pub(super) struct Absorb<F> {
    inner: Pin<Box<F>>,
    signal: Arc<Signal>,
    waker: Waker,
}

/// What wakes it.
struct Signal {
    state: AtomicU8,
    task: AtomicWaker,
}

impl<F: Future> Absorb<F> {
    pub(super) fn new(inner: F) -> Self {
        let signal = Arc::new(Signal {
            state: AtomicU8::new(WAITS),
            task: AtomicWaker::new(),
        });
        Self {
            inner: Box::pin(inner),
            waker: Waker::from(Arc::clone(&signal)),
            signal,
        }
    }
}

impl<F: Future> Future for Absorb<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let state = &this.signal.state;
        this.signal.task.register(context.waker());
        for _ in 0..IN_A_ROW {
            // Whoever has woken it before is seen by this poll.
            state.swap(RUNS, Ordering::AcqRel);
            let polled = this
                .inner
                .as_mut()
                .poll(&mut Context::from_waker(&this.waker));
            if polled.is_ready() {
                return polled;
            }
            let waits = state.compare_exchange(RUNS, WAITS, Ordering::AcqRel, Ordering::Acquire);
            if waits.is_ok() {
                return Poll::Pending;
            }
        }
        state.store(WAITS, Ordering::Release);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken = self
            .state
            .compare_exchange(RUNS, WOKEN, Ordering::AcqRel, Ordering::Acquire);
        if woken == Err(WAITS) {
            self.task.wake();
        }
    }
}
