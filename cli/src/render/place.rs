//! Places in files, as lines and columns.

use regent_engine::diagnostic::Diagnostic;
use regent_engine::source::{Source, Span};

/// A stretch of a file: lines and columns from one, the end exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path of the file.
    pub file: String,
    /// Where it starts.
    pub start: (usize, usize),
    /// Where it ends.
    pub end: (usize, usize),
}

impl Place {
    /// The place of a span.
    pub fn of(source: &Source, span: Span) -> Self {
        Self {
            file: source.name.clone(),
            start: source.position(span.start),
            end: source.position(span.end.max(span.start)),
        }
    }

    /// The line that a span starts on, from there to its end: what a name stands for goes on for many lines.
    pub fn line_of(source: &Source, span: Span) -> Self {
        let rest = source.text.get(span.start..span.end).unwrap_or_default();
        let length = rest.lines().next().map_or(0, str::len);
        Self::of(source, Span::new(span.start, span.start + length))
    }

    /// The place that a diagnostic is about; the start of the file where it names none.
    pub fn of_diagnostic(diagnostic: &Diagnostic) -> Self {
        let span = diagnostic
            .labels
            .first()
            .map_or(Span::new(0, 0), |label| label.span);
        Self::of(&diagnostic.source, span)
    }
}
