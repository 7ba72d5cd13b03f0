//! `validate.pattern`.

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode, PatternScalar};
use crate::diagnostic::Code;
use crate::yaml::{Entry, Node, Value};

use super::fields::{Reader, one_line};
use super::template;

/// A pattern; what is wrong inside of it is said, and the rest is still read.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Pattern {
    let pattern =
        match &node.value {
            Value::Null => PatternNode::Scalar(PatternScalar::Null),
            Value::Bool(flag) => PatternNode::Scalar(PatternScalar::Bool(*flag)),
            Value::Number(number) => PatternNode::Scalar(PatternScalar::Number(number.clone())),
            Value::String(raw) => {
                references(reader, raw, node);
                let text = template::text(reader, raw, node.span);
                PatternNode::Scalar(PatternScalar::Text(text))
            }
            Value::List(items) => {
                if items.is_empty() {
                    let message = "an empty list in a pattern matches no list";
                    reader.warning(Code::InvalidValue, node.span, message).set_help(
                    "a list in a pattern says by its first element what all elements are like",
                );
                }
                PatternNode::List(items.iter().map(|item| read(reader, item)).collect())
            }
            Value::Map(entries) => PatternNode::Map(
                entries
                    .iter()
                    .map(|entry| read_entry(reader, entry))
                    .collect(),
            ),
        };
    Pattern {
        span: node.span,
        node: pattern,
    }
}

fn read_entry(reader: &mut Reader<'_>, entry: &Entry) -> PatternEntry {
    let (anchor, key) = Anchor::split(&entry.key);
    let value = read(reader, &entry.value);
    match (anchor, &entry.value.value) {
        (Some(Anchor::AddIfAbsent), _) => {
            let message = "`+()` means something in mutation only";
            reader.error(Code::InvalidValue, entry.key_span, message);
        }
        (Some(Anchor::Existence), Value::List(items)) if items.iter().all(is_map) => {}
        (Some(Anchor::Existence), _) => {
            let message = "`^()` takes a list of maps; this matches nothing";
            reader.warning(Code::InvalidValue, entry.key_span, message);
        }
        _ => {}
    }
    references(
        reader,
        &entry.key,
        &Node {
            span: entry.key_span,
            value: Value::Null,
        },
    );
    PatternEntry {
        span: entry.key_span,
        raw: entry.key.clone(),
        anchor,
        key: template::text(reader, key, entry.key_span),
        value,
    }
}

fn is_map(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

/// Refuses `$(./../other/field)`, which refers to another place of the pattern.
fn references(reader: &mut Reader<'_>, raw: &str, node: &Node) {
    let mut rest = raw;
    let mut before = '\0';
    while let Some(at) = rest.find("$(") {
        before = rest
            .get(..at)
            .and_then(|text| text.chars().last())
            .unwrap_or(before);
        if before != '\\' && rest.get(at..).is_some_and(|text| text.contains(')')) {
            let message = format!("the reference in `{}` is not supported", one_line(raw));
            reader.error(Code::NotSupported, node.span, message);
            return;
        }
        before = '(';
        rest = rest.get(at + 2..).unwrap_or("");
    }
}
