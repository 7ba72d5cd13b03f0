//! Policy files and directories of them, as texts in a stable order.
//!
//! Knows policies only by their `apiVersion`: in a directory, what has none of a policy is left alone.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use regent_engine::parse::kubewarden::{self, Document};
use regent_engine::source::Source;
use regent_engine::yaml::{self, Node};
use regex::Regex;
use thiserror::Error;

/// Bytes of one policy file; an object in etcd has at most 1.5 MiB.
const MAX_FILE: u64 = 8 << 20;

/// Files of one directory tree; more is a mistake in the path.
const MAX_FILES: usize = 20_000;

/// Folders within folders; more is a loop of links.
const MAX_DEPTH: usize = 16;

/// Why a path gives no policies.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system says no.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file is larger than any policy.
    #[error("{path}: larger than {MAX_FILE} bytes", path = .0.display())]
    TooLarge(PathBuf),
    /// A directory holds more than anyone would mean.
    #[error("{path}: more than {MAX_FILES} files, or folders nested deeper than {MAX_DEPTH}", path = .0.display())]
    TooMany(PathBuf),
    /// A file is not UTF-8.
    #[error("{path}: not UTF-8", path = .0.display())]
    NotText(PathBuf),
}

/// Says of a document that it is a policy, in YAML and in JSON.
static POLICY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#""?apiVersion["']?\s*:\s*["']?((policies\.)?kyverno\.io|policies\.kubewarden\.io|regent\.dev|(templates|constraints|config|syncset)\.gatekeeper\.sh)/"#).ok()
});

/// Reads all policy files of `paths`, sorted within each directory.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Arc<Source>>, FileError> {
    let mut sources = Vec::new();
    for path in paths {
        if is_directory(path)? {
            sources.extend(read_directory(path)?);
        } else {
            sources.push(read_file(path)?);
        }
    }
    Ok(sources)
}

fn read_directory(directory: &Path) -> Result<Vec<Arc<Source>>, FileError> {
    let mut sources = Vec::new();
    for file in files_below(directory)? {
        let source = read_file(&file)?;
        if is_policy(&source) {
            sources.push(source);
        } else {
            tracing::debug!(file = %file.display(), "no policy in this file");
        }
    }
    Ok(sources)
}

fn is_policy(source: &Arc<Source>) -> bool {
    // Without the expression everything counts: what is no policy is then refused by the loader.
    let policy = POLICY.as_ref();
    policy.is_none_or(|policy| policy.is_match(&source.text)) || is_of_policy_server(source)
}

/// Whether it is the file of one of Kubewarden's policy servers, whose documents do not say what they are.
fn is_of_policy_server(source: &Arc<Source>) -> bool {
    let is_one = |document: &Node| kubewarden::document(document) == Some(Document::Server);
    source.text.contains("://") && yaml::parse(source).0.iter().any(is_one)
}

fn is_directory(path: &Path) -> Result<bool, FileError> {
    match path.metadata() {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) => Err(io_error(path, error)),
    }
}

fn read_file(path: &Path) -> Result<Arc<Source>, FileError> {
    // As much as is taken, whatever length the file claims: a device has none.
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| io_error(path, error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path.display().to_string(), text)),
        Err(_) => Err(FileError::NotText(path.to_owned())),
    }
}

/// The YAML and JSON files below `directory`. Names with a leading dot are left out: a mounted `ConfigMap` has its
/// files twice, in `..data` and as links to there; and so are `kyverno-test.yaml` files, which are tests of policies.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    let mut folders = vec![(directory.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| io_error(&folder, error))?;
        for entry in entries {
            let path = entry.map_err(|error| io_error(&folder, error))?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            if name.starts_with('.') || name.starts_with("kyverno-test.") {
                continue;
            }
            let is_manifest = path.extension().is_some_and(|extension| {
                extension == "yaml" || extension == "yml" || extension == "json"
            });
            if is_directory(&path)? {
                folders.push((path, depth + 1));
            } else if is_manifest {
                files.push(path);
            }
            if files.len() > MAX_FILES || depth > MAX_DEPTH {
                return Err(FileError::TooMany(directory.to_owned()));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn io_error(path: &Path, error: std::io::Error) -> FileError {
    FileError::Io {
        path: path.to_owned(),
        error,
    }
}

/// Size and time of a file; none where there is none.
pub(super) type Stamp = Option<(u64, SystemTime)>;

/// What a file is now.
pub(super) fn stamp(path: &Path) -> Stamp {
    let metadata = path.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Names, sizes and times of files: changes when one of them does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<(PathBuf, Stamp)>);

impl Fingerprint {
    pub(super) fn of(paths: &[PathBuf], other: Option<&Path>) -> Self {
        let mut files = Vec::new();
        for path in paths.iter().map(PathBuf::as_path).chain(other) {
            match files_below(path) {
                Ok(below) => files.extend(below),
                Err(_) => files.push(path.to_owned()),
            }
        }
        Self(
            files
                .into_iter()
                .map(|path| {
                    let stamp = stamp(&path);
                    (path, stamp)
                })
                .collect(),
        )
    }
}
