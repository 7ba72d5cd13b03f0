//! Embeds the demonstration's registry: `regent demo` runs from the binary alone.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// More would make the binary heavy for a demonstration.
const MAX_BYTES: u64 = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("demo/registry");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut code = String::from("[\n");
    let mut bytes = 0;
    for file in &files {
        // As texts: their debug form is a literal of Rust's.
        let name = file.strip_prefix(&root)?.to_str().ok_or("not UTF-8")?;
        bytes += fs::metadata(file)?.len();
        let file = file.to_str().ok_or("not UTF-8")?;
        writeln!(code, "    ({name:?}, include_bytes!({file:?})),")?;
    }
    code.push_str("]\n");
    if bytes > MAX_BYTES {
        return Err(format!("the demonstration's registry has {bytes} bytes").into());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?).join("demo_registry.rs");
    fs::write(out, code)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "cargo::rerun-if-changed={}", root.display())?;
    writeln!(stdout, "cargo::rerun-if-changed=build.rs")?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
