//! Finding test files: by name, in folders and below; suites of Gatekeeper's are found with those of the usual name.
//!
//! Knows nothing of what is in them, but that a suite says that it is one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::gator;

/// Deeper than any repository of policies.
const MAX_DEPTH: usize = 64;

/// The test files at and below some paths, in order, each once; a path to a file is one whatever its name.
pub fn find(paths: &[PathBuf], file_name: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let text = path.to_string_lossy();
        if text.contains("://") {
            anyhow::bail!("`{text}` is a URL; clone the repository and name its folder");
        }
        let metadata = fs::metadata(path).with_context(|| format!("`{text}`"))?;
        if metadata.is_dir() {
            walk(path, file_name, 0, &mut seen, &mut found)
                .with_context(|| format!("reading `{text}`"))?;
        } else if seen.insert(path.canonicalize()?) {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn walk(
    directory: &Path,
    file_name: &str,
    depth: usize,
    seen: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> io::Result<()> {
    if depth > MAX_DEPTH || !seen.insert(directory.canonicalize()?) {
        return Ok(());
    }
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link is not followed: its target is found where it lies, and its test is not run twice.
        if entry.file_type()?.is_dir() {
            walk(&path, file_name, depth + 1, seen, found)?;
        } else if is_test(&path, file_name) && seen.insert(path.canonicalize()?) {
            found.push(path);
        }
    }
    Ok(())
}

/// The name of test files where nobody says another.
pub const FILE_NAME: &str = "kyverno-test.yaml";

fn is_test(path: &Path, file_name: &str) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("");
    let yaml = name
        .strip_suffix(".yaml")
        .or_else(|| name.strip_suffix(".yml"));
    let like_a_suite = yaml.is_some_and(|stem| stem.starts_with("suite"));
    name == file_name || (file_name == FILE_NAME && like_a_suite && gator::may_be_suite(path))
}
