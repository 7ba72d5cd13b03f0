//! A text that an author wrote, and places in it.
//!
//! Knows nothing of YAML: what the text means is `yaml`'s business.

use std::sync::Arc;

/// A text with the name under which its author knows it, usually a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Shown in diagnostics; not opened by the engine.
    pub name: String,
    /// The whole text, UTF-8.
    pub text: String,
    /// Where its lines begin: of a large policy the lines of many places are asked for.
    lines: Vec<usize>,
}

impl Source {
    /// A source that diagnostics and programs can share.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Arc::new(Self {
            name: name.into(),
            text,
            lines,
        })
    }

    /// The line and column of a byte offset, both counted from one, columns in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = self.lines.partition_point(|start| *start <= before.len());
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index));
        let column = before.get(start.copied().unwrap_or(0)..).unwrap_or("");
        (line, column.chars().count() + 1)
    }

    /// The number and the text of the line that a byte offset is in.
    pub fn line(&self, offset: usize) -> (usize, &str) {
        let (line, _) = self.position(offset);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index));
        let rest = self.text.get(start.copied().unwrap_or(0)..).unwrap_or("");
        (line, rest.lines().next().unwrap_or(""))
    }
}

/// A half-open range of bytes in a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range from `start` up to `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A value and the place where its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, written at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let source = Source::new("a", "é=1\n\nb\r\nc");
        for (offset, place, line) in [
            (0, (1, 1), "é=1"),
            (2, (1, 2), "é=1"),
            (4, (1, 4), "é=1"),
            (5, (2, 1), ""),
            (6, (3, 1), "b"),
            (9, (4, 1), "c"),
            (10, (4, 2), "c"),
            // Behind the text, and within a character, its end is meant.
            (99, (4, 2), "c"),
            (1, (4, 2), "c"),
        ] {
            assert_eq!(source.position(offset), place, "{offset}");
            assert_eq!(source.line(offset), (place.0, line), "{offset}");
        }
        assert_eq!(Source::new("a", "").position(0), (1, 1));
    }
}
