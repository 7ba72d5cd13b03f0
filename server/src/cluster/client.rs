//! The API server: requests within limits, with a token and certificates that are read again as they are renewed.
//!
//! Knows paths and JSON; what is asked, and what becomes of the answer, is the caller's.
//! Follows no redirect, and sends its token to that server only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use regent_engine::ast::context;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::access::{Access, AccessError, Trust};
use crate::image::fetch::{FetchError, quoted};
use crate::image::registry::tls;
use crate::metrics::Metrics;
use crate::outbound::place::{Place, Reach};
use crate::outbound::{Answer, Call, Patience, Resolver, Wire};

/// Bytes of an answer, as Kyverno has it for admission.
pub(super) const MAX_ANSWER: u64 = 10_000_000;
/// Requests under way at once: one API server answers all of them.
const MAX_IN_FLIGHT: usize = 64;
/// How long a token and certificates count before their files are looked at again, as Kubernetes' own clients have it.
const FRESH: Duration = Duration::from_mins(1);
/// Time for a request that has no deadline of its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A client of one API server.
#[derive(Debug)]
pub(crate) struct Client {
    access: Access,
    connection: Mutex<Connection>,
    in_flight: Semaphore,
    metrics: Arc<Metrics>,
}

/// What is asked at a path.
struct Question<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
    deadline: Instant,
}

/// What was made of the files, and when.
#[derive(Clone)]
struct Connection {
    wire: Wire,
    token: Option<HeaderValue>,
    /// Of certificates and keys: others need other connections.
    fingerprint: Vec<u8>,
    read: Instant,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connection")
    }
}

impl Client {
    /// A client; opens no connection yet.
    pub(super) fn new(access: Access, metrics: Arc<Metrics>) -> Result<Self, AccessError> {
        if access.trust == Trust::Anyone {
            tracing::warn!("the API server's certificate is not checked: the kubeconfig says so");
        }
        let connection = Mutex::new(connect(&access, None)?);
        Ok(Self {
            access,
            connection,
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            metrics,
        })
    }

    /// Calls a path by a method; a question without a body is an empty object.
    pub(super) async fn ask_by(
        &self,
        path: &str,
        (method, body): (context::Method, Option<&str>),
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        match method {
            context::Method::Get => self.get(path, deadline).await,
            context::Method::Post => {
                let body = body.unwrap_or("{}").to_owned();
                self.post(path, body, deadline).await
            }
        }
    }

    /// What is at a path.
    pub(crate) async fn get(&self, path: &str, deadline: Instant) -> Result<Value, FetchError> {
        self.ask(&Question {
            method: Method::GET,
            path,
            body: Bytes::new(),
            deadline,
        })
        .await
    }

    /// Sends a question of JSON to a path.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: String,
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        self.ask(&Question {
            method: Method::POST,
            path,
            body: body.into(),
            deadline,
        })
        .await
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Value, FetchError> {
        let started = Instant::now();
        let Question { path, deadline, .. } = *question;
        let verb = if question.method == Method::GET {
            "get"
        } else {
            "post"
        };
        let asked = async {
            let permit = timeout_at(deadline, self.in_flight.acquire());
            let Ok(Ok(_permit)) = permit.await else {
                let message = "too many questions to the API server at once".to_owned();
                return Err(FetchError::Timeout(message));
            };
            let answer = self.send(question).await?;
            read(&answer, path)
        };
        let done = asked.await;
        let outcome = done.as_ref().map_or_else(FetchError::label, |_| "ok");
        self.metrics
            .cluster_request(verb, outcome, started.elapsed());
        done
    }

    /// Sends a request, once more with what the files hold now where it is not let in.
    async fn send(&self, question: &Question<'_>) -> Result<Answer, FetchError> {
        let connection = self.connection(FRESH);
        let call = |connection: &Connection| self.call(connection, question);
        let answer = connection.wire.send(&call(&connection)).await?;
        if answer.status.as_u16() != 401 {
            return Ok(answer);
        }
        let renewed = self.connection(Duration::ZERO);
        if renewed.token == connection.token && renewed.fingerprint == connection.fingerprint {
            return Ok(answer);
        }
        renewed.wire.send(&call(&renewed)).await
    }

    /// Opens a stream of JSON lines.
    pub(super) async fn stream(&self, path: &str) -> Result<Incoming, FetchError> {
        let connection = self.connection(FRESH);
        let question = Question {
            method: Method::GET,
            path,
            body: Bytes::new(),
            deadline: Instant::now() + PATIENCE,
        };
        let call = self.call(&connection, &question);
        let response = connection.wire.open(&call).await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(refusal(response.status().as_u16(), path, ""))
    }

