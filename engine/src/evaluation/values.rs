//! Values of templates with variables, for programs: each a value, or that there is none.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::rego::evaluate::Document;
use crate::template::{Template, TemplateError};

use super::names::Names;

/// Values in order.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<Result<Value, TemplateError>>);

impl Values {
    /// The values of templates; none as long as the host is to be asked for one of them.
    pub(super) fn of(names: &Names<'_>, slots: &[Arc<Template>]) -> Option<Self> {
        let values: Vec<_> = slots.iter().map(|slot| names.template(slot)).collect();
        let is_pending = |value: &Result<Value, TemplateError>| {
            value.as_ref().is_err_and(TemplateError::is_pending)
        };
        (!values.iter().any(is_pending)).then_some(Self(values))
    }

    /// `input.values` of a program.
    pub(super) fn document(&self) -> Document {
        let slot = |value: &Result<Value, TemplateError>| match value {
            Ok(value) => json!({"ok": true, "value": value}),
            Err(_reason) => json!({"ok": false}),
        };
        Document::list(self.0.iter().map(|value| Document::from_json(&slot(value))))
    }

    /// The first reason why a value is missing.
    pub(super) fn first_error(&self) -> Option<&TemplateError> {
        self.0.iter().find_map(|value| value.as_ref().err())
    }
}
