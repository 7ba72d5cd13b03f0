//! The API server's side of the webhook: one TLS connection, kept alive.
//!
//! Knows HTTP; nothing of reviews.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The name that the webhook's certificate is for.
pub const SERVER_NAME: &str = "localhost";

/// The largest answer that is read.
const MAX_ANSWER: usize = 16 << 20;

/// A connection to the webhook.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects, trusting the certificates of a file and no others.
    pub async fn connect(address: SocketAddr, authority: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(authority)
            .with_context(|| format!("reading `{}`", authority.display()))?;
        for certificate in certificates {
            roots.add(certificate.context("a certificate of the webhook's authority")?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address)
            .await
            .context("connecting to the webhook")?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER_NAME)?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .context("the webhook's TLS")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the webhook or with this client; a request in between says why it was not answered.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender })
    }

    /// Posts a JSON document and reads the JSON that comes back.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let request = Request::post(path)
            .header(HOST, SERVER_NAME)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        self.sender.ready().await.context("the webhook hung up")?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("reading the webhook's answer: {error}"))?
            .to_bytes();
        if status != StatusCode::OK {
            bail!(
                "the webhook answered {status}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        serde_json::from_slice(&body).context("the webhook's answer is not JSON")
    }
}
