//! Changes of a module's text at known places.

use regorus::unstable::Span;

/// A change: what stands from `from` to `to` becomes `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// The first byte.
    pub(super) from: usize,
    /// The byte after the last.
    pub(super) to: usize,
    /// What stands there then.
    pub(super) text: String,
}

impl Edit {
    /// Puts a text before a byte.
    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self {
            from: at,
            to: at,
            text: text.into(),
        }
    }
}

/// The text with all changes; what is put in at one place is put in in this order, before what is replaced there, and of
/// those that overlap the later ones are left out.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.from, edit.to));
    let mut made = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        let Some(before) = text.get(done..edit.from) else {
            continue;
        };
        made.push_str(before);
        made.push_str(&edit.text);
        done = edit.to;
    }
    made.push_str(text.get(done..).unwrap_or(""));
    made
}

/// The first byte of a span and the byte after its last: the parser leaves out the quotes of a text that stands at an end.
pub(super) fn whole(span: &Span) -> (usize, usize) {
    let bytes = span.source.contents().as_bytes();
    let (from, to) = (span.start as usize, span.end as usize);
    let is_quote = |at: usize| matches!(bytes.get(at), Some(b'"' | b'`'));
    let from = from.checked_sub(1).filter(|before| is_quote(*before));
    (
        from.unwrap_or(span.start as usize),
        if is_quote(to) { to + 1 } else { to },
    )
}
