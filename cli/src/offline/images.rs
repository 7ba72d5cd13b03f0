//! Images of a test: from the layouts that it names, verified by the same code as everywhere, opened when first needed.
//!
//! Knows nothing of policies.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use regent_engine::builders::Builders;
use regent_engine::evaluation::need::{FactError, ImageNeed};
use regent_engine::image::VerifiedImage;
use regent_engine::jmespath::Environment;
use regent_server::clock;
use regent_server::image::facts::{Facts, Recorder};
use regent_server::image::module::RemoteModules;
use regent_server::image::registry::endpoint::Loopback;
use regent_server::image::trust::TrustRoots;
use regent_server::image::{ImageSettings, Images, Network};
use regent_server::metrics::Metrics;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::args::facts::FactsArgs;
use crate::args::image::ImageArgs;
use crate::images;

/// `images`, an extension of ours: rules that verify images are tested offline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSection {
    /// Directories of OCI image layouts that stand for registries.
    pub oci_layouts: Vec<String>,
    /// Trust roots; the public Sigstore's where none is named.
    pub trusted_roots: Vec<String>,
    /// What registries said when it was recorded, which stands for them.
    pub facts: Option<String>,
}

/// What stands for registries.
#[derive(Debug, Clone)]
pub enum Registries {
    /// Nothing: what no layout has does not exist. Where a test names recorded facts, those.
    Offline,
    /// They themselves.
    Asked,
    /// They themselves, and what they say is written down.
    Recorded(Arc<Recorder>),
    /// What they said when it was recorded.
    Replayed(Arc<Facts>),
}

impl Registries {
    /// By flags.
    pub fn of(asked: bool, args: &FactsArgs) -> anyhow::Result<Self> {
        if args.record.is_some() {
            // What is judged at a given time is replayed at that time, or it would be judged otherwise.
            let now = args.now.unwrap_or_else(|| clock::environment().seconds);
            return Ok(Self::Recorded(Arc::new(Recorder::new(now))));
        }
        Ok(match &args.facts {
            Some(path) => Self::Replayed(Arc::new(read(path)?)),
            None if asked => Self::Asked,
            None => Self::Offline,
        })
    }

    /// Writes what was recorded to where the flags say.
    pub fn keep(&self, args: &FactsArgs) -> anyhow::Result<()> {
        let (Self::Recorded(recorder), Some(path)) = (self, &args.record) else {
            return Ok(());
        };
        let text = recorder.facts().to_text()?;
        fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
    }
}

fn read(path: &Path) -> anyhow::Result<Facts> {
    let read = || -> anyhow::Result<Facts> { Ok(Facts::parse(&fs::read_to_string(path)?)?) };
    read().with_context(|| format!("the recorded facts `{}`", path.display()))
}

/// Time for the evidence of one image; no API server waits here.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the images of a test come from.
#[derive(Debug)]
pub struct OfflineImages {
    settings: ImageSettings,
    trusted_roots: Vec<PathBuf>,
    now: Option<i64>,
    builders: Builders,
    opened: OnceLock<Result<Opened, String>>,
}

#[derive(Debug)]
struct Opened {
    images: Images,
    runtime: Runtime,
}

impl OfflineImages {
    /// Images by what a test says and, behind that, by flags.
    pub fn new(
        folder: &Path,
        section: &ImageSection,
        args: &ImageArgs,
        registries: &Registries,
    ) -> anyhow::Result<Self> {
        let mut settings = images::settings(args, Loopback::Any);
        let own = section.oci_layouts.iter().map(|path| folder.join(path));
        settings.layouts = own.chain(settings.layouts).collect();
        match (registries, &section.facts) {
            (Registries::Asked, _) => {}
            (Registries::Recorded(recorder), _) => settings.recorder = Some(Arc::clone(recorder)),
            (Registries::Replayed(facts), None) => {
                settings.network = Network::Recorded(Arc::clone(facts));
            }
            // What a test names is what it was written for.
            (Registries::Offline | Registries::Replayed(_), Some(path)) => {
                settings.network = Network::Recorded(Arc::new(read(&folder.join(path))?));
            }
            (Registries::Offline, None) => settings.network = Network::Offline,
        }
        let own = section.trusted_roots.iter().map(|path| folder.join(path));
        let mut trusted_roots: Vec<PathBuf> = own.collect();
        if trusted_roots.is_empty() {
            trusted_roots.clone_from(&args.trusted_root);
        }
        Ok(Self {
            settings,
            trusted_roots,
            now: None,
            builders: images::builders(args),
            opened: OnceLock::new(),
        })
    }

    /// The same at a time that the flags fix.
    #[must_use]
    pub fn at(self, now: Option<i64>) -> Self {
        Self { now, ..self }
    }

