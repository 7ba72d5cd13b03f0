//! Where images and modules come from: layouts first, then what was recorded, or registries.

use std::sync::Arc;

use regent_engine::image::{Digest, ImageReference};
use tokio::time::Instant;

use super::facts::{Facts, Recorder};
use super::fetch::{FetchError, quoted};
use super::layout::Layouts;
use super::registry::{Registries, Repository};
use super::{ImageSettings, ImageSettingsError, Network};
use crate::cluster::{Cluster, ClusterSettings};
use crate::metrics::Metrics;

/// All that may be asked for bytes, and what takes note of the answers.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) layouts: Layouts,
    pub(super) registries: Option<Registries>,
    pub(super) facts: Option<Arc<Facts>>,
    pub(super) recorder: Option<Arc<Recorder>>,
}

impl Sources {
    /// Opens layouts and reads credentials and certificates; asks no registry yet.
    pub(super) fn open(
        settings: &ImageSettings,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ImageSettingsError> {
        let (registries, facts) = match &settings.network {
            Network::Offline => (None, None),
            Network::Recorded(facts) => (None, Some(Arc::clone(facts))),
            Network::Registries(network) => {
                let registries = Registries::new(network, Arc::clone(metrics))?;
                (Some(registries), None)
            }
        };
        Ok(Self {
            layouts: Layouts::open(&settings.layouts)?,
            registries,
            facts,
            recorder: settings.recorder.clone(),
        })
    }

    /// Has registries asked with Secrets of a cluster.
    pub(super) fn with_cluster(&mut self, cluster: &Arc<Cluster>, settings: &ClusterSettings) {
        if let Some(registries) = &mut self.registries {
            registries.with_cluster(cluster, settings);
        }
    }

    /// The registries, or that `image` is not to be had without them.
    pub(super) fn registries(&self, image: &ImageReference) -> Result<&Registries, FetchError> {
        self.registries.as_ref().ok_or_else(|| {
            // Whether it exists is not known: nobody was asked.
            FetchError::Unavailable(format!(
                "no OCI layout has {}, and registries are not asked here",
                quoted(&image.to_string())
            ))
        })
    }

    /// The digest that a reference stands for, where no registry has to be asked.
    pub(super) fn known(&self, image: &ImageReference) -> Result<Option<Digest>, FetchError> {
        // A digest resolves to itself, whoever has it.
        if let Some(digest) = &image.digest {
            return Ok(Some(digest.clone()));
        }
        if let Some(digest) = self.layouts.resolve(image)? {
            return Ok(Some(digest));
        }
        let facts = self.facts.as_ref();
        facts.map(|facts| facts.digest(&name(image))).transpose()
    }

    /// What a registry says that the tag of a reference stands for.
    pub(super) async fn ask(
        &self,
        repository: Repository<'_>,
        image: &ImageReference,
    ) -> Result<Digest, FetchError> {
        let said = repository.resolve(tag(image)).await;
        if let Some(recorder) = &self.recorder {
            recorder.tag(&name(image), &said);
        }
        said
    }

    /// The digest that a reference stands for now.
    pub(super) async fn resolve(
        &self,
        image: &ImageReference,
        deadline: Instant,
    ) -> Result<Digest, FetchError> {
        if let Some(digest) = self.known(image)? {
            return Ok(digest);
        }
        let registries = self.registries(image)?;
        self.ask(registries.repository(image, &[], deadline), image)
            .await
    }
}

fn tag(image: &ImageReference) -> &str {
    image.tag.as_deref().unwrap_or("latest")
}

/// What a tag is remembered and recorded by.
pub(super) fn name(image: &ImageReference) -> String {
    let (host, path) = image.containerd_repository();
    format!("{host}/{path}:{}", tag(image))
}
