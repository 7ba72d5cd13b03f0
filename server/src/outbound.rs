//! HTTP requests to others: pooled, bounded in time and size, one retry where a connection was reset.
//!
//! Follows no redirect and knows no credentials; what is sent, and where, is the caller's.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;
use tower_service::Service;

use crate::image::fetch::{FetchError, quoted};
use place::{Place, Reach, is_local_address};
use room::{Room, Taken};

pub(crate) mod place;
mod retry;
pub(crate) mod room;

/// Time for TCP and TLS to be set up; a registry that needs longer will not answer before the deadline either.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections that are kept for each registry, for as long as load balancers commonly do.
const IDLE: Duration = Duration::from_secs(55);
const IDLE_CONNECTIONS: usize = 64;
/// How often the other side of a connection that is in use is asked whether it is there, and how long it may take: all
/// requests of HTTP/2 share one connection, and without this wait on it for a quarter of an hour when it dies in silence.
const ALIVE: Duration = Duration::from_secs(5);
/// Bytes of a response's head.
const MAX_HEAD: usize = 64 << 10;

/// A request, and what of its answer is read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) place: Place,
    pub(crate) reach: Reach,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Bytes of the answer's body that are read at most.
    pub(crate) max: u64,
    pub(crate) deadline: Instant,
    pub(crate) patience: Patience,
    /// The room for the answer, where it is counted: where anybody may have named who is asked.
    pub(crate) room: Option<Room>,
}

/// Whether an answer is worth a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Attempts are repeated after a while, within the deadline.
    Retry,
    /// Only what can be repeated at once is: the caller has something to fall back on.
    AtOnce,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What the body takes of the room for all that is read.
    #[expect(dead_code, reason = "it is given back when the answer is dropped")]
    pub(crate) taken: Taken,
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

type Pool = Client<Timed<HttpsConnector<HttpConnector<Resolver>>>, Full<Bytes>>;

/// A pool of connections with one idea of whom to trust.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Pool);

/// Why an attempt failed.
enum Fault {
    /// The connection broke before the answer was complete; once more may help.
    Reset(String),
    /// There was no connection; a little later there may be one.
    Unreachable(FetchError),
    Final(FetchError),
}

impl Wire {
    /// A pool of connections; opens none yet.
    pub(crate) fn new(tls: rustls::ClientConfig, resolver: Resolver) -> Self {
        Self(pool(tls, resolver))
    }

    /// Sends a request and reads its answer, whatever its status; again where the connection breaks, or where whoever is
    /// asked cannot answer just now and there is time.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, FetchError> {
        in_time(call, self.attempts(call)).await
    }

    async fn attempts(&self, call: &Call) -> Result<Answer, Fault> {
        let mut tries = 0;
        loop {
            let started = Instant::now();
            let done = self.attempt(call).await;
            let now = Instant::now();
            // The rest is for the next attempt, and for what comes after it.
            let wait = retry::wait(&done, tries, now - started)
                .filter(|wait| now + *wait * 2 <= call.deadline)
                .filter(|wait| wait.is_zero() || call.patience == Patience::Retry);
            let Some(wait) = wait else {
                return done;
            };
            tries += 1;
            tokio::time::sleep_until(now + wait).await;
        }
    }

    /// The same, never twice.
    pub(crate) async fn send_once(&self, call: &Call) -> Result<Answer, FetchError> {
        in_time(call, self.attempt(call)).await
    }

    /// Sends a request; the body of its answer is the caller's to read, and has no deadline.
    pub(crate) async fn open(&self, call: &Call) -> Result<Response<Incoming>, FetchError> {
        in_time(call, self.request(call)).await
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Fault> {
        read(call, self.request(call).await?).await
    }

    async fn request(&self, call: &Call) -> Result<Response<Incoming>, Fault> {
        let host = quoted(&call.place.authority);
        if call.reach == Reach::Guarded && call.place.is_local() {
            return Err(Fault::Final(FetchError::Redirect(format!(
                "{host} is an address of this machine or its link"
            ))));
        }
        let malformed = |what: String| Fault::Final(FetchError::Malformed(what));
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.place.url())
            .body(Full::new(call.body.clone()))
            .map_err(|error| malformed(format!("{}: {error}", quoted(&call.place.url()))))?;
        *request.headers_mut() = call.headers.clone();
        let fixed = [
            (ACCEPT_ENCODING, "identity"),
            (USER_AGENT, concat!("regent/", env!("CARGO_PKG_VERSION"))),
        ];
        for (name, value) in fixed {
            let value = hyper::header::HeaderValue::from_static(value);
            request.headers_mut().insert(name, value);
        }
        self.0.request(request).await.map_err(|error| {
            let reason = innermost(&error);
            if error.is_connect() {
                Fault::Unreachable(FetchError::Unavailable(format!(
                    "{host} could not be reached: {reason}"
                )))
            } else {
                Fault::Reset(reason)
            }
        })
    }
}

