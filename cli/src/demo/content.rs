//! What the demonstration needs, embedded: a registry's content, the trust root that it verifies under, the policy.
//!
//! Knows nothing of what it is used for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use regent_engine::image::Digest;
use serde_json::Value;

/// The reference policy, exactly as it ships.
pub const POLICY: &str =
    include_str!("../../../policies/provenance/verify-slsa-provenance/policy.yaml");

/// The trust root that the images verify under, made by `cli/demo/make.sh`.
const TRUSTED_ROOT: &str = include_str!("../../demo/trusted_root.json");

/// Which image is what, made by `cli/demo/make.sh`.
const CASES: &str = include_str!("../../demo/cases.json");

/// The files of the registry's OCI layout.
static REGISTRY: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/demo_registry.rs"));

/// Where the content was written.
#[derive(Debug)]
pub struct Written {
    /// The OCI layout.
    pub layout: PathBuf,
    /// The trust root.
    pub trusted_root: PathBuf,
    /// The folder of policies.
    pub policies: PathBuf,
    /// A folder for reviews to send.
    pub reviews: PathBuf,
}

/// Writes the content below a folder.
pub fn write(folder: &Path) -> Result<Written> {
    let written = Written {
        layout: folder.join("registry"),
        trusted_root: folder.join("trusted_root.json"),
        policies: folder.join("policies"),
        reviews: folder.join("reviews"),
    };
    for (name, bytes) in REGISTRY {
        write_file(&written.layout.join(name), bytes)?;
    }
    write_file(&written.trusted_root, TRUSTED_ROOT.as_bytes())?;
    let policy = written.policies.join("verify-slsa-provenance.yaml");
    write_file(&policy, POLICY.as_bytes())?;
    Ok(written)
}

/// Writes a file, and the folders that it lies in.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .with_context(|| format!("writing `{}`", path.display()))
}

/// The digest of the image of a case, and of the image that the tag `moving:v1` names later.
pub fn digest_of(case: &str) -> Result<Digest> {
    let cases: Value = serde_json::from_str(CASES).context("the demonstration's cases")?;
    let found = if case == "moved" {
        cases.get("moved")
    } else {
        let mut all = cases
            .get("cases")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        all.find(|found| found.get("case").and_then(Value::as_str) == Some(case))
    };
    let digest = found
        .and_then(|found| found.get("digest"))
        .and_then(Value::as_str)
        .with_context(|| format!("the demonstration has no case `{case}`"))?;
    Digest::parse(digest).with_context(|| format!("the digest of case `{case}`"))
}
