//! Answers on their way out: what they take until their client has read them, and until when it has to.
//!
//! A client over HTTP/2 that opens no window reads nothing, and asks on.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::activity::{Activity, Busy, Waiting};
use super::crowd::Crowd;
use crate::memory::{Held, Memory};

/// What is handed on at once of an answer. The next is asked for when this is nearly sent.
const PIECE: usize = 64 << 10;
/// Bytes for which a client has a second more.
const A_SECOND: u32 = 1 << 20;
/// An answer that is not read for so long gives way to others where there is no room for them.
const SLOW: Duration = Duration::from_millis(500);
/// How often a connection is looked at whose client may be slow.
const LOOK: Duration = Duration::from_secs(1);
/// How often slow clients are let go of while an answer waits for room, and how long it waits each time.
const ROUNDS: (u32, Duration) = (8, Duration::from_millis(250));

/// Room for all answers of a listener.
#[derive(Debug)]
pub(super) struct Answers {
    unread: Memory,
    /// For those that wait for it.
    queue: Memory,
}

impl Answers {
    pub(super) fn of(bytes: usize) -> Self {
        Self {
            unread: Memory::of(bytes / 2),
            queue: Memory::of(bytes / 2),
        }
    }

    /// Room for an answer; none where there is none though all slow clients were let go of.
    pub(super) async fn room(&self, bytes: usize, crowd: &Crowd) -> Option<Held> {
        if let Some(held) = self.unread.take(bytes) {
            return Some(held);
        }
        let _queued = self.queue.take(bytes)?;
        let mut room = pin!(self.unread.wait_for(bytes));
        let (rounds, patience) = ROUNDS;
        for _ in 0..rounds {
            crowd.let_slow_readers_go();
            if let Ok(held) = timeout(patience, room.as_mut()).await {
                return held;
            }
        }
        None
    }
}

/// The answers of one connection that its client has not read.
#[derive(Default)]
pub(super) struct Unread {
    answers: Mutex<List>,
    leave: Notify,
}

#[derive(Default)]
struct List {
    next: u64,
    answers: Vec<One>,
}

struct One {
    number: u64,
    made: Instant,
    bytes: usize,
}

impl Unread {
    fn locked(&self) -> MutexGuard<'_, List> {
        // What it protects is whole after every statement.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of all, where the client is slow.
    pub(super) fn slow(&self) -> Option<usize> {
        let list = self.locked();
        let is_slow = list.answers.iter().any(|one| one.made.elapsed() >= SLOW);
        is_slow.then(|| list.answers.iter().map(|one| one.bytes).sum())
    }

    /// Tells the connection that its client was waited for long enough.
    pub(super) fn tell_to_leave(&self) {
        self.leave.notify_one();
    }

    /// Returns when the client did not read an answer in its time, or when that is too long for others.
    pub(super) async fn given_up(&self, time: Duration) {
        loop {
            tokio::select! {
                () = sleep(LOOK.min(time)) => {
                    let late = |one: &One| {
                        one.made.elapsed() > time + Duration::from_secs(one.bytes as u64) / A_SECOND
                    };
                    if self.locked().answers.iter().any(late) {
                        return;
                    }
                }
                () = self.leave.notified() => {
                    if self.slow().is_some() {
                        return;
                    }
                }
            }
        }
    }
}

/// The bytes of an answer, and all that they hold until the last of them is sent, or their connection is gone.
struct Whole {
    bytes: Bytes,
    number: u64,
    activity: Arc<Activity>,
    _held: Held,
    _waiting: Waiting,
    _busy: Busy,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let number = self.number;
        let mut list = self.activity.unread.locked();
        list.answers.retain(|one| one.number != number);
    }
}

/// The body of an answer.
pub(super) struct Leaving {
    left: Bytes,
    activity: Arc<Activity>,
}

impl Leaving {
    pub(super) fn new(bytes: Bytes, held: Held, busy: Busy, activity: &Arc<Activity>) -> Self {
        let mut list = activity.unread.locked();
        let number = list.next;
        list.next += 1;
        list.answers.push(One {
            number,
            made: Instant::now(),
            bytes: bytes.len(),
        });
        drop(list);
        let whole = Whole {
            bytes,
            number,
            activity: Arc::clone(activity),
            _held: held,
            _waiting: Waiting::new(Arc::clone(activity)),
            _busy: busy,
        };
        Self {
            left: Bytes::from_owner(whole),
            activity: Arc::clone(activity),
        }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        self.activity.went_on();
        let piece = if self.left.len() > PIECE {
            self.left.split_to(PIECE)
        } else {
            std::mem::take(&mut self.left)
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
