//! Modules of policies in registries: an artifact with one layer, which is the module. Where the policy says who must have
//! signed it, that is found out before anybody sees its bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use regent_engine::ast::module_verify::in_registry;
use regent_engine::evaluation::Step;
use regent_engine::evaluation::need::{Fact, FactError, Need};
use regent_engine::image::{Digest, ImageReference};
use regent_engine::jmespath::Environment;
use regent_engine::load::modules::{ModuleFile, ModuleText, Trial};
use regent_engine::program::guest::ModuleTrust;
use regent_engine::rego::foreign;
use regent_engine::wasm::bounds;
use tokio::time::Instant;

use super::fetch::FetchError;
use super::oci::{Content, Descriptor, MAX_MANIFEST, Manifest};
use super::sources::Sources;
use super::trust::TrustRoots;
use super::{ImageSettings, Images, Network};
use crate::cluster::{Cluster, ClusterSettings};
use crate::metrics::Metrics;
use crate::{clock, rego_file};
use fetching::{After, Fetching, Key, Patience};

mod fetching;

/// Time for one module: it is fetched beside requests.
const TIME: Duration = Duration::from_mins(1);

/// The most bytes of texts of Rego that are kept at once; one has 256 KiB at most, and is usually some KiB.
const MAX_TEXTS: usize = 32 << 20;

/// Of a command: there is no second time, so each registry has the whole time to begin to answer.
const ONCE: Patience = Patience {
    of_host: TIME,
    of_all: Duration::from_mins(5),
    after: After::Forgotten,
};

/// Of a server: other policies wait to come into force, and what came late is asked for again.
const AGAIN: Patience = Patience {
    of_host: Duration::from_secs(5),
    of_all: Duration::from_secs(15),
    after: After::Kept,
};

/// What a module is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// WebAssembly.
    Wasm,
    /// Rego.
    Rego,
}

impl Kind {
    /// The layer's media types: Kubewarden's and the CNCF's, conftest's, and what is pushed without saying.
    const fn layers(self) -> &'static [&'static str] {
        match self {
            Self::Wasm => &[
                "application/vnd.wasm.content.layer.v1+wasm",
                "application/wasm",
                "application/octet-stream",
            ],
            Self::Rego => &[
                "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego",
                "application/octet-stream",
                "text/plain",
            ],
        }
    }

    const fn most(self) -> u64 {
        match self {
            Self::Wasm => bounds::MODULE as u64,
            Self::Rego => foreign::MAX_BYTES as u64,
        }
    }
}

/// A module that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Where in a registry it is.
    pub reference: &'a str,
    /// What it is written in.
    pub kind: Kind,
    /// Who must have signed it.
    pub trust: Option<&'a Arc<ModuleTrust>>,
}

type TrustNow = dyn Fn() -> Result<Arc<TrustRoots>, String> + Send + Sync;

/// Where modules come from that are in registries.
pub struct RemoteModules {
    origin: Arc<Origin>,
    trust: Box<TrustNow>,
    fetching: Fetching,
    texts: Mutex<Texts>,
}

/// Who is asked for modules.
struct Origin {
    settings: ImageSettings,
    /// The cluster whose Secrets show registries who asks.
    cluster: Option<(Arc<Cluster>, ClusterSettings)>,
}

/// Texts of Rego: by place, digest, demand and trust roots, so that nothing is kept longer than it counts.
#[derive(Default)]
struct Texts {
    known: BTreeMap<[String; 4], Text>,
    bytes: usize,
}

struct Text {
    text: String,
    /// Whether policies name it that were loaded since texts were looked through.
    named: bool,
}

impl std::fmt::Debug for RemoteModules {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RemoteModules")
            .field("settings", &self.origin.settings)
            .finish_non_exhaustive()
    }
}

impl RemoteModules {
    /// Modules from where images come from; `trust` says what signatures are verified under, each time anew.
    pub fn new(
        settings: ImageSettings,
        trust: impl Fn() -> Result<Arc<TrustRoots>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let origin = Origin {
            settings,
            cluster: None,
        };
        Arc::new(Self::from(origin, ONCE, Box::new(trust)))
    }

    /// The same for a server: registries are asked with Secrets of its cluster, as for images, and what is not there soon
    /// is fetched on while policies are in force without it.
    pub(crate) fn for_server(
        settings: ImageSettings,
        cluster: Option<(Arc<Cluster>, ClusterSettings)>,
        trust: impl Fn() -> Result<Arc<TrustRoots>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let origin = Origin { settings, cluster };
        Arc::new(Self::from(origin, AGAIN, Box::new(trust)))
    }