    fn call(&self, connection: &Connection, question: &Question<'_>) -> Call {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(ACCEPT, json.clone());
        if !question.body.is_empty() {
            headers.insert(CONTENT_TYPE, json);
        }
        if let Some(token) = &connection.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        let server = &self.access.server;
        Call {
            method: question.method.clone(),
            place: Place {
                path: format!("{}{}", server.path, question.path),
                ..server.clone()
            },
            // The operator named it.
            reach: Reach::Anywhere,
            headers,
            body: question.body.clone(),
            max: MAX_ANSWER,
            deadline: question.deadline,
            patience: Patience::Retry,
            room: None,
        }
    }

    /// The connection, made of what the files hold if they were not looked at for `fresh`.
    fn connection(&self, fresh: Duration) -> Connection {
        let mut known = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.read.elapsed() >= fresh {
            match connect(&self.access, Some(&known)) {
                Ok(renewed) => *known = renewed,
                Err(error) => {
                    tracing::error!(%error, "the cluster's token or certificates cannot be read again; the earlier ones stay");
                    known.read = Instant::now();
                }
            }
        }
        known.clone()
    }
}

/// A connection of what the files hold now; the one before is kept where they hold the same certificates.
fn connect(access: &Access, before: Option<&Connection>) -> Result<Connection, AccessError> {
    let token = match &access.token {
        Some(token) => Some(bearer(&token.read()?)?),
        None => None,
    };
    let authority = match &access.trust {
        Trust::Authority(authority) => authority.read()?,
        Trust::Platform | Trust::Anyone => Vec::new(),
    };
    let own = match &access.certificate {
        Some((certificate, key)) => Some((certificate.read()?, key.read()?)),
        None => None,
    };
    let mut material = authority.clone();
    for part in own.iter().flat_map(|(certificate, key)| [certificate, key]) {
        material.push(0);
        material.extend(part);
    }
    let fingerprint = digest(&SHA256, &material).as_ref().to_vec();
    let wire = match before {
        Some(before) if before.fingerprint == fingerprint => before.wire.clone(),
        _ => Wire::new(tls(&access.trust, &authority, own)?, Resolver::Anywhere),
    };
    Ok(Connection {
        wire,
        token,
        fingerprint,
        read: Instant::now(),
    })
}

fn bearer(token: &[u8]) -> Result<HeaderValue, AccessError> {
    let malformed = || AccessError::Tls("the token has characters that no header may have".into());
    let token = std::str::from_utf8(token).map_err(|_secret| malformed())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .map_err(|_secret| malformed())?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls(
    trust: &Trust,
    authority: &[u8],
    own: Option<(Vec<u8>, Vec<u8>)>,
) -> Result<ClientConfig, AccessError> {
    let fault = |what: String| AccessError::Tls(what);
    let builder = tls::builder().map_err(|error| fault(error.to_string()))?;
    let builder = match trust {
        Trust::Authority(_) => builder.with_root_certificates(roots(authority)?),
        Trust::Platform => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots)
        }
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(tls::anyone()),
    };
    let Some((certificate, key)) = own else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fault(format!("the client certificate: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| fault(format!("the client key: {error}")))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| fault(format!("the client certificate: {error}")))
}

/// The certificates of a PEM text; one that holds none is refused.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, AccessError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| AccessError::Tls(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| AccessError::Tls(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(AccessError::Tls(
            "there is no certificate in PEM".to_owned(),
        ));
    }
    Ok(roots)
}

/// The JSON of an answer, or what its status means.
pub(super) fn read(answer: &Answer, what: &str) -> Result<Value, FetchError> {
    let json = serde_json::from_slice::<Value>(&answer.body);
    if answer.status.is_success() {
        return json.map_err(|error| {
            FetchError::Malformed(format!("{} is not JSON: {error}", quoted(what)))
        });
    }
    let said = json.as_ref().ok().and_then(|status| status.get("message"));
    let said = said.and_then(Value::as_str).unwrap_or_default();
    Err(refusal(answer.status.as_u16(), what, said))
}

fn refusal(status: u16, what: &str, said: &str) -> FetchError {
    // What the API server says is for people to read, and says more than the status; control characters stay out of logs.
    let message = if said.is_empty() {
        format!("status {status} for {}", quoted(what))
    } else {
        let clean = |character: char| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        };
        said.chars().take(500).map(clean).collect()
    };
    match status {
        404 => FetchError::NotFound(message),
        401 | 403 => FetchError::Unauthorized(message),
        408 | 429 | 500..=599 => FetchError::Unavailable(message),
        300..=399 => FetchError::Redirect(format!("{} is redirected", quoted(what))),
        _ => FetchError::Malformed(message),
    }
}
