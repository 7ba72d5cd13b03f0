//! A server that answers by a script, however wrong that is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regent_engine::image::Digest;
use regent_server::image::oci::{OCI_INDEX, OCI_MANIFEST, digest_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (written, value) = line.split_once(':')?;
            written.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What the server does about a request.
pub(crate) enum Reply {
    /// Status, header lines, body.
    Full(u16, String, Vec<u8>),
    /// The head, and then bytes without end.
    Endless(u16, String),
    /// The head, and then one byte each 50 ms.
    Drip(u16, String),
    /// These bytes, and the end.
    Raw(Vec<u8>),
    /// Nothing, for ever.
    Silence,
    /// The connection is closed at once.
    Reset,
}

impl Reply {
    /// The same with other headers.
    pub(crate) fn with_headers(self, headers: &str) -> Self {
        match self {
            Self::Full(status, _, body) => Self::Full(status, headers.to_owned(), body),
            other => other,
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::Full(404, String::new(), Vec::new())
    }

    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::Full(
            200,
            "Content-Type: application/json\r\n".to_owned(),
            body.into(),
        )
    }

    pub(crate) fn manifest(body: impl Into<Vec<u8>>) -> Self {
        Self::Full(
            200,
            format!("Content-Type: {OCI_MANIFEST}\r\n"),
            body.into(),
        )
    }

    pub(crate) fn index(body: impl Into<Vec<u8>>) -> Self {
        Self::Full(200, format!("Content-Type: {OCI_INDEX}\r\n"), body.into())
    }

    pub(crate) fn blob(body: impl Into<Vec<u8>>) -> Self {
        Self::Full(200, String::new(), body.into())
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::Full(307, format!("Location: {to}\r\n"), Vec::new())
    }

    pub(crate) fn challenge(realm: &str) -> Self {
        let header = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"test\"\r\n");
        Self::Full(401, header, Vec::new())
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    script: Box<Script>,
    log: Mutex<Vec<Asked>>,
    sent: AtomicU64,
}

impl Scripted {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            log: Mutex::default(),
            sent: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(accept(listener, shared));
        Self {
            address,
            state,
            accepting,
        }
    }

    /// Tells a story, except where `script` has something else to say.
    pub(crate) async fn telling(
        story: Story,
        script: impl Fn(&Story, &Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |asked| script(&story, asked).unwrap_or_else(|| story.answer(asked))).await
    }

    /// All requests so far.
    pub(crate) fn log(&self) -> Vec<Asked> {
        self.state.log.lock().unwrap().clone()
    }

    /// How many requests so far start so, as in `GET /token`.
    pub(crate) fn count(&self, starts: &str) -> usize {
        let log = self.log();
        log.iter()
            .filter(|asked| asked.line().starts_with(starts))
            .count()
    }

    /// Bytes that clients took.
    pub(crate) fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // A client that goes away is part of the test.
        tokio::spawn(async move { drop(state.serve(stream).await) });
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        while let Some(asked) = read(&mut stream).await? {
            self.log.lock().unwrap().push(asked.clone());
            if !self.reply(&mut stream, &asked).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the connection goes on after it.
    async fn reply(&self, stream: &mut TcpStream, asked: &Asked) -> std::io::Result<bool> {
        match (self.script)(asked) {
            Reply::Full(status, headers, body) => {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n");
                self.send(stream, head.as_bytes()).await?;
                let body: &[u8] = if asked.method == "HEAD" { &[] } else { &body };
                self.send(stream, body).await?;
                return Ok(true);
            }
            Reply::Endless(status, headers) => {
                self.head_without_length(stream, status, &headers).await?;
                let chunk = vec![b' '; 64 << 10];
                while self.send(stream, &chunk).await.is_ok() {}
            }
            Reply::Drip(status, headers) => {
                self.head_without_length(stream, status, &headers).await?;
                while self.send(stream, b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Reply::Raw(bytes) => self.send(stream, &bytes).await?,
            Reply::Silence => std::future::pending().await,
            Reply::Reset => {}
        }
        Ok(false)
    }

    async fn head_without_length(
        &self,
        stream: &mut TcpStream,
        status: u16,
        headers: &str,
    ) -> std::io::Result<()> {
        let head = format!("HTTP/1.1 {status} x\r\n{headers}Connection: close\r\n\r\n");
        self.send(stream, head.as_bytes()).await
    }

    async fn send(&self, stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        stream.write_all(bytes).await?;
        self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Asked>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ').map(str::to_owned);
    let mut asked = Asked {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        head,
        body: String::new(),
    };
    let length = asked
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(asked))
}

/// An image, and one referrer with a bundle of garbage.
pub(crate) struct Story {
    pub(crate) image: String,
    pub(crate) bundle: String,
    pub(crate) referrer: String,
}

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

impl Story {
    pub(crate) fn new() -> Self {
        let image = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","layers":[]}}"#);
        let bundle = r#"{"mediaType":"not a bundle at all"}"#.to_owned();
        let referrer = referrer(&digest(&image), &bundle);
        Self {
            image,
            bundle,
            referrer,
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        digest(&self.image)
    }

    /// The honest answers.
    pub(crate) fn answer(&self, asked: &Asked) -> Reply {
        let path = asked.path.as_str();
        let at = |kind: &str, text: &str| path.ends_with(&format!("/{kind}/{}", digest(text)));
        if at("manifests", &self.image) || path.ends_with("/manifests/v1") {
            let head = format!(
                "Content-Type: {OCI_MANIFEST}\r\nDocker-Content-Digest: {}\r\n",
                self.digest()
            );
            Reply::Full(200, head, self.image.clone().into())
        } else if at("manifests", &self.referrer) {
            Reply::manifest(self.referrer.clone())
        } else if at("blobs", &self.bundle) {
            Reply::blob(self.bundle.clone())
        } else if path.contains("/referrers/") {
            Reply::index(index(&[descriptor(&self.referrer, BUNDLE)]))
        } else {
            Reply::not_found()
        }
    }
}

/// A referrer's manifest about `subject`, with one bundle.
pub(crate) fn referrer(subject: &Digest, bundle: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","artifactType":"{BUNDLE}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}},"layers":[{{"mediaType":"{BUNDLE}","digest":"{}","size":{}}}],"subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{subject}","size":1}}}}"#,
        digest("{}"),
        digest(bundle),
        bundle.len()
    )
}

/// A descriptor of a referrer's manifest.
pub(crate) fn descriptor(manifest: &str, artifact_type: &str) -> String {
    format!(
        r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":{},"artifactType":"{artifact_type}"}}"#,
        digest(manifest),
        manifest.len()
    )
}

pub(crate) fn index(descriptors: &[String]) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{}]}}"#,
        descriptors.join(",")
    )
}

pub(crate) fn digest(text: &str) -> Digest {
    digest_of(text.as_bytes())
}
