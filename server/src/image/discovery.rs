//! From a digest to all signing material about it.
//!
//! Everything odd about a single piece is noted and left out; everything that leaves it open whether there is more
//! evidence (an outage, more than is accepted, bytes that are not what their digest says) is an error, because rules
//! may say that *all* statements must satisfy them. Judges nothing: `verify` does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use regent_engine::image::Digest;

use super::artifact::{Artifacts, BundleArtifact, LegacyArtifact, ManifestShape, NotaryArtifact};
use super::fetch::{FetchError, quoted};
use super::layout::Layouts;
use super::oci::{
    BUNDLE_PREFIX, DSSE_ENVELOPE, Descriptor, MAX_BLOB, MAX_EVIDENCE, MAX_MANIFEST, MAX_TOTAL,
    Manifest, NOTARY_SIGNATURE, OCI_CONFIG, OCI_EMPTY, SIMPLE_SIGNING, essence, evidence_tag,
};
use super::registry::Repository;
use crate::memory::{Held, Memory};

/// Pieces that are fetched at the same time for one digest.
const PARALLEL: usize = 8;
/// A referrer's manifest: one of a bundle has 900 bytes, one of cosign's experimental signatures 10 kB for each layer.
const MAX_REFERRER_MANIFEST: u64 = 1 << 20;
/// Bytes of all evidence that is being fetched and verified, which a parsed form may need several times.
pub const MAX_IN_FLIGHT: usize = 64 << 20;
/// What a manifest or a list takes once it is read, for each byte of its text.
const MEMORY: u64 = 4;
/// What is taken for each digest before anything is known of it: small manifests and lists.
const BASE: u64 = 128 << 10;
/// Lines about what was left out.
const MAX_SKIPPED: usize = 64;

/// Where evidence is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// Layouts on disk.
    Layouts(&'a Layouts),
    /// A repository of a registry.
    Repository(&'a Repository<'a>),
}

impl Origin<'_> {
    async fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, FetchError> {
        match self {
            Self::Layouts(layouts) => Ok(layouts.referrers(digest)),
            Self::Repository(repository) => Box::pin(repository.referrers(digest)).await,
        }
    }

    async fn tagged(&self, digest: &Digest, suffix: &str) -> Result<Vec<Manifest>, FetchError> {
        match self {
            Self::Layouts(layouts) => {
                let mut manifests = Vec::new();
                for manifest in layouts.tagged(digest, suffix) {
                    manifests.push(layouts.manifest(&manifest).await?);
                }
                Ok(manifests)
            }
            Self::Repository(repository) => {
                let tag = evidence_tag(digest, suffix);
                Ok(Vec::from_iter(repository.tagged(&tag).await?))
            }
        }
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, FetchError> {
        match self {
            Self::Layouts(layouts) => layouts.manifest(digest).await,
            Self::Repository(repository) => {
                repository.manifest(digest, MAX_REFERRER_MANIFEST).await
            }
        }
    }

    /// The manifest of the image itself.
    async fn image(&self, digest: &Digest) -> Result<Manifest, FetchError> {
        match self {
            Self::Layouts(layouts) => layouts.manifest(digest).await,
            Self::Repository(repository) => repository.manifest(digest, MAX_MANIFEST).await,
        }
    }

    async fn blob(&self, digest: &Digest, size: u64) -> Result<Bytes, FetchError> {
        let bytes = match self {
            Self::Layouts(layouts) => layouts.blob(digest, size).await?,
            Self::Repository(repository) => repository.blob(digest, size).await?,
        };
        if bytes.len() as u64 == size {
            Ok(bytes)
        } else {
            Err(FetchError::Malformed(format!(
                "the blob {digest} has {} bytes, not the {size} that were announced",
                bytes.len()
            )))
        }
    }
}

/// Which evidence is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Bundles, and cosign's tags.
    Sigstore,
    /// Signatures of the Notary Project, and what they describe the image's manifest by.
    Notary,
}

/// Bytes of evidence that may be fetched: for one digest, and for all that are under way.
#[derive(Debug)]
pub struct Budget {
    left: AtomicU64,
    /// Where room is taken of: a registry's part first, and what there is for all.
    rooms: Vec<Memory>,
    /// Given back when the budget is dropped, which is when its evidence was judged.
    taken: Mutex<Vec<Held>>,
}

