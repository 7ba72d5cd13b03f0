//! Values of templates with variables, for programs: each a value, or that there is none.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fuel;
use crate::rego::evaluate::Document;
use crate::response::RuleStatus;
use crate::template::{Template, TemplateError};
use crate::weight;

use super::names::Names;

/// What a byte of a value costs to be made and handed to a program, in units of [`fuel`].
const MEMORY: u64 = 2;

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
        if names.depth() > 0 {
            // They are made for each element, whatever the rule reads again and again.
            let weights = values.iter().flatten().map(weight::of);
            fuel::spend(MEMORY * weights.sum::<usize>() as u64);
        }
        (!values.iter().any(is_pending)).then_some(Self(values))
    }

    /// `input.values` of a program.
    pub(super) fn document(&self) -> Document {
        let slot = |value: &Result<Value, TemplateError>| match value {
            Ok(value) => found(value),
            Err(_reason) => Document::from_json(&json!({"ok": false})),
        };
        Document::list(self.0.iter().map(slot))
    }

    /// The same for the preconditions of an element, which say `why` there is none: `missing` where the element lacks the
    /// key that is asked for, else `error`.
    pub(super) fn of_element(&self, names: &Names<'_>, slots: &[Arc<Template>]) -> Document {
        let values = self.0.iter().zip(slots).map(|(value, slot)| match value {
            Ok(value) => found(value),
            Err(error) if is_lacking(names, slot, error) => {
                Document::from_json(&json!({"ok": false, "why": "missing"}))
            }
            Err(_reason) => Document::from_json(&json!({"ok": false, "why": "error"})),
        });
        Document::list(values)
    }

    /// What an error means that there is because of these values: a failure where one of them is too large.
    pub(super) fn error(&self, names: &Names<'_>) -> RuleStatus {
        let mut errors = self.0.iter().filter_map(|value| value.as_ref().err());
        if errors.any(TemplateError::is_too_large) {
            names.too_large()
        } else {
            RuleStatus::Error
        }
    }

    /// The first reason why a value is missing.
    pub(super) fn first_error(&self) -> Option<&TemplateError> {
        self.0.iter().find_map(|value| value.as_ref().err())
    }
}

/// A value that there is, as programs see it.
fn found(value: &Value) -> Document {
    Document::object([
        ("ok", Document::from_json(&Value::Bool(true))),
        ("value", Document::from_json(value)),
    ])
}

/// Whether a value is missing because the element that it is read from lacks a key.
fn is_lacking(names: &Names<'_>, slot: &Template, error: &TemplateError) -> bool {
    error.is_not_found() && reads_only(slot, error, &|name| names.is_of_element(name))
}

/// Whether the expression that has no value reads nothing but what `is_meant` says of the names at its root. What an
/// expression reads that variables make is not known.
fn reads_only(slot: &Template, error: &TemplateError, is_meant: &dyn Fn(&str) -> bool) -> bool {
    let TemplateError::Variable { variable, .. } = error else {
        return false;
    };
    let mut found = false;
    slot.for_each_expression(&mut |expression| {
        if expression.text() == variable {
            let mut names = expression.root_names().into_iter();
            found = names.all(|name| name.is_some_and(is_meant));
        }
    });
    found
}
