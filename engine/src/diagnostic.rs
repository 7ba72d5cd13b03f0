//! What is wrong with a policy, said to its author: plain data with places, many at once.
//!
//! Knows nothing of terminals: rendering is the command line's business.

use std::sync::Arc;

use crate::source::{Source, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Legal, and likely not meant.
    Warning,
    /// The policy is not run.
    Error,
}

/// A place in the source, and what is to be said there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words shown under it; may be empty.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which of the closed list of things it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// One line: lower case, no full stop, the author's text in backticks.
    pub message: String,
    /// The text that the labels point into.
    pub source: Arc<Source>,
    /// Where; the first is the main one.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

/// The closed list of diagnostics, in kebab case when printed.
///
/// Each has its section in `docs/diagnostics.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The file cannot be read, or is not UTF-8; said by hosts, since the engine opens no files.
    UnreadableFile,
    /// The text is not YAML.
    InvalidYaml,
    /// A field that the kind does not have.
    UnknownField,
    /// A field whose value has the wrong type or form.
    InvalidValue,
    /// A field that must be there is not.
    MissingField,
    /// Part of the language that this version does not run, by name.
    NotSupported,
    /// The policy compiled to something that does not run: a defect of Regent.
    InternalError,
}

impl Code {
    /// The name in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnreadableFile => "unreadable-file",
            Self::InvalidYaml => "invalid-yaml",
            Self::UnknownField => "unknown-field",
            Self::InvalidValue => "invalid-value",
            Self::MissingField => "missing-field",
            Self::NotSupported => "not-supported",
            Self::InternalError => "internal-error",
        }
    }
}

impl Diagnostic {
    /// Whether the policy that it is about is not run because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
