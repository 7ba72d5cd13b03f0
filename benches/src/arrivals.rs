//! Requests that arrive when they are due, whatever becomes of those before: as many connections as that takes.
//!
//! Beside `load`, which sends the next request when the last one is answered and so waits for a slow server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An admission review, and the path that it is sent to.
#[derive(Debug, Clone)]
pub struct Review {
    path: String,
    body: Bytes,
}

impl Review {
    /// A review as it is sent.
    pub fn new(path: &str, review: &Value) -> Self {
        Self {
            path: path.to_owned(),
            body: Bytes::from(review.to_string()),
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The verdict; nothing where no review came back in time.
    pub allowed: Option<bool>,
    /// From when it was due until it was answered.
    pub took: Duration,
}

/// Connections that are kept.
pub struct Client {
    address: SocketAddr,
    connector: TlsConnector,
    patience: Duration,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client {
    /// A client of `https://ADDRESS`; opens no connection yet.
    pub fn new(url: &str, connector: TlsConnector, patience: Duration) -> Result<Arc<Self>> {
        let address = url
            .strip_prefix("https://")
            .map(|rest| rest.trim_end_matches('/'));
        let address: SocketAddr = address.context("the URL is not https")?.parse()?;
        if !address.ip().is_loopback() {
            bail!("`{address}` is not on this machine: load is sent over loopback only");
        }
        Ok(Arc::new(Self {
            address,
            connector,
            patience,
            idle: Mutex::default(),
        }))
    }

    /// Sends a review that was due at some moment.
    pub async fn ask(&self, review: &Review, due: Instant) -> Outcome {
        let answered = tokio::time::timeout(self.patience, self.exchange(review)).await;
        let allowed = match answered {
            Ok(Ok(answer)) => answer.pointer("/response/allowed").and_then(Value::as_bool),
            Ok(Err(_)) | Err(_) => None,
        };
        Outcome {
            allowed,
            took: due.elapsed(),
        }
    }

    async fn exchange(&self, review: &Review) -> Result<Value> {
        let idle = self.idle().pop();
        let mut sender = match idle {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(&review.path)
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(review.body.clone()))?;
        let response = sender.send_request(request).await?;
        let body = response.into_body().collect().await?.to_bytes();
        self.idle().push(sender);
        Ok(serde_json::from_slice(&body)?)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(self.address.ip());
        let stream = self.connector.connect(name, stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How it ends is seen by whoever sends on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
