//! The registry client, discovery and the cache, against registries that behave and registries that do not.
//!
//! What is asked is always the same call that the webhook makes; what answers is a registry of ours over layouts,
//! Debian's `docker-registry`, or a script.

mod data;
mod debian;
mod hostile;
mod modules;
mod outage;
mod redirects;
pub(crate) mod scripted;
mod serving;
mod sharing;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regent_engine::evaluation::need::{FactError, ImageNeed};
use regent_engine::image::{Digest, ImageReference, PolicyTrust, VerifiedImage};
use regent_server::cache::CacheSettings;
use regent_server::image::registry::RegistrySettings;
use regent_server::image::trust::{TrustRoot, TrustRoots, public_sigstore};
use regent_server::image::{ImageSettings, Images, Network};
use regent_server::metrics::Metrics;
use tokio::time::Instant;

/// The name by which images know the registry under test.
const HOST: &str = "registry.example";

/// Images from one registry at `address`, which stands for [`HOST`].
fn images_at(address: impl std::fmt::Display) -> Images {
    images_with(mirrored(address), trust_roots(None))
}

/// Settings in which `address` stands for [`HOST`].
fn mirrored(address: impl std::fmt::Display) -> RegistrySettings {
    mirrored_as(HOST, address)
}

/// Settings in which `address` stands for `host`.
pub(crate) fn mirrored_as(host: &str, address: impl std::fmt::Display) -> RegistrySettings {
    RegistrySettings {
        mirrors: vec![(host.to_owned(), format!("http://{address}"))],
        docker_config: Some(no_credentials()),
        ..RegistrySettings::default()
    }
}

/// Images that are looked at anew each time, where there was nothing.
fn images_without_absences(settings: RegistrySettings) -> Images {
    let settings = ImageSettings {
        network: Network::Registries(settings),
        cache: CacheSettings {
            max_absence: Duration::ZERO,
            ..CacheSettings::default()
        },
        ..ImageSettings::default()
    };
    Images::new(&settings, trust_roots(None), Metrics::new().unwrap()).unwrap()
}

fn images_with(settings: RegistrySettings, trust_roots: TrustRoots) -> Images {
    let settings = ImageSettings {
        network: Network::Registries(settings),
        ..ImageSettings::default()
    };
    Images::new(&settings, trust_roots, Metrics::new().unwrap()).unwrap()
}

/// The trust root of a file, or the public Sigstore's.
fn trust_roots(file: Option<&Path>) -> TrustRoots {
    let root = match file {
        Some(file) => TrustRoot::parse(&std::fs::read_to_string(file).unwrap()),
        None => public_sigstore(),
    };
    TrustRoots::new(root.unwrap())
}

/// A configuration without credentials, so that those of the machine stay out of tests.
pub(crate) fn no_credentials() -> PathBuf {
    let path = std::env::temp_dir().join("regent-tests-no-credentials.json");
    let written = path.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&written, "{}").unwrap();
    std::fs::rename(written, &path).unwrap();
    path
}

fn need(image: &str) -> ImageNeed {
    ImageNeed {
        image: ImageReference::parse(image).unwrap(),
        repository: None,
        rekor_url: None,
        pull_secrets: Vec::new(),
        keys: Vec::new(),
        trust: PolicyTrust::default(),
    }
}

/// `registry.example/acme/app@DIGEST`.
fn by_digest(digest: &Digest) -> ImageNeed {
    need(&format!("{HOST}/acme/app@{digest}"))
}

/// Asks with some seconds of time, and checks that the answer came in time.
async fn ask(images: &Images, need: &ImageNeed) -> Result<VerifiedImage, FactError> {
    ask_within(images, need, Duration::from_secs(8)).await
}

async fn ask_within(
    images: &Images,
    need: &ImageNeed,
    time: Duration,
) -> Result<VerifiedImage, FactError> {
    let started = Instant::now();
    let answer = images.evidence(need, started + time).await;
    // A loaded machine may need a moment to run what is due.
    assert!(started.elapsed() < time + Duration::from_secs(2));
    answer
}

/// The digest of the image of a conformance folder.
pub(crate) fn image_of(folder: &Path) -> Digest {
    let entries = std::fs::read_to_string(folder.join("entries.txt")).unwrap();
    let image = entries
        .lines()
        .find_map(|line| line.strip_prefix("image @"));
    Digest::parse(image.unwrap()).unwrap()
}

fn metric(metrics: &Arc<Metrics>, starts: &str) -> u64 {
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    text.lines()
        .filter(|line| line.starts_with(starts))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
