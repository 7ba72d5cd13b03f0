//! Reading the repository's own files.

use std::fs;
use std::path::{Path, PathBuf};

use regent_tests::workspace;

/// A Rust file of the repository.
pub(super) struct RustFile {
    /// Its path from the root of the workspace, with `/`.
    pub(super) path: String,
    /// Its text without comments; lines keep their numbers.
    pub(super) code: String,
    /// Its text as written.
    pub(super) text: String,
}

impl RustFile {
    /// Whether it holds tests only: `foo/tests.rs`, what lies below `foo/tests/`, and the package of tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
    }

    /// The top-level module of its package that it belongs to: `rego` for `engine/src/rego/writer.rs`.
    pub(super) fn module(&self) -> &str {
        let inside = self
            .path
            .split_once("/src/")
            .map_or("", |(_, inside)| inside);
        let first = inside.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

/// All Rust files below `folder`.
pub(super) fn rust_files(folder: &str) -> Vec<RustFile> {
    let mut files: Vec<RustFile> = files_below(&workspace().join(folder))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            RustFile {
                path: relative(&path),
                code: without_comments(&text),
                text,
            }
        })
        .collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!files.is_empty(), "no Rust files below {folder}");
    files
}

/// All files below `folder`, except what is built or Git's own.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_file() {
                files.push(entry.path());
            } else if kind.is_dir()
                && !["target", ".git"]
                    .iter()
                    .any(|name| entry.file_name() == *name)
            {
                folders.push(entry.path());
            }
        }
    }
    files
}

/// A path from the root of the workspace.
pub(super) fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(workspace()).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}

/// The text with line comments blanked; good enough where no string holds `//` before code that matters.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let trimmed = line.trim_start();
        if !trimmed.starts_with("//") {
            code.push_str(line);
        }
        code.push('\n');
    }
    code
}
