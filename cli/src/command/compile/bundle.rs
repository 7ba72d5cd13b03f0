//! Policies as a bundle folder for OPA: a module for each program, the host functions as Rego, and a manifest.
//!
//! `docs/rego.md` says what the input of each module is, and where OPA may answer otherwise.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use regent_engine::policy_set::PolicySet;
use regent_engine::rego::evaluate::Program;
use regent_engine::rego::library;
use regent_engine::wildcard;
use serde_json::json;

/// What says that a folder is a bundle.
const MANIFEST: &str = ".manifest";

/// Writes the bundle of the rules whose name `wanted` matches, and says how many modules it has.
///
/// A folder that holds anything else than an earlier bundle is refused: nothing of anybody's is overwritten.
pub(super) fn write(folder: &Path, policies: &PolicySet, wanted: &str) -> Result<usize> {
    prepare(folder)?;
    let mut texts = Vec::new();
    for policy in policies.policies() {
        for rule in &policy.rules {
            let written = policy.ast.rules.get(rule.index);
            if written.is_some_and(|written| wildcard::matches(wanted, &written.name.value)) {
                texts.extend(rule.programs().into_iter().map(Program::text));
            }
        }
    }
    let exceptions = policies.exceptions().iter();
    texts.extend(exceptions.map(|exception| exception.program.text()));
    let mut packages = BTreeSet::new();
    for text in &texts {
        let package = text
            .lines()
            .find_map(|line| line.strip_prefix("package "))
            .context("a compiled rule has no package")?;
        if !packages.insert(package) {
            bail!(
                "two modules are of the package {package}: give policies and rules names of their own"
            );
        }
        put(
            folder,
            &format!("policies/{package}.rego"),
            &library::importing(text),
        )?;
    }
    put(folder, library::PATH, &library::text())?;
    let manifest =
        json!({"revision": env!("CARGO_PKG_VERSION"), "roots": ["regent"], "rego_version": 1});
    put(folder, MANIFEST, &format!("{manifest:#}\n"))?;
    Ok(texts.len())
}

/// Makes the folder, and clears it of an earlier bundle.
fn prepare(folder: &Path) -> Result<()> {
    let about = || format!("the bundle folder {}", folder.display());
    let is_new = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(about),
    };
    if !is_new && !folder.join(MANIFEST).is_file() {
        bail!(
            "{} holds something else than a bundle: name a new folder",
            folder.display()
        );
    }
    let modules = folder.join("policies");
    if !is_new && modules.is_dir() {
        fs::remove_dir_all(&modules).with_context(about)?;
    }
    fs::create_dir_all(&modules).with_context(about)
}

fn put(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}
