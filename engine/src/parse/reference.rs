//! References of patterns: `$(path)` stands for what another place of the same pattern says.
//!
//! What they stand for is known when a policy is read, so that nothing after the parser knows of them. A path that begins
//! with `/` starts at the top of the pattern, any other at the place of the text itself: `./..` is the map that holds it.

use crate::ast::pattern::Anchor;
use crate::diagnostic::Code;
use crate::source::Span;
use crate::yaml::{Node, Value};

use super::fields::{Reader, one_line};

/// Operators that may stand before a path; they are put before what is found.
const OPERATORS: [&str; 5] = [">=", "<=", ">", "<", "!"];

/// A place in a pattern.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    /// The whole pattern.
    Top(&'p Node),
    /// Below a key.
    Key(&'p Place<'p>, &'p str),
    /// In a list.
    Item(&'p Place<'p>, usize),
}

impl<'p> Place<'p> {
    fn top(&self) -> &'p Node {
        match self {
            Self::Top(node) => node,
            Self::Key(above, _) | Self::Item(above, _) => above.top(),
        }
    }

    /// As `/a/0/b`, without anchors.
    fn path(&self) -> String {
        match self {
            Self::Top(_) => String::new(),
            Self::Key(above, key) => format!("{}/{}", above.path(), Anchor::split(key).1),
            Self::Item(above, index) => format!("{}/{index}", above.path()),
        }
    }
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    /// What stands between the parentheses.
    Reference(&'t str),
    /// A reference with a backslash before it, which is text.
    Escaped(&'t str),
}

/// A text with what its references stand for. One that leads nowhere is said, and the text is then any.
pub(super) fn resolve(reader: &mut Reader<'_>, place: &Place<'_>, raw: &str, span: Span) -> String {
    let mut text = String::with_capacity(raw.len());
    for piece in pieces(raw) {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Escaped(inner) => {
                text.push_str("$(");
                text.push_str(inner);
                text.push(')');
            }
            Piece::Reference(inner) => match value(place, inner) {
                Ok(value) => text.push_str(&value),
                Err(reason) => {
                    let message = format!("the reference `$({})` {reason}", one_line(inner));
                    reader
                        .error(Code::UnknownReference, span, message)
                        .set_help(
                            "write `\\$(` for a dollar and a parenthesis that refer to nothing",
                        );
                    text.push_str(inner);
                }
            },
        }
    }
    text
}

/// What stands where a reference leads, with the operator before it.
fn value(place: &Place<'_>, inner: &str) -> Result<String, String> {
    let operator = OPERATORS.into_iter().find(|one| inner.starts_with(one));
    let operator = operator.unwrap_or("");
    let path = inner.strip_prefix(operator).unwrap_or(inner);
    if path.is_empty() {
        return Err("has no path".to_owned());
    }
    let path = if path.starts_with('/') {
        cleaned(path)
    } else {
        cleaned(&format!("{}/{path}", place.path()))
    };
    let found = find(place.top(), path.strip_prefix('/').unwrap_or(&path));
    let found = found.ok_or_else(|| format!("leads to `{path}`, which the pattern has not"))?;
    let not_a_text = || format!("leads to `{path}`, which is not a text");
    let text = match &found.value {
        Value::String(text) => text.clone(),
        Value::Number(number) if !operator.is_empty() => number.to_string(),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => {
            return Err(not_a_text());
        }
    };
    if pieces(&text).any(|piece| matches!(piece, Piece::Reference(_))) {
        return Err(format!("leads to `{path}`, which is a reference itself"));
    }
    Ok(format!("{operator}{text}"))
}

/// A path without `.`, `..` and empty steps; the steps of anchors without their anchors.
fn cleaned(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(Anchor::split(step).1),
        }
    }
    format!("/{}", steps.join("/"))
}

/// The last node of a path. Keys may have slashes in them, and count without their anchors.
fn find<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    if path.is_empty() {
        return Some(node);
    }
    let below = |key: &str| -> Option<String> {
        let rest = path.strip_prefix(key)?;
        if rest.is_empty() {
            return Some(String::new());
        }
        rest.strip_prefix('/').map(str::to_owned)
    };
    match &node.value {
        Value::Map(entries) => entries.iter().rev().find_map(|entry| {
            let rest = below(Anchor::split(&entry.key).1)?;
            find(&entry.value, &rest)
        }),
        Value::List(items) => items.iter().enumerate().find_map(|(index, item)| {
            let rest = below(&index.to_string())?;
            find(item, &rest)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The pieces of a text, in order.
fn pieces(raw: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut found = Vec::new();
    let (mut text_from, mut from) = (0, 0);
    while let Some(at) = raw.get(from..).and_then(|rest| rest.find("$(")) {
        let at = from + at;
        let Some(inner) = raw.get(at + 2..).and_then(enclosed) else {
            from = at + 2;
            continue;
        };
        let escaped = raw.get(..at).is_some_and(|before| before.ends_with('\\'));
        let text_to = if escaped { at - 1 } else { at };
        let text = raw.get(text_from..text_to).unwrap_or("");
        if !text.is_empty() {
            found.push(Piece::Text(text));
        }
        found.push(if escaped {
            Piece::Escaped(inner)
        } else {
            Piece::Reference(inner)
        });
        from = at + 2 + inner.len() + 1;
        text_from = from;
    }
    let rest = raw.get(text_from..).unwrap_or("");
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found.into_iter()
}

/// What stands before the parenthesis that closes; none where there is nothing, or a space before it.
fn enclosed(text: &str) -> Option<&str> {
    let mut open = 1_u32;
    for (at, letter) in text.char_indices() {
        match letter {
            ' ' => return None,
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return text.get(..at).filter(|inner| !inner.is_empty());
        }
    }
    None
}
