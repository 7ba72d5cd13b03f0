//! `@` in a template: what stands in the resource where the variable stands in the template.

use std::borrow::Cow;

use serde_json::Value;

use crate::jmespath::{CURRENT, Expression, ExpressionError, Scope, ScopeError, Within};

use super::{Cause, Place, Resolution};

/// The value of an expression, in which `@` is what stands in the resource where the variable stands in the template.
pub(super) fn evaluate<'e>(
    expression: &'e Expression,
    with: &Resolution<'e>,
    place: &Place<'_>,
) -> Result<Cow<'e, Value>, Cause> {
    if !expression.names_current() {
        return expression
            .evaluate(with.scope, with.environment)
            .map_err(Cause::from);
    }
    let here = value_here(with, place);
    let scope = Here {
        below: with.scope,
        value: here.as_deref().ok(),
    };
    let found = expression.evaluate(&scope, with.environment);
    match (found.map(Cow::into_owned), &here) {
        (Err(ExpressionError::NotFound(name)), Err(missing)) if name == CURRENT => {
            Err(missing.clone())
        }
        (found, _) => found.map(Cow::Owned).map_err(Cause::from),
    }
}

/// The names of a scope, and the value that `@` stands for.
struct Here<'a> {
    below: &'a dyn Scope,
    /// None where nothing stands there.
    value: Option<&'a Value>,
}

impl Scope for Here<'_> {
    fn field(&self, name: &str) -> Result<Option<Cow<'_, Value>>, ScopeError> {
        if name == CURRENT {
            Ok(self.value.map(Cow::Borrowed))
        } else {
            self.below.field(name)
        }
    }

    fn within(&self, name: &str, field: &str) -> Result<Within<'_>, ScopeError> {
        if name == CURRENT {
            Ok(Within::Unknown)
        } else {
            self.below.within(name, field)
        }
    }

    fn whole(&self) -> Result<Value, ScopeError> {
        self.below.whole()
    }
}

/// `{{@}}`: what stands in the resource where the variable stands in the template.
fn value_here<'p>(with: &Resolution<'p>, place: &Place<'_>) -> Result<Cow<'p, Value>, Cause> {
    let Some((root, rest)) = with.here.split_first() else {
        return Ok(Cow::Owned(Value::Null));
    };
    let unknown = |name: &str| Cause::Evaluation(ExpressionError::NotFound(name.to_owned()));
    let found = with.scope.field(root).map_err(Cause::Scope)?;
    let found = found.ok_or_else(|| unknown(root))?;
    let mut value: &Value = &found;
    for name in rest {
        value = step_into(value, name).ok_or_else(|| unknown(name))?;
    }
    let value = below(value, place).map_err(|name| unknown(&name))?;
    Ok(Cow::Owned(value.clone()))
}

fn step_into<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(name),
        _ => Some(&Value::Null),
    }
}

/// The value at a place below another; anchors around keys do not count. The key that is not there, otherwise.
fn below<'v>(value: &'v Value, place: &Place<'_>) -> Result<&'v Value, String> {
    match place {
        Place::Top => Ok(value),
        Place::Key(parent, key) => {
            let value = below(value, parent)?;
            let name = without_anchor(key);
            step_into(value, name).ok_or_else(|| name.to_owned())
        }
        Place::Item(parent, index) => Ok(below(value, parent)?.get(index).unwrap_or(&Value::Null)),
    }
}

/// `name` of `(name)`, `=(name)` and the other anchors.
fn without_anchor(key: &str) -> &str {
    let inner = key.trim_start_matches(['+', '<', '=', 'X', '^']);
    inner
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
        .unwrap_or(key)
}