impl Budget {
    /// A budget for one digest, out of [`MAX_IN_FLIGHT`] bytes for all.
    pub(crate) fn new(in_flight: &Memory) -> Self {
        Self {
            left: AtomicU64::new(MAX_TOTAL),
            rooms: vec![in_flight.clone()],
            taken: Mutex::default(),
        }
    }

    /// The same, and never more than a registry's share.
    #[must_use]
    pub(crate) fn within(mut self, share: Memory) -> Self {
        self.rooms.insert(0, share);
        self
    }

    /// Waits for as much room as one digest may take, and has it all then.
    ///
    /// INVARIANT: whoever waits here has taken nothing yet, and takes of the rooms in their order; [`Budget::spend`] never
    /// waits. So nobody waits for room of somebody who waits.
    pub(super) async fn reserved(mut self) -> Result<Self, FetchError> {
        for room in std::mem::take(&mut self.rooms) {
            let held = room.wait_for(in_memory(MAX_TOTAL)).await;
            self.keep(held.ok_or_else(crowded)?);
        }
        Ok(self)
    }

    /// A budget of its own, where only one digest is looked at.
    pub fn alone() -> Self {
        Self::new(&Memory::of(MAX_IN_FLIGHT))
    }

    /// Takes bytes out of it; an error where there are not as many left.
    pub(super) fn spend(&self, bytes: u64, digest: &Digest) -> Result<(), FetchError> {
        let spent = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        if spent.is_err() {
            return Err(FetchError::TooLarge(format!(
                "the evidence about {digest} has more than {MAX_TOTAL} bytes"
            )));
        }
        for room in &self.rooms {
            self.keep(room.take(in_memory(bytes)).ok_or_else(crowded)?);
        }
        Ok(())
    }

    fn keep(&self, held: Held) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push(held);
    }
}

/// Bytes of a text as bytes of memory; more than any memory has where it has no such number.
fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// That there was no room in time.
pub(super) fn crowded() -> FetchError {
    FetchError::Crowded("too much evidence is being fetched at once".to_owned())
}

/// Finds and fetches all signing material of a kind about `digest`.
pub async fn discover(
    origin: Origin<'_>,
    (digest, wanted): (&Digest, Wanted),
    budget: &Budget,
) -> Result<Artifacts, FetchError> {
    // On the heap: a dozen requests are under way in it.
    match wanted {
        Wanted::Sigstore => Box::pin(find(origin, digest, budget)).await,
        Wanted::Notary => Box::pin(find_notary(origin, digest, budget)).await,
    }
}

async fn find_notary(
    origin: Origin<'_>,
    digest: &Digest,
    budget: &Budget,
) -> Result<Artifacts, FetchError> {
    budget.spend(BASE, digest)?;
    let search = Search {
        origin,
        digest,
        budget,
    };
    let (referrers, image) = tokio::try_join!(search.referrers(), search.image())?;
    let mut found = Artifacts::default();
    let is_notary = |hint: &str| hint == NOTARY_SIGNATURE;
    let candidates = candidates(referrers, is_notary, &mut found);
    too_many(candidates.len(), digest)?;
    let parts = stream::iter(candidates)
        .map(|candidate| search.notary(candidate))
        .buffered(PARALLEL)
        .try_collect::<Vec<_>>()
        .await?;
    for part in parts {
        merge(&mut found, part);
    }
    found.shape = Some(ManifestShape {
        size: image.bytes.len() as u64,
        media_type: image.media_type,
    });
    Ok(found)
}

fn too_many(pieces: usize, digest: &Digest) -> Result<(), FetchError> {
    if pieces > MAX_EVIDENCE {
        return Err(FetchError::TooLarge(format!(
            "{pieces} pieces of evidence about {digest}; at most {MAX_EVIDENCE} are accepted"
        )));
    }
    Ok(())
}

