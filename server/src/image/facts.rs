//! What registries said, kept in a file to be said again: for tests of image rules that need no network.
//!
//! The file has what a tag stood for, the evidence about a digest in the repository that it came from, and what
//! `imageRegistry` contexts were told; `docs/recording.md` describes it. Nothing in it is believed: evidence is verified
//! each time, as if it had just been fetched. What a file does not say is an error, never "there is none".

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use regent_engine::go_time::{RFC3339, Time, TimeError};
use regent_engine::image::{Digest, ImageReference};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::artifact::{Artifacts, BundleArtifact, LegacyArtifact, ManifestShape, NotaryArtifact};
use super::discovery::Wanted;
use super::fetch::{FetchError, quoted};
use super::trust::sha256;

mod module;
#[cfg(test)]
mod tests;

/// The version of the format.
const VERSION: u32 = 1;

/// Why facts cannot be used.
#[derive(Debug, Error)]
pub enum FactsError {
    /// It is not such a file.
    #[error("{0}")]
    Format(#[from] serde_json::Error),
    /// It is of another version.
    #[error("facts of version {0}, and this version of Regent reads {VERSION}; record them again")]
    Version(u32),
    /// Something in it is not what its place asks for.
    #[error("`{place}`: {reason}")]
    Malformed {
        /// Which entry.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

/// What registries said at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    #[serde(rename = "regentFacts")]
    version: u32,
    recorded_at: RecordedAt,
    /// Trust roots that evidence was verified under, the default first.
    #[serde(default)]
    trust_roots: Vec<Value>,
    #[serde(default)]
    tags: BTreeMap<String, Said<String>>,
    #[serde(default)]
    evidence: BTreeMap<String, Said<Evidence>>,
    /// Signatures of the Notary Project, which are asked for by themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    notary: BTreeMap<String, Said<Evidence>>,
    #[serde(default)]
    images: BTreeMap<String, Said<Value>>,
    /// Modules of policies, by `HOST/PATH@DIGEST`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    modules: BTreeMap<String, Said<module::Module>>,
}

/// Seconds since 1970; written as a time of RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct RecordedAt(i64);

impl TryFrom<String> for RecordedAt {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Self, TimeError> {
        Ok(Self(Time::parse(RFC3339, &text)?.instant().0))
    }
}

impl From<RecordedAt> for String {
    fn from(at: RecordedAt) -> Self {
        Time::from_unix(at.0, 0).to_string()
    }
}

/// What a registry said to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Said<T> {
    Found(T),
    /// There is no such thing; the message.
    NotFound(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bundles: Vec<Bundle>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<Layer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attestations: Vec<Layer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notary: Vec<Envelope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<Shape>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<(String, String)>,
    #[serde(
        default,
        rename = "hasUnread",
        skip_serializing_if = "std::ops::Not::not"
    )]
    has_unread: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    manifest: String,
    media_type: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Shape {
    media_type: String,
    size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    manifest: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    digest: String,
    content: Content,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// Bytes: as a text where they are one, so that a difference can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Content {
    Text(String),
    Base64(String),
}

impl Facts {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, FactsError> {
        let facts: Self = serde_json::from_str(text)?;
        if facts.version != VERSION {
            return Err(FactsError::Version(facts.version));
        }
        for (name, said) in &facts.tags {
            if let Said::Found(digest) = said {
                Digest::parse(digest).map_err(|error| malformed(name, &error.to_string()))?;
            }
        }
        for (name, said) in facts.evidence.iter().chain(&facts.notary) {
            if let Said::Found(evidence) = said {
                evidence.artifacts(name)?;
            }
        }
        for (name, said) in &facts.modules {
            if let Said::Found(module) = said {
                module.check(name)?;
            }
        }
        Ok(facts)
    }

    /// The file's text: keys in order, so that two recordings can be compared.
    pub fn to_text(&self) -> Result<String, FactsError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// When it was recorded, in seconds since 1970.
    pub fn recorded_at(&self) -> i64 {
        self.recorded_at.0
    }

