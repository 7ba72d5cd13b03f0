//! What a registry knows of an image, for `imageRegistry` contexts: its manifest and configuration, as JSON.
//!
//! Nothing here is believed about who made the image; that is what evidence is for.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use regent_engine::evaluation::need::{FactError, PullSecret};
use regent_engine::image::evidence::Resolution;
use regent_engine::image::{Digest, ImageReference};
use regent_engine::weight::Weight;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::discovery::Budget;
use super::fetch::{FetchError, quoted};
use super::oci::{Content, MAX_BLOB, MAX_MANIFEST, Manifest};
use super::registry::Repository;
use super::{Images, Place};

/// The platform whose image stands for an index, as Kyverno has it.
const PLATFORM: (&str, &str) = ("linux", "amd64");
/// Bytes of documents that are remembered; a document is what its digest says for ever.
const MAX_REMEMBERED: u64 = 32 << 20;
/// What the documents of one image may take in memory: each has at most 4 MiB of text, and ten times that is much.
const MAX_MEMORY: usize = 64 << 20;

/// Documents of images, by the digest that a reference stands for.
#[derive(Debug)]
pub(super) struct Documents(Cache<Digest, Arc<Document>>);

/// What is known of a digest.
#[derive(Debug)]
struct Document {
    /// The index, where it is one.
    index: Option<Value>,
    manifest: Value,
    config: Value,
    /// What it takes in memory, roughly.
    weight: usize,
}

/// Where a document is asked for, and by when.
#[derive(Clone, Copy)]
struct Asked<'a> {
    image: &'a ImageReference,
    pull_secrets: &'a [PullSecret],
    deadline: Instant,
}

impl Documents {
    pub(super) fn new() -> Self {
        let weigh = |_: &Digest, document: &Arc<Document>| {
            u32::try_from(document.weight).unwrap_or(u32::MAX)
        };
        let documents = Cache::builder()
            .weigher(weigh)
            .max_capacity(MAX_REMEMBERED)
            .build();
        Self(documents)
    }
}

impl Images {
    /// `{image, resolvedImage, registry, repository, identifier, manifestList, manifest, configData}` of an image.
    pub async fn data(
        &self,
        reference: &str,
        pull_secrets: &[PullSecret],
        deadline: Instant,
    ) -> Result<Value, FactError> {
        let find = Box::pin(self.find_data(reference, pull_secrets, deadline));
        match timeout_at(deadline, find).await {
            Ok(found) => Ok(found?),
            Err(_elapsed) => Err(FactError::Timeout(format!(
                "{} was not fetched in time",
                quoted(reference)
            ))),
        }
    }

    async fn find_data(
        &self,
        reference: &str,
        pull_secrets: &[PullSecret],
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        let said = self.describe(reference, pull_secrets, deadline).await;
        if let Some(recorder) = &self.sources.recorder {
            recorder.image(reference, &said);
        }
        said
    }

    async fn describe(
        &self,
        reference: &str,
        pull_secrets: &[PullSecret],
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        let image = ImageReference::parse(reference).map_err(|error| {
            FetchError::Malformed(format!("{} is no image: {error}", quoted(reference)))
        })?;
        if let Some(facts) = &self.sources.facts {
            // Layouts come before facts.
            let in_layouts = match &image.digest {
                Some(digest) => self.sources.layouts.has(digest).await,
                None => self.sources.layouts.resolve(&image)?.is_some(),
            };
            if !in_layouts {
                return facts.image(reference);
            }
        }
        let (digest, resolution) = self.resolve(&image, pull_secrets, deadline).await?;
        // What a tag stood for some time ago may not say what this image is: nothing pins it.
        if let Resolution::Remembered { .. } = resolution {
            let (host, _) = image.containerd_repository();
            return Err(FetchError::Unavailable(format!(
                "the registry {} cannot be reached",
                quoted(&host)
            )));
        }
        let place = Asked {
            image: &image,
            pull_secrets,
            deadline,
        };
        let document = self.document_with_room(place, &digest).await?;
        let (host, path) = image.containerd_repository();
        // The name that Kyverno's library has for Docker Hub.
        let host = if host == "docker.io" {
            "index.docker.io".to_owned()
        } else {
            host
        };
        let identifier = match (&image.digest, &image.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        };
        Ok(json!({
            "image": reference,
            "resolvedImage": format!("{host}/{path}@{digest}"),
            "registry": host,
            "repository": path,
            "identifier": identifier,
            "manifestList": document.index,
            "manifest": document.manifest,
            "configData": document.config,
        }))
    }

    /// The document of a digest. Where there is no room, it is fetched once there is room for all that one may have.
    async fn document_with_room(
        &self,
        asked: Asked<'_>,
        digest: &Digest,
    ) -> Result<Arc<Document>, FetchError> {
        let place = Place::Repository(asked.image.clone());
        let budget = self.budget(&place).await;
        let document = self.remembered_document((asked, &budget), digest).await;
        if !matches!(document, Err(FetchError::Crowded(_))) {
            return document;
        }
        drop(budget);
        let budget = self.reserved_budget(&place, asked.deadline).await?;
        self.remembered_document((asked, &budget), digest).await
    }

