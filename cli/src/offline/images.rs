//! Images of a test: from the layouts that it names, verified by the same code as everywhere, opened when first needed.
//!
//! Knows nothing of policies.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use regent_engine::evaluation::need::{FactError, ImageNeed};
use regent_engine::image::VerifiedImage;
use regent_server::image::{ImageSettings, Images, Network};
use regent_server::metrics::Metrics;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::args::image::ImageArgs;
use crate::images;

/// `images`, an extension of ours: rules that verify images are tested offline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSection {
    /// Directories of OCI image layouts that stand for registries.
    pub oci_layouts: Vec<String>,
    /// Trust roots; the public Sigstore's where none is named.
    pub trusted_roots: Vec<String>,
}

/// Whether tests may ask registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registries {
    /// No: what no layout has does not exist.
    Offline,
    /// Yes.
    Asked,
}

/// Time for the evidence of one image; no API server waits here.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the images of a test come from.
#[derive(Debug)]
pub struct OfflineImages {
    settings: ImageSettings,
    trusted_roots: Vec<PathBuf>,
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
        registries: Registries,
    ) -> Self {
        let mut settings = images::settings(args);
        let own = section.oci_layouts.iter().map(|path| folder.join(path));
        settings.layouts = own.chain(settings.layouts).collect();
        if registries == Registries::Offline {
            settings.network = Network::Offline;
        }
        let own = section.trusted_roots.iter().map(|path| folder.join(path));
        let mut trusted_roots: Vec<PathBuf> = own.collect();
        if trusted_roots.is_empty() {
            trusted_roots.clone_from(&args.trusted_root);
        }
        Self {
            settings,
            trusted_roots,
            opened: OnceLock::new(),
        }
    }

    /// URLs of the logs that are trusted, where somebody said whom to trust.
    pub fn log_urls(&self) -> Option<Vec<String>> {
        if self.trusted_roots.is_empty() {
            return None;
        }
        let opened = self.opened().ok()?;
        Some(opened.images.trust_roots().log_urls())
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
                opened.images.data(reference, deadline).await
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
        let roots = images::trust_roots(&self.trusted_roots)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // Connections to registries are made on the runtime that they will be used on.
        let images = {
            let _entered = runtime.enter();
            Images::new(&self.settings, roots, Metrics::new()?)?
        };
        Ok(Opened { images, runtime })
    }
}
