//! Accepts connections, bounds them in number and time, and drains them.
//!
//! Knows nothing of what is asked: an [`Answer`] says that.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::memory::Held;
use crate::metrics::{HostFailure, Metrics};
use crate::settings::Limits;
use absorb::Absorb;
use activity::{Activity, Busy};
use answers::{Answers, Leaving};
use crowd::Crowd;

mod absorb;
mod activity;
mod answers;
mod arriving;
mod crowd;

pub(crate) use arriving::Arriving;

/// Answers one request; never fails, for there is always something to be said.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The answer to `request`.
    fn answer(
        self: Arc<Self>,
        request: Request<Arriving>,
        caller: Caller,
    ) -> impl Future<Output = Response<Bytes>> + Send;
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Whoever has a certificate that was verified.
    Known,
    /// Anybody.
    Stranger,
}

/// How far a shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// There is none.
    Running,
    /// Readiness says no; connections are still accepted until load balancers have noticed.
    Leaving,
    /// No new connections; those that are open end with their current request.
    Draining,
}

/// A listener and all that its connections share.
pub(crate) struct Door<A> {
    /// Who answers.
    answer: Arc<A>,
    /// TLS; plain HTTP without.
    tls: Option<TlsAcceptor>,
    /// What bounds connections.
    limits: Limits,
    /// Where connections are counted.
    metrics: Arc<Metrics>,
    /// How far a shutdown has come.
    stage: watch::Receiver<Stage>,
    crowd: Crowd,
    answers: Answers,
}

impl<A> Door<A> {
    pub(crate) fn new(
        answer: Arc<A>,
        tls: Option<TlsAcceptor>,
        limits: Limits,
        metrics: Arc<Metrics>,
        stage: watch::Receiver<Stage>,
    ) -> Self {
        Self {
            crowd: Crowd::new(limits.connections),
            answers: Answers::of(limits.all_answers_bytes),
            answer,
            tls,
            limits,
            metrics,
            stage,
        }
    }
}

/// Head of a request in bytes; an API server's has about 300.
const MAX_HEAD: usize = 16 * 1024;

/// Streams that a client reset before they were taken up, on one connection, before it is closed (rapid reset).
const MAX_PENDING_RESETS: usize = 20;

/// Streams that we reset because of a client's errors, on one connection, before it is closed.
const MAX_ERROR_RESETS: usize = 64;

/// Time for a connection to end after it was asked to, when nothing is in flight on it.
const CLOSING: Duration = Duration::from_secs(10);

/// The same where another connection waits for its place.
const LEAVING: Duration = Duration::from_millis(250);

/// Accepts until draining starts, and returns when all connections have ended or `drain` has passed.
pub(crate) async fn run<A: Answer>(listener: TcpListener, door: Door<A>, drain: Duration) {
    let door = Arc::new(door);
    let mut stage = door.stage.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = draining(&mut stage) => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => { log_panic(ended); continue; }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Beyond the limit, those after it wait in the system's queue.
                let place = tokio::select! {
                    biased;
                    () = draining(&mut stage) => break,
                    place = door.crowd.place() => place,
                };
                let door = door.clone();
                connections.spawn(Absorb::new(async move {
                    counted(stream, &door, place.activity()).await;
                    drop(place);
                }));
            }
            Err(error) => {
                // Out of file handles, or the peer has gone: neither ends the server.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(drain, all_ended).await.is_err() {
        tracing::warn!("connections were cut: their requests took longer than the drain timeout");
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection panicked");
    }
}

/// Waits until draining starts; a server that is gone drains too.
async fn draining(stage: &mut watch::Receiver<Stage>) {
    while *stage.borrow_and_update() < Stage::Draining {
        if stage.changed().await.is_err() {
            return;
        }
    }
}

async fn counted<A: Answer>(stream: TcpStream, door: &Arc<Door<A>>, activity: &Arc<Activity>) {
    door.metrics.connection_opened();
    if let Err(error) = connection(stream, door, activity).await {
        tracing::debug!(%error, "a connection ended early");
    }
    door.metrics.connection_closed();
}

