//! Policy files as they are named on a command line: files, directories, `-`.
//!
//! Knows nothing of what is in them. What cannot be read becomes a diagnostic, and the others are still read.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regent_engine::diagnostic::{Code, Diagnostic, Fault, Label, Severity};
use regent_engine::load::{has_policy_extension, holds_policies};
use regent_engine::source::{Source, Span};

/// No policy, resource or test file comes near; a file above is a mistake, or an attempt to fill the memory.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// Deeper than any repository of policies.
const MAX_DEPTH: usize = 32;

/// What was read, in the order of the paths, directories in the order of names.
#[derive(Debug, Default)]
pub struct Sources {
    /// The texts.
    pub texts: Vec<Arc<Source>>,
    /// What could not be read, and why.
    pub unreadable: Vec<Diagnostic>,
}

/// What is looked for in directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Files that hold a policy, or cannot be read as YAML: a folder of policies holds their tests and resources too.
    Policies,
    /// All files.
    Documents,
}

/// Reads files, the YAML and JSON files of directories and below, and `stdin` where `-` is named.
///
/// Hidden entries of directories are passed over: that is where Kubernetes keeps the versions of a mounted `ConfigMap`,
/// and where tests lie beside their policies.
pub fn read(paths: &[PathBuf], wanted: Wanted, stdin: &mut dyn Read) -> Sources {
    let mut sources = Sources::default();
    for path in paths {
        if path.as_os_str() == "-" {
            sources.add("<stdin>", read_limited(stdin));
        } else if path.is_dir() {
            let mut files = Vec::new();
            let mut seen = BTreeSet::new();
            if let Err((path, error)) = list(path, 0, &mut seen, &mut files) {
                sources.add(&path.display().to_string(), Err(error));
            }
            for file in files {
                sources.add_found(&file, wanted);
            }
        } else {
            sources.add_file(path);
        }
    }
    sources
}

/// Reads one file, or says why it is not text.
pub fn read_file(path: &Path) -> Result<Arc<Source>, Box<Diagnostic>> {
    let name = path.display().to_string();
    let bytes = fs::File::open(path).and_then(|mut file| read_limited(&mut file));
    text_of(&name, bytes)
}

impl Sources {
    fn add_found(&mut self, path: &Path, wanted: Wanted) {
        match read_file(path) {
            Ok(text) if wanted == Wanted::Policies && !holds_policies(&text) => {}
            Ok(text) => self.texts.push(text),
            Err(diagnostic) => self.unreadable.push(*diagnostic),
        }
    }

    fn add_file(&mut self, path: &Path) {
        match read_file(path) {
            Ok(text) => self.texts.push(text),
            Err(diagnostic) => self.unreadable.push(*diagnostic),
        }
    }

    fn add(&mut self, name: &str, bytes: io::Result<Vec<u8>>) {
        match text_of(name, bytes) {
            Ok(text) => self.texts.push(text),
            Err(diagnostic) => self.unreadable.push(*diagnostic),
        }
    }
}

fn read_limited(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {} MiB", MAX_FILE_BYTES >> 20),
        ));
    }
    Ok(bytes)
}

fn text_of(name: &str, bytes: io::Result<Vec<u8>>) -> Result<Arc<Source>, Box<Diagnostic>> {
    let unreadable = |message: String, source: Arc<Source>, labels: Vec<Label>| {
        Box::new(Diagnostic {
            code: Code::UnreadableFile,
            severity: Severity::Error,
            fault: Fault::default(),
            message,
            source,
            labels,
            help: None,
        })
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("`{name}` cannot be read: {error}");
            return Err(unreadable(message, Source::new(name, ""), Vec::new()));
        }
    };
    String::from_utf8(bytes)
        .map(|text| Source::new(name, text))
        .map_err(|error| {
            let start = error.utf8_error().valid_up_to();
            // Up to here the lossy text is the file's own, so the offset holds in it; what stands there is U+FFFD.
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let label = Label {
                span: Span::new(start, start + '\u{fffd}'.len_utf8()),
                text: "not UTF-8".to_owned(),
            };
            let mut diagnostic = unreadable(
                format!("`{name}` is not text in UTF-8"),
                Source::new(name, text),
                vec![label],
            );
            diagnostic.help = Some("save the file in UTF-8".to_owned());
            diagnostic
        })
}

/// Lists the files of a directory and below whose names end as YAML's and JSON's do.
fn list(
    directory: &Path,
    depth: usize,
    seen: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), (PathBuf, io::Error)> {
    let here = |error| (directory.to_owned(), error);
    let canonical = directory.canonicalize().map_err(here)?;
    // A directory that is reached again through a link has been read.
    if depth > MAX_DEPTH || !seen.insert(canonical) {
        return Ok(());
    }
    let mut entries = fs::read_dir(directory)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(here)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if hidden {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            list(&path, depth + 1, seen, files)?;
        } else if has_policy_extension(&path) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
