//! One HTTP request to the webhook: its path, type and body, within limits; then admission, or health.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, Uri};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use crate::admit::{self, Admission, Asked, Clock, Outcome};
use crate::health::Health;
use crate::listener::Answer;
use crate::memory::{Held, Memory};
use crate::metrics::{HostFailure, Metrics};
use crate::route::Route;
use crate::settings::Limits;
use crate::watch::Snapshot;

#[cfg(test)]
mod tests;

/// What the webhook's listener answers with.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) admission: Admission,
    pub(crate) health: Health,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    /// One permit for each request that may be in flight.
    requests: Arc<Semaphore>,
    /// Memory for bodies.
    bodies: Memory,
}

/// How much of the rest of a body that is too long is read, and for how long: twice the longest that is taken by default. Over
/// HTTP/2 some clients, curl among them, see a stream that ends before they have sent all as broken, whatever was answered.
const REST_OF_LONG: (usize, Duration) = (32 << 20, Duration::from_secs(1));
/// Bytes in which an API server has said which request it is about.
const BEGINNING: usize = 4 << 10;
/// The same of others that are refused: of those there are many when there is too much to do. A client that is polite
/// sends it at once.
const REST: (usize, Duration) = (1 << 20, Duration::from_millis(250));

/// An HTTP error in words.
struct Refusal {
    status: StatusCode,
    message: String,
    /// What is answered in its place where it is known which request it is about.
    answer: Option<Vec<u8>>,
}

/// A body, and its share of the memory for all.
struct Collected {
    bytes: Bytes,
    _held: Held,
}

impl Webhook {
    pub(crate) fn new(
        admission: Admission,
        health: Health,
        metrics: Arc<Metrics>,
        limits: Limits,
    ) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.requests)),
            bodies: Memory::of(limits.all_bodies_bytes),
            admission,
            health,
            metrics,
            limits,
        }
    }

    async fn review(
        &self,
        request: &mut Request<Incoming>,
        asked: Asked,
        started: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        if !is_json(request.headers().get(CONTENT_TYPE)) {
            return Err(refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content type has to be application/json",
            ));
        }
        let Ok(_slot) = self.requests.clone().try_acquire_owned() else {
            return Err(self.overloaded());
        };
        let limit = self.time_limit(request.uri());
        let clock = Clock::new(started, limit);
        let body_by = clock.answer_by.min(started + self.limits.body);
        let held = self.body(request.body_mut(), body_by).await?;
        match self.admission.admit(held.bytes, asked, clock).await {
            Outcome::Review(answer) => Ok(answer),
            Outcome::Refused(status, message) => Err(Refusal {
                status,
                message,
                answer: None,
            }),
        }
    }

    /// What the API server says in the query, else the longest timeout of a policy, else the default.
    fn time_limit(&self, uri: &Uri) -> Duration {
        let asked = uri.query().and_then(timeout_of_query);
        let of_policies = || {
            let snapshot: Arc<Snapshot> = self.admission.snapshot.load_full();
            let seconds = snapshot.policies.timeout_seconds()?;
            Some(Duration::from_secs(u64::from(seconds)))
        };
        asked
            .or_else(of_policies)
            .unwrap_or(self.limits.answer)
            .clamp(Duration::from_millis(100), Duration::from_secs(30))
    }

    async fn body(&self, body: &mut Incoming, by: Instant) -> Result<Collected, Refusal> {
        let announced = body.size_hint().exact();
        let too_long = announced.is_some_and(|bytes| bytes > self.limits.body_bytes as u64);
        let collected = async {
            if too_long {
                Err(self.too_large(&beginning(body).await))
            } else {
                self.collect(body).await
            }
        };
        match timeout_at(by, collected).await {
            Ok(collected) => collected,
            Err(_elapsed) => Err(refusal(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time",
            )),
        }
    }

    /// Collects a body frame by frame, so that memory is bounded by what arrived, not by what was announced.
    async fn collect(&self, body: &mut Incoming) -> Result<Collected, Refusal> {
        let mut held = Held::default();
        let mut frames: Vec<Bytes> = Vec::new();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(refusal(StatusCode::BAD_REQUEST, "the body broke off"));
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            length += data.len();
            if length > self.limits.body_bytes {
                frames.push(data);
                return Err(self.too_large(&first(&frames)));
            }
            if !self.bodies.grow(&mut held, length) {
                return Err(self.overloaded());
            }
            frames.push(data);
        }
        Ok(Collected {
            bytes: joined(frames, length),
            _held: held,
        })
    }

    /// The refusal of a body that is too long, of which the beginning says which request it is about: how long an object is
    /// must not be what lets it in where errors are ignored.
    fn too_large(&self, beginning: &[u8]) -> Refusal {
        let message = format!("the body has more than {} bytes", self.limits.body_bytes);
        Refusal {
            answer: admit::too_long(beginning, &message),
            status: StatusCode::PAYLOAD_TOO_LARGE,
            message,
        }
    }

    fn overloaded(&self) -> Refusal {
        self.metrics.failure(HostFailure::Overload);
        refusal(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once")
    }
}