    /// What is to be said of a recording beside layouts: only what registries say is recorded.
    pub fn unrecorded(&self) -> Option<&'static str> {
        let beside = self.settings.recorder.is_some() && !self.settings.layouts.is_empty();
        beside.then_some("what OCI layouts have is not recorded, so a replay needs them too")
    }

    /// Where modules come from that are in registries: from where images do, and verified under the same trust roots.
    pub fn modules(&self) -> Arc<RemoteModules> {
        let settings = self.judged();
        let (named, of_trust) = (self.trusted_roots.clone(), settings.clone());
        let known = OnceLock::new();
        RemoteModules::new(settings, move || {
            let read = || trust_roots(&of_trust, &named).map(Arc::new);
            let known: &Result<Arc<TrustRoots>, String> =
                known.get_or_init(|| read().map_err(|error| format!("{error:#}")));
            known.clone()
        })
    }

    /// Where images come from, with the time at which evidence is judged.
    fn judged(&self) -> ImageSettings {
        ImageSettings {
            // Before 1970 nothing was valid.
            judged_at: self.fixed_time().map(|at| u64::try_from(at).unwrap_or(0)),
            ..self.settings.clone()
        }
    }

    /// The time that expressions see: that of the recording, where facts are replayed and nobody said another.
    pub fn environment(&self) -> Environment {
        match self.fixed_time() {
            Some(seconds) => Environment::at(seconds),
            None => clock::environment(),
        }
    }

    /// The time that somebody said, or that of the recording.
    fn fixed_time(&self) -> Option<i64> {
        let recorded = self.facts().map(Facts::recorded_at);
        self.now.or(recorded)
    }

    fn facts(&self) -> Option<&Facts> {
        facts(&self.settings)
    }

    /// Builders beside those that are known anyway.
    pub fn builders(&self) -> &Builders {
        &self.builders
    }

    /// URLs of the logs that are trusted, where somebody said whom to trust.
    pub fn log_urls(&self) -> Option<Vec<String>> {
        let recorded = self
            .facts()
            .is_some_and(|facts| facts.trust_roots().next().is_some());
        if self.trusted_roots.is_empty() && !recorded {
            return None;
        }
        let opened = self.opened().ok()?;
        Some(opened.images.trust_roots().urls())
    }

    /// The verified evidence of an image.
    pub fn evidence(&self, need: &ImageNeed) -> Result<VerifiedImage, FactError> {
        let opened = self
            .opened()
            .map_err(|message| FactError::Unavailable(message.to_owned()))?;
        opened.runtime.block_on(async {
            let deadline = Instant::now() + TIMEOUT;
            opened.images.evidence(need, deadline).await
        })
    }

    /// What is known of an image, where there are layouts, or registries may be asked.
    pub fn data(&self, reference: &str) -> Option<Result<Value, FactError>> {
        let nothing = matches!(self.settings.network, Network::Offline);
        if nothing && self.settings.layouts.is_empty() {
            return None;
        }
        Some(match self.opened() {
            Err(message) => Err(FactError::Unavailable(message.to_owned())),
            Ok(opened) => opened.runtime.block_on(async {
                let deadline = Instant::now() + TIMEOUT;
                opened.images.data(reference, &[], deadline).await
            }),
        })
    }

    fn opened(&self) -> Result<&Opened, &str> {
        let opened = self
            .opened
            .get_or_init(|| self.open().map_err(|error| format!("{error:#}")));
        opened.as_ref().map_err(String::as_str)
    }

    fn open(&self) -> anyhow::Result<Opened> {
        let roots = trust_roots(&self.settings, &self.trusted_roots)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let settings = self.judged();
        // Connections to registries are made on the runtime that they will be used on.
        let images = {
            let _entered = runtime.enter();
            Images::new(&settings, roots, Metrics::new()?)?
        };
        Ok(Opened { images, runtime })
    }
}

fn facts(settings: &ImageSettings) -> Option<&Facts> {
    match &settings.network {
        Network::Recorded(facts) => Some(facts),
        Network::Offline | Network::Registries(_) => None,
    }
}

/// The trust roots that are named, else those that were recorded, else the public Sigstore's.
fn trust_roots(settings: &ImageSettings, named: &[PathBuf]) -> anyhow::Result<TrustRoots> {
    let recorded = facts(settings).filter(|_| named.is_empty());
    let recorded = recorded.into_iter().flat_map(Facts::trust_roots);
    let name = |text| ("a recorded trust root".to_owned(), text);
    let mut texts: Vec<_> = recorded.map(name).collect();
    if texts.is_empty() {
        texts = images::trust_root_texts(named)?;
    }
    if let Some(recorder) = &settings.recorder {
        for (_, text) in &texts {
            recorder.trust_root(text)?;
        }
    }
    images::parsed(&texts)
}
