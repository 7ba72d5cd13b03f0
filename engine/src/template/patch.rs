//! Patches for a strategic merge: only what the author wrote says how they are merged.

use std::borrow::Cow;

use serde_json::Value;

use crate::ast::pattern::Anchor;

use super::pieces::Piece;
use super::{Node, Place, Resolution, Template, TemplateError, Text, resolve_node, resolve_text};

impl Template {
    /// The value as a patch: keys that variables made, or that came with their values, are no anchors and no directives.
    pub fn resolve_patch(&self, with: &Resolution<'_>) -> Result<Cow<'_, Value>, TemplateError> {
        let value = self.resolve(with)?;
        if self.constant.is_none() {
            check_node(&self.node, &value, with)?;
        }
        Ok(value)
    }
}

/// Goes through what was written and what became of it.
fn check_node(node: &Node, value: &Value, with: &Resolution<'_>) -> Result<(), TemplateError> {
    match (node, value) {
        (Node::Text(text), value) if text.literal().is_none() => check_data(value),
        (Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_), _) => Ok(()),
        (Node::List(nodes), Value::Array(items)) => {
            let mut pairs = nodes.iter().zip(items);
            pairs.try_for_each(|(node, item)| check_node(node, item, with))
        }
        (Node::Map(entries), Value::Object(_)) => entries.iter().try_for_each(|entry| {
            let (_, key, node) = entry;
            match key.literal() {
                Some(name) => value
                    .get(name)
                    .map_or(Ok(()), |field| check_node(node, field, with)),
                None => check_key(key, with)
                    .and_then(|()| check_node(node, &resolve_node(node, with, &Place::Top)?, with)),
            }
        }),
        (Node::List(_) | Node::Map(_), other) => check_data(other),
    }
}

/// A key with variables is the anchor that the author wrote around them, or none.
fn check_key(key: &Text, with: &Resolution<'_>) -> Result<(), TemplateError> {
    let Value::String(name) = resolve_text(key, with, &Place::Top)? else {
        return Ok(());
    };
    let written: String = key.pieces.iter().map(written).collect();
    let (wanted, _) = Anchor::split(&written);
    let (found, bare) = Anchor::split(&name);
    if wanted == found && !is_special(bare) {
        Ok(())
    } else {
        Err(TemplateError::KeyIsNoData(name))
    }
}

/// What the author wrote of a piece; something that is no anchor in the place of a variable.
fn written(piece: &Piece) -> &str {
    match piece {
        Piece::Literal(text) => text,
        Piece::Variable { .. } | Piece::Nested(_) => "x",
    }
}

fn check_data(value: &Value) -> Result<(), TemplateError> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().try_for_each(check_data),
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            if is_special(name) {
                return Err(TemplateError::KeyIsNoData(name.clone()));
            }
            check_data(field)
        }),
    }
}

fn is_special(name: &str) -> bool {
    let directive = [
        "$patch",
        "$retainKeys",
        "$setElementOrder",
        "$deleteFromPrimitiveList",
    ];
    Anchor::split(name).0.is_some() || directive.iter().any(|start| name.starts_with(start))
}
