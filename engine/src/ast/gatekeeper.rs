//! Gatekeeper's `ConstraintTemplate`: modules that constraints are made of.

use std::sync::Arc;

use crate::source::{Source, Span, Spanned};

use super::rego::RegoModules;

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintTemplate {
    /// The text that its spans point into.
    pub source: Arc<Source>,
    /// The whole document.
    pub span: Span,
    /// The kind of its constraints.
    pub kind: Spanned<String>,
    /// What its constraints ask, without parameters.
    pub modules: RegoModules,
}