    fn from(origin: Origin, patience: Patience, trust: Box<TrustNow>) -> Self {
        Self {
            origin: Arc::new(origin),
            trust,
            fetching: Fetching::new(patience),
            texts: Mutex::default(),
        }
    }

    /// Whether what was fetched may be kept for another time: what is recorded is asked for, and what was recorded is
    /// what there is.
    pub(crate) fn may_be_kept(&self) -> bool {
        let settings = &self.origin.settings;
        settings.recorder.is_none() && !matches!(settings.network, Network::Recorded(_))
    }

    /// Whether a module came, or was found not to be there, that was not waited for.
    pub(crate) fn has_news(&self) -> bool {
        self.fetching.has_news()
    }

    /// Policies are loaded: what could not be fetched is asked for anew the next time, and what they no longer name is
    /// forgotten.
    pub(crate) fn settle(&self) {
        self.fetching.settle();
        self.texts().forget_others();
    }

    /// What signatures are verified under: another text as soon as other trust roots are in force.
    pub fn trusted(&self) -> Result<String, String> {
        let roots = (self.trust)()?;
        Ok(ids(&roots))
    }

    /// Fetches a module, verified where that is demanded, or says why not. Waits for the network: not to be called where
    /// others wait.
    pub fn fetch(&self, asked: Asked<'_>) -> Result<Vec<u8>, String> {
        let image = ImageReference::parse(asked.reference).map_err(|error| error.to_string())?;
        let trust = match asked.trust {
            Some(trust) => Some((Arc::clone(trust), (self.trust)()?)),
            None => None,
        };
        let (demand, roots) = match &trust {
            Some((trust, roots)) => (trust.key.clone(), ids(roots)),
            None => (String::new(), String::new()),
        };
        let (host, _) = image.containerd_repository();
        let kind = format!("{:?}", asked.kind);
        let key = Key {
            host,
            of: [asked.reference.to_owned(), kind, demand, roots],
        };
        let origin = Arc::clone(&self.origin);
        let wanted = asked.kind;
        let begin = || async move { origin.find(&image, wanted, trust).await };
        self.fetching.get(&key, TIME, begin).map(Vec::from)
    }

