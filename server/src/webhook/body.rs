//! The body of a review: as much of it as there is room for, as long as it goes on coming.
//!
//! Whoever reaches the port can begin bodies and not end them: what that takes is bounded, and given back soon.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::listener::Arriving;
use crate::memory::{Held, Memory};
use crate::settings::Limits;

/// How much of the rest of a body that is too long is read, and for how long: twice the longest that is taken by default. Over
/// HTTP/2 some clients, curl among them, see a stream that ends before they have sent all as broken, whatever was answered.
pub(super) const REST_OF_LONG: (usize, Duration) = (32 << 20, Duration::from_secs(1));
/// The same of others that are refused: of those there are many when there is too much to do. A client that is polite
/// sends it at once.
pub(super) const REST: (usize, Duration) = (1 << 20, Duration::from_millis(250));
/// Bytes in which an API server has said which request it is about.
const BEGINNING: usize = 4 << 10;
/// Bytes of a body for which there is always some room: nearly all reviews have less.
const ORDINARY: usize = 64 << 10;
/// What a piece of a body takes beside its bytes, as the list of them grows.
const PIECE: usize = 64;
/// What a request takes beside its body.
const HEAD: usize = 4 << 10;
/// Bytes for which a body has a second more.
const A_SECOND: u32 = 4 << 20;

/// Room for bodies, and how much and how long each may take.
#[derive(Debug)]
pub(super) struct Bodies {
    /// For all.
    all: Memory,
    /// For what is beyond the ordinary: the rest is kept for ordinary ones.
    beyond: Memory,
    longest: usize,
    start: Duration,
}

/// A body, and its share of the memory for all.
pub(super) struct Collected {
    pub(super) bytes: Bytes,
    _held: Share,
}

#[derive(Default)]
struct Share {
    all: Held,
    beyond: Held,
}

/// Why there is no body; where it is longer than ordinary ones, with its beginning.
pub(super) enum Lacking {
    /// It is longer than is taken.
    TooLong(Vec<u8>),
    /// It did not come in time.
    Late(Option<Vec<u8>>),
    /// There is no room for it.
    NoRoom(Option<Vec<u8>>),
    /// The client went away.
    BrokeOff,
}

impl Bodies {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            all: Memory::of(limits.all_bodies_bytes),
            beyond: Memory::of(limits.all_bodies_bytes / 4 * 3),
            longest: limits.body_bytes,
            start: limits.body_start,
        }
    }

    /// The whole body of a request that came at `started`, by `by` at the latest.
    pub(super) async fn collect(
        &self,
        body: &mut Arriving,
        (started, by): (Instant, Instant),
    ) -> Result<Collected, Lacking> {
        let announced = body.size_hint().exact();
        if announced.is_some_and(|bytes| bytes > self.longest as u64) {
            let first = timeout_at(self.due(started, 0).min(by), beginning(body)).await;
            return match first {
                Ok(beginning) => Err(Lacking::TooLong(beginning)),
                Err(_elapsed) => Err(Lacking::Late(None)),
            };
        }
        let mut share = Share::default();
        let mut frames: Vec<Bytes> = Vec::new();
        // Frame by frame, so that memory is bounded by what arrived, not by what was announced.
        let mut length = 0;
        loop {
            let due = self.due(started, length).min(by);
            if !self
                .grow(&mut share, length + frames.len() * PIECE, due)
                .await
            {
                return Err(Lacking::NoRoom(first_of_long(&frames, length)));
            }
            let Ok(frame) = timeout_at(due, body.frame()).await else {
                return Err(Lacking::Late(first_of_long(&frames, length)));
            };
            let data = match frame {
                None => break,
                Some(Err(_)) => return Err(Lacking::BrokeOff),
                Some(Ok(frame)) => frame.into_data(),
            };
            // What is no data are headers that come after it.
            let Ok(data) = data else { continue };
            length += data.len();
            frames.push(data);
            if length > self.longest {
                return Err(Lacking::TooLong(first(&frames)));
            }
        }
        Ok(Collected {
            bytes: joined(frames, length),
            _held: share,
        })
    }

    /// When more has to have come of a body of which so much is here.
    fn due(&self, started: Instant, length: usize) -> Instant {
        started + self.start + Duration::from_secs(length as u64) / A_SECOND
    }

    /// Whether there is room for a body that has grown to `length`. Ordinary ones wait for it: bodies that do not go on soon
    /// give theirs back.
    async fn grow(&self, share: &mut Share, length: usize, due: Instant) -> bool {
        let beyond = length.saturating_sub(ORDINARY);
        let needed = length + HEAD;
        if !self.beyond.grow(&mut share.beyond, beyond) {
            return false;
        }
        if self.all.grow(&mut share.all, needed) {
            return true;
        }
        let more = self.all.wait_to_grow(&mut share.all, needed);
        beyond == 0 && timeout_at(due, more).await.unwrap_or(false)
    }
}

/// Reads what is left of a refused body, and keeps nothing of it: a connection that is closed over unread bytes is reset,
/// and the client would see that instead of the answer.
pub(super) async fn pass_over(body: &mut Arriving, (bytes, time): (usize, Duration)) {
    if body.size_hint().lower() > bytes as u64 {
        return;
    }
    let rest = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > bytes {
                return;
            }
        }
    };
    // Who sends more, or slower, is not waited for.
    drop(timeout(time, rest).await);
}

/// The first bytes of a body, as many as say what it is about.
async fn beginning(body: &mut Arriving) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < BEGINNING
        && let Some(Ok(frame)) = body.frame().await
    {
        read.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
    }
    read
}

/// The same of a body that is here.
fn first(frames: &[Bytes]) -> Vec<u8> {
    let mut first = Vec::new();
    for frame in frames {
        if first.len() >= BEGINNING {
            break;
        }
        first.extend_from_slice(frame);
    }
    first
}

/// The same, of a body that is longer than ordinary ones.
fn first_of_long(frames: &[Bytes], length: usize) -> Option<Vec<u8>> {
    (length > ORDINARY).then(|| first(frames))
}

fn joined(mut frames: Vec<Bytes>, length: usize) -> Bytes {
    if frames.len() == 1 {
        return frames.pop().unwrap_or_default();
    }
    let mut body = Vec::with_capacity(length);
    for frame in frames {
        body.extend_from_slice(&frame);
    }
    Bytes::from(body)
}
