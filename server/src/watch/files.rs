//! Policy files and directories of them, as texts in a stable order.
//!
//! In a directory, what holds no policy is left alone, unless it held one before.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use regent_engine::load::{has_policy_extension, holds_policies};
use regent_engine::source::Source;
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

/// Reads all policy files of `paths`, sorted within each directory; of a directory those that hold policies, and those of
/// these `names`, which held some.
pub(super) fn read(
    paths: &[PathBuf],
    names: &BTreeSet<&str>,
) -> Result<Vec<Arc<Source>>, FileError> {
    let mut sources = Vec::new();
    for path in paths {
        if !is_directory(path)? {
            sources.push(read_file(path)?);
            continue;
        }
        for file in files_below(path)? {
            let source = read_file(&file)?;
            if names.contains(&*source.name) || holds_policies(&source) {
                sources.push(source);
            } else {
                tracing::debug!(file = %file.display(), "no policy in this file");
            }
        }
    }
    Ok(sources)
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
            if is_directory(&path)? {
                folders.push((path, depth + 1));
            } else if has_policy_extension(&path) {
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
