//! The host's answer to image needs: resolve, look into the cache, fetch, verify.
//!
//! Knows no policy: what comes out is who signed what about a digest.

pub mod artifact;
mod bounded_der;
mod credentials;
mod data;
pub mod discovery;
pub mod facts;
pub mod fetch;
pub mod layout;
pub mod module;
pub mod oci;
pub mod registry;
mod sources;
pub mod trust;
pub mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use moka::future::Cache;
use regent_engine::evaluation::need::{FactError, ImageNeed, PullSecret};
use regent_engine::image::evidence::Resolution;
use regent_engine::image::{Digest, Evidence, ImageReference, PolicyTrust, VerifiedImage};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::cache::{self, CacheSettings, EvidenceCache, EvidenceKey, Fetched, Resolutions};
use crate::cluster::{Cluster, ClusterSettings};
use crate::memory::Memory;
use crate::metrics::{CacheOutcome, Metrics};
use artifact::Artifacts;
use discovery::{Budget, MAX_IN_FLIGHT, Origin, Wanted, discover};
use facts::{Facts, Recorder};
use fetch::{FetchError, quoted};
use layout::LayoutError;
use registry::{Registries, RegistrySettings, SettingsError};
use sources::Sources;
use trust::{TrustRoot, TrustRoots};

/// Trust roots with parts of a policy's own; policies name few.
const MAX_BY_POLICY: u64 = 256;

/// Where images and their evidence come from.
#[derive(Debug, Clone, Default)]
pub struct ImageSettings {
    /// OCI layouts, or directories of them, which are asked before registries.
    pub layouts: Vec<PathBuf>,
    /// How registries are reached.
    pub network: Network,
    /// What is remembered.
    pub cache: CacheSettings,
    /// Who writes down what registries say.
    pub recorder: Option<Arc<Recorder>>,
    /// When evidence is judged, in seconds since 1970: for tests, whose outcome must not change with the day on which they
    /// run. Nobody's is the present.
    pub judged_at: Option<u64>,
}

/// Whether registries are asked.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// Never: layouts have everything, as in tests of policies.
    #[default]
    Offline,
    /// For what no layout has.
    Registries(RegistrySettings),
    /// Never: what they said when it was recorded stands for them.
    Recorded(Arc<Facts>),
}

/// Why images cannot be answered for as the operator says.
#[derive(Debug, Error)]
pub enum ImageSettingsError {
    /// A layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Registries.
    #[error(transparent)]
    Registries(#[from] SettingsError),
}

/// Answers image needs.
#[derive(Debug)]
pub struct Images {
    sources: Sources,
    trust_roots: Arc<ArcSwap<TrustRoots>>,
    /// Trust roots with parts of a policy's own, parsed once.
    by_policy: Cache<(String, PolicyTrust), Arc<TrustRoot>>,
    evidence: EvidenceCache,
    fetched: Fetched,
    resolutions: Resolutions,
    documents: data::Documents,
    in_flight: Memory,
    /// Permits for threads that judge evidence.
    judging: Arc<Semaphore>,
    judged_at: Option<u64>,
    metrics: Arc<Metrics>,
}

impl Images {
    /// Opens layouts and reads credentials and certificates; asks no registry yet.
    pub fn new(
        settings: &ImageSettings,
        trust_roots: TrustRoots,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ImageSettingsError> {
        let sources = Sources::open(settings, &metrics)?;
        Ok(Self::over(sources, settings, trust_roots, metrics))
    }

    /// The same over sources that are open.
    fn over(
        sources: Sources,
        settings: &ImageSettings,
        trust_roots: TrustRoots,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            sources,
            trust_roots: Arc::new(ArcSwap::from_pointee(trust_roots)),
            by_policy: Cache::new(MAX_BY_POLICY),
            evidence: EvidenceCache::new(&settings.cache),
            fetched: Fetched::new(&settings.cache),
            resolutions: Resolutions::new(&settings.cache),
            documents: data::Documents::new(),
            in_flight: Memory::of(MAX_IN_FLIGHT),
            judging: Arc::new(Semaphore::new(at_once())),
            judged_at: settings.judged_at,
            metrics,
        }
    }

    /// Has registries asked with Secrets of a cluster: those that policies name, those for all, and pods' own where that
    /// was asked for.
    pub(crate) fn with_cluster(&mut self, cluster: &Arc<Cluster>, settings: &ClusterSettings) {
        self.sources.with_cluster(cluster, settings);
    }

    /// The trust roots that evidence is verified under.
    pub fn trust_roots(&self) -> Arc<TrustRoots> {
        self.trust_roots.load_full()
    }

