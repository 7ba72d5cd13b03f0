//! One HTTP request to the webhook: its path, type and body, within limits; then admission, or health.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, Uri};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::admit::{self, Admission, Asked, Clock, Outcome};
use crate::health::Health;
use crate::listener::{Answer, Arriving, Caller};
use crate::metrics::{HostFailure, Metrics};
use crate::route::Route;
use crate::settings::Limits;
use crate::watch::Snapshot;
use body::{Bodies, Collected, Lacking, REST, REST_OF_LONG, pass_over};

mod body;
#[cfg(test)]
mod tests;

/// For whom reviews are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callers {
    All,
    /// Who has a certificate that the operator's own vouch for.
    Known,
}

/// What the webhook's listener answers with.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) admission: Admission,
    pub(crate) callers: Callers,
    pub(crate) health: Health,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    /// One permit for each request whose body is here and that may be in flight.
    requests: Arc<Semaphore>,
    bodies: Bodies,
}

/// An HTTP error in words.
struct Refusal {
    status: StatusCode,
    message: String,
    /// What is answered in its place where it is known which request it is about.
    answer: Option<Vec<u8>>,
}

impl Webhook {
    pub(crate) fn new(
        (admission, callers): (Admission, Callers),
        health: Health,
        metrics: Arc<Metrics>,
        limits: Limits,
    ) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.requests)),
            bodies: Bodies::new(&limits),
            admission,
            callers,
            health,
            metrics,
            limits,
        }
    }

    async fn review(
        &self,
        request: &mut Request<Arriving>,
        asked: Asked,
        started: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        if !is_json(request.headers().get(CONTENT_TYPE)) {
            return Err(refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content type has to be application/json",
            ));
        }
        let limit = self.time_limit(request.uri());
        let clock = Clock::new(started, limit);
        let by = clock.answer_by.min(started + self.limits.body);
        let held = self.body(request.body_mut(), (started, by)).await?;
        // Not before: whoever begins a body and does not end it would take it.
        let Ok(_slot) = self.requests.clone().try_acquire_owned() else {
            return Err(self.overloaded());
        };
        // On the heap, so that a request takes little as long as its body is awaited.
        match Box::pin(self.admission.admit(held.bytes, asked, clock)).await {
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

    async fn body(
        &self,
        body: &mut Arriving,
        times: (Instant, Instant),
    ) -> Result<Collected, Refusal> {
        let lacking = match self.bodies.collect(body, times).await {
            Ok(collected) => return Ok(collected),
            Err(lacking) => lacking,
        };
        Err(match lacking {
            Lacking::TooLong(beginning) => {
                let message = format!("the body has more than {} bytes", self.limits.body_bytes);
                refusal(StatusCode::PAYLOAD_TOO_LARGE, &message).by_name(Some(beginning))
            }
            Lacking::Late(beginning) => {
                let message = "the body did not arrive in time";
                refusal(StatusCode::REQUEST_TIMEOUT, message).by_name(beginning)
            }
            Lacking::NoRoom(beginning) => self.overloaded().by_name(beginning),
            Lacking::BrokeOff => refusal(StatusCode::BAD_REQUEST, "the body broke off"),
        })
    }

    fn overloaded(&self) -> Refusal {
        self.metrics.failure(HostFailure::Overload);
        refusal(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once")
    }
}

impl Refusal {
    /// The refusal of the request that the beginning of a body that is longer than others is about, where that is known: how
    /// long an object is must not be what lets it in where errors are ignored.
    fn by_name(self, beginning: Option<Vec<u8>>) -> Self {
        let answer = beginning.and_then(|bytes| admit::unread(&bytes, &self.message));
        Self { answer, ..self }
    }
}

impl Answer for Webhook {
    async fn answer(
        self: Arc<Self>,
        mut request: Request<Arriving>,
        caller: Caller,
    ) -> Response<Bytes> {
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
            Route::Admit(..) if (self.callers, caller) == (Callers::Known, Caller::Stranger) => {
                // Nothing is read of what strangers send.
                let message = "a client certificate is needed";
                refused(refusal(StatusCode::UNAUTHORIZED, message), route)
            }
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
    async fn answer(
        self: Arc<Self>,
        request: Request<Arriving>,
        _caller: Caller,
    ) -> Response<Bytes> {
        if request.uri().path() != "/metrics" {
            return text(StatusCode::NOT_FOUND, "no such path: GET /metrics\n");
        }
        if request.method() != hyper::Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "this path takes GET only\n");
        }
        match self.metrics.render() {
            Ok(body) => {
                let mut response = Response::new(Bytes::from(body));
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

fn refusal(status: StatusCode, message: &str) -> Refusal {
    Refusal {
        status,
        message: message.to_owned(),
        answer: None,
    }
}

fn refused(refusal: Refusal, route: Route) -> Response<Bytes> {
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
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT | StatusCode::UNAUTHORIZED => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

fn text(status: StatusCode, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

fn json(body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
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
