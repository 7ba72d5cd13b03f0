//! Drives an admission webhook over TLS with connections that are kept, and measures what comes back.
//!
//! Bounded in time, in requests and in connections, and to this machine. Each connection sends its next request when its last one is
//! answered, as an API server does with what it waits for.

mod connection;
mod report;
mod target;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::usage::{self, Usage};
use connection::{Tally, drive};

pub use report::Report;
pub use target::{Answers, Body, Target};

/// The longest run.
pub const MAX_SECONDS: f64 = 600.0;
/// Requests of one run at most: each latency is kept, in eight bytes.
pub const MAX_REQUESTS: u64 = 5_000_000;
/// Connections at most.
pub const MAX_CONNECTIONS: usize = 1024;

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Connections at once.
    pub connections: usize,
    /// How long requests are sent and measured.
    pub time: Duration,
    /// How long requests are sent before that, unmeasured.
    pub warm_up: Duration,
    /// Requests at most, those before the measuring too.
    pub requests: u64,
}

/// What all connections share.
struct Shared {
    target: Target,
    connector: TlsConnector,
    left: AtomicU64,
    measure_from: Instant,
    until: Instant,
}

impl Shared {
    /// Takes one request out of the budget.
    fn may_send(&self) -> bool {
        Instant::now() < self.until
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok()
    }
}

/// Sends, and says what came of it; the server's use of the machine is read from its process where that is given.
pub async fn run(
    target: Target,
    connector: TlsConnector,
    amount: Amount,
    pid: Option<u32>,
) -> Result<Report> {
    if amount.connections == 0 || amount.connections > MAX_CONNECTIONS {
        bail!("between 1 and {MAX_CONNECTIONS} connections");
    }
    if (amount.time + amount.warm_up).as_secs_f64() > MAX_SECONDS {
        bail!("at most {MAX_SECONDS} seconds");
    }
    let measure_from = Instant::now() + amount.warm_up;
    let shared = Arc::new(Shared {
        target,
        connector,
        left: AtomicU64::new(amount.requests.min(MAX_REQUESTS)),
        measure_from,
        until: measure_from + amount.time,
    });
    let mut connections = JoinSet::new();
    for index in 0..amount.connections {
        connections.spawn(drive(Arc::clone(&shared), index));
    }
    tokio::time::sleep_until(measure_from.into()).await;
    let before = read_usage(pid)?;
    let mut tally = Tally::default();
    while let Some(ended) = connections.join_next().await {
        tally.add(ended?);
    }
    let took = measure_from.elapsed();
    let used = match (before, read_usage(pid)?) {
        (Some(before), Some(after)) => Some((before, after)),
        _ => None,
    };
    Ok(Report::new(tally, took, used))
}

fn read_usage(pid: Option<u32>) -> Result<Option<Usage>> {
    pid.map(usage::read).transpose()
}

#[cfg(test)]
mod tests;