async fn connection<A: Answer>(
    stream: TcpStream,
    door: &Arc<Door<A>>,
    activity: &Arc<Activity>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = &door.tls else {
        return http1_connection(stream, door, (activity, Caller::Stranger)).await;
    };
    let handshake = timeout(door.limits.handshake, acceptor.accept(stream));
    let late = |why: &str| io::Error::new(io::ErrorKind::TimedOut, why);
    let stream = tokio::select! {
        handshake = handshake => handshake.map_err(|_late| late("no TLS handshake in time"))??,
        () = activity.told_to_leave() => return Err(late("no TLS handshake before others came")),
    };
    let session = stream.get_ref().1;
    let caller = match session.peer_certificates() {
        Some([_, ..]) => Caller::Known,
        Some([]) | None => Caller::Stranger,
    };
    if session.alpn_protocol() == Some(b"h2") {
        http2_connection(stream, door, (activity, caller)).await
    } else {
        http1_connection(stream, door, (activity, caller)).await
    }
}

async fn http1_connection<A: Answer>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    door: &Arc<Door<A>>,
    (activity, caller): (&Arc<Activity>, Caller),
) -> io::Result<()> {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Runs from the end of the last answer, so it bounds idle connections and slow heads alike.
        .header_read_timeout(door.limits.idle)
        .max_header_size(MAX_HEAD);
    let (door_of, activity_of) = (door.clone(), activity.clone());
    let service =
        service_fn(move |request| serve((request, caller), door_of.clone(), activity_of.clone()));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    watched(connection, door, activity)
        .await
        .map_err(io::Error::other)
}

async fn http2_connection<A: Answer>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    door: &Arc<Door<A>>,
    (activity, caller): (&Arc<Activity>, Caller),
) -> io::Result<()> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(door.limits.streams)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        // What a client may send before it is read: bounded for each stream, and for the connection.
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buf_size(256 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let (door_of, activity_of) = (door.clone(), activity.clone());
    let service =
        service_fn(move |request| serve((request, caller), door_of.clone(), activity_of.clone()));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    watched(connection, door, activity)
        .await
        .map_err(io::Error::other)
}

async fn serve<A: Answer>(
    (request, caller): (Request<Incoming>, Caller),
    door: Arc<Door<A>>,
    activity: Arc<Activity>,
) -> Result<Response<Leaving>, Infallible> {
    let request = request.map(|body| Arriving::new(body, &activity));
    let busy = Busy::new(Arc::clone(&activity));
    let response = door.answer.clone().answer(request, caller).await;
    let length = response.body().len();
    let room = door.answers.room(length, &door.crowd).await;
    let (response, held) = if let Some(held) = room {
        (response, held)
    } else {
        door.metrics.failure(HostFailure::Overload);
        (crowded(), Held::default())
    };
    Ok(response.map(|bytes| Leaving::new(bytes, held, busy, &activity)))
}

/// In place of an answer that there is no room for.
fn crowded() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"too many answers are not read\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// Drives a connection until it ends; asks it to end when draining starts, when nothing was asked of it for too long, or
/// when its place is needed. It ends at once where its client does not read what it was answered.
async fn watched<C, A>(
    connection: C,
    door: &Arc<Door<A>>,
    activity: &Arc<Activity>,
) -> Result<(), C::Error>
where
    C: GracefulConnection,
    C: Future<Output = Result<(), C::Error>>,
{
    let mut connection = pin!(connection);
    let mut stage = door.stage.clone();
    let ending = tokio::select! {
        ended = connection.as_mut() => return ended,
        () = draining(&mut stage) => Ending::Draining,
        () = activity.idle_for(door.limits.idle) => Ending::Idle,
        () = activity.told_to_leave() => Ending::Crowded,
        // What is to be said would wait behind what is not read.
        () = activity.unread.given_up(door.limits.reading) => return Ok(()),
    };
    GracefulConnection::graceful_shutdown(connection.as_mut());
    match ending {
        // The whole listener has a time limit.
        Ending::Draining => connection.await,
        // A client that does not read its answer is dropped.
        Ending::Idle => timeout(CLOSING, connection).await.unwrap_or(Ok(())),
        Ending::Crowded => timeout(LEAVING, connection).await.unwrap_or(Ok(())),
    }
}

enum Ending {
    Draining,
    Idle,
    /// Another connection needs its place.
    Crowded,
}