async fn find(
    origin: Origin<'_>,
    digest: &Digest,
    budget: &Budget,
) -> Result<Artifacts, FetchError> {
    budget.spend(BASE, digest)?;
    let search = Search {
        origin,
        digest,
        budget,
    };
    let (referrers, signatures, attestations) = tokio::try_join!(
        search.referrers(),
        search.tagged(".sig"),
        search.tagged(".att"),
    )?;
    let mut found = Artifacts::default();
    let is_sigstore = |hint: &str| {
        hint.starts_with(BUNDLE_PREFIX) || hint.starts_with("application/vnd.dev.cosign.")
    };
    let candidates = candidates(referrers, is_sigstore, &mut found);
    let layers: Vec<Descriptor> = signatures
        .iter()
        .chain(&attestations)
        .flat_map(Manifest::layers)
        .cloned()
        .collect();
    too_many(candidates.len() + layers.len(), digest)?;
    let from_referrers = stream::iter(candidates)
        .map(|candidate| search.referrer(candidate))
        .buffered(PARALLEL)
        .try_collect::<Vec<_>>();
    let from_tags = stream::iter(layers)
        .map(|layer| search.legacy_layer(layer))
        .buffered(PARALLEL)
        .try_collect::<Vec<_>>();
    let (from_referrers, from_tags) = tokio::try_join!(from_referrers, from_tags)?;
    for part in from_referrers.into_iter().chain(from_tags) {
        merge(&mut found, part);
    }
    Ok(found)
}

/// The referrers to look at; those of a type that is known to hold no signature are noted only.
///
/// The type in a list is a hint: registries have been seen to put the configuration's media type there.
fn candidates(
    referrers: Vec<Descriptor>,
    is_wanted: impl Fn(&str) -> bool,
    found: &mut Artifacts,
) -> Vec<Descriptor> {
    let mut candidates: Vec<Descriptor> = Vec::new();
    for descriptor in referrers {
        let hint = descriptor.artifact_type.as_deref().unwrap_or_default();
        let hint = essence(hint);
        let may_hold_evidence =
            hint.is_empty() || [OCI_EMPTY, OCI_CONFIG].contains(&hint) || is_wanted(hint);
        let is_known = candidates
            .iter()
            .any(|known| known.written_digest == descriptor.written_digest);
        if !may_hold_evidence {
            let reason = format!("its artifact type {} is no signature format", quoted(hint));
            skip(found, &descriptor.written_digest, reason);
        } else if !is_known {
            candidates.push(descriptor);
        }
    }
    candidates
}

struct Search<'a> {
    origin: Origin<'a>,
    digest: &'a Digest,
    budget: &'a Budget,
}

