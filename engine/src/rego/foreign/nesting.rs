//! How deep brackets are nested, before a parser sees them.
//!
//! regorus tries a bracket as one thing after the other, and so the time for a literal doubles with each level.

/// The deepest nesting. Rules of real templates stay below 7.
pub(super) const MAX_DEPTH: usize = 10;

/// Line and column of the first bracket that is too deep.
pub(super) fn too_deep(text: &str) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    let (mut line, mut column) = (1, 0);
    let mut inside = Inside::Code;
    for character in text.chars() {
        column += 1;
        if character == '\n' {
            (line, column) = (line + 1, 0);
        }
        inside = match (inside, character) {
            (Inside::Code, '#') => Inside::Comment,
            (Inside::Code, '`') => Inside::RawText,
            (Inside::Text, '\\') => Inside::Escape,
            (Inside::Code, '"') | (Inside::Escape, _) => Inside::Text,
            // A text ends with its line: what is not closed is the parser's to say.
            (Inside::Text, '"' | '\n') | (Inside::RawText, '`') | (Inside::Comment, '\n') => {
                Inside::Code
            }
            (other, _) => other,
        };
        if inside == Inside::Code {
            match character {
                '[' | '{' | '(' => depth += 1,
                ']' | '}' | ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if depth > MAX_DEPTH {
            return Some((line, column));
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    Text,
    Escape,
    RawText,
    Comment,
}
