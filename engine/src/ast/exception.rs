//! A `PolicyException`: what is let off from which rules.

use std::sync::Arc;

use crate::source::{Source, Span, Spanned};

use super::condition::Conditions;
use super::matching::Filters;
use super::pod_security::ExcludedControl;

/// A `PolicyException`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyException {
    /// The text that all spans point into.
    pub source: Arc<Source>,
    /// The whole document.
    pub span: Span,
    /// `metadata.name`.
    pub name: Spanned<String>,
    /// `metadata.namespace`, as written.
    pub namespace: Option<Spanned<String>>,
    /// `background`: whether it also counts where there is no request.
    pub background: Option<Spanned<bool>>,
    /// What is let off.
    pub matches: Filters,
    /// When it is.
    pub conditions: Option<Conditions>,
    /// From what it is let off.
    pub exceptions: Vec<Excepted>,
    /// Only from these controls, where there are any and the rule is about such.
    pub pod_security: Vec<ExcludedControl>,
}

/// Rules of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Excepted {
    /// The policy: its name, or for a `Policy` `namespace/name`.
    pub policy: Spanned<String>,
    /// Its rules, those of autogen by their own names; wildcards.
    pub rules: Vec<Spanned<String>>,
}

impl PolicyException {
    /// `namespace/name`, as messages have it.
    pub fn key(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{}/{}", namespace.value, self.name.value),
            None => self.name.value.clone(),
        }
    }

    /// Whether it also counts where there is no request.
    pub fn background(&self) -> bool {
        self.background
            .as_ref()
            .is_none_or(|background| background.value)
    }
}