    /// The trust roots that it was recorded under, each a `trusted_root.json`.
    pub fn trust_roots(&self) -> impl Iterator<Item = String> {
        self.trust_roots.iter().map(Value::to_string)
    }

    /// What a tag stood for.
    pub(super) fn digest(&self, name: &str) -> Result<Digest, FetchError> {
        let digest = said(&self.tags, name, "what this tag stands for")?;
        Digest::parse(digest).map_err(|error| FetchError::Malformed(error.to_string()))
    }

    /// The evidence about a digest in a repository.
    pub(super) fn artifacts(
        &self,
        repository: &ImageReference,
        (digest, wanted): (&Digest, Wanted),
    ) -> Result<Artifacts, FetchError> {
        let name = name(repository, digest);
        let all = match wanted {
            Wanted::Sigstore => &self.evidence,
            Wanted::Notary => &self.notary,
        };
        let evidence = said(all, &name, "the evidence about this digest")?;
        evidence
            .artifacts(&name)
            .map_err(|error| FetchError::Malformed(error.to_string()))
    }

    /// What was known of an image.
    pub(super) fn image(&self, reference: &str) -> Result<Value, FetchError> {
        said(&self.images, reference, "what this image is").cloned()
    }
}

/// What was said to a question; what was never asked is not known.
fn said<'a, T>(
    all: &'a BTreeMap<String, Said<T>>,
    name: &str,
    what: &str,
) -> Result<&'a T, FetchError> {
    match all.get(name) {
        Some(Said::Found(found)) => Ok(found),
        Some(Said::NotFound(message)) => Err(FetchError::NotFound(message.clone())),
        None => Err(FetchError::Unavailable(format!(
            "the recorded facts do not say {what}: {}; record them again with `--record`",
            quoted(name)
        ))),
    }
}

fn name(repository: &ImageReference, digest: &Digest) -> String {
    let (host, path) = repository.containerd_repository();
    format!("{host}/{path}@{digest}")
}

fn malformed(place: &str, reason: &str) -> FactsError {
    FactsError::Malformed {
        place: place.to_owned(),
        reason: reason.to_owned(),
    }
}

impl Evidence {
    fn of(artifacts: &Artifacts) -> Self {
        let layers = |layers: &[LegacyArtifact]| {
            let layers = layers.iter().map(|layer| Layer {
                digest: layer.layer.to_string(),
                content: Content::of(&layer.bytes),
                annotations: layer.annotations.clone(),
            });
            layers.collect()
        };
        let bundles = artifacts.bundles.iter().map(|bundle| Bundle {
            manifest: bundle.manifest.to_string(),
            content: Content::of(&bundle.bytes),
        });
        Self {
            bundles: bundles.collect(),
            signatures: layers(&artifacts.signatures),
            attestations: layers(&artifacts.attestations),
            notary: artifacts.notary.iter().map(Envelope::of).collect(),
            shape: artifacts.shape.as_ref().map(|shape| Shape {
                media_type: shape.media_type.clone(),
                size: shape.size,
            }),
            skipped: artifacts.skipped.clone(),
            has_unread: artifacts.has_unread,
        }
    }

    /// The bytes as they were fetched.
    fn artifacts(&self, place: &str) -> Result<Artifacts, FactsError> {
        let layers = |layers: &[Layer]| {
            let layers = layers.iter().map(|layer| layer.artifact(place));
            layers.collect::<Result<Vec<_>, _>>()
        };
        let bundle = |bundle: &Bundle| {
            Ok(BundleArtifact {
                manifest: digest(place, &bundle.manifest)?,
                bytes: bundle.content.bytes(place)?,
            })
        };
        let notary = self.notary.iter().map(|one| one.artifact(place));
        let bundles: Result<Vec<_>, FactsError> = self.bundles.iter().map(bundle).collect();
        Ok(Artifacts {
            bundles: bundles?,
            signatures: layers(&self.signatures)?,
            attestations: layers(&self.attestations)?,
            notary: notary.collect::<Result<_, _>>()?,
            shape: self.shape.as_ref().map(|shape| ManifestShape {
                media_type: shape.media_type.clone(),
                size: shape.size,
            }),
            skipped: self.skipped.clone(),
            has_unread: self.has_unread,
        })
    }
}