    /// Where they are swapped whole.
    pub(crate) fn live_trust_roots(&self) -> Arc<ArcSwap<TrustRoots>> {
        Arc::clone(&self.trust_roots)
    }

    /// What forgets all that was verified, for when another trust root is in force: nothing of it would be found any more.
    pub(crate) fn eviction(&self) -> impl Fn() + Send + Sync + 'static {
        let (evidence, by_policy) = (self.evidence.clone(), self.by_policy.clone());
        move || {
            evidence.clear();
            by_policy.invalidate_all();
        }
    }

    /// All verified evidence about an image; an error where that cannot be found out before the deadline.
    pub async fn evidence(
        &self,
        need: &ImageNeed,
        deadline: Instant,
    ) -> Result<VerifiedImage, FactError> {
        // On the heap: a dozen requests may be under way in it.
        match timeout_at(deadline, Box::pin(self.find(need, deadline))).await {
            Ok(found) => Ok(found?),
            Err(_elapsed) => Err(FactError::Timeout(format!(
                "the evidence of {} was not found in time",
                quoted(&need.image.to_string())
            ))),
        }
    }

    /// The remembered evidence of an image that is named by digest; nothing where anybody would have to be asked.
    pub fn remembered(&self, need: &ImageNeed) -> Option<VerifiedImage> {
        let digest = need.image.digest.as_ref()?;
        let look = async {
            let (key, _place) = self.key(need, digest).await.ok()?;
            self.evidence.get(&key).await
        };
        let evidence = look.now_or_never()??;
        self.metrics.image_cache(CacheOutcome::Hit);
        verify::verified_image(need.image.clone(), evidence, Resolution::Reference)
    }

    /// Forgets the evidence that answered `need`, so that the next one sees what was pushed since.
    pub async fn forget(&self, need: &ImageNeed, digest: &Digest) {
        if let Ok((key, place)) = self.key(need, digest).await {
            if let Place::Repository(repository) = &place {
                let fetched = (digest.clone(), kept_as(repository, wanted(need)));
                self.fetched.forget(&fetched).await;
            }
            self.evidence.forget(&key).await;
        }
    }

    async fn find(&self, need: &ImageNeed, deadline: Instant) -> Result<VerifiedImage, FetchError> {
        let (digest, resolution) = self
            .resolve(&need.image, &need.pull_secrets, deadline)
            .await?;
        let (key, place) = self.key(need, &digest).await?;
        let evidence = self
            .evidence
            .get_or_verify(key, deadline, &self.metrics, || {
                Box::pin(self.verify(need, &digest, &place, deadline))
            })
            .await?;
        verify::verified_image(need.image.clone(), evidence, resolution).ok_or_else(|| {
            FetchError::Malformed(format!(
                "the evidence of {} is about another digest",
                quoted(&need.image.to_string())
            ))
        })
    }

