//! An OCI registry in the process, read-only, over OCI layouts: for the demonstration, for tests and benches.
//!
//! Speaks plain HTTP on loopback. Tags can be moved and the registry can be stopped, as real ones are. Knows nothing of
//! who asks, and checks nobody's credentials.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use regent_engine::image::{Digest, ImageReference};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::image::fetch::FetchError;
use crate::image::layout::Layouts;
use crate::image::oci::{Manifest, OCI_INDEX, OCI_MANIFEST, evidence_tag};

/// The largest layer that is served; layouts on disk hold whole images.
const MAX_SERVED: u64 = 64 << 20;
/// Requests that are remembered for [`LayoutRegistry::requests`].
const MAX_LOG: usize = 100_000;

/// Whether the registry has the referrers API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersApi {
    /// It has.
    Served,
    /// It has not, like registries before OCI 1.1: there is an index at the tag `sha256-HEX` instead.
    Absent,
}

/// A registry that is running.
#[derive(Debug)]
pub struct LayoutRegistry {
    address: SocketAddr,
    contents: Arc<Contents>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Contents {
    layouts: Layouts,
    host: String,
    referrers: ReferrersApi,
    moved: Mutex<BTreeMap<(String, String), Digest>>,
    log: Mutex<Vec<String>>,
    latency: Mutex<Duration>,
}

impl LayoutRegistry {
    /// Serves `layouts` on a free port of loopback, as if it were the registry `host`: that is the name by which
    /// layouts know their images. Every repository path has all of the layouts' content.
    pub async fn start(
        layouts: Layouts,
        host: &str,
        referrers: ReferrersApi,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let contents = Arc::new(Contents {
            layouts,
            host: host.to_owned(),
            referrers,
            moved: Mutex::default(),
            log: Mutex::default(),
            latency: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&contents)));
        Ok(Self {
            address,
            contents,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets a tag of a repository (`your-org/app`) stand for `digest` from now on.
    pub fn move_tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let name = (repository.to_owned(), tag.to_owned());
        lock(&self.contents.moved).insert(name, digest.clone());
    }

    /// Makes each answer wait, as over a network.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.contents.latency) = latency;
    }

    /// The requests so far, as in `GET /v2/your-org/app/manifests/v1`.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.contents.log).clone()
    }

    /// Stops listening and drops all connections: the registry is gone.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        // It was aborted just now; how it ended says nothing.
        drop((&mut self.accepting).await);
    }

    /// Listens again where it did before it was stopped.
    pub async fn resume(&mut self) -> std::io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.accepting = tokio::spawn(accept(listener, Arc::clone(&self.contents)));
        Ok(())
    }
}

