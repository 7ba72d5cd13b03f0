//! One connection, which is made anew when it breaks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::target::uid;
use super::{Answers, Shared};

/// What an API server waits for at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// Failures in a row after which a connection gives up.
const MAX_FAILURES: u32 = 100;

/// What came back, counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of each answered request, in nanoseconds.
    pub(super) latencies: Vec<u64>,
    pub(super) allowed: u64,
    pub(super) denied: u64,
    /// No connection, or it broke, or no answer in time.
    pub(super) transport: u64,
    /// Another status than 200.
    pub(super) status: u64,
    /// Not a review.
    pub(super) malformed: u64,
    /// The answer to another request.
    pub(super) wrong_uid: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.transport += other.transport;
        self.status += other.status;
        self.malformed += other.malformed;
        self.wrong_uid += other.wrong_uid;
    }

    fn judge(&mut self, answer: &Answer, uid: &str, answers: Answers) {
        self.latencies
            .push(u64::try_from(answer.took.as_nanos()).unwrap_or(u64::MAX));
        if answer.status != 200 {
            self.status += 1;
            return;
        }
        if answers == Answers::Anything {
            return;
        }
        let review: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let field = |path: &str| review.pointer(path);
        let Some(allowed) = field("/response/allowed").and_then(Value::as_bool) else {
            self.malformed += 1;
            return;
        };
        if field("/response/uid").and_then(Value::as_str) != Some(uid) {
            self.wrong_uid += 1;
        } else if allowed {
            self.allowed += 1;
        } else {
            self.denied += 1;
        }
    }
}

struct Answer {
    status: u16,
    body: Bytes,
    took: Duration,
}

/// Sends until the time or the number of requests is over.
pub(super) async fn drive(shared: Arc<Shared>, index: usize) -> Tally {
    let mut tally = Tally::default();
    let mut sender = None;
    let mut failures = 0;
    let mut sent = 0;
    while failures < MAX_FAILURES && shared.may_send() {
        sent += 1;
        let uid = uid(index, sent);
        let started = Instant::now();
        let Ok(Ok(answer)) = timeout(PATIENCE, ask(&shared, &mut sender, &uid)).await else {
            sender = None;
            failures += 1;
            tally.transport += 1;
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        failures = 0;
        if started >= shared.measure_from {
            tally.judge(&answer, &uid, shared.target.answers);
        }
    }
    tally
}

async fn ask(
    shared: &Shared,
    sender: &mut Option<SendRequest<Full<Bytes>>>,
    uid: &str,
) -> Result<Answer> {
    let target = &shared.target;
    if sender.is_none() {
        *sender = Some(connect(shared).await?);
    }
    let sender = sender.as_mut().context("no connection")?;
    sender.ready().await?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(HOST, &target.host)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(target.body.with_uid(uid)))?;
    let started = Instant::now();
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(Answer {
        status,
        body,
        took: started.elapsed(),
    })
}

async fn connect(shared: &Shared) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(shared.target.address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::from(shared.target.address.ip());
    let stream = shared.connector.connect(name, stream).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // How it ends is seen by whoever sends on it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
