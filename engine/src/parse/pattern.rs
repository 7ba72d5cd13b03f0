//! `validate.pattern`.

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode, PatternScalar};
use crate::diagnostic::Code;
use crate::yaml::{Entry, Node, Value};

use super::fields::Reader;
use super::reference::{self, Place};
use super::template;

/// A pattern; what is wrong inside of it is said, and the rest is still read.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Pattern {
    read_at(reader, node, &Place::Top(node))
}

fn read_at(reader: &mut Reader<'_>, node: &Node, place: &Place<'_>) -> Pattern {
    let pattern = match &node.value {
        Value::Null => PatternNode::Scalar(PatternScalar::Null),
        Value::Bool(flag) => PatternNode::Scalar(PatternScalar::Bool(*flag)),
        Value::Number(number) => PatternNode::Scalar(PatternScalar::Number(number.clone())),
        Value::String(raw) => {
            let raw = reference::resolve(reader, place, raw, node.span);
            let text = template::text(reader, &raw, node.span);
            PatternNode::Scalar(PatternScalar::Text(text))
        }
        Value::List(items) => PatternNode::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| read_at(reader, item, &Place::Item(place, index)))
                .collect(),
        ),
        Value::Map(entries) => PatternNode::Map(read_entries(reader, entries, place)),
    };
    Pattern {
        span: node.span,
        node: pattern,
    }
}

fn read_entries(
    reader: &mut Reader<'_>,
    entries: &[Entry],
    place: &Place<'_>,
) -> Vec<PatternEntry> {
    let mut read: Vec<PatternEntry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let one = read_entry(reader, entry, place);
        if read.iter().any(|known| known.raw == one.raw) {
            let message = format!("the key `{}` is there twice", one.raw);
            reader.error(Code::InvalidValue, entry.key_span, message);
        }
        read.push(one);
    }
    read
}

fn read_entry(reader: &mut Reader<'_>, entry: &Entry, place: &Place<'_>) -> PatternEntry {
    let place = Place::Key(place, &entry.key);
    let raw = reference::resolve(reader, &place, &entry.key, entry.key_span);
    let (anchor, key) = Anchor::split(&raw);
    let value = read_at(reader, &entry.value, &place);
    if anchor == Some(Anchor::AddIfAbsent) {
        let message = "`+()` means something in mutation only";
        reader.error(Code::InvalidValue, entry.key_span, message);
    }
    PatternEntry {
        span: entry.key_span,
        anchor,
        key: template::text(reader, key, entry.key_span),
        raw: raw.clone(),
        value,
    }
}