impl Drop for LayoutRegistry {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Connections live in a set of this task, so that all of them end with it.
async fn accept(listener: TcpListener, contents: Arc<Contents>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let contents = Arc::clone(&contents);
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let contents = Arc::clone(&contents);
                        async move { Ok::<_, Infallible>(contents.answer(&request).await) }
                    });
                    let served = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    if let Err(error) = served {
                        tracing::debug!(%error, "connection to the layout registry ended");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What a path below `/v2/` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    Version,
    Manifest(&'a str, &'a str),
    Blob(&'a str),
    Referrers(&'a str),
}

fn asked(path: &str) -> Option<Asked<'_>> {
    let rest = path.strip_prefix("/v2/")?;
    if rest.is_empty() {
        return Some(Asked::Version);
    }
    let (rest, last) = rest.rsplit_once('/')?;
    let (repository, kind) = rest.rsplit_once('/')?;
    match kind {
        "manifests" => Some(Asked::Manifest(repository, last)),
        "blobs" => Some(Asked::Blob(last)),
        "referrers" => Some(Asked::Referrers(last)),
        _ => None,
    }
}

impl Contents {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        {
            let mut log = lock(&self.log);
            if log.len() < MAX_LOG {
                log.push(format!("{} {path}", request.method()));
            }
        }
        let latency = *lock(&self.latency);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED");
        }
        let answer = match asked(path) {
            None => return refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Some(Asked::Version) => Ok(found("application/json", None, Bytes::from("{}"))),
            Some(Asked::Manifest(repository, reference)) => {
                self.manifest(repository, reference).await
            }
            Some(Asked::Blob(digest)) => self.blob(digest).await,
            Some(Asked::Referrers(digest)) => self.referrers(digest).await,
        };
        match answer {
            Ok(response) => response,
            Err(FetchError::NotFound(_)) => refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Err(error) => {
                tracing::warn!(%error, path, "layout registry");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN")
            }
        }
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Response<Full<Bytes>>, FetchError> {
        if let Some(subject) = fallback_subject(reference)
            && self.referrers == ReferrersApi::Absent
        {
            let list = self.list(&subject, Listing::Tag).await?;
            return match list {
                Some(list) => Ok(manifest_response(Manifest::read(list, Some(OCI_INDEX))?)),
                None => Err(absent(reference)),
            };
        }
        let digest = match Digest::parse(reference) {
            Ok(digest) => digest,
            Err(_) => self.tag(repository, reference)?,
        };
        Ok(manifest_response(self.layouts.manifest(&digest).await?))
    }

    fn tag(&self, repository: &str, tag: &str) -> Result<Digest, FetchError> {
        let moved = lock(&self.moved)
            .get(&(repository.to_owned(), tag.to_owned()))
            .cloned();
        if let Some(digest) = moved {
            return Ok(digest);
        }
        if let Some((subject, suffix)) = evidence_subject(tag) {
            let found = self.layouts.tagged(&subject, suffix);
            return found.first().cloned().ok_or_else(|| absent(tag));
        }
        let image = ImageReference {
            registry: self.host.clone(),
            path: repository.to_owned(),
            tag: Some(tag.to_owned()),
            digest: None,
        };
        self.layouts.resolve(&image)?.ok_or_else(|| absent(tag))
    }

    async fn blob(&self, digest: &str) -> Result<Response<Full<Bytes>>, FetchError> {
        let digest = Digest::parse(digest).map_err(|_bad_digest| absent(digest))?;
        let bytes = self.layouts.blob(&digest, MAX_SERVED).await?;
        Ok(found("application/octet-stream", Some(&digest), bytes))
    }

    async fn referrers(&self, digest: &str) -> Result<Response<Full<Bytes>>, FetchError> {
        if self.referrers == ReferrersApi::Absent {
            return Err(absent("referrers"));
        }
        let subject = Digest::parse(digest).map_err(|_bad_digest| absent(digest))?;
        let list = self.list(&subject, Listing::Api).await?;
        Ok(found(OCI_INDEX, None, list.unwrap_or_default()))
    }

    /// The index of what is about `subject`; for a tag nothing where there is nothing.
    async fn list(&self, subject: &Digest, listing: Listing) -> Result<Option<Bytes>, FetchError> {
        let mut manifests = Vec::new();
        for descriptor in self.layouts.referrers(subject) {
            let manifest = self.layouts.manifest(&descriptor.digest()?).await?;
            let mut entry = json!({
                "mediaType": manifest.media_type,
                "digest": manifest.digest.as_str(),
                "size": manifest.bytes.len(),
            });
            let hint = manifest.artifact_type.or(descriptor.artifact_type);
            if let (Some(hint), Some(entry)) = (hint, entry.as_object_mut()) {
                entry.insert("artifactType".to_owned(), hint.into());
            }
            // cosign writes descriptors without annotations into the index at the tag.
            if let (Listing::Api, Some(annotations), Some(entry)) =
                (listing, descriptor.annotations, entry.as_object_mut())
            {
                entry.insert("annotations".to_owned(), json!(annotations));
            }
            manifests.push(entry);
        }
        if manifests.is_empty() && listing == Listing::Tag {
            return Ok(None);
        }
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
        Ok(Some(Bytes::from(index.to_string())))
    }
}

/// Where a list of referrers is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    Api,
    Tag,
}

/// The digest of which `tag` is the fallback tag.
fn fallback_subject(tag: &str) -> Option<Digest> {
    let digest = Digest::parse(&tag.replacen('-', ":", 1)).ok()?;
    (evidence_tag(&digest, "") == tag).then_some(digest)
}

/// The digest and suffix of which `tag` is cosign's tag.
fn evidence_subject(tag: &str) -> Option<(Digest, &str)> {
    let at = tag.find('.')?;
    let (name, suffix) = tag.split_at_checked(at)?;
    Some((fallback_subject(name)?, suffix))
}

fn manifest_response(manifest: Manifest) -> Response<Full<Bytes>> {
    let media_type = if manifest.media_type.is_empty() {
        OCI_MANIFEST
    } else {
        &manifest.media_type
    };
    found(media_type, Some(&manifest.digest), manifest.bytes)
}

fn found(media_type: &str, digest: Option<&Digest>, bytes: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .header(CONTENT_TYPE, media_type)
        .header(CONTENT_LENGTH, bytes.len());
    if let Some(digest) = digest {
        response = response.header("Docker-Content-Digest", digest.as_str());
    }
    response.body(Full::new(bytes)).unwrap_or_else(|error| {
        tracing::warn!(%error, "layout registry: a media type that is no header");
        refusal(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN")
    })
}

fn refusal(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let body = json!({"errors": [{"code": code, "message": status.canonical_reason()}]});
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
}

fn absent(what: &str) -> FetchError {
    FetchError::NotFound(format!("`{what}` is not here"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
