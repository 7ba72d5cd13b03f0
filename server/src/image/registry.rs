//! An OCI distribution client: tags to digests, manifests, referrers and blobs, each bounded in time and size.
//!
//! What comes back is what its digest says, or an error. Credentials go to the server that they are for and to the
//! token server that it names. Redirects are followed for blobs only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use moka::future::Cache;
use regent_engine::evaluation::need::PullSecret;
use regent_engine::image::{Digest, ImageReference};
use thiserror::Error;
use tokio::time::Instant;

use super::credentials::Credentials;
use super::fetch::{FetchError, quoted};
use super::oci::{MAX_MANIFEST, Manifest};
use crate::cluster::{Cluster, ClusterSettings};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::outbound::place::{Place, Scheme};
use crate::outbound::{Answer, Call, Patience};
use auth::{Authority, Purpose};
use contents::Contents;
use endpoint::{Endpoint, Endpoints, Loopback};
use server::Server;
use transport::Transport;

mod auth;
mod blob;
mod contents;
pub mod endpoint;
mod referrers;
mod server;
pub(crate) mod tls;
mod transport;

/// All media types of manifests that are understood.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// How long it is believed that a repository has the referrers API.
const REFERRERS_LIFE: Duration = Duration::from_mins(10);
/// Servers about which something is remembered.
const MAX_SERVERS: u64 = 10_000;
/// Bytes of manifests and lists that are being read at the same time, beyond the first part of each.
const MAX_READ: usize = 64 << 20;
/// The header in which a registry states a manifest's digest.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// How registries are reached.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// All requests for a registry (first) go to an address (second): `http://HOST[:PORT]`, or https.
    pub mirrors: Vec<(String, String)>,
    /// Files with certificates (PEM) that registries may chain to, besides the platform's.
    pub certificates: Vec<PathBuf>,
    /// Registries whose certificate is not checked, and that may speak plain http.
    pub insecure: Vec<String>,
    /// Whether images may name registries on this machine that the operator did not.
    pub loopback: Loopback,
    /// Docker's `config.json`, or its directory; where none is given, the place that Docker looks at.
    pub docker_config: Option<PathBuf>,
}

/// Why registries cannot be set up as the operator says.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The address of a mirror.
    #[error(
        "the mirror of `{0}` has no usable address: `{1}`; write http://HOST:PORT or HOST:PORT"
    )]
    Mirror(String, String),
    /// Two addresses for one registry.
    #[error("there are two mirrors of `{0}`")]
    MirrorTwice(String),
    /// The name of an insecure registry.
    #[error("`{0}` is no registry host")]
    Insecure(String),
    /// Certificates of registries.
    #[error("the registry certificates {0:?}: {1}")]
    Certificates(PathBuf, String),
    /// Credentials of registries.
    #[error("the registry credentials {0:?}: {1}")]
    Credentials(PathBuf, String),
    /// TLS itself.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// All registries.
pub struct Registries {
    endpoints: Endpoints,
    transport: Transport,
    authority: Authority,
    /// What insecure registries turned out to speak.
    schemes: Cache<String, Scheme>,
    /// Repositories that have the referrers API.
    referrers: Cache<String, ()>,
    servers: Cache<String, Arc<Server>>,
    contents: Contents,
    /// What evidence of one server may take, in bytes.
    share: usize,
    /// Room for manifests and lists that are being read.
    room: Memory,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Registries")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl Registries {
    /// A client of all registries; opens no connection yet.
    pub fn new(settings: &RegistrySettings, metrics: Arc<Metrics>) -> Result<Self, SettingsError> {
        let credentials = Credentials::load(settings.docker_config.as_deref())?;
        Ok(Self {
            endpoints: Endpoints::new(&settings.mirrors, &settings.insecure, settings.loopback)?,
            transport: Transport::new(&settings.certificates)?,
            authority: Authority::new(credentials),
            schemes: remembering(),
            referrers: remembering(),
            servers: Cache::new(MAX_SERVERS),
            contents: Contents::new(),
            // One slow or generous registry leaves half to the others.
            share: super::discovery::MAX_IN_FLIGHT / 2,
            room: Memory::of(MAX_READ),
            metrics,
        })
    }

    async fn server(&self, authority: &str) -> Arc<Server> {
        let made = async {
            let metrics = Arc::clone(&self.metrics);
            Arc::new(Server::new(authority.to_owned(), self.share, metrics))
        };
        self.servers.get_with_by_ref(authority, made).await
    }

    /// What evidence of the registry that has an image may take, of that for all.
    pub(crate) async fn share(&self, image: &ImageReference) -> Memory {
        let (host, _) = image.containerd_repository();
        let endpoint = self.endpoints.of(&host);
        let server = self.server(&endpoint.authority).await;
        server.share.clone()
    }

    /// Has registries asked with Secrets of a cluster: those that policies name, and those that the operator named.
    pub(crate) fn with_cluster(&mut self, cluster: &Arc<Cluster>, settings: &ClusterSettings) {
        self.authority.ask_cluster(cluster, settings);
    }

