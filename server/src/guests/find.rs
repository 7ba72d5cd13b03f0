//! Where the bytes of a module are.

use std::path::{Path, PathBuf};

use regent_engine::ast::module_verify::in_registry;
use regent_engine::program::guest::Guest;
use regent_engine::wasm::bounds;

use crate::image::module::{Asked, Kind, RemoteModules};
use crate::rego_file;

/// Where a module is, so that two names of the same place are one.
pub(super) fn place(guest: &Guest) -> String {
    match reference(guest) {
        Some(reference) => format!("oci://{reference}"),
        None => file(guest).display().to_string(),
    }
}

/// Whether a module is in a registry.
pub(super) fn is_remote(guest: &Guest) -> bool {
    reference(guest).is_some()
}

fn reference(guest: &Guest) -> Option<&str> {
    in_registry(&guest.module)
}

/// A file is looked for beside the policy that names it.
fn file(guest: &Guest) -> PathBuf {
    let path = guest
        .module
        .strip_prefix("file://")
        .unwrap_or(&guest.module);
    let folder = Path::new(&guest.source).parent();
    folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
}

/// The file of a module that is in no registry.
pub(crate) fn local(guest: &Guest) -> Option<PathBuf> {
    reference(guest).is_none().then(|| file(guest))
}

/// The bytes of a module, or why they are not to be had.
pub(super) fn bytes(guest: &Guest, remote: Option<&RemoteModules>) -> Result<Vec<u8>, String> {
    if let Some(reference) = reference(guest) {
        let remote = remote.ok_or("registries are not asked here")?;
        return remote.fetch(Asked {
            reference,
            kind: Kind::Wasm,
            trust: guest.trust.as_ref(),
        });
    }
    read(&file(guest))
}

/// The bytes of a file, if they are not too many.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = rego_file::bounded(path, bounds::MODULE)?;
    if bytes.len() > bounds::MODULE {
        let size = std::fs::metadata(path).map_or(0, |about| about.len());
        let size = size.max(bytes.len() as u64);
        let most = bounds::MODULE;
        return Err(format!("it is {size} bytes large, and {most} is the most"));
    }
    Ok(bytes)
}