    /// A module of Rego: a file beside the policy, or what a registry has.
    pub fn read(&self, file: &ModuleFile) -> Result<ModuleText, String> {
        let Some(reference) = in_registry(&file.module) else {
            return rego_file::read(file);
        };
        let trusted = match &file.trust {
            Some(trust) => [trust.key.clone(), self.trusted()?],
            None => [String::new(), String::new()],
        };
        let [demand, roots] = trusted;
        let digest = file.digest.clone().unwrap_or_default();
        let key = [reference.to_owned(), digest, demand, roots];
        let known = self.texts().get(&key);
        if let Some(text) = known {
            return Ok(ModuleText::Read(text));
        }
        let bytes = self.fetch(Asked {
            reference,
            kind: Kind::Rego,
            trust: file.trust.as_ref(),
        })?;
        let text = rego_file::text(bytes, file.digest.as_deref())?;
        self.texts().keep(key, text.clone());
        Ok(ModuleText::Read(text))
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Texts {
    fn get(&mut self, key: &[String; 4]) -> Option<String> {
        let known = self.known.get_mut(key)?;
        known.named = true;
        Some(known.text.clone())
    }

    /// Keeps a text; one for which there is no room is fetched again when it is needed again.
    fn keep(&mut self, key: [String; 4], text: String) {
        if self.bytes + text.len() > MAX_TEXTS {
            return;
        }
        self.bytes += text.len();
        let before = self.known.insert(key, Text { text, named: true });
        self.bytes -= before.map_or(0, |before| before.text.len());
    }

    /// Forgets what nobody named since this was called the last time.
    fn forget_others(&mut self) {
        self.known.retain(|_, text| std::mem::take(&mut text.named));
        self.bytes = self.known.values().map(|text| text.text.len()).sum();
    }
}

/// What tells trust roots from others.
fn ids(roots: &TrustRoots) -> String {
    let ids: Vec<&str> = roots.all().map(|root| root.id()).collect();
    ids.join(" ")
}

impl Origin {
    async fn find(
        &self,
        image: &ImageReference,
        kind: Kind,
        trust: Option<(Arc<ModuleTrust>, Arc<TrustRoots>)>,
    ) -> Result<Bytes, String> {
        let deadline = Instant::now() + TIME;
        let metrics = Metrics::new().map_err(|error| error.to_string())?;
        let sources = Sources::open(&self.settings, &metrics);
        let mut sources = sources.map_err(|error| error.to_string())?;
        if let Some((cluster, settings)) = &self.cluster {
            sources.with_cluster(cluster, settings);
        }
        // The policy says what the bytes must be, so a tag that moves is an error and nothing else.
        let digest = sources.resolve(image, deadline).await;
        let digest = digest.map_err(|error| error.to_string())?;
        if let Some((trust, roots)) = trust {
            let images = Images::over(sources, &self.settings, (*roots).clone(), metrics);
            let (host, path) = image.containerd_repository();
            let module = format!("{host}/{path}@{digest}");
            self.verify(&trust, &module, (&images, deadline)).await?;
            sources = images.sources;
        }
        let found = sources.layer(image, &digest, kind, deadline).await;
        found.map_err(|error| error.to_string())
    }

    /// Whether the module is signed as is demanded, by the programs that judge images.
    async fn verify(
        &self,
        trust: &ModuleTrust,
        module: &str,
        (images, deadline): (&Images, Instant),
    ) -> Result<(), String> {
        let module = ImageReference::parse(module).map_err(|error| error.to_string())?;
        let environment = match self.settings.judged_at {
            Some(at) => Environment::at(i64::try_from(at).unwrap_or(i64::MAX)),
            None => clock::environment(),
        };
        let mut trial = Trial::of(trust, &module, environment)?;
        loop {
            let needs = match trial.evaluation.step() {
                Step::Done(responses) => return trial.end(&responses),
                Step::Need(needs) => needs,
            };
            for (id, need) in needs {
                let fact = answer(images, &need, deadline).await;
                trial.evaluation.answer(id, fact);
            }
        }
    }
}

async fn answer(images: &Images, need: &Need, deadline: Instant) -> Fact {
    match need {
        Need::Image(need) => Fact::Image(images.evidence(need, deadline).await),
        Need::NamespaceLabels { .. }
        | Need::Roles
        | Need::Data(_)
        | Need::Inventory(_)
        | Need::Guest(_) => {
            let reason = "it cannot be had while policies are loaded".to_owned();
            Fact::missing(need, FactError::Unavailable(reason))
        }
    }
}

impl Sources {
    /// The bytes of the layer that is the module.
    async fn layer(
        &self,
        image: &ImageReference,
        digest: &Digest,
        kind: Kind,
        deadline: Instant,
    ) -> Result<Bytes, FetchError> {
        if self.layouts.has(digest).await {
            let layer = layer(&self.layouts.manifest(digest).await?, kind)?;
            return self.layouts.blob(&layer.0, layer.1).await;
        }
        if let Some(facts) = &self.facts {
            let (manifest, bytes) = facts.module(image, digest)?;
            let (wanted, size) = layer(&Manifest::read(manifest, None)?, kind)?;
            return checked(bytes, &wanted, size);
        }
        let registries = self.registries(image)?;
        let repository = registries.repository(image, &[], deadline);
        let ask = async {
            let manifest = repository.manifest(digest, MAX_MANIFEST).await?;
            let layer = layer(&manifest, kind)?;
            let bytes = repository.blob(&layer.0, layer.1).await?;
            Ok((manifest.bytes, bytes))
        };
        let said = ask.await;
        if let Some(recorder) = &self.recorder {
            recorder.module(image, digest, &said);
        }
        said.map(|(_, bytes)| bytes)
    }
}

/// What was recorded, if it is what the manifest says.
fn checked(bytes: Bytes, wanted: &Digest, size: u64) -> Result<Bytes, FetchError> {
    if bytes.len() as u64 == size && super::oci::digest_of(&bytes) == *wanted {
        return Ok(bytes);
    }
    Err(FetchError::Malformed(format!(
        "the content of {wanted} is not what its digest says"
    )))
}

/// The one layer that is a module.
fn layer(manifest: &Manifest, kind: Kind) -> Result<(Digest, u64), FetchError> {
    let Content::Layers(layers) = &manifest.content else {
        return Err(FetchError::Malformed(
            "it is an index, not a module".to_owned(),
        ));
    };
    let is_module = |layer: &&Descriptor| kind.layers().contains(&layer.media_type.as_str());
    let mut layers = layers.iter().filter(is_module);
    let (Some(layer), None) = (layers.next(), layers.next()) else {
        return Err(FetchError::Malformed(
            "it has not one layer that is a module".to_owned(),
        ));
    };
    if layer.size > kind.most() {
        let message = format!(
            "it is {} bytes large, and {} is the most",
            layer.size,
            kind.most()
        );
        return Err(FetchError::TooLarge(message));
    }
    Ok((layer.digest()?, layer.size))
}
