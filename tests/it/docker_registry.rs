//! Debian's `docker-registry` 2.8, which has no referrers API, and a client that pushes OCI layouts into it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use regent_engine::image::Digest;
use regent_tests::needs;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Longer than it takes to start on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The registry, until the test ends.
pub(crate) struct DockerRegistry {
    process: Child,
    port: u16,
    _storage: TempDir,
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It may have ended by itself; nothing is lost then.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl DockerRegistry {
    /// Starts it empty, or says that it is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let version = Command::new("docker-registry").arg("--version").output();
        if version.is_err() {
            needs("docker-registry (apt-get install docker-registry)");
            return None;
        }
        let storage = tempfile::tempdir().unwrap();
        let port = {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            free.local_addr().unwrap().port()
        };
        let config = storage.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n",
            storage.path().join("data").display()
        );
        fs::write(&config, text).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut registry = Self {
            process,
            port,
            _storage: storage,
        };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
        {
            let ended = registry.process.try_wait().unwrap();
            assert!(ended.is_none(), "docker-registry ended: {ended:?}");
            assert!(
                started.elapsed() < PATIENCE,
                "docker-registry did not start"
            );
            sleep(Duration::from_millis(20)).await;
        }
        Some(registry)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes a layout of `cosign save`: the image under `tag`, and what is attached to it under cosign's tags.
    pub(crate) async fn push(&self, layout: &Path, repository: &str, tag: &str) {
        let push = Push {
            registry: self,
            blobs: layout.join("blobs/sha256"),
            repository,
        };
        let index = fs::read(layout.join("index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        let entries = index["manifests"].as_array().unwrap().iter();
        // What is in no tag of cosign's says nothing of a kind, and is left out.
        let entries: Vec<&Value> = entries
            .filter(|entry| entry["annotations"]["kind"].is_string())
            .collect();
        let kind = |entry: &Value| {
            let kind = entry["annotations"]["kind"].as_str().unwrap();
            kind.rsplit_once('/').unwrap().1.to_owned()
        };
        let is_image = |entry: &&&Value| kind(entry).starts_with("image");
        let image = entries.iter().find(is_image).unwrap();
        let attached = digest(image).to_string().replace(':', "-");
        for entry in entries {
            let tag = match kind(entry).as_str() {
                "sigs" => format!("{attached}.sig"),
                "atts" => format!("{attached}.att"),
                _ => tag.to_owned(),
            };
            push.manifest(entry, &tag).await;
        }
    }
}

struct Push<'a> {
    registry: &'a DockerRegistry,
    blobs: PathBuf,
    repository: &'a str,
}

impl Push<'_> {
    /// Pushes a manifest after everything that it names; `name` is a tag or its digest.
    async fn manifest(&self, descriptor: &Value, name: &str) {
        let bytes = self.read(&digest(descriptor));
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        let named = |field: &str| manifest[field].as_array().into_iter().flatten();
        for member in named("manifests") {
            Box::pin(self.manifest(member, digest(member).as_str())).await;
        }
        let config = manifest.get("config").into_iter();
        for blob in config.chain(named("layers")) {
            self.blob(&digest(blob)).await;
        }
        let path = format!("/v2/{}/manifests/{name}", self.repository);
        let media_type = descriptor["mediaType"].as_str().unwrap();
        let put = request(Method::PUT, &path, media_type, bytes);
        self.registry.send(put, StatusCode::CREATED).await;
    }

    async fn blob(&self, digest: &Digest) {
        let path = format!("/v2/{}/blobs/uploads/", self.repository);
        let begin = request(Method::POST, &path, OCTETS, Bytes::new());
        let accepted = self.registry.send(begin, StatusCode::ACCEPTED).await;
        let place = accepted.headers()["location"].to_str().unwrap();
        let (_, path) = place.split_once(&self.registry.address()).unwrap();
        let path = format!("{path}&digest={digest}");
        let put = request(Method::PUT, &path, OCTETS, self.read(digest));
        self.registry.send(put, StatusCode::CREATED).await;
    }

    fn read(&self, digest: &Digest) -> Bytes {
        fs::read(self.blobs.join(digest.hex())).unwrap().into()
    }
}

const OCTETS: &str = "application/octet-stream";

impl DockerRegistry {
    async fn send(&self, request: Request<Full<Bytes>>, expected: StatusCode) -> Response<Bytes> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let name = request.uri().path().to_owned();
        let (mut request, address) = (request, self.address());
        let headers = request.headers_mut();
        headers.insert("host", address.parse().unwrap());
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(head.status, expected, "{name}: {body:?}");
        Response::from_parts(head, body)
    }
}

fn request(method: Method, path: &str, media_type: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media_type)
        .body(Full::new(body))
        .unwrap()
}

fn digest(descriptor: &Value) -> Digest {
    Digest::parse(descriptor["digest"].as_str().unwrap()).unwrap()
}
