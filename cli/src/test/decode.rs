//! Reading the fields of test files: strict about names, as Kyverno's runner is, and not about their case.

use std::sync::Arc;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::source::{Source, Span};
use regent_engine::yaml::{Entry, Node, Value};

/// The fields of one map, taken one by one; what is left over at the end is an error.
#[derive(Debug)]
pub struct Fields<'a> {
    what: &'static str,
    span: Span,
    entries: Vec<Option<&'a Entry>>,
    asked: Vec<&'static str>,
}

/// Where diagnostics go, with the text that they point into.
#[derive(Debug)]
pub struct Problems {
    source: Arc<Source>,
    /// What was found so far.
    pub found: Vec<Diagnostic>,
}

impl Problems {
    /// Nothing found yet.
    pub fn new(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            found: Vec::new(),
        }
    }

    /// Adds an error at a place.
    pub fn add(&mut self, code: Code, span: Span, message: String) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(code, &self.source, span, message);
        self.found.push(diagnostic);
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn wrong_type(&mut self, node: &Node, name: &str, wanted: &str) {
        let message = format!("`{name}` must be {wanted}, not {}", node.value.describe());
        self.add(Code::InvalidValue, node.span, message);
    }
}
