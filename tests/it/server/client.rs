//! A server started in the process, and clients that are as polite or as rude as a test wants.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use regent_engine::limits::ContextSize;
use regent_engine::load::ExceptionsFrom;
use regent_server::cluster::ClusterSettings;
use regent_server::image::ImageSettings;
use regent_server::image::trust::{TrustRoots, public_sigstore};
use regent_server::serve::{Running, serve};
use regent_server::settings::{Limits, Settings, TlsSettings};
use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything that is waited for takes, unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server with its files.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) directory: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl Answer {
    /// The `response` of the review.
    pub(crate) fn response(&self) -> Value {
        let review: Value = serde_json::from_str(&self.body).expect(&self.body);
        review["response"].clone()
    }

    /// Whether it is allowed; a body that does not say so is a failed test.
    pub(crate) fn allowed(&self) -> bool {
        self.response()["allowed"].as_bool().expect(&self.body)
    }
}

/// Starts a server with policies by file name; `adjust` has the last word on its settings.
pub(crate) async fn start(policies: &[(&str, &str)], adjust: impl FnOnce(&mut Settings)) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("policies");
    fs::create_dir(&folder).unwrap();
    for (name, text) in policies {
        fs::write(folder.join(name), text).unwrap();
    }
    let mut settings = Settings {
        listen: loopback(),
        metrics_listen: Some(loopback()),
        tls: TlsSettings::SelfSigned {
            directory: directory.path().join("tls"),
            names: vec!["127.0.0.1".to_owned()],
        },
        client_authority: None,
        policies: vec![folder],
        namespaces: None,
        cluster: ClusterSettings::default(),
        exceptions: ExceptionsFrom::Nowhere,
        break_glass: None,
        exact_slsa_versions: false,
        context_size: ContextSize::default(),
        tuf: None,
        builders: regent_engine::builders::Builders::default(),
        trust_roots: TrustRoots::new(public_sigstore().unwrap()),
        images: ImageSettings::default(),
        module_cache: None,
        reload_interval: Duration::from_hours(1),
        shutdown_delay: Duration::ZERO,
        drain_timeout: PATIENCE,
        limits: Limits::default(),
    };
    adjust(&mut settings);
    Server {
        running: serve(settings).await.unwrap(),
        directory,
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl Server {
    pub(crate) fn policy_path(&self, name: &str) -> PathBuf {
        self.directory.path().join("policies").join(name)
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.running.address()).await.unwrap()
    }

    /// A TLS connection that offers `protocol`.
    pub(crate) async fn tls(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        self.tls_with(protocol, rustls::ALL_VERSIONS).await
    }

    pub(crate) async fn tls_with(
        &self,
        protocol: &[u8],
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsStream<TcpStream> {
        let authority = fs::read(self.directory.path().join("tls/ca.crt")).unwrap();
        let mut config = client_config(&authority, versions);
        config.alpn_protocols = vec![protocol.to_vec()];
        self.handshake(config).await.unwrap()
    }

    /// Whether a client that trusts this certificate can connect.
    pub(crate) async fn trusts(&self, certificate: &[u8]) -> bool {
        let config = client_config(certificate, rustls::ALL_VERSIONS);
        self.handshake(config).await.is_ok()
    }

    /// Sends one request as a client with a certificate and its key; nothing where it gets no answer.
    pub(crate) async fn send_as(
        &self,
        (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
        request: Request<Full<Bytes>>,
    ) -> Option<Answer> {
        let authority = fs::read(self.directory.path().join("tls/ca.crt")).unwrap();
        let config = trusting(&authority, rustls::ALL_VERSIONS)
            .with_client_auth_cert(vec![certificate], key)
            .unwrap();
        let stream = self.handshake(config).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(answer(sender.send_request(request).await.ok()?).await)
    }

    async fn handshake(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        handshake(self.tcp().await, config).await
    }

    pub(crate) async fn http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let stream = TokioIo::new(self.tls(b"h2").await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let authority = fs::read(self.directory.path().join("tls/ca.crt")).unwrap();
        send_to(self.running.address(), &authority, request).await
    }

    pub(crate) async fn post(&self, path: &str, review: &Value) -> Answer {
        self.send(post(path, review.to_string())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(get(path)).await
    }

    /// What Prometheus would read.
    pub(crate) async fn metrics(&self) -> String {
        let address = self.running.metrics_address().unwrap();
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .uri("/metrics")
            .header("host", "regent")
            .body(Full::<Bytes>::default())
            .unwrap();
        answer(sender.send_request(request).await.unwrap())
            .await
            .body
    }

    /// Asks until `accept` likes the answer of readiness.
    pub(crate) async fn ready_when(&self, accept: impl Fn(&Answer) -> bool) -> Answer {
        let asked = async {
            let mut answer = self.get("/health/readiness").await;
            while !accept(&answer) {
                answer = self.get("/health/readiness").await;
            }
            answer
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap()
    }
}

async fn handshake(
    stream: TcpStream,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST));
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// Sends one request to a server at an address, whose certificate chains to `authority`.
pub(crate) async fn send_to(
    address: SocketAddr,
    authority: &[u8],
    request: Request<Full<Bytes>>,
) -> Answer {
    let mut config = client_config(authority, rustls::ALL_VERSIONS);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = handshake(stream, config).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    answer(sender.send_request(request).await.unwrap()).await
}

fn client_config(authority: &[u8], versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    trusting(authority, versions).with_no_client_auth()
}

fn trusting(
    authority: &[u8],
    versions: &[&'static SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority).unwrap())
        .unwrap();
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::GET)
        .uri(path)
        .header("host", "regent")
        .body(Full::default())
        .unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("https://127.0.0.1{path}"))
        .header("host", "regent")
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

pub(crate) async fn answer(response: Response<hyper::body::Incoming>) -> Answer {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer {
        status,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// The review of a pod's creation.
pub(crate) fn pod_review(labels: &Value) -> Value {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "app", "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
    });
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "7f1c4a3e-0000-4000-8000-000000000001",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "app", "namespace": "default", "operation": "CREATE",
            "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
            "object": pod, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    })
}

/// A request that announces `length` bytes and sends `sent` of them.
pub(crate) fn half_request(length: usize, sent: usize) -> Vec<u8> {
    let mut request = format!(
        "POST /validate HTTP/1.1\r\nhost: regent\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + sent, b' ');
    request
}