    /// The digest that a reference stands for, and how that is known.
    async fn resolve(
        &self,
        image: &ImageReference,
        pull_secrets: &[PullSecret],
        deadline: Instant,
    ) -> Result<(Digest, Resolution), FetchError> {
        if let Some(digest) = self.sources.known(image)? {
            let how = match &image.digest {
                Some(_) => Resolution::Reference,
                None => Resolution::Registry,
            };
            return Ok((digest, how));
        }
        let registries = self.sources.registries(image)?;
        let name = sources::name(image);
        let last = self.resolutions.recall(&name).await;
        let fresh = last.as_ref().filter(|last| last.is_fresh);
        if let Some(fresh) = fresh {
            return Ok((fresh.digest.clone(), Resolution::Registry));
        }
        let repository = if last.is_some() {
            // There is something to fall back on: nobody waits for another attempt, and half of the time is kept for
            // what comes after.
            let now = Instant::now();
            let until = now + deadline.saturating_duration_since(now) / 2;
            registries.repository(image, pull_secrets, until).at_once()
        } else {
            registries.repository(image, pull_secrets, deadline)
        };
        match (self.sources.ask(repository, image).await, last) {
            (Ok(digest), _) => {
                self.resolutions.remember(name, &digest).await;
                Ok((digest, Resolution::Registry))
            }
            (Err(error), Some(last)) if error.is_outage() => {
                let (digest, age) = (last.digest, last.age.as_secs());
                tracing::warn!(image = name, age, %error, "the last resolution of a tag stands in for its registry");
                Ok((digest, Resolution::Remembered { age }))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The cache key of the evidence that a need asks for, and where that lies.
    async fn key(
        &self,
        need: &ImageNeed,
        digest: &Digest,
    ) -> Result<(EvidenceKey, Place), FetchError> {
        let root = self.trust_root(need).await?;
        let place = if self.sources.layouts.has(digest).await {
            Place::Layouts
        } else {
            Place::Repository(evidence_repository(need)?)
        };
        let origin = match &place {
            Place::Layouts => "layouts".to_owned(),
            Place::Repository(repository) => origin_of(repository),
        };
        let key = EvidenceKey::new(digest.clone(), origin, root.id().to_owned(), &need.keys);
        Ok((key, place))
    }

    async fn trust_root(&self, need: &ImageNeed) -> Result<Arc<TrustRoot>, FetchError> {
        let url = need.rekor_url.as_deref();
        let roots = self.trust_roots.load();
        let root = roots.select(url).ok_or_else(|| {
            FetchError::Malformed(format!(
                "no trust root has the log {}",
                quoted(url.unwrap_or_default())
            ))
        })?;
        if need.trust.is_empty() {
            return Ok(Arc::clone(root));
        }
        let key = (root.id().to_owned(), need.trust.clone());
        if let Some(known) = self.by_policy.get(&key).await {
            return Ok(known);
        }
        let made = root.with_policy(&need.trust);
        let made = Arc::new(made.map_err(|error| FetchError::Malformed(error.to_string()))?);
        self.by_policy.insert(key, Arc::clone(&made)).await;
        Ok(made)
    }

    /// Fetches all evidence about a digest and verifies it.
    async fn verify(
        &self,
        need: &ImageNeed,
        digest: &Digest,
        place: &Place,
        deadline: Instant,
    ) -> Result<Evidence, FetchError> {
        let root = self.trust_root(need).await?;
        let (artifacts, budget) = self.with_room(need, digest, place, deadline).await?;
        let started = std::time::Instant::now();
        let (keys, judged) = (need.keys.clone(), digest.clone());
        let fetched_at = self.judged_at.unwrap_or_else(present);
        let judging = Arc::clone(&self.judging);
        let work = async move {
            let turn = judging.acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                // A thread goes on where nobody waits for it any more: what it uses is given back when it ends, so that
                // who asks again adds no thread to it.
                let _until_the_end = (budget, turn);
                verify::verify(&artifacts, &judged, &keys, &root, fetched_at)
            })
            .await
        };
        // A little before the deadline: that the evidence takes long is nobody's outage.
        let Ok(verified) = timeout_at(before(deadline, 8), work).await else {
            return Err(FetchError::Crowded(format!(
                "the evidence about {digest} could not be judged in time"
            )));
        };
        let (outcome, verified) = match verified {
            Ok(Ok(evidence)) => (outcome_of(&evidence), Ok(evidence)),
            Ok(Err(error)) => ("error", Err(FetchError::Malformed(error.to_string()))),
            Err(error) => {
                tracing::error!(%error, "verification ended abnormally");
                let message =
                    format!("the evidence about {digest} could not be judged: internal error");
                ("error", Err(FetchError::Malformed(message)))
            }
        };
        self.metrics.image_verification(outcome, started.elapsed());
        verified
    }

    /// All that there is about a digest, and the room that it takes.
    ///
    /// Where there is no room, it is fetched again once there is room for all that one digest may have.
    async fn with_room(
        &self,
        need: &ImageNeed,
        digest: &Digest,
        place: &Place,
        deadline: Instant,
    ) -> Result<(Arc<Artifacts>, Budget), FetchError> {
        let budget = self.budget(place).await;
        let found = self.shared(need, digest, place, (&budget, deadline)).await;
        if !matches!(found, Err(FetchError::Crowded(_))) {
            return found.map(|artifacts| (artifacts, budget));
        }
        drop(budget);
        let budget = self.reserved_budget(place, deadline).await?;
        let artifacts = self
            .shared(need, digest, place, (&budget, deadline))
            .await?;
        Ok((artifacts, budget))
    }

    /// Waits for all the room that one digest may have, for half of the time.
    async fn reserved_budget(
        &self,
        place: &Place,
        deadline: Instant,
    ) -> Result<Budget, FetchError> {
        let room = self.budget(place).await.reserved();
        let room = timeout_at(before(deadline, 2), room).await;
        room.map_err(|_elapsed| discovery::crowded())?
    }

    /// Room for the evidence of one digest; nothing is taken of it yet.
    async fn budget(&self, place: &Place) -> Budget {
        let budget = Budget::new(&self.in_flight);
        match (place, &self.sources.registries) {
            (Place::Repository(repository), Some(registries)) => {
                budget.within(registries.share(repository).await)
            }
            _ => budget,
        }
    }

    /// All that there is about a digest, as bytes; what a registry has said a moment ago counts.
    async fn shared(
        &self,
        need: &ImageNeed,
        digest: &Digest,
        place: &Place,
        (budget, deadline): (&Budget, Instant),
    ) -> Result<Arc<Artifacts>, FetchError> {
        let fetch = || Box::pin(self.fetch(need, digest, place, (budget, deadline)));
        let (Place::Repository(repository), Some(_)) = (place, &self.sources.registries) else {
            return Ok(Arc::new(fetch().await?));
        };
        let key = (digest.clone(), kept_as(repository, wanted(need)));
        let (artifacts, by) = self.fetched.get_or_fetch(key, deadline, fetch).await?;
        if by == cache::Origin::Shared {
            // Whoever fetched it gives back what it took from the budget when that was judged.
            budget.spend(artifacts.bytes() as u64, digest)?;
        }
        Ok(artifacts)
    }

    /// All that there is about a digest, as bytes.
    async fn fetch(
        &self,
        need: &ImageNeed,
        digest: &Digest,
        place: &Place,
        (budget, deadline): (&Budget, Instant),
    ) -> Result<Artifacts, FetchError> {
        let repository = match place {
            Place::Layouts => {
                let asked = (digest, wanted(need));
                return discover(Origin::Layouts(&self.sources.layouts), asked, budget).await;
            }
            Place::Repository(repository) => repository,
        };
        if let Some(facts) = &self.sources.facts {
            return facts.artifacts(repository, (digest, wanted(need)));
        }
        let registries = self.sources.registries(&need.image)?;
        let ask = async {
            let repository = registries.repository(repository, &need.pull_secrets, deadline);
            let asked = (digest, wanted(need));
            let found = discover(Origin::Repository(&repository), asked, budget).await?;
            if is_empty(&found) {
                self.must_exist(registries, need, digest, deadline).await?;
            }
            Ok(found)
        };
        let said = ask.await;
        if let Some(recorder) = &self.sources.recorder {
            recorder.evidence(repository, (digest, wanted(need)), &said);
        }
        said
    }

    /// Nothing was found: an image that does not exist is told apart from one without evidence.
    async fn must_exist(
        &self,
        registries: &Registries,
        need: &ImageNeed,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<(), FetchError> {
        let repository = registries.repository(&need.image, &need.pull_secrets, deadline);
        if repository.has(digest).await? {
            return Ok(());
        }
        let (host, path) = need.image.containerd_repository();
        let name = quoted(&format!("{host}/{path}@{digest}"));
        Err(FetchError::NotFound(format!("there is no image {name}")))
    }
}

/// Where evidence lies.
#[derive(Debug)]
enum Place {
    Layouts,
    Repository(ImageReference),
}

/// A repository as a name.
fn origin_of(repository: &ImageReference) -> String {
    let (host, path) = repository.containerd_repository();
    format!("{host}/{path}")
}

/// Under which name what was fetched is kept: what is looked for is part of it.
fn kept_as(repository: &ImageReference, wanted: Wanted) -> String {
    match wanted {
        Wanted::Sigstore => origin_of(repository),
        Wanted::Notary => format!("{} notary", origin_of(repository)),
    }
}

/// Which evidence a need is about.
fn wanted(need: &ImageNeed) -> Wanted {
    if need.trust.trust_store.is_some() {
        Wanted::Notary
    } else {
        Wanted::Sigstore
    }
}

/// The repository that a need names, or the image's own.
fn evidence_repository(need: &ImageNeed) -> Result<ImageReference, FetchError> {
    let Some(named) = &need.repository else {
        return Ok(need.image.clone());
    };
    ImageReference::parse(named).map_err(|error| {
        FetchError::Malformed(format!(
            "the evidence repository {}: {error}",
            quoted(named)
        ))
    })
}

/// As long before the deadline as the given part of the time that is left.
fn before(deadline: Instant, part: u32) -> Instant {
    deadline - deadline.saturating_duration_since(Instant::now()) / part
}

/// Images that are judged at once: more threads than these would only share the processors.
fn at_once() -> usize {
    2 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Now, in seconds since 1970.
fn present() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn is_empty(found: &Artifacts) -> bool {
    // With a shape the image was there.
    found.shape.is_none()
        && found.bundles.is_empty()
        && found.signatures.is_empty()
        && found.attestations.is_empty()
}

fn outcome_of(evidence: &Evidence) -> &'static str {
    let verified = !evidence.signatures.is_empty() || !evidence.statements.is_empty();
    match (verified, evidence.refused.is_empty()) {
        (true, _) => "verified",
        (false, false) => "refused",
        (false, true) => "nothing",
    }
}