impl Search<'_> {
    /// What is kept while pieces are fetched is counted as soon as it is there: whoever has a registry says how long that is.
    async fn referrers(&self) -> Result<Vec<Descriptor>, FetchError> {
        let listed = self.origin.referrers(self.digest).await?;
        let bytes: usize = listed.iter().map(Descriptor::weight).sum();
        self.keep(bytes)?;
        Ok(listed)
    }

    async fn tagged(&self, suffix: &str) -> Result<Vec<Manifest>, FetchError> {
        let manifests = self.origin.tagged(self.digest, suffix).await?;
        self.keep(manifests.iter().map(|one| one.bytes.len()).sum())?;
        Ok(manifests)
    }

    /// The manifest of the image itself.
    async fn image(&self) -> Result<Manifest, FetchError> {
        let image = self.origin.image(self.digest).await?;
        self.keep(image.bytes.len())?;
        Ok(image)
    }

    /// Counts a manifest or a list of so many bytes.
    fn keep(&self, bytes: usize) -> Result<(), FetchError> {
        self.budget.spend(bytes as u64 * MEMORY, self.digest)
    }

    async fn referrer(&self, descriptor: Descriptor) -> Result<Artifacts, FetchError> {
        let mut found = Artifacts::default();
        let Some(manifest) = self.manifest(&descriptor, &mut found).await? else {
            return Ok(found);
        };
        for layer in manifest.layers() {
            let part = if layer.media_type.starts_with(BUNDLE_PREFIX) {
                self.bundle(&manifest.digest, layer).await?
            } else {
                self.legacy_layer(layer.clone()).await?
            };
            merge(&mut found, part);
        }
        Ok(found)
    }

    /// A signature of the Notary Project, which is one layer.
    async fn notary(&self, descriptor: Descriptor) -> Result<Artifacts, FetchError> {
        let mut found = Artifacts::default();
        let Some(manifest) = self.manifest(&descriptor, &mut found).await? else {
            return Ok(found);
        };
        let written = manifest.digest.as_str();
        let kind = manifest
            .artifact_type
            .as_ref()
            .or(manifest.config_type.as_ref());
        let is_notary = kind.is_some_and(|kind| essence(kind) == NOTARY_SIGNATURE);
        match manifest.layers() {
            [layer] if is_notary => {
                if let Some((_, bytes)) = self.layer(layer, &mut found).await? {
                    found.notary.push(NotaryArtifact {
                        manifest: manifest.digest.clone(),
                        media_type: layer.media_type.clone(),
                        bytes,
                    });
                }
            }
            _ if is_notary => {
                let reason = "it has not exactly one signature envelope".to_owned();
                skip(&mut found, written, reason);
            }
            _ => {
                let reason = "it is no signature of the Notary Project".to_owned();
                skip(&mut found, written, reason);
            }
        }
        Ok(found)
    }

    /// The manifest of a referrer, or nothing and a note why.
    async fn manifest(
        &self,
        descriptor: &Descriptor,
        found: &mut Artifacts,
    ) -> Result<Option<Manifest>, FetchError> {
        let written = descriptor.written_digest.as_str();
        let Ok(manifest_digest) = descriptor.digest() else {
            skip(found, written, "its digest is no SHA-256".to_owned());
            return Ok(None);
        };
        if descriptor.size > MAX_REFERRER_MANIFEST {
            found.has_unread = true;
            let reason = format!("its manifest has {} bytes", descriptor.size);
            skip(found, written, reason);
            return Ok(None);
        }
        let manifest = match self.origin.manifest(&manifest_digest).await {
            Ok(manifest) => manifest,
            Err(FetchError::NotFound(_)) => {
                skip(found, written, "it is listed, and not there".to_owned());
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.keep(manifest.bytes.len())?;
        if !manifest.is_about(self.digest) {
            skip(found, written, "it is about something else".to_owned());
            return Ok(None);
        }
        Ok(Some(manifest))
    }

    async fn bundle(&self, manifest: &Digest, layer: &Descriptor) -> Result<Artifacts, FetchError> {
        let mut found = Artifacts::default();
        if let Some((_, bytes)) = self.layer(layer, &mut found).await? {
            found.bundles.push(BundleArtifact {
                manifest: manifest.clone(),
                bytes,
            });
        }
        Ok(found)
    }

    async fn legacy_layer(&self, layer: Descriptor) -> Result<Artifacts, FetchError> {
        let mut found = Artifacts::default();
        let media_type = essence(&layer.media_type);
        if ![SIMPLE_SIGNING, DSSE_ENVELOPE].contains(&media_type) {
            let reason = format!(
                "its media type {} is no signature format",
                quoted(&layer.media_type)
            );
            skip(&mut found, &layer.written_digest, reason);
            return Ok(found);
        }
        if let Some((digest, bytes)) = self.layer(&layer, &mut found).await? {
            let artifact = LegacyArtifact {
                layer: digest,
                bytes,
                annotations: layer.annotations.clone().unwrap_or_default(),
            };
            if media_type == SIMPLE_SIGNING {
                found.signatures.push(artifact);
            } else {
                found.attestations.push(artifact);
            }
        }
        Ok(found)
    }

    /// The bytes of a layer, or nothing and a note why.
    async fn layer(
        &self,
        layer: &Descriptor,
        found: &mut Artifacts,
    ) -> Result<Option<(Digest, Bytes)>, FetchError> {
        let written = layer.written_digest.as_str();
        let Ok(digest) = layer.digest() else {
            skip(found, written, "its digest is no SHA-256".to_owned());
            return Ok(None);
        };
        if layer.size == 0 || layer.size > MAX_BLOB {
            found.has_unread |=
                layer.size > MAX_BLOB && essence(&layer.media_type) != SIMPLE_SIGNING;
            let reason = format!("it has {} bytes; 1 to {MAX_BLOB} are accepted", layer.size);
            skip(found, written, reason);
            return Ok(None);
        }
        self.budget.spend(layer.size, self.digest)?;
        match self.origin.blob(&digest, layer.size).await {
            Ok(bytes) => Ok(Some((digest, bytes))),
            Err(FetchError::NotFound(_)) => {
                skip(found, written, "it is listed, and not there".to_owned());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn merge(into: &mut Artifacts, part: Artifacts) {
    into.bundles.extend(part.bundles);
    into.signatures.extend(part.signatures);
    into.attestations.extend(part.attestations);
    into.notary.extend(part.notary);
    into.has_unread |= part.has_unread;
    for (carrier, reason) in part.skipped {
        skip(into, &carrier, reason);
    }
}

fn skip(found: &mut Artifacts, carrier: &str, reason: String) {
    if found.skipped.len() < MAX_SKIPPED {
        let carrier: String = carrier.chars().take(80).collect();
        found.skipped.push((carrier, reason));
    }
}

#[cfg(test)]
mod tests;