    async fn remembered_document(
        &self,
        asked: (Asked<'_>, &Budget),
        digest: &Digest,
    ) -> Result<Arc<Document>, FetchError> {
        let fetch = self.document(asked, digest);
        let document = self.documents.0.try_get_with_by_ref(digest, fetch);
        let document = Box::pin(document).await;
        document.map_err(|error: Arc<FetchError>| (*error).clone())
    }

    async fn document(
        &self,
        (asked, budget): (Asked<'_>, &Budget),
        digest: &Digest,
    ) -> Result<Arc<Document>, FetchError> {
        let mut left = MAX_MEMORY;
        let first = self.manifest((asked, budget), digest).await?;
        let (index, manifest) = match &first.content {
            Content::Layers(_) => (None, first),
            Content::Manifests(_) => {
                let index = json_of(&first.bytes, digest, &mut left)?;
                let chosen = of_platform(&index, digest)?;
                let manifest = self.manifest((asked, budget), &chosen).await?;
                (Some(index), manifest)
            }
        };
        if let Content::Manifests(_) = manifest.content {
            return Err(malformed(digest, "is an index of indexes"));
        }
        let parsed = json_of(&manifest.bytes, &manifest.digest, &mut left)?;
        let described = parsed.get("config");
        let text = |field: &str| described.and_then(|config| config.get(field));
        let config = text("digest").and_then(Value::as_str).map(Digest::parse);
        let (Some(Ok(config)), Some(size)) = (config, text("size").and_then(Value::as_u64)) else {
            return Err(malformed(&manifest.digest, "has no configuration"));
        };
        if size > MAX_BLOB {
            return Err(FetchError::TooLarge(format!(
                "the configuration {config} has more than {MAX_BLOB} bytes"
            )));
        }
        budget.spend(size, &config)?;
        let bytes = self.config(asked, &config, size).await?;
        Ok(Arc::new(Document {
            config: json_of(&bytes, &config, &mut left)?,
            index,
            manifest: parsed,
            weight: MAX_MEMORY - left,
        }))
    }

    async fn manifest(
        &self,
        (asked, budget): (Asked<'_>, &Budget),
        digest: &Digest,
    ) -> Result<Manifest, FetchError> {
        let manifest = if self.sources.layouts.has(digest).await {
            self.sources.layouts.manifest(digest).await?
        } else {
            let repository = self.repository(asked)?;
            repository.manifest(digest, MAX_MANIFEST).await?
        };
        let bytes = manifest.bytes.len() as u64;
        budget.spend(bytes, digest)?;
        Ok(manifest)
    }

    async fn config(
        &self,
        asked: Asked<'_>,
        digest: &Digest,
        size: u64,
    ) -> Result<Bytes, FetchError> {
        if self.sources.layouts.has(digest).await {
            return self.sources.layouts.blob(digest, MAX_BLOB).await;
        }
        self.repository(asked)?.blob(digest, size).await
    }

    /// Where an image lies that no layout has.
    fn repository<'a>(&'a self, asked: Asked<'a>) -> Result<Repository<'a>, FetchError> {
        let registries = self.sources.registries(asked.image)?;
        Ok(registries.repository(asked.image, asked.pull_secrets, asked.deadline))
    }
}

/// The image of an index that stands for it.
fn of_platform(index: &Value, digest: &Digest) -> Result<Digest, FetchError> {
    let manifests = index.get("manifests").and_then(Value::as_array);
    let is_wanted = |manifest: &&Value| {
        let platform = |field: &str| {
            let platform = manifest.get("platform")?;
            platform.get(field)?.as_str()
        };
        (platform("os"), platform("architecture")) == (Some(PLATFORM.0), Some(PLATFORM.1))
    };
    let wanted = manifests.into_iter().flatten().find(is_wanted);
    let written = wanted.and_then(|manifest| manifest.get("digest")?.as_str());
    match written.map(Digest::parse) {
        Some(Ok(chosen)) => Ok(chosen),
        Some(Err(error)) => Err(malformed(digest, &error.to_string())),
        None => Err(FetchError::NotFound(format!(
            "the index {digest} has no image for {}/{}",
            PLATFORM.0, PLATFORM.1
        ))),
    }
}

/// A document as JSON, out of the memory that is left.
fn json_of(bytes: &[u8], digest: &Digest, left: &mut usize) -> Result<Value, FetchError> {
    let no_json = |error: serde_json::Error| malformed(digest, &error.to_string());
    let Weight(weight) = serde_json::from_slice(bytes).map_err(no_json)?;
    *left = left.checked_sub(weight).ok_or_else(|| {
        FetchError::TooLarge(format!(
            "what the registry has of {digest} takes more than {MAX_MEMORY} bytes of memory"
        ))
    })?;
    serde_json::from_slice(bytes).map_err(no_json)
}

fn malformed(digest: &Digest, what: &str) -> FetchError {
    FetchError::Malformed(format!("{digest} {}", quoted(what)))
}
