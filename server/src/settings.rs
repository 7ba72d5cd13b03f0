//! What a server is started with, resolved: no defaults are filled in after this.
//!
//! Knows nothing of the command line that wrote it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use regent_engine::builders::Builders;
use regent_engine::limits::ContextSize;
use regent_engine::load::ExceptionsFrom;

use crate::break_glass::BreakGlassSettings;
use crate::cluster::ClusterSettings;
use crate::image::ImageSettings;
use crate::image::trust::TrustRoots;
use crate::tuf::TufSettings;

/// Bytes of the stack of a thread that evaluates, among them those that serve connections: what is bounded in depth has room,
/// several times over. Only what is used takes memory.
pub const THREAD_STACK: usize = 16 << 20;

/// All that a server needs to know to start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the API server is answered; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where Prometheus is answered, in plain HTTP; nowhere if none.
    pub metrics_listen: Option<SocketAddr>,
    /// The serving certificate.
    pub tls: TlsSettings,
    /// Certificates that those of clients have to chain to; anybody may ask if none.
    pub client_authority: Option<PathBuf>,
    /// Policy files, and directories of them.
    pub policies: Vec<PathBuf>,
    /// Manifests of namespaces, whose labels `namespaceSelector` is matched with.
    pub namespaces: Option<PathBuf>,
    /// The cluster that rules ask, and services.
    pub cluster: ClusterSettings,
    /// Whose policy exceptions count, of those among the policies.
    pub exceptions: ExceptionsFrom,
    /// That a `BreakGlass` among the policies counts; none does otherwise.
    pub break_glass: Option<BreakGlassSettings>,
    /// Whether SLSA provenance of one version never answers for the other, whatever policies say.
    pub exact_slsa_versions: bool,
    /// Builders beside those that are known anyway.
    pub builders: Builders,
    /// How large the contexts of rules may become.
    pub context_size: ContextSize,
    /// What evidence of images is verified under.
    pub trust_roots: TrustRoots,
    /// Where the default trust root is refreshed from; nowhere if none.
    pub tuf: Option<TufSettings>,
    /// Where images and their evidence come from.
    pub images: ImageSettings,
    /// Where compiled modules are kept; nowhere if none.
    pub module_cache: Option<PathBuf>,
    /// How long changed files may go unnoticed.
    pub reload_interval: Duration,
    /// How long connections are still accepted after a shutdown began, while readiness already says no.
    pub shutdown_delay: Duration,
    /// How long requests in flight may take to finish after that.
    pub drain_timeout: Duration,
    /// What bounds memory and time.
    pub limits: Limits,
}

/// Where the serving certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSettings {
    /// From files, read again when they change.
    Files {
        /// The certificate and its chain (PEM).
        certificate: PathBuf,
        /// Its key (PEM).
        key: PathBuf,
    },
    /// Made at start, below a CA that is kept in a directory.
    SelfSigned {
        /// Where `ca.crt` and `ca.key` are kept.
        directory: PathBuf,
        /// Host names and addresses that the certificate is for.
        names: Vec<String>,
    },
}

/// What bounds the memory and time of the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one review: of what is stored an object has at most 1.5 MiB, as etcd has it, and the old one as much; `<`
    /// takes six bytes where Go writes it as JSON.
    pub body_bytes: usize,
    /// Bytes of all bodies in memory at once; the parsed form is up to ten times that.
    pub all_bodies_bytes: usize,
    /// Bytes of all answers that clients have not read yet, of one listener; half of them wait for it.
    pub all_answers_bytes: usize,
    /// Connections at once; an API server speaks HTTP/1.1 with webhooks and opens one for each request in flight.
    pub connections: usize,
    /// Requests at once; more are answered 503.
    pub requests: usize,
    /// Streams at once on one HTTP/2 connection.
    pub streams: u32,
    /// Evaluations at once; they only need the processor, so more than there are cores gain nothing.
    pub evaluations: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time without a request after which a connection is closed, and for the head of a request to arrive.
    /// Longer than the 90 s of Go's client, so that it is the client that closes and no request is lost.
    pub idle: Duration,
    /// Time for the body of a request to arrive, whatever its length.
    pub body: Duration,
    /// Time for the first bytes of a body; it has a second more for each 4 MiB of it that have come. An API server sends all of
    /// it at once.
    pub body_start: Duration,
    /// Time for a client to read an answer; it has a second more for each MiB of it.
    pub reading: Duration,
    /// Time for an answer where neither the request nor a policy says: Kubernetes' own default.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            body_bytes: 24 << 20,
            all_bodies_bytes: 96 << 20,
            all_answers_bytes: 64 << 20,
            connections: 2048,
            requests: 1024,
            streams: 128,
            // One more than cores, so that one slow evaluation on a single core does not hold up the others.
            evaluations: cores + 1,
            handshake: Duration::from_secs(10),
            idle: Duration::from_mins(2),
            body: Duration::from_secs(10),
            body_start: Duration::from_secs(2),
            reading: Duration::from_secs(5),
            answer: Duration::from_secs(10),
        }
    }
}
