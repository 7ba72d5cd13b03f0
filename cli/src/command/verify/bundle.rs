//! `regent verify --bundle FILE --artifact FILE`: evidence on disk, by the verifier that admission uses.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use regent_engine::image::{Digest, Evidence, PublicKey};
use regent_server::image::artifact::{Artifacts, BundleArtifact};
use regent_server::image::trust::sha256;
use regent_server::image::verify::verify;

use crate::args::verify::VerifyArgs;
use crate::images;

/// A bundle has some 10 kB; provenance of a large build some 100 kB.
const MAX_BUNDLE: u64 = 16 << 20;

/// What a bundle proves about an artifact, and the artifact's name.
pub(super) fn evidence(args: &VerifyArgs, key: Option<&PublicKey>) -> Result<(String, Evidence)> {
    let Some(path) = &args.bundle else {
        bail!("--bundle is needed");
    };
    let shown = path.display().to_string();
    let reading = || format!("the bundle `{shown}`");
    let size = fs::metadata(path).with_context(reading)?.len();
    if size > MAX_BUNDLE {
        bail!(
            "{}: it has {size} bytes; at most {MAX_BUNDLE} are accepted",
            reading()
        );
    }
    let bytes = fs::read(path).with_context(reading)?;
    let artifact = args.artifact.as_deref().unwrap_or_default();
    let digest = if artifact.starts_with("sha256:") {
        Digest::parse(artifact).with_context(|| format!("--artifact `{artifact}`"))?
    } else {
        let content = fs::read(artifact).with_context(|| format!("the artifact `{artifact}`"))?;
        Digest::from_sha256(sha256(&content))
    };
    let roots = images::trust_roots(&args.images.trusted_root)?;
    let url = args.proof.rekor_url.as_deref();
    let root = roots
        .select(url)
        .context("no trust root has the URL that --rekor-url names")?;
    let root = root.with_policy(&super::trust(args)?)?;
    let artifacts = Artifacts {
        bundles: vec![BundleArtifact {
            manifest: Digest::from_sha256(sha256(&bytes)),
            bytes: bytes.into(),
        }],
        ..Artifacts::default()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let keys: Vec<PublicKey> = key.into_iter().cloned().collect();
    let evidence = verify(&artifacts, &digest, &keys, &root, now)?;
    Ok((artifact.to_owned(), evidence))
}
