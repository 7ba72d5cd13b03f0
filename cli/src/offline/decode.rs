//! Reading the fields of test files: strict about names, as Kyverno's runner is, and not about their case.
//!
//! Knows nothing of what the fields are for.

use std::sync::Arc;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::source::{Source, Span};
use regent_engine::yaml::{Entry, Node, Value};

/// Where diagnostics go, with the text that they point into.
#[derive(Debug)]
pub struct Problems {
    source: Arc<Source>,
    /// What was found so far, warnings too.
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

    /// The text that is read.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Adds an error at a place.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::error(code, &self.source, span, message);
        self.found.push(diagnostic);
    }

    /// Adds an error with advice.
    pub fn error_with_help(&mut self, code: Code, span: Span, message: String, help: String) {
        let diagnostic = Diagnostic::error(code, &self.source, span, message).help(help);
        self.found.push(diagnostic);
    }

    fn wrong_type(&mut self, node: &Node, name: &str, wanted: &str) {
        let message = format!("`{name}` must be {wanted}, not {}", node.value.describe());
        self.error(Code::InvalidValue, node.span, message);
    }
}

/// The fields of one map, taken one by one; what is left over at the end is an error.
#[derive(Debug)]
pub struct Fields<'a> {
    what: &'static str,
    left: Vec<&'a Entry>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Opens a map; anything else is an error, and null is an empty map.
    pub fn open(node: &'a Node, what: &'static str, problems: &mut Problems) -> Self {
        let left = match &node.value {
            Value::Map(entries) => entries.iter().collect(),
            Value::Null => Vec::new(),
            _ => {
                problems.wrong_type(node, what, "a map");
                Vec::new()
            }
        };
        Self {
            what,
            left,
            asked: Vec::new(),
        }
    }

    /// Takes a field, if it is there and not null.
    pub fn node(&mut self, name: &'static str) -> Option<&'a Node> {
        self.asked.push(name);
        let index = self
            .left
            .iter()
            .position(|entry| entry.key.eq_ignore_ascii_case(name))?;
        let entry = self.left.remove(index);
        (!entry.value.is_null()).then_some(&entry.value)
    }

    /// Takes a text; empty is as if it were not there.
    pub fn text(&mut self, name: &'static str, problems: &mut Problems) -> Option<String> {
        let node = self.node(name)?;
        let Some(text) = node.as_str() else {
            problems.wrong_type(node, name, "a text");
            return None;
        };
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Takes a boolean; false where it is not there.
    pub fn flag(&mut self, name: &'static str, problems: &mut Problems) -> bool {
        let Some(node) = self.node(name) else {
            return false;
        };
        if let Value::Bool(value) = node.value {
            return value;
        }
        problems.wrong_type(node, name, "a boolean");
        false
    }

    /// Takes a list; empty where it is not there.
    pub fn list(&mut self, name: &'static str, problems: &mut Problems) -> &'a [Node] {
        let Some(node) = self.node(name) else {
            return &[];
        };
        if let Value::List(items) = &node.value {
            return items;
        }
        problems.wrong_type(node, name, "a list");
        &[]
    }

    /// Takes a list of texts.
    pub fn texts(&mut self, name: &'static str, problems: &mut Problems) -> Vec<String> {
        let mut texts = Vec::new();
        for node in self.list(name, problems) {
            match node.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => problems.wrong_type(node, name, "a list of texts"),
            }
        }
        texts
    }

    /// Takes `apiVersion` and `kind`. Another kind than `wanted` is a warning: Kyverno's runner does not look at it.
    pub fn type_of(&mut self, wanted: &str, problems: &mut Problems) {
        self.text("apiVersion", problems);
        let Some(node) = self.node("kind") else {
            return;
        };
        match node.as_str() {
            Some(kind) if kind.is_empty() || kind == wanted => {}
            Some(kind) => {
                let message = format!("this file has to be of `kind: {wanted}`, and is `{kind}`");
                let code = Code::InvalidValue;
                let told = Diagnostic::warning(code, &problems.source, node.span, message);
                problems.found.push(told);
            }
            None => problems.wrong_type(node, "kind", "a text"),
        }
    }

    /// Takes the entries of a map whose keys are the author's.
    pub fn map(&mut self, name: &'static str, problems: &mut Problems) -> &'a [Entry] {
        let Some(node) = self.node(name) else {
            return &[];
        };
        if let Value::Map(entries) = &node.value {
            return entries;
        }
        problems.wrong_type(node, name, "a map");
        &[]
    }

    /// Says what is left over.
    pub fn finish(self, problems: &mut Problems) {
        self.finish_with(None, problems);
    }

    /// The same, with what helps where no name is near.
    pub fn finish_with(self, help: Option<&str>, problems: &mut Problems) {
        for entry in &self.left {
            let message = format!("unknown field `{}` in {}", entry.key, self.what);
            let meant = closest(&entry.key, &self.asked);
            let meant = meant.map(|name| format!("did you mean `{name}`?"));
            match meant.or_else(|| help.map(str::to_owned)) {
                Some(help) => {
                    problems.error_with_help(Code::UnknownField, entry.key_span, message, help);
                }
                None => problems.error(Code::UnknownField, entry.key_span, message),
            }
        }
    }
}

/// The known name that is nearest to what was written, if any is near.
pub fn closest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::osa_distance(&written, &name.to_lowercase()), *name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 5)
        .min()
        .map(|(_, name)| name)
}
