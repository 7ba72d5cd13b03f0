//! `validate.pattern`: a tree that looks like the resource, with anchors on its keys.
//!
//! Knows how anchors are written, not how they are judged. A scalar's text holds the operators (`>5 & <10 | 0`) as
//! written: they are taken apart when a variable-free pattern is compiled, and else when its variables are known.

use serde_json::Number;

use crate::source::Span;

use super::template::Text;

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
