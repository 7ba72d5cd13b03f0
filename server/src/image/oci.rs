//! Manifests, indexes and descriptors of the OCI image specification, and how large each may be.
//!
//! Reads bytes; knows nothing of where they came from.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest as sha256};
use bytes::Bytes;
use regent_engine::image::Digest;
use regent_engine::weight::Weight;
use serde::Deserialize;

use super::fetch::{FetchError, quoted};

/// Media type of an OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of a Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of a Docker manifest list.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of the empty JSON object that stands where there is no configuration.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Media type of an image's configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of cosign's simple-signing payload.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Media type of a DSSE envelope.
pub const DSSE_ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// What the manifest of a signature of the Notary Project is, by its `artifactType` or its configuration's media type.
pub const NOTARY_SIGNATURE: &str = "application/vnd.cncf.notary.signature";
/// How the media types of Sigstore bundles start, in each spelling and version.
pub const BUNDLE_PREFIX: &str = "application/vnd.dev.sigstore.bundle";

/// Manifests and indexes: the distribution specification asks registries to accept 4 MiB, and some accept no more.
pub const MAX_MANIFEST: u64 = 4 << 20;
/// One bundle, envelope or payload. Provenance is 10 to 20 kB; a large bill of materials in an attestation is some
/// MB. What is larger is left out, and said to be: JSON can take thirty times its size once it is read.
pub const MAX_BLOB: u64 = 4 << 20;
/// All blobs about one digest together.
pub const MAX_TOTAL: u64 = 16 << 20;
/// Pieces of evidence about one digest. A release has two to five; repeated scans may add a few dozen.
pub const MAX_EVIDENCE: usize = 50;
/// Entries of all pages of a list of referrers.
pub const MAX_REFERRERS: usize = 1_000;
/// Pages of a list of referrers.
pub const MAX_PAGES: usize = 8;
/// What a manifest or a list may take in memory for each byte of its text, beside [`FREE_MEMORY`]: descriptors of all
/// kinds take five to ten times their text.
const MEMORY_OF_A_BYTE: usize = 12;
/// What any manifest may take in memory.
const FREE_MEMORY: usize = 64 << 10;

/// A reference to other content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of what is referred to.
    #[serde(default)]
    pub media_type: String,
    /// Its digest as written; [`Descriptor::digest`] reads it.
    #[serde(rename = "digest")]
    pub written_digest: String,
    /// Its size in bytes.
    #[serde(default)]
    pub size: u64,
    /// What kind of artifact it is; a hint.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// Annotations; nothing of them is believed.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// Roughly its bytes.
    pub(super) fn weight(&self) -> usize {
        let annotations = self.annotations.iter().flatten();
        let annotations: usize = annotations
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let kind = self.artifact_type.as_ref().map_or(0, String::len);
        self.media_type.len() + self.written_digest.len() + kind + annotations
    }

    /// The digest, where it is a SHA-256.
    pub fn digest(&self) -> Result<Digest, FetchError> {
        Digest::parse(&self.written_digest).map_err(|error| {
            FetchError::Malformed(format!("{}: {error}", quoted(&self.written_digest)))
        })
    }

    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

/// A manifest or an index, its bytes, and the digest that was computed from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Computed from the bytes, never taken from a header.
    pub digest: Digest,
    /// Media type: the document's own, else the one that came with it.
    pub media_type: String,
    /// `artifactType`.
    pub artifact_type: Option<String>,
    /// The media type of `config`, which says what an artifact is where there is no `artifactType`.
    pub config_type: Option<String>,
    /// `subject`: what it is about.
    pub subject: Option<Descriptor>,
    /// What it holds.
    pub content: Content,
    /// The document.
    pub bytes: Bytes,
}

/// What a manifest holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An image or artifact.
    Layers(Vec<Descriptor>),
    /// An index of manifests.
    Manifests(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<ConfigDescriptor>,
    subject: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigDescriptor {
    media_type: Option<String>,
}

impl Manifest {
    /// Reads a document; `media_type` is what came with it, a header or a descriptor.
    ///
    /// A document that is both an image and an index, or says another media type than came with it, is refused: two
    /// readers could see two different things in it.
    pub fn read(bytes: Bytes, media_type: Option<&str>) -> Result<Self, FetchError> {
        let digest = digest_of(&bytes);
        let malformed =
            |what: String| FetchError::Malformed(format!("the manifest {digest} {what}"));
        let no_json = |error: serde_json::Error| {
            malformed(format!("is malformed: {}", quoted(&error.to_string())))
        };
        let Weight(weight) = serde_json::from_slice(&bytes).map_err(no_json)?;
        if weight > bytes.len() * MEMORY_OF_A_BYTE + FREE_MEMORY {
            return Err(FetchError::TooLarge(format!(
                "the manifest {digest} takes {weight} bytes of memory for its {} bytes of text",
                bytes.len()
            )));
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(no_json)?;
        if document.schema_version != 2 {
            return Err(malformed(format!(
                "has schema version {}, not 2",
                document.schema_version
            )));
        }
        let told = media_type.map(essence).filter(|told| is_manifest(told));
        let media_type = match (document.media_type, told) {
            (Some(own), Some(told)) if own != told => {
                return Err(malformed(format!(
                    "says that it is {}, and was sent as {}",
                    quoted(&own),
                    quoted(told)
                )));
            }
            (Some(own), _) => own,
            (None, Some(told)) => told.to_owned(),
            (None, None) if document.manifests.is_some() => OCI_INDEX.to_owned(),
            (None, None) => OCI_MANIFEST.to_owned(),
        };
        let content = match (document.layers, document.manifests) {
            (Some(_), Some(_)) => {
                return Err(malformed("has both layers and manifests".to_owned()));
            }
            (Some(layers), None) if !is_index(&media_type) => Content::Layers(layers),
            (None, Some(manifests)) if is_index(&media_type) => Content::Manifests(manifests),
            _ => {
                return Err(malformed(format!(
                    "is not what its media type says: {}",
                    quoted(&media_type)
                )));
            }
        };
        Ok(Self {
            digest,
            media_type,
            artifact_type: document.artifact_type,
            config_type: document.config.and_then(|config| config.media_type),
            subject: document.subject,
            content,
            bytes,
        })
    }

    /// The layers of an image or artifact; none for an index.
    pub fn layers(&self) -> &[Descriptor] {
        match &self.content {
            Content::Layers(layers) => layers,
            Content::Manifests(_) => &[],
        }
    }

    /// Whether it says that it is about `digest`.
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subject
            .as_ref()
            .is_some_and(|subject| subject.written_digest == digest.as_str())
    }
}

/// The SHA-256 of some bytes.
pub fn digest_of(bytes: &[u8]) -> Digest {
    let mut hash = [0; 32];
    // A SHA-256 has 32 bytes, so that this copies all of it.
    for (to, from) in hash.iter_mut().zip(sha256(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    Digest::from_sha256(hash)
}

/// cosign's tag for evidence about a digest: `sha256-HEX` and a suffix, `.sig`, `.att` or nothing for the fallback index.
pub fn evidence_tag(digest: &Digest, suffix: &str) -> String {
    format!("sha256-{}{suffix}", digest.hex())
}

/// A media type without its parameters.
pub(crate) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn is_manifest(media_type: &str) -> bool {
    is_index(media_type) || [OCI_MANIFEST, DOCKER_MANIFEST].contains(&media_type)
}

/// Whether a media type is that of an index.
pub fn is_index(media_type: &str) -> bool {
    [OCI_INDEX, DOCKER_INDEX].contains(&media_type)
}

#[cfg(test)]
mod tests;