impl Answer for Webhook {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let route = match Route::read(request.method(), request.uri().path()) {
            Ok(route) => route,
            Err(error) => {
                self.metrics
                    .http("other", "other", error.status().as_u16(), started.elapsed());
                let mut response = text(error.status(), &error.message());
                // Over HTTP/2 a body that is not read breaks the stream, whatever was answered.
                pass_over(request.body_mut(), REST).await;
                if let crate::route::RouteError::Method(wanted) = error {
                    response
                        .headers_mut()
                        .insert(ALLOW, HeaderValue::from_static(wanted));
                }
                return response;
            }
        };
        let response = match route {
            Route::Admit(phase, scope) => {
                let asked = Asked { phase, scope };
                match self.review(&mut request, asked, started).await {
                    Ok(answer) => json(answer),
                    Err(refusal) => {
                        let rest = match refusal.status {
                            StatusCode::PAYLOAD_TOO_LARGE => REST_OF_LONG,
                            _ => REST,
                        };
                        pass_over(request.body_mut(), rest).await;
                        refused(refusal, route)
                    }
                }
            }
            Route::Liveness => text(StatusCode::OK, "ok\n"),
            Route::Readiness => {
                let (status, body) = self.health.readiness();
                text(status, &body)
            }
        };
        self.metrics.http(
            route.method(),
            route.path(),
            response.status().as_u16(),
            started.elapsed(),
        );
        response
    }
}

/// What Prometheus' listener answers with.
#[derive(Debug)]
pub(crate) struct Exposition {
    pub(crate) metrics: Arc<Metrics>,
}

impl Answer for Exposition {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() != "/metrics" {
            return text(StatusCode::NOT_FOUND, "no such path: GET /metrics\n");
        }
        if request.method() != hyper::Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "this path takes GET only\n");
        }
        match self.metrics.render() {
            Ok(body) => {
                let mut response = Response::new(Full::new(Bytes::from(body)));
                let exposition = HeaderValue::from_static("text/plain; version=0.0.4");
                response.headers_mut().insert(CONTENT_TYPE, exposition);
                response
            }
            Err(error) => {
                tracing::error!(%error, "metrics could not be rendered");
                text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "metrics could not be rendered\n",
                )
            }
        }
    }
}

/// Reads what is left of a refused body, and keeps nothing of it: a connection that is closed over unread bytes is reset,
/// and the client would see that instead of the answer.
async fn pass_over(body: &mut Incoming, (bytes, time): (usize, Duration)) {
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
async fn beginning(body: &mut Incoming) -> Vec<u8> {
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

fn refusal(status: StatusCode, message: &str) -> Refusal {
    Refusal {
        status,
        message: message.to_owned(),
        answer: None,
    }
}

fn refused(refusal: Refusal, route: Route) -> Response<Full<Bytes>> {
    tracing::warn!(
        path = route.path(),
        status = refusal.status.as_u16(),
        reason = refusal.message,
        "a request could not be answered"
    );
    let mut response = match refusal.answer {
        Some(answer) => json(answer),
        None => text(refusal.status, &format!("{}\n", refusal.message)),
    };
    let headers = response.headers_mut();
    match refusal.status {
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // What may be left of the body is not read.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

fn json(body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn is_json(value: Option<&HeaderValue>) -> bool {
    let Some(Ok(value)) = value.map(HeaderValue::to_str) else {
        return false;
    };
    let media_type = value.split(';').next().unwrap_or(value).trim();
    media_type.eq_ignore_ascii_case("application/json")
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

/// `timeout=10s` of a query, as the API server adds it.
fn timeout_of_query(query: &str) -> Option<Duration> {
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("timeout="))?;
    go_duration(value)
}

/// Go's `1m30s`, `10s`, `1.5s`, `500ms`; nothing where it is malformed.
fn go_duration(mut text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at_checked(end)?;
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(unit_end)?;
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        text = rest;
    }
    (total > Duration::ZERO).then_some(total)
}
