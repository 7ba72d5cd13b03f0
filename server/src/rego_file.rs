//! Modules of Rego that policies name as files, and how far the file of any module is read.
//!
//! Knows where a file is looked for, and nothing of Rego.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use regent_engine::ast::module_verify::in_registry;
use regent_engine::load::modules::{ModuleFile, ModuleText};
use regent_engine::rego::foreign::MAX_BYTES;
use regent_engine::wasm::runtime::digest;

/// Where a file is that a policy names: beside the text that the policy is in.
pub fn path(source: &str, module: &str) -> PathBuf {
    let folder = Path::new(source).parent();
    folder.map_or_else(|| PathBuf::from(module), |folder| folder.join(module))
}

/// The text of a file that a policy names, or why there is none; registries are not asked.
pub fn read(file: &ModuleFile) -> Result<ModuleText, String> {
    if in_registry(&file.module).is_some() {
        return Ok(ModuleText::Unread);
    }
    let bytes = bounded(&path(&file.source, &file.module), MAX_BYTES)?;
    text(bytes, file.digest.as_deref()).map(ModuleText::Read)
}

/// The bytes of a file, or one more than `most` where it has more, so that this is seen whatever its size is said to be.
pub(crate) fn bounded(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("`{}` cannot be read: {error}", path.display());
    // Before it is opened: opening a pipe waits for whoever writes into it, and a device may have no end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("`{}` is no file", path.display()));
    }
    let opened = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let more = most as u64 + 1;
    opened.take(more).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Bytes as the text of a module, if they are what their digest says.
pub(crate) fn text(bytes: Vec<u8>, wanted: Option<&str>) -> Result<String, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    if let Some(wanted) = wanted {
        let found = digest(&bytes);
        if found != wanted {
            return Err(format!(
                "its digest is {found}, and the policy wants {wanted}"
            ));
        }
    }
    String::from_utf8(bytes).map_err(|_not_text| "it is no text in UTF-8".to_owned())
}
