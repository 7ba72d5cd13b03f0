//! YAML documents as plain JSON: resources, values, expected results.
//!
//! Knows nothing of what they mean.

use std::path::Path;
use std::sync::Arc;

use regent_engine::diagnostic::Diagnostic;
use regent_engine::source::Source;
use regent_engine::yaml::{self, Node};

use super::decode::Problems;
use crate::sources;

/// One file's documents, with their places.
#[derive(Debug)]
pub struct Documents {
    /// The text.
    pub source: Arc<Source>,
    /// Its documents, empty ones left out.
    pub nodes: Vec<Node>,
}

/// Reads the documents of a file; one that is not YAML makes the whole file an error.
pub fn read(path: &Path) -> Result<Documents, Vec<Diagnostic>> {
    let source = sources::read_file(path).map_err(|diagnostic| vec![*diagnostic])?;
    let (nodes, diagnostics) = yaml::parse(&source);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    Ok(Documents { source, nodes })
}

/// Reads a file with one document; what is wrong with it is said in `found`.
pub fn decoded<T>(
    path: &Path,
    found: &mut Vec<Diagnostic>,
    decode: impl Fn(&Node, &mut Problems) -> T,
) -> Option<T> {
    let documents = match read(path) {
        Ok(documents) => documents,
        Err(diagnostics) => {
            found.extend(diagnostics);
            return None;
        }
    };
    let mut problems = Problems::new(&documents.source);
    let value = documents
        .nodes
        .first()
        .map(|node| decode(node, &mut problems));
    found.append(&mut problems.found);
    value
}
