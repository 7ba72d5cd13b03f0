//! What is remembered of images: verified evidence by digest, and where tags pointed when they could last be asked.
//!
//! Never a verdict: identities and conditions are judged for each request. Never an error: an outage is not "unsigned".
//! That there was no verified evidence is remembered for some seconds, so that whoever is refused and comes again at once
//! costs registries nothing, and whoever signs meanwhile is seen soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::OptionFuture;
use moka::future::Cache;
use regent_engine::image::PublicKey;
use regent_engine::image::{Digest, Evidence};
use tokio::time::Instant;

use crate::image::artifact::Artifacts;
use crate::image::fetch::FetchError;
use crate::metrics::{CacheOutcome, Metrics};

/// Tags whose last digest is remembered; some 200 bytes each.
const MAX_TAGS: u64 = 100_000;

/// How much is remembered, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// How old evidence may become. Deleting evidence from its registry is the only way to revoke it, so that this is
    /// how long a revocation may go unnoticed. An hour by default, as Kyverno has it.
    pub max_age: Duration,
    /// How long ago a registry may have been asked for a tag, when it cannot be asked now. Longer than `max_age` gains
    /// little: the digest is known then, but its evidence is not.
    pub max_tag_age: Duration,
    /// For how long what a registry said of a tag is taken again without asking. Not at all by default: a tag that was moved
    /// is then seen at once.
    pub tag_reuse: Duration,
    /// How long it counts that there was no verified evidence about an image, though all that could be asked answered.
    pub max_absence: Duration,
    /// Bytes of evidence, roughly. Provenance takes 100 to 200 kB in memory, so that the default has room for close to a
    /// thousand images.
    pub max_bytes: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(1),
            max_tag_age: Duration::from_hours(1),
            tag_reuse: Duration::ZERO,
            max_absence: Duration::from_secs(5),
            max_bytes: 128 << 20,
        }
    }
}

/// Everything that the verification of evidence depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EvidenceKey {
    digest: Digest,
    origin: String,
    trust_root: String,
    keys: Vec<PublicKey>,
}

impl EvidenceKey {
    /// Evidence about `digest` from `origin` (a repository, or the layouts), under a trust root and the bytes of keys.
    pub fn new(digest: Digest, origin: String, trust_root: String, keys: &[PublicKey]) -> Self {
        let mut keys = keys.to_vec();
        keys.sort();
        keys.dedup();
        Self {
            digest,
            origin,
            trust_root,
            keys,
        }
    }
}

/// Why something is answered and not remembered as evidence.
#[derive(Debug, Clone)]
enum Unremembered {
    /// There is no verified evidence.
    Nothing(Arc<Evidence>),
    Failed(FetchError),
}

/// Verified evidence by digest, one flight for each key. Clones are the same cache.
#[derive(Debug, Clone)]
pub struct EvidenceCache {
    entries: Cache<EvidenceKey, Arc<Evidence>>,
    /// What was refused, or that there was nothing.
    absences: Cache<EvidenceKey, Arc<Evidence>>,
}

impl EvidenceCache {
    /// An empty cache.
    pub fn new(settings: &CacheSettings) -> Self {
        let entries = Cache::builder()
            .weigher(|_key, evidence: &Arc<Evidence>| weight(evidence))
            .max_capacity(settings.max_bytes)
            .time_to_live(settings.max_age)
            .build();
        let absences = Cache::builder()
            .weigher(|_key, evidence: &Arc<Evidence>| weight(evidence))
            .max_capacity(settings.max_bytes / 16)
            .time_to_live(settings.max_absence)
            .build();
        Self { entries, absences }
    }

    /// The evidence that is remembered, or what `verify` makes; one runs for each key, and others wait for it.
    ///
    /// A wait that ends because the first one ran out of its own time goes on with an attempt of its own.
    pub async fn get_or_verify<F>(
        &self,
        key: EvidenceKey,
        deadline: Instant,
        metrics: &Metrics,
        verify: impl Fn() -> F,
    ) -> Result<Arc<Evidence>, FetchError>
    where
        F: Future<Output = Result<Evidence, FetchError>>,
    {
        if let Some(evidence) = self.entries.get(&key).await {
            metrics.image_cache(CacheOutcome::Hit);
            return Ok(evidence);
        }
        if let Some(nothing) = self.absences.get(&key).await {
            metrics.image_cache(CacheOutcome::Absent);
            return Ok(nothing);
        }
        let mut outcome = None;
        loop {
            let led = AtomicBool::new(false);
            let flight = async {
                led.store(true, Ordering::Relaxed);
                remembered_if_any(verify().await)
            };
            let done = self.entries.try_get_with_by_ref(&key, flight).await;
            let led = led.into_inner();
            let first = if led {
                CacheOutcome::Miss
            } else {
                CacheOutcome::Wait
            };
            if outcome.replace(first).is_none() {
                metrics.image_cache(first);
            }
            match done.map_err(|error| (*error).clone()) {
                Ok(evidence) => return Ok(evidence),
                Err(Unremembered::Nothing(evidence)) => {
                    // By the one who found out only: the time counts from then.
                    let absence = led.then(|| self.absences.insert(key, Arc::clone(&evidence)));
                    OptionFuture::from(absence).await;
                    return Ok(evidence);
                }
                Err(Unremembered::Failed(FetchError::Timeout(_)))
                    if !led && Instant::now() < deadline => {}
                Err(Unremembered::Failed(error)) => return Err(error),
            }
        }
    }

