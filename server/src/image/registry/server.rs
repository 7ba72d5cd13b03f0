//! What is known of a server over many requests: how many are under way, and whether it answers at all.
//!
//! A server that fails again and again is left alone for a while, so that requests about it end at once and take nothing
//! from those about others. That is an outage like any other, never "there is no evidence".

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::image::fetch::{FetchError, quoted};
use crate::memory::Memory;
use crate::metrics::{Circuit, Metrics};
use crate::outbound::Answer;
use crate::outbound::room::Room;

/// Requests to one server at once. A cold image takes eight of, together, four round trips: 200 of them a second keep 80
/// under way where the registry is 50 ms off.
const MAX_IN_FLIGHT: usize = 128;
/// Bytes of its manifests and lists that are being read at the same time, beyond the first part of each: honest ones have
/// some kilobytes, and one server leaves half of the room to others.
const MAX_READ: usize = 32 << 20;
/// Failures in a row after which a server is left alone.
const FAILURES: u32 = 5;
/// How long it is left alone the first time, doubled each time that it fails again.
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_mins(1);
/// A request that had less time says nothing of a server that did not answer in it.
const FAIR: Duration = Duration::from_secs(2);

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    in_flight: Semaphore,
    /// What evidence of this server may take, of that for all.
    pub(super) share: Memory,
    /// Room for its manifests and lists that are being read, out of that for all.
    room: Memory,
    circuit: Mutex<State>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Until when nobody asks, and for how long that was.
    rest: Option<(Instant, Duration)>,
    /// One asks after the rest, and all others wait for what comes of it.
    probing: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Opened,
    Closed,
}

/// Whether whoever looks is the one that asks first after a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Not,
    Probe,
}

/// The right to send one request; it has to be told how that ended.
#[derive(Debug)]
pub(super) struct Turn<'s> {
    server: &'s Server,
    started: Instant,
    deadline: Instant,
    is_probe: bool,
    _permit: SemaphorePermit<'s>,
}

impl Server {
    pub(super) fn new(name: String, share: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            name,
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            share: Memory::of(share),
            room: Memory::of(MAX_READ),
            circuit: Mutex::default(),
            metrics,
        }
    }

    /// The room for an answer of this server, out of that for all.
    pub(super) fn room(&self, of_all: &Memory) -> Room {
        Room {
            of_all: of_all.clone(),
            own: self.room.clone(),
        }
    }

    /// Waits until a request may be sent; an error where the server is left alone.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<Turn<'_>, FetchError> {
        self.may_ask(Claim::Not)?;
        let Ok(Ok(permit)) = timeout_at(deadline, self.in_flight.acquire()).await else {
            let name = quoted(&self.name);
            let message = format!("too many requests to {name} at once");
            return Err(FetchError::Timeout(message));
        };
        let is_probe = self.may_ask(Claim::Probe)?;
        Ok(Turn {
            server: self,
            started: Instant::now(),
            deadline,
            is_probe,
            _permit: permit,
        })
    }

    /// Whether the server is asked; says also whether it is asked to see if it answers again.
    fn may_ask(&self, claim: Claim) -> Result<bool, FetchError> {
        let mut state = self.state();
        state.may_ask(Instant::now(), claim).map_err(|left| {
            self.metrics.registry_circuit(Circuit::Refused);
            FetchError::Unavailable(format!(
                "{} failed {} times in a row; it is asked again in {} s",
                quoted(&self.name),
                state.failures,
                left.as_secs()
            ))
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self) {
        if self.state().answered() == Some(Change::Closed) {
            self.metrics.registry_circuit(Circuit::Closed);
            tracing::info!(registry = self.name, "the registry answers again");
        }
    }

    fn failed(&self, is_probe: bool) {
        if self.state().failed(Instant::now(), is_probe) == Some(Change::Opened) {
            self.metrics.registry_circuit(Circuit::Opened);
            tracing::warn!(
                registry = self.name,
                "the registry fails again and again; it is left alone for a while"
            );
        }
    }
}

impl State {
    /// Whether to ask to see if it answers again; while it is left alone, for how long.
    fn may_ask(&mut self, now: Instant, claim: Claim) -> Result<bool, Duration> {
        let Some((until, _)) = self.rest else {
            return Ok(false);
        };
        if now < until || self.probing {
            return Err(until.saturating_duration_since(now));
        }
        self.probing = claim == Claim::Probe;
        Ok(true)
    }

    fn answered(&mut self) -> Option<Change> {
        let before = std::mem::take(self);
        before.rest.map(|_| Change::Closed)
    }

    fn failed(&mut self, now: Instant, is_probe: bool) -> Option<Change> {
        self.failures = self.failures.saturating_add(1);
        let (rest, change) = match self.rest {
            // Requests that were under way when it began say nothing new.
            Some(_) if !is_probe => return None,
            Some((_, before)) => ((before * 2).min(LONGEST_REST), None),
            None if self.failures < FAILURES => return None,
            None => (FIRST_REST, Some(Change::Opened)),
        };
        self.rest = Some((now + rest, rest));
        change
    }
}

impl Turn<'_> {
    /// Takes note of how the request ended.
    pub(super) fn ended(self, outcome: &Result<Answer, FetchError>) {
        let had_time = self.deadline.saturating_duration_since(self.started) >= FAIR;
        match outcome {
            Ok(answer) if is_outage(answer.status) => self.server.failed(self.is_probe),
            Err(FetchError::Unavailable(_)) => self.server.failed(self.is_probe),
            Err(FetchError::Timeout(_)) if had_time => self.server.failed(self.is_probe),
            Err(FetchError::Timeout(_)) => {}
            // Whatever it said, it answers.
            Ok(_)
            | Err(
                FetchError::NotFound(_)
                | FetchError::Unauthorized(_)
                | FetchError::Malformed(_)
                | FetchError::TooLarge(_)
                | FetchError::Crowded(_)
                | FetchError::Redirect(_)
                | FetchError::Barred(_),
            ) => self.server.answered(),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Also where nobody waits for the answer any more.
        if self.is_probe {
            self.server.state().probing = false;
        }
    }
}

fn is_outage(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests;