    /// The repository of an image; every request to it ends at the deadline.
    pub fn repository<'a>(
        &'a self,
        image: &ImageReference,
        pull_secrets: &'a [PullSecret],
        deadline: Instant,
    ) -> Repository<'a> {
        let (host, path) = image.containerd_repository();
        Repository {
            registries: self,
            endpoint: self.endpoints.of(&host),
            path,
            pull_secrets,
            deadline,
            patience: Patience::Retry,
        }
    }
}

fn remembering<V: Clone + Send + Sync + 'static>() -> Cache<String, V> {
    Cache::builder()
        .max_capacity(MAX_SERVERS)
        .time_to_live(REFERRERS_LIFE)
        .build()
}

/// One repository, for the time of one request.
#[derive(Debug)]
pub struct Repository<'a> {
    registries: &'a Registries,
    endpoint: Endpoint,
    path: String,
    pull_secrets: &'a [PullSecret],
    deadline: Instant,
    patience: Patience,
}

/// What a request is for, as metrics call it.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Tag,
    Manifest,
    Referrers,
    Blob,
}

impl Operation {
    const fn label(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Manifest => "manifest",
            Self::Referrers => "referrers",
            Self::Blob => "blob",
        }
    }
}

impl Repository<'_> {
    /// The same for a caller that has something to fall back on: no wait between attempts.
    #[must_use]
    pub(crate) fn at_once(mut self) -> Self {
        self.patience = Patience::AtOnce;
        self
    }

    /// The digest that a tag stands for now.
    ///
    /// A registry that does not say it in a header is asked for the whole manifest.
    pub async fn resolve(&self, tag: &str) -> Result<Digest, FetchError> {
        let path = self.path_of("manifests", tag);
        let what = format!("{}:{tag}", self.name());
        let head = self.timed(
            Operation::Tag,
            self.ask(Method::HEAD, &path, MANIFESTS, MAX_MANIFEST),
        );
        let head = head.await?;
        let stated = head.header(CONTENT_DIGEST).map(Digest::parse);
        match (head.status.as_u16(), stated) {
            (200, Some(Ok(digest))) => Ok(digest),
            // Not every registry answers HEAD, or says a digest there.
            (200 | 400 | 405 | 501, _) => Ok(self.manifest_at(tag, MAX_MANIFEST).await?.digest),
            _ => Err(self.refusal(&head, &what)),
        }
    }

    /// Whether there is a manifest with this digest.
    pub async fn has(&self, digest: &Digest) -> Result<bool, FetchError> {
        let path = self.path_of("manifests", digest.as_str());
        let head = self.timed(
            Operation::Manifest,
            self.ask(Method::HEAD, &path, MANIFESTS, MAX_MANIFEST),
        );
        let head = head.await?;
        match head.status.as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            400 | 405 | 501 => match self.manifest(digest, MAX_MANIFEST).await {
                Ok(_) => Ok(true),
                Err(FetchError::NotFound(_)) => Ok(false),
                Err(error) => Err(error),
            },
            _ => Err(self.refusal(&head, &format!("{}@{digest}", self.name()))),
        }
    }

    /// The manifest with this digest, of at most `max` bytes.
    pub async fn manifest(&self, digest: &Digest, max: u64) -> Result<Manifest, FetchError> {
        let contents = &self.registries.contents;
        if let Some(known) = contents.manifest(self.place(), digest).await
            && known.bytes.len() as u64 <= max
        {
            return Ok(known);
        }
        let manifest = self.manifest_at(digest.as_str(), max).await?;
        if manifest.digest == *digest {
            contents.keep_manifest(self.place(), &manifest).await;
            Ok(manifest)
        } else {
            Err(FetchError::Malformed(format!(
                "{} was asked for the manifest {digest} and sent one with the digest {}",
                quoted(&self.endpoint.name),
                manifest.digest
            )))
        }
    }

    /// The manifest at a tag, where there is one.
    pub async fn tagged(&self, tag: &str) -> Result<Option<Manifest>, FetchError> {
        match self.manifest_at(tag, MAX_MANIFEST).await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(FetchError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn manifest_at(&self, reference: &str, max: u64) -> Result<Manifest, FetchError> {
        let path = self.path_of("manifests", reference);
        let fetch = async {
            let answer = self.ask(Method::GET, &path, MANIFESTS, max).await?;
            if answer.status.as_u16() != 200 {
                let what = format!("`{reference}` of {}", self.name());
                return Err(self.refusal(&answer, &what));
            }
            let stated = answer.header(CONTENT_DIGEST).map(str::to_owned);
            let media_type = answer.header(CONTENT_TYPE.as_str()).map(str::to_owned);
            let manifest = Manifest::read(answer.body, media_type.as_deref())?;
            match stated {
                Some(stated)
                    if stated.starts_with("sha256:") && stated != manifest.digest.as_str() =>
                {
                    Err(self.malformed(&format!(
                        "states the digest {} for a manifest with the digest {}",
                        quoted(&stated),
                        manifest.digest
                    )))
                }
                _ => Ok(manifest),
            }
        };
        self.timed(Operation::Manifest, fetch).await
    }

    /// Sends a request, once more if it is challenged.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        max: u64,
    ) -> Result<Answer, FetchError> {
        let base = self.base().await?;
        let purpose = Purpose {
            endpoint: &self.endpoint,
            scheme: base.scheme,
            repository: &self.path,
            pull_secrets: self.pull_secrets,
            deadline: self.deadline,
            patience: self.patience,
        };
        let Registries {
            transport,
            authority,
            ..
        } = self.registries;
        let mut call = Call {
            method,
            place: Place {
                path: path.to_owned(),
                ..base
            },
            reach: self.endpoint.reach,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            max,
            deadline: self.deadline,
            patience: self.patience,
            room: None,
        };
        call.headers
            .insert(ACCEPT, HeaderValue::from_static(accept));
        let tried = authority.remembered(purpose).await;
        if let Some(authorization) = &tried {
            authorization.add_to(&mut call.headers);
        }
        let server = self.registries.server(&self.endpoint.authority).await;
        call.room = Some(server.room(&self.registries.room));
        let turn = server.turn(self.deadline).await?;
        let answer = transport.send(&call).await;
        turn.ended(&answer);
        let answer = answer?;
        if answer.status.as_u16() != 401 {
            return Ok(answer);
        }
        let started = Clock::now();
        let authorization = authority
            .authorize(transport, purpose, &answer, tried.as_ref())
            .await;
        let outcome = authorization
            .as_ref()
            .map_or_else(FetchError::label, |_| "ok");
        self.registries
            .metrics
            .registry_request("token", outcome, started.elapsed());
        authorization?.add_to(&mut call.headers);
        let turn = server.turn(self.deadline).await?;
        let answer = transport.send(&call).await;
        turn.ended(&answer);
        answer
    }

    /// Where the registry is; an insecure one is first asked what it speaks.
    async fn base(&self) -> Result<Place, FetchError> {
        if self.endpoint.is_barred() {
            return Err(FetchError::Barred(format!(
                "{} is this machine or its link, and is asked only where --registry-mirror or --insecure-registry names it",
                quoted(&self.endpoint.name)
            )));
        }
        let at = |scheme: Scheme| Place {
            scheme,
            authority: self.endpoint.authority.clone(),
            path: "/v2/".to_owned(),
        };
        if let Some(scheme) = self.endpoint.scheme {
            return Ok(at(scheme));
        }
        let speaks = async {
            let mut refusal = None;
            for scheme in [Scheme::Https, Scheme::Http] {
                let call = Call {
                    method: Method::GET,
                    place: at(scheme),
                    reach: self.endpoint.reach,
                    headers: HeaderMap::new(),
                    body: Bytes::new(),
                    max: MAX_MANIFEST,
                    deadline: self.deadline,
                    patience: self.patience,
                    room: None,
                };
                match self.registries.transport.send(&call).await {
                    Ok(_) => return Ok(scheme),
                    Err(error) => refusal = Some(error),
                }
            }
            Err(refusal.unwrap_or_else(|| self.malformed("speaks nothing")))
        };
        let scheme = self
            .registries
            .schemes
            .try_get_with(self.endpoint.authority.clone(), speaks)
            .await
            .map_err(|error: Arc<FetchError>| (*error).clone())?;
        Ok(at(scheme))
    }

    async fn timed<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let started = Clock::now();
        // On the heap: requests are deep, and several of them wait in one future.
        let done = Box::pin(work).await;
        let outcome = done.as_ref().map_or_else(FetchError::label, |_| "ok");
        let metrics = &self.registries.metrics;
        metrics.registry_request(operation.label(), outcome, started.elapsed());
        done
    }

    /// What a status other than 200 means.
    fn refusal(&self, answer: &Answer, what: &str) -> FetchError {
        let name = quoted(&self.endpoint.name);
        let status = answer.status;
        match status.as_u16() {
            404 => FetchError::NotFound(format!("{name} has no {what}")),
            401 | 403 => FetchError::Unauthorized(format!("{name} refuses access to {what}")),
            300..=399 => FetchError::Redirect(format!(
                "{name} redirects {what}, which is followed for blobs only"
            )),
            408 | 429 | 500..=599 => {
                FetchError::Unavailable(format!("{name} answered {status} for {what}"))
            }
            _ => FetchError::Malformed(format!("{name} answered {status} for {what}")),
        }
    }

    fn malformed(&self, what: &str) -> FetchError {
        FetchError::Malformed(format!("{} {what}", quoted(&self.endpoint.name)))
    }

    /// Where contents are remembered for.
    fn place(&self) -> (&str, &str) {
        (&self.endpoint.authority, &self.path)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.endpoint.name, self.path)
    }

    fn path_of(&self, kind: &str, reference: &str) -> String {
        format!("/v2/{}/{kind}/{reference}", self.path)
    }
}
