//! Labels of namespaces, read from a file of their manifests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regent_engine::source::Source;
use regent_engine::yaml::{self, Entry, Node, Value};
use thiserror::Error;

/// The labels of each namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces(BTreeMap<String, BTreeMap<String, String>>);

/// Why a file gives no namespaces.
#[derive(Debug, Error)]
pub enum NamespacesError {
    /// The system says no.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Not YAML or JSON, or something that is no namespace.
    #[error("{place}: {message}")]
    Malformed {
        /// File, line and column.
        place: String,
        /// What is wrong there.
        message: String,
    },
}

impl Namespaces {
    /// Reads a file of `Namespace` manifests, in YAML or JSON, alone or as a `List`.
    pub fn read(path: &Path) -> Result<Self, NamespacesError> {
        let text = std::fs::read_to_string(path).map_err(|error| NamespacesError::Io {
            path: path.to_owned(),
            error,
        })?;
        Self::parse(path.display().to_string(), text)
    }

    /// Reads manifests.
    pub fn parse(name: String, text: String) -> Result<Self, NamespacesError> {
        let source = Source::new(name, text);
        let malformed = |offset: usize, message: String| {
            let (line, column) = source.position(offset);
            NamespacesError::Malformed {
                place: format!("{}:{line}:{column}", source.name),
                message,
            }
        };
        let (documents, diagnostics) = yaml::parse(&source);
        if let Some(error) = diagnostics.iter().find(|found| found.is_error()) {
            let offset = error.labels.first().map_or(0, |label| label.span.start);
            return Err(malformed(offset, error.message.clone()));
        }
        let mut namespaces = Self::default();
        for document in &documents {
            for manifest in manifests(document) {
                namespaces
                    .add(manifest)
                    .map_err(|message| malformed(manifest.span.start, message.to_owned()))?;
            }
        }
        Ok(namespaces)
    }

    fn add(&mut self, manifest: &Node) -> Result<(), &'static str> {
        if manifest.get("kind").and_then(Node::as_str) != Some("Namespace") {
            return Err("not a manifest of kind `Namespace`");
        }
        let metadata = manifest.get("metadata").ok_or("`metadata` is missing")?;
        let name = metadata
            .get("name")
            .and_then(Node::as_str)
            .ok_or("`metadata.name` is missing")?;
        let labels = metadata
            .get("labels")
            .map_or_else(|| Ok(BTreeMap::new()), labels_of)?;
        self.0.insert(name.to_owned(), labels);
        Ok(())
    }

    /// The labels of a namespace, if it is known.
    pub fn labels(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.0.get(namespace)
    }
}

fn labels_of(written: &Node) -> Result<BTreeMap<String, String>, &'static str> {
    let entries = match &written.value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Map(entries) => entries,
        _ => return Err("`metadata.labels` is not a map"),
    };
    let label = |entry: &Entry| {
        let value = entry
            .value
            .as_str()
            .ok_or("a label's value is not a text")?;
        Ok((entry.key.clone(), value.to_owned()))
    };
    entries.iter().map(label).collect()
}

/// A document, or what it lists.
fn manifests(document: &Node) -> Vec<&Node> {
    match document.get("items").map(|items| &items.value) {
        Some(Value::List(items)) => items.iter().collect(),
        _ => vec![document],
    }
}
