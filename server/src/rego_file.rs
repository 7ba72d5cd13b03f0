//! Modules of Rego that policies name as files.
//!
//! Knows where a file is looked for, and nothing of Rego.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use regent_engine::rego::foreign::MAX_BYTES;

/// Where a file is that a policy names: beside the text that the policy is in.
pub fn path(source: &str, module: &str) -> PathBuf {
    let folder = Path::new(source).parent();
    folder.map_or_else(|| PathBuf::from(module), |folder| folder.join(module))
}

/// The text of a file that a policy names, or why there is none.
pub fn read(source: &str, module: &str) -> Result<String, String> {
    let path = path(source, module);
    let failed = |error: io::Error| format!("`{}` cannot be read: {error}", path.display());
    // Before it is opened: opening a pipe waits for whoever writes into it.
    if !std::fs::metadata(&path).map_err(failed)?.is_file() {
        return Err(format!("`{}` is no file", path.display()));
    }
    let file = File::open(&path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One more than is read, so that what is too much is seen.
    let most = MAX_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_not_text| "it is no text in UTF-8".to_owned())
}
