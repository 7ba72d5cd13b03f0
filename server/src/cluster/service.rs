//! Calls to services that policies name: with nothing of ours, and not to this machine.
//!
//! A request can bring in a part of the URL, so that whoever creates objects may choose whom we ask. Addresses of this
//! machine and its link, where clouds have their metadata, are not connected to unless the operator named them; names
//! that resolve there are not either. No redirect is followed, and no credentials of ours are sent.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use moka::future::Cache;
use regent_engine::ast::context;
use rustls::ClientConfig;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::client::{self, MAX_ANSWER, PATIENCE};
use crate::image::fetch::{FetchError, quoted};
use crate::image::registry::{SettingsError, tls};
use crate::metrics::Metrics;
use crate::outbound::place::{Place, Reach, Scheme};
use crate::outbound::{Call, Patience, Resolver, Wire};

/// Calls under way at once.
const MAX_IN_FLIGHT: usize = 64;
/// Authorities of policies whose connections are kept.
const MAX_AUTHORITIES: u64 = 64;
/// Headers that are ours to set, or that would change what the message is.
const FIXED: [&str; 6] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
];

/// A call to a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceCall<'a> {
    pub(crate) url: &'a str,
    pub(crate) method: context::Method,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) ca_bundle: Option<&'a str>,
    pub(crate) body: Option<&'a str>,
    pub(crate) deadline: Instant,
}

/// Calls services.
#[derive(Debug)]
pub(crate) struct Services {
    /// `HOST` or `HOST:PORT` that may be this machine.
    local: Vec<String>,
    /// Connections by certificates (PEM) and guard.
    wires: Cache<(String, bool), Wire>,
    platform: ClientConfig,
    in_flight: Semaphore,
    metrics: Arc<Metrics>,
}

impl Services {
    pub(crate) fn new(local: &[String], metrics: Arc<Metrics>) -> Result<Self, SettingsError> {
        Ok(Self {
            local: local.iter().map(|host| host.to_lowercase()).collect(),
            wires: Cache::new(MAX_AUTHORITIES),
            platform: tls::verified(&[])?,
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            metrics,
        })
    }

    /// The answer of a service, as JSON.
    pub(crate) async fn call(&self, call: ServiceCall<'_>) -> Result<Value, FetchError> {
        let started = Instant::now();
        let deadline = call.deadline.min(started + PATIENCE);
        let asked = async {
            let request = self.request(call, deadline)?;
            let wire = self.wire(call.ca_bundle, request.reach).await?;
            let permit = timeout_at(deadline, self.in_flight.acquire());
            let Ok(Ok(_permit)) = permit.await else {
                let message = "too many calls to services at once".to_owned();
                return Err(FetchError::Timeout(message));
            };
            let answer = match call.method {
                context::Method::Get => wire.send(&request).await?,
                context::Method::Post => wire.send_once(&request).await?,
            };
            client::read(&answer, call.url)
        };
        let done = asked.await;
        let outcome = done.as_ref().map_or_else(FetchError::label, |_| "ok");
        self.metrics
            .cluster_request("service", outcome, started.elapsed());
        done
    }

    fn request(&self, call: ServiceCall<'_>, deadline: Instant) -> Result<Call, FetchError> {
        let nowhere = Place {
            scheme: Scheme::Https,
            authority: String::new(),
            path: String::new(),
        };
        let place = Place::read(call.url, &nowhere)
            .filter(|place| !place.authority.is_empty())
            .ok_or_else(|| {
                FetchError::Malformed(format!("{} is no http or https URL", quoted(call.url)))
            })?;
        let reach = if self.is_allowed(&place) {
            Reach::Anywhere
        } else {
            Reach::Guarded
        };
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, json.clone());
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, json);
        }
        for (name, value) in call.headers {
            let (name, value) = header(name, value)?;
            headers.insert(name, value);
        }
        Ok(Call {
            method: match call.method {
                context::Method::Get => Method::GET,
                context::Method::Post => Method::POST,
            },
            place,
            reach,
            headers,
            body: call
                .body
                .map_or_else(Bytes::new, |body| Bytes::from(body.to_owned())),
            max: MAX_ANSWER,
            deadline,
            patience: Patience::Retry,
            room: None,
        })
    }

    /// Whether the operator named the host, with or without its port.
    fn is_allowed(&self, place: &Place) -> bool {
        let without_port = place.host();
        let mut named = self.local.iter();
        named.any(|host| *host == place.authority || *host == without_port)
    }

    /// Connections that trust what the call says, or the platform's certificates.
    async fn wire(&self, ca_bundle: Option<&str>, reach: Reach) -> Result<Wire, FetchError> {
        let guarded = reach == Reach::Guarded;
        let key = (ca_bundle.unwrap_or_default().to_owned(), guarded);
        if let Some(wire) = self.wires.get(&key).await {
            return Ok(wire);
        }
        let malformed = |error: String| FetchError::Malformed(format!("the `caBundle`: {error}"));
        let config = match ca_bundle {
            None => self.platform.clone(),
            Some(pem) => {
                let roots =
                    client::roots(pem.as_bytes()).map_err(|error| malformed(error.to_string()))?;
                tls::builder()
                    .map_err(|error| malformed(error.to_string()))?
                    .with_root_certificates(roots)
                    .with_no_client_auth()
            }
        };
        let resolver = if guarded {
            Resolver::Guarded
        } else {
            Resolver::Anywhere
        };
        let wire = Wire::new(config, resolver);
        self.wires.insert(key, wire.clone()).await;
        Ok(wire)
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), FetchError> {
    let malformed =
        || FetchError::Malformed(format!("{} is no header that can be sent", quoted(name)));
    let parsed: HeaderName = name.parse().map_err(|_why| malformed())?;
    if FIXED.contains(&parsed.as_str()) {
        return Err(malformed());
    }
    let mut value = HeaderValue::from_str(value).map_err(|_secret| malformed())?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

#[cfg(test)]
mod tests;
