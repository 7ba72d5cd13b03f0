//! Types of values that a variable stands for in a JSON patch, which Kyverno reads from the text around it.

use serde_json::Value;

use crate::ast::mutate::Step;
use crate::go_format;
use crate::mutate::PatchError;

/// Gives values the type that they would have, were the patch read with their texts in it.
pub(super) fn settle(patch: &mut Value, quoted: &[Vec<Step>], plain: &[Vec<Step>]) {
    for steps in quoted {
        if let Some(value) = at(patch, steps)
            && !value.is_string()
        {
            *value = Value::String(go_format::json(value));
        }
    }
    for steps in plain {
        if let Some(value) = at(patch, steps)
            && let Some(scalar) = value.as_str().and_then(scalar)
        {
            *value = scalar;
        }
    }
}

/// The operations where all of them are computed, as a text in JSON.
pub(super) fn operations(patch: Value) -> Result<Value, PatchError> {
    let Value::String(text) = &patch else {
        return Ok(patch);
    };
    serde_json::from_str(text)
        .map_err(|error| PatchError::Malformed(format!("failed to decode patches: {error}")))
}

fn at<'v>(value: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    let mut value = value;
    for step in steps {
        value = match step {
            Step::Field(name) => value.get_mut(name.as_str())?,
            Step::Element(index) => value.get_mut(*index)?,
        };
    }
    Some(value)
}

/// The boolean, number or null that a text is; maps and lists stay texts, since whoever wrote them did not write the patch.
fn scalar(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value),
        Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
