//! OCI image layouts on disk, standing for registries.
//!
//! Directories are read once, when they are opened; blobs are read when they are asked for, and their digests checked.
//! Knows nothing of signatures beyond where cosign puts them.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use regent_engine::image::{Digest, ImageReference};
use thiserror::Error;
use tokio::io::AsyncReadExt;

use super::fetch::{FetchError, quoted};
use super::oci::{Descriptor, MAX_MANIFEST, Manifest, digest_of, evidence_tag};
use directory::Directory;

pub(crate) mod directory;

/// How deep layouts may lie below a directory that was named.
const MAX_DEPTH: usize = 8;
/// How many layouts are opened at most.
const MAX_LAYOUTS: usize = 10_000;

/// Why a directory cannot stand for a registry.
#[derive(Debug, Error)]
#[error("`{}`: {what}", path.display())]
pub struct LayoutError {
    /// The directory or file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl LayoutError {
    pub(crate) fn new(path: &Path, what: impl std::fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            what: format!("{what}"),
        }
    }
}

/// Image layouts that stand for registries.
///
/// An image is found by its digest whatever its registry and repository are called. A tag is found by the name that
/// the layout's index has for it: a full name (`ghcr.io/your-org/app:v1`), or a tag alone, which counts where the
/// layout lies at `…/ghcr.io/your-org/app` below the directory that was named, or where no other image has that tag.
#[derive(Debug, Default)]
pub struct Layouts {
    directories: Vec<Directory>,
}

impl Layouts {
    /// Opens each path: a layout, or a directory with layouts below it.
    pub fn open(paths: &[PathBuf]) -> Result<Self, LayoutError> {
        let mut directories = Vec::new();
        for path in paths {
            let before = directories.len();
            open_below(path, path, 0, &mut directories)?;
            if directories.len() == before {
                return Err(LayoutError::new(
                    path,
                    "neither an OCI layout nor a directory with OCI layouts below it",
                ));
            }
        }
        Ok(Self { directories })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    /// The digest that a tag stands for, where a layout says so.
    pub fn resolve(&self, image: &ImageReference) -> Result<Option<Digest>, FetchError> {
        let Some(tag) = &image.tag else {
            return Ok(image.digest.clone());
        };
        // As written, and as it would be pulled: another spelling of a name is the same image.
        let (registry, path) = image.containerd_repository();
        let repositories = [image.repository(), format!("{registry}/{path}")];
        let names = repositories.each_ref().map(|name| format!("{name}:{tag}"));
        let find = |matches: &dyn Fn(&Directory, &str) -> bool| {
            let mut found: Vec<&Digest> = self
                .directories
                .iter()
                .flat_map(|directory| directory.named().map(move |entry| (directory, entry)))
                .filter(|(directory, (written, _))| matches(directory, written))
                .map(|(_, (_, digest))| digest)
                .collect();
            found.sort();
            found.dedup();
            found
        };
        let tiers = [
            find(&|_, written| names.iter().any(|name| written == name)),
            find(&|directory, written| {
                written == tag
                    && repositories
                        .iter()
                        .any(|repository| directory.stands_for(repository))
            }),
            find(&|_, written| written == tag),
        ];
        match tiers
            .iter()
            .find(|tier| !tier.is_empty())
            .map(Vec::as_slice)
        {
            None => Ok(None),
            Some([only]) => Ok(Some((*only).clone())),
            Some(several) => Err(FetchError::Malformed(format!(
                "the layouts have {} images for {}; name the digest, or put a full name into `org.opencontainers.image.ref.name`",
                several.len(),
                quoted(&format!("{}:{tag}", image.repository()))
            ))),
        }
    }

    /// Whether a layout has an image of this digest, or evidence about it.
    pub async fn has(&self, digest: &Digest) -> bool {
        for directory in &self.directories {
            if directory.has_evidence(digest)
                || matches!(
                    tokio::fs::try_exists(directory.blob_path(digest)).await,
                    Ok(true)
                )
            {
                return true;
            }
        }
        false
    }

    /// Descriptors of the manifests that say that they are about `digest`.
    pub fn referrers(&self, digest: &Digest) -> Vec<Descriptor> {
        let mut found: Vec<Descriptor> = Vec::new();
        let of_all = self
            .directories
            .iter()
            .flat_map(|directory| directory.referrers(digest));
        for descriptor in of_all {
            if !found
                .iter()
                .any(|known| known.written_digest == descriptor.written_digest)
            {
                found.push(descriptor.clone());
            }
        }
        found
    }

    /// Digests of the manifests at cosign's tag for `digest` with `suffix`: `.sig` or `.att`.
    pub fn tagged(&self, digest: &Digest, suffix: &str) -> Vec<Digest> {
        let tag = evidence_tag(digest, suffix);
        let mut found: Vec<Digest> = self
            .directories
            .iter()
            .flat_map(|directory| directory.tagged(&tag))
            .cloned()
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// The manifest with this digest.
    pub async fn manifest(&self, digest: &Digest) -> Result<Manifest, FetchError> {
        Manifest::read(self.blob(digest, MAX_MANIFEST).await?, None)
    }

    /// The blob with this digest, of at most `max` bytes.
    pub async fn blob(&self, digest: &Digest, max: u64) -> Result<Bytes, FetchError> {
        for directory in &self.directories {
            match read(&directory.blob_path(digest), max).await {
                Ok(bytes) if digest_of(&bytes) == *digest => return Ok(bytes),
                Ok(bytes) => {
                    return Err(FetchError::Malformed(format!(
                        "the blob {digest} of the layout {} has the digest {}",
                        quoted(&directory.root().display().to_string()),
                        digest_of(&bytes)
                    )));
                }
                Err(FetchError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(FetchError::NotFound(format!("no layout has {digest}")))
    }
}

fn open_below(
    path: &Path,
    named: &Path,
    depth: usize,
    into: &mut Vec<Directory>,
) -> Result<(), LayoutError> {
    if path.join("index.json").is_file() {
        if into.len() >= MAX_LAYOUTS {
            return Err(LayoutError::new(
                named,
                format!("more than {MAX_LAYOUTS} layouts"),
            ));
        }
        into.push(Directory::open(path, named)?);
        return Ok(());
    }
    if depth >= MAX_DEPTH {
        return Ok(());
    }
    let unreadable = |error: std::io::Error| LayoutError::new(path, error);
    let mut below = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_dir() {
            below.push(entry);
        }
    }
    below.sort();
    for directory in below {
        open_below(&directory, named, depth + 1, into)?;
    }
    Ok(())
}

async fn read(path: &Path, max: u64) -> Result<Bytes, FetchError> {
    let unreadable = |error: &std::io::Error| {
        let message = format!("{}: {error}", quoted(&path.display().to_string()));
        if error.kind() == std::io::ErrorKind::NotFound {
            FetchError::NotFound(message)
        } else {
            FetchError::Unavailable(message)
        }
    };
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    file.take(max + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > max {
        return Err(FetchError::TooLarge(format!(
            "{} has more than {max} bytes",
            quoted(&path.display().to_string())
        )));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests;
