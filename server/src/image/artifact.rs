//! What was fetched about a digest, as bytes; nothing of it is believed yet.
//!
//! `registry` and `layout` make it, `verify` judges it. Sizes were bounded and blob digests checked on the way.

use std::collections::BTreeMap;

use bytes::Bytes;
use regent_engine::image::Digest;

/// All signing material found about one digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Sigstore bundles, found by the referrers API or its fallback tag.
    pub bundles: Vec<BundleArtifact>,
    /// Layers of the `.sig` tag's manifest.
    pub signatures: Vec<LegacyArtifact>,
    /// Layers of the `.att` tag's manifest.
    pub attestations: Vec<LegacyArtifact>,
    /// Signatures of the Notary Project, found by the referrers API or its fallback tag; only where they were asked for.
    pub notary: Vec<NotaryArtifact>,
    /// What the image's manifest is, which those must describe; only with them.
    pub shape: Option<ManifestShape>,
    /// What was found and not fetched, with the reason: too large, a wrong digest, an unknown media type.
    pub skipped: Vec<(String, String)>,
    /// Whether a piece is among those that may hold a statement, and was left out for its size alone.
    pub has_unread: bool,
}

impl Artifacts {
    /// Bytes of all pieces.
    pub fn bytes(&self) -> usize {
        let legacy = self.signatures.iter().chain(&self.attestations);
        let legacy: usize = legacy.map(|layer| layer.bytes.len()).sum();
        let bundles: usize = self.bundles.iter().map(|bundle| bundle.bytes.len()).sum();
        let notary: usize = self.notary.iter().map(|one| one.bytes.len()).sum();
        legacy + bundles + notary
    }
}

/// One bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleArtifact {
    /// Digest of the referrer's manifest.
    pub manifest: Digest,
    /// The bundle's JSON.
    pub bytes: Bytes,
}

/// One signature of the Notary Project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotaryArtifact {
    /// Digest of the referrer's manifest.
    pub manifest: Digest,
    /// Media type of the envelope.
    pub media_type: String,
    /// The envelope.
    pub bytes: Bytes,
}

/// What describes a manifest beside its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestShape {
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}

/// One layer of a legacy signature or attestation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyArtifact {
    /// Digest of the layer.
    pub layer: Digest,
    /// The layer: a simple-signing payload, or a DSSE envelope.
    pub bytes: Bytes,
    /// Annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
}
