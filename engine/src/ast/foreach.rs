//! `validate.foreach`: a demand on each element of a list.

use crate::source::{Span, Spanned};

use super::condition::Conditions;
use super::context::ContextEntry;
use super::pattern::Pattern;
use super::template::Text;
use super::validate::Deny;

/// A block of `foreach`.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreach {
    /// Where it was written.
    pub span: Span,
    /// `list`: the expression of the elements.
    pub list: Text,
    /// `elementScope`: whether a pattern is about the element; where it was not written, it is where the element is a map.
    pub element_scope: Option<Spanned<bool>>,
    /// `context`, made anew for each element.
    pub context: Vec<ContextEntry>,
    /// `preconditions`, of each element.
    pub preconditions: Option<Conditions>,
    /// What is demanded.
    pub body: ForeachBody,
}

/// What is demanded of each element.
#[derive(Debug, Clone, PartialEq)]
pub enum ForeachBody {
    /// `pattern`.
    Pattern(Pattern),
    /// `anyPattern`; never empty.
    AnyPattern(Vec<Pattern>),
    /// `deny`.
    Deny(Deny),
    /// `foreach`: lists inside of the element; never empty.
    Foreach(Vec<Foreach>),
}