/// What comes of a request before its deadline.
async fn in_time<T>(
    call: &Call,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, FetchError> {
    let host = quoted(&call.place.authority);
    match tokio::time::timeout_at(call.deadline, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Fault::Final(error) | Fault::Unreachable(error))) => Err(error),
        Ok(Err(Fault::Reset(reason))) => Err(FetchError::Unavailable(format!(
            "the connection to {host} broke: {reason}"
        ))),
        Err(_elapsed) => Err(FetchError::Timeout(format!(
            "{host} did not answer in time"
        ))),
    }
}

/// Reads a body, never more of it than the call allows.
async fn read(call: &Call, response: Response<Incoming>) -> Result<Answer, Fault> {
    let host = quoted(&call.place.authority);
    let (head, mut body) = response.into_parts();
    let encoding = head.headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Fault::Final(FetchError::Malformed(format!(
            "{host} sent a content encoding that was not asked for"
        ))));
    }
    let too_large = || {
        Fault::Final(FetchError::TooLarge(format!(
            "{host} sent more than {} bytes for {}",
            call.max,
            quoted(&call.place.path)
        )))
    };
    let announced = body.size_hint().lower();
    // The body of an error says nothing that we need; what fits is read so that the connection can be used again.
    let is_wanted = head.status.is_success();
    if announced > call.max {
        if is_wanted && call.method != Method::HEAD {
            return Err(too_large());
        }
        return Ok(answer(head, Bytes::new(), Taken::default()));
    }
    let mut taken = Taken::default();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::Reset(innermost(&error)))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if (bytes.len() + data.len()) as u64 > call.max {
            if is_wanted {
                return Err(too_large());
            }
            break;
        }
        let grown = bytes.len() + data.len();
        let is_there = |room: &Room| room.grow(&mut taken, grown);
        if !call.room.as_ref().is_none_or(is_there) {
            return Err(Fault::Final(FetchError::Crowded(format!(
                "{host} sends too much at once"
            ))));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(answer(head, bytes.freeze(), taken))
}

fn answer(head: hyper::http::response::Parts, body: Bytes, taken: Taken) -> Answer {
    Answer {
        status: head.status,
        headers: head.headers,
        body,
        taken,
    }
}

/// The cause that says most: what hyper wraps in "client error (Connect)".
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    quoted(&error.to_string())
}

fn pool(tls: rustls::ClientConfig, resolver: Resolver) -> Pool {
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    http.set_keepalive(Some(IDLE));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(http);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_max_buf_size(MAX_HEAD)
        .http2_max_header_list_size(64 << 10)
        .http2_keep_alive_interval(ALIVE)
        .http2_keep_alive_timeout(ALIVE)
        .build(Timed(https))
}

/// Names to addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resolver {
    Anywhere,
    /// A name that resolves to a local address is refused: whoever owns a name can let it point here.
    Guarded,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guarded = matches!(self, Self::Guarded);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = GaiResolver::new().call(name).await?.collect();
            if guarded
                && addresses
                    .iter()
                    .any(|address| is_local_address(address.ip()))
            {
                return Err(io::Error::other(
                    "its name resolves to an address of this machine or its link",
                ));
            }
            Ok(addresses.into_iter())
        })
    }
}

/// A connector whose TLS handshake, too, ends in time.
#[derive(Debug, Clone)]
struct Timed<C>(C);

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = Box<dyn Error + Send + Sync>>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(2 * CONNECT, connecting).await {
                Ok(done) => done,
                Err(_elapsed) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests;