    /// The evidence that is remembered.
    pub async fn get(&self, key: &EvidenceKey) -> Option<Arc<Evidence>> {
        self.entries.get(key).await
    }

    /// Forgets everything: what it was verified under is no longer in force.
    pub fn clear(&self) {
        self.entries.invalidate_all();
        self.absences.invalidate_all();
    }

    /// Forgets one entry: whoever was refused for what it lacks may have it by the next attempt.
    pub async fn forget(&self, key: &EvidenceKey) {
        self.entries.invalidate(key).await;
        self.absences.invalidate(key).await;
    }
}

fn remembered_if_any(
    verified: Result<Evidence, FetchError>,
) -> Result<Arc<Evidence>, Unremembered> {
    let evidence = Arc::new(verified.map_err(Unremembered::Failed)?);
    if evidence.signatures.is_empty() && evidence.statements.is_empty() {
        Err(Unremembered::Nothing(evidence))
    } else {
        Ok(evidence)
    }
}

fn weight(evidence: &Evidence) -> u32 {
    u32::try_from(evidence.weight()).unwrap_or(u32::MAX)
}

/// What was just fetched about a digest, for others who judge the same by other keys or another trust root.
///
/// Nothing of it is believed: each verifies it. Kept no longer than it counts that there was nothing, so that what is
/// pushed is seen as soon; an error is not kept.
#[derive(Debug)]
pub struct Fetched(Cache<(Digest, String), Arc<Artifacts>>);

/// Bytes of artifacts that are kept.
const MAX_FETCHED: u64 = 32 << 20;

impl Fetched {
    /// Nothing yet.
    pub fn new(settings: &CacheSettings) -> Self {
        let weigh = |_: &(Digest, String), artifacts: &Arc<Artifacts>| {
            u32::try_from(artifacts.bytes() + 1024).unwrap_or(u32::MAX)
        };
        let fetched = Cache::builder()
            .weigher(weigh)
            .max_capacity(MAX_FETCHED)
            .time_to_live(settings.max_absence)
            .build();
        Self(fetched)
    }

    /// What was fetched about a digest from `origin`, or what `fetch` gets; one fetches, and others wait for it.
    ///
    /// Says also whether it was fetched by this call. A wait that ends because the first one ran out of its own time goes
    /// on with an attempt of its own.
    pub async fn get_or_fetch<F>(
        &self,
        key: (Digest, String),
        deadline: Instant,
        fetch: impl Fn() -> F,
    ) -> Result<(Arc<Artifacts>, Origin), FetchError>
    where
        F: Future<Output = Result<Artifacts, FetchError>>,
    {
        loop {
            let led = AtomicBool::new(false);
            let flight = async {
                led.store(true, Ordering::Relaxed);
                fetch().await.map(Arc::new)
            };
            let done = self.0.try_get_with_by_ref(&key, flight).await;
            let led = led.into_inner();
            match done.map_err(|error| (*error).clone()) {
                Ok(artifacts) if led => return Ok((artifacts, Origin::Fetched)),
                Ok(artifacts) => return Ok((artifacts, Origin::Shared)),
                Err(FetchError::Timeout(_)) if !led && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Forgets what was fetched about a digest.
    pub async fn forget(&self, key: &(Digest, String)) {
        self.0.invalidate(key).await;
    }
}

/// By whom something was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// By whoever asked.
    Fetched,
    /// By somebody else, a moment ago.
    Shared,
}

/// Where tags pointed when their registry last said so. Asked while the registry cannot be reached, and otherwise for no
/// longer than the operator lets it be taken again.
#[derive(Debug)]
pub struct Resolutions {
    entries: Cache<String, (Digest, Instant)>,
    reuse: Duration,
}

/// What a registry said last of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The digest that it stood for.
    pub digest: Digest,
    /// How long ago.
    pub age: Duration,
    /// Whether it need not be asked again.
    pub is_fresh: bool,
}

impl Resolutions {
    /// An empty memory.
    pub fn new(settings: &CacheSettings) -> Self {
        let entries = Cache::builder()
            .max_capacity(MAX_TAGS)
            .time_to_live(settings.max_tag_age)
            .build();
        Self {
            entries,
            reuse: settings.tag_reuse,
        }
    }

    /// Remembers what a registry has just said.
    pub async fn remember(&self, name: String, digest: &Digest) {
        self.entries
            .insert(name, (digest.clone(), Instant::now()))
            .await;
    }

    /// What it said last.
    pub async fn recall(&self, name: &str) -> Option<Said> {
        let (digest, said) = self.entries.get(name).await?;
        let age = said.elapsed();
        Some(Said {
            digest,
            age,
            is_fresh: age < self.reuse,
        })
    }
}

#[cfg(test)]
mod tests;