impl Envelope {
    fn of(artifact: &NotaryArtifact) -> Self {
        Self {
            manifest: artifact.manifest.to_string(),
            media_type: artifact.media_type.clone(),
            content: Content::of(&artifact.bytes),
        }
    }

    fn artifact(&self, place: &str) -> Result<NotaryArtifact, FactsError> {
        Ok(NotaryArtifact {
            manifest: digest(place, &self.manifest)?,
            media_type: self.media_type.clone(),
            bytes: self.content.bytes(place)?,
        })
    }
}

impl Layer {
    /// The layer; one that is not what its digest says was changed by hand.
    fn artifact(&self, place: &str) -> Result<LegacyArtifact, FactsError> {
        let (bytes, named) = (self.content.bytes(place)?, digest(place, &self.digest)?);
        if Digest::from_sha256(sha256(&bytes)) != named {
            let reason = format!("the content of {named} is not what its digest says");
            return Err(malformed(place, &reason));
        }
        Ok(LegacyArtifact {
            layer: named,
            bytes,
            annotations: self.annotations.clone(),
        })
    }
}

fn digest(place: &str, text: &str) -> Result<Digest, FactsError> {
    Digest::parse(text).map_err(|error| malformed(place, &format!("{text}: {error}")))
}

impl Content {
    fn of(bytes: &Bytes) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_not_a_text) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    fn bytes(&self, place: &str) -> Result<Bytes, FactsError> {
        match self {
            Self::Text(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            Self::Base64(text) => match STANDARD.decode(text) {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(malformed(place, &error.to_string())),
            },
        }
    }
}

/// Facts in the making: several tests may add to them at once.
#[derive(Debug)]
pub struct Recorder(Mutex<Facts>);

impl Recorder {
    /// Nothing yet, at a time in seconds since 1970.
    pub fn new(recorded_at: i64) -> Self {
        Self(Mutex::new(Facts {
            version: VERSION,
            recorded_at: RecordedAt(recorded_at),
            ..Facts::default()
        }))
    }

    /// Adds a trust root, a `trusted_root.json`.
    pub fn trust_root(&self, text: &str) -> Result<(), FactsError> {
        let root: Value = serde_json::from_str(text)?;
        self.with(|facts| {
            if !facts.trust_roots.contains(&root) {
                facts.trust_roots.push(root);
            }
        });
        Ok(())
    }

    /// All that was said so far.
    pub fn facts(&self) -> Facts {
        self.with(|facts| facts.clone())
    }

    pub(super) fn tag(&self, name: &str, said: &Result<Digest, FetchError>) {
        let said = said.as_ref().map(Digest::to_string);
        self.with(|facts| put(&mut facts.tags, name.to_owned(), said));
    }

    pub(super) fn evidence(
        &self,
        repository: &ImageReference,
        (digest, wanted): (&Digest, Wanted),
        said: &Result<Artifacts, FetchError>,
    ) {
        let said = said.as_ref().map(Evidence::of);
        self.with(|facts| {
            let all = match wanted {
                Wanted::Sigstore => &mut facts.evidence,
                Wanted::Notary => &mut facts.notary,
            };
            put(all, name(repository, digest), said);
        });
    }

    pub(super) fn image(&self, reference: &str, said: &Result<Value, FetchError>) {
        let said = match said {
            Ok(found) => Ok(found.clone()),
            Err(error) => Err(error),
        };
        self.with(|facts| put(&mut facts.images, reference.to_owned(), said));
    }

    fn with<T>(&self, change: impl FnOnce(&mut Facts) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps an answer; an outage is none, and a later recording has to ask again.
fn put<T>(all: &mut BTreeMap<String, Said<T>>, name: String, said: Result<T, &FetchError>) {
    match said {
        Ok(found) => all.insert(name, Said::Found(found)),
        Err(FetchError::NotFound(message)) => all.insert(name, Said::NotFound(message.clone())),
        Err(_unknown) => None,
    };
}
