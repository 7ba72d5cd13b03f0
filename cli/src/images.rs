//! From flags to where images come from and what is trusted: the same for every command.
//!
//! Knows flags and files; what is found there is the server's business.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use regent_engine::builders::Builders;
use regent_server::cache::CacheSettings;
use regent_server::image::layout::Layouts;
use regent_server::image::registry::RegistrySettings;
use regent_server::image::registry::endpoint::Loopback;
use regent_server::image::trust::{PUBLIC_SIGSTORE, TrustRoot, TrustRoots};
use regent_server::image::{ImageSettings, Images, Network};
use regent_server::metrics::Metrics;

use crate::args::image::ImageArgs;

/// The trust roots of some files, the first as default; the public Sigstore's, embedded, where no file is named.
pub fn trust_roots(files: &[PathBuf]) -> Result<TrustRoots> {
    parsed(&trust_root_texts(files)?)
}

/// The same as texts, each with what it is called.
pub fn trust_root_texts(files: &[PathBuf]) -> Result<Vec<(String, String)>> {
    if files.is_empty() {
        let name = "the embedded trust root".to_owned();
        return Ok(vec![(name, PUBLIC_SIGSTORE.to_owned())]);
    }
    let read = |path: &PathBuf| {
        let name = format!("the trust root `{}`", path.display());
        let text = fs::read_to_string(path).with_context(|| name.clone())?;
        Ok((name, text))
    };
    files.iter().map(read).collect()
}

/// Trust roots of texts, the first as default.
pub fn parsed(texts: &[(String, String)]) -> Result<TrustRoots> {
    let parse =
        |(name, text): &(String, String)| TrustRoot::parse(text).with_context(|| name.clone());
    let mut roots = texts.iter().map(parse);
    let default = roots.next().context("no trust root is named")??;
    roots.try_fold(TrustRoots::new(default), |all, root| Ok(all.with(root?)))
}

/// Builders beside those that are known anyway, by flags.
pub fn builders(args: &ImageArgs) -> Builders {
    let tables = args.slsa_builders.iter();
    let entries = tables.flat_map(|table| table.entries.iter().cloned());
    Builders {
        entries: entries.collect(),
    }
}

/// Whether the directories that flags name hold layouts, for commands that open them only once an image is asked for.
pub fn check_layouts(args: &ImageArgs) -> Result<()> {
    Layouts::open(&args.oci_layout).context("--oci-layout")?;
    Ok(())
}

/// Where images come from, by flags.
pub fn settings(args: &ImageArgs, loopback: Loopback) -> ImageSettings {
    let mirror =
        |mirror: &crate::args::image::Mirror| (mirror.host.clone(), mirror.address.clone());
    ImageSettings {
        layouts: args.oci_layout.clone(),
        network: Network::Registries(RegistrySettings {
            mirrors: args.registry_mirror.iter().map(mirror).collect(),
            certificates: args.registry_ca.clone(),
            insecure: args.insecure_registry.clone(),
            docker_config: args.docker_config.clone(),
            loopback,
        }),
        cache: CacheSettings::default(),
        recorder: None,
        judged_at: None,
    }
}

/// Images by flags, asked from layouts and registries.
pub fn open(args: &ImageArgs, metrics: Arc<Metrics>) -> Result<Images> {
    let roots = trust_roots(&args.trusted_root)?;
    Ok(Images::new(&settings(args, Loopback::Any), roots, metrics)?)
}
