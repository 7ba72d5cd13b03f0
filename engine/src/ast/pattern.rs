//! `validate.pattern`: a tree that looks like the resource, with anchors on its keys.
//!
//! Knows how anchors are written, not how they are judged. A scalar's text holds the operators (`>5 & <10 | 0`) as
//! written: they are taken apart when a variable-free pattern is compiled, and else when its variables are known.

use serde_json::Number;

use crate::source::Span;

use super::template::{Part, Template, TemplateValue, Text};

/// A node of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// Where it was written.
    pub span: Span,
    /// What it is.
    pub node: PatternNode,
}

/// What a [`Pattern`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum PatternNode {
    /// A map in the order of writing.
    Map(Vec<PatternEntry>),
    /// A list; an empty one matches nothing.
    List(Vec<Pattern>),
    /// A scalar.
    Scalar(PatternScalar),
}

/// A scalar of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub enum PatternScalar {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text: a wildcard with operators, and possibly with variables.
    Text(Text),
}

/// A key with its anchor, and what stands below it.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternEntry {
    /// Where the key was written.
    pub span: Span,
    /// The key as written, anchor included.
    pub raw: String,
    /// Its anchor.
    pub anchor: Option<Anchor>,
    /// The key without the anchor.
    pub key: Text,
    /// What stands below it.
    pub value: Pattern,
}

/// How a key is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Anchor {
    /// `(key)`: the map is skipped where it does not match.
    Condition,
    /// `<(key)`: the whole rule is skipped where it does not match.
    Global,
    /// `=(key)`: matches where it is there.
    Equality,
    /// `X(key)`: must not be there.
    Negation,
    /// `^(key)`: at least one element of the list matches.
    Existence,
    /// `+(key)`: added where it is not there; means something in mutation only.
    AddIfAbsent,
}

impl Anchor {
    /// What stands before the parenthesis.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Condition => "",
            Self::Global => "<",
            Self::Equality => "=",
            Self::Negation => "X",
            Self::Existence => "^",
            Self::AddIfAbsent => "+",
        }
    }

    /// Takes the anchor off a key.
    pub fn split(key: &str) -> (Option<Self>, &str) {
        const ALL: [Anchor; 6] = [
            Anchor::Global,
            Anchor::Equality,
            Anchor::Negation,
            Anchor::Existence,
            Anchor::AddIfAbsent,
            Anchor::Condition,
        ];
        for anchor in ALL {
            let rest = key.strip_prefix(anchor.prefix());
            let inner = rest.and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
            if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
                return (Some(anchor), inner);
            }
        }
        (None, key)
    }
}

impl Pattern {
    /// Calls `visit` for each text of the pattern, keys included, in order of writing.
    pub fn for_each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        match &self.node {
            PatternNode::Map(entries) => {
                for entry in entries {
                    visit(&entry.key);
                    entry.value.for_each_text(visit);
                }
            }
            PatternNode::List(items) => {
                for item in items {
                    item.for_each_text(visit);
                }
            }
            PatternNode::Scalar(PatternScalar::Text(text)) => visit(text),
            PatternNode::Scalar(
                PatternScalar::Null | PatternScalar::Bool(_) | PatternScalar::Number(_),
            ) => {}
        }
    }

    /// Whether any text of it holds a variable.
    pub fn has_variables(&self) -> bool {
        let mut found = false;
        self.for_each_text(&mut |text| found |= text.literal().is_none());
        found
    }
}

impl Pattern {
    /// The pattern as a tree of texts, its keys as they were written.
    pub fn template(&self) -> Template {
        let value = match &self.node {
            PatternNode::Map(entries) => TemplateValue::Map(
                entries
                    .iter()
                    .map(|entry| (entry.raw_key(), entry.value.template()))
                    .collect(),
            ),
            PatternNode::List(items) => {
                TemplateValue::List(items.iter().map(Self::template).collect())
            }
            PatternNode::Scalar(scalar) => match scalar {
                PatternScalar::Null => TemplateValue::Null,
                PatternScalar::Bool(flag) => TemplateValue::Bool(*flag),
                PatternScalar::Number(number) => TemplateValue::Number(number.clone()),
                PatternScalar::Text(text) => TemplateValue::Text(text.clone()),
            },
        };
        Template {
            span: self.span,
            value,
        }
    }
}

impl PatternEntry {
    /// The key with its anchor, as a text with variables.
    fn raw_key(&self) -> Text {
        let mut key = self.key.clone();
        if self.raw != key.raw {
            let (before, after) = self.raw.split_once(key.raw.as_str()).unwrap_or(("", ""));
            if let Some(literal) = key.literal() {
                key.parts = vec![Part::Literal(format!("{before}{literal}{after}"))];
            } else {
                key.parts.insert(0, Part::Literal(before.to_owned()));
                key.parts.push(Part::Literal(after.to_owned()));
            }
            key.raw.clone_from(&self.raw);
        }
        key
    }
}
