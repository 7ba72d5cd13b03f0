//! Kyverno's functions on maps and lists.

use serde_json::{Map, Value};

use super::text::number_text;
use super::{Arguments, failed, failed_in};
use crate::go_format::{deep_equal, float, truncate};
use crate::jmespath::ExpressionError;
use crate::jmespath::interpreter::size;

type Outcome = Result<Value, ExpressionError>;

pub(super) fn label_match(arguments: &Arguments<'_>) -> Outcome {
    let labels = arguments.value(1);
    let mut wanted = arguments.fields(0);
    Ok(Value::Bool(wanted.all(|(name, value)| {
        labels
            .get(name)
            .is_some_and(|actual| deep_equal(actual, value))
    })))
}

pub(super) fn lookup(arguments: &Arguments<'_>) -> Outcome {
    let found = match (arguments.value(0), arguments.value(1)) {
        (Value::Object(fields), Value::String(name)) => fields.get(name),
        (Value::Object(_), _) => {
            return Err(failed_in("lookup", "argument #2 is not of type String"));
        }
        (Value::Array(items), Value::Number(_)) => {
            let index = arguments.number(1);
            if index.fract() != 0.0 {
                let reason = format!(
                    "argument #2: expected an integer number but got: {}",
                    float(index)
                );
                return Err(failed_in("lookup", reason));
            }
            usize::try_from(truncate(index))
                .ok()
                .and_then(|index| items.get(index))
        }
        (Value::Array(_), _) => {
            return Err(failed_in("lookup", "argument #2 is not of type Number"));
        }
        _ => {
            return Err(failed_in(
                "lookup",
                "argument #1 is not of type Object or Array",
            ));
        }
    };
    Ok(found.cloned().unwrap_or(Value::Null))
}

pub(super) fn items(arguments: &Arguments<'_>) -> Outcome {
    let (key_name, value_name) = (arguments.text(1), arguments.text(2));
    let item = |key: Value, value: &Value| {
        arguments.charged(
            size(value)
                .saturating_add(key_name.len())
                .saturating_add(value_name.len()),
        )?;
        // Where both names are the same, the value wins.
        Ok(Value::Object(Map::from_iter([
            (key_name.to_owned(), key),
            (value_name.to_owned(), value.clone()),
        ])))
    };
    let items = match arguments.value(0) {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| item(Value::String(name.clone()), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| item(Value::from(index), value))
            .collect(),
        _ => Err(failed("items takes a map or a list")),
    };
    items.map(Value::Array)
}

pub(super) fn object_from_lists(arguments: &Arguments<'_>) -> Outcome {
    let values = arguments.list(1);
    let mut object = Map::new();
    for (index, key) in arguments.list(0).iter().enumerate() {
        let Some(name) = number_text(key) else {
            return Err(failed_in(
                "object_from_lists",
                "argument #1 is not of type StringArray",
            ));
        };
        let value = values.get(index).unwrap_or(&Value::Null);
        arguments.charged(size(value))?;
        object.insert(name.into_owned(), value.clone());
    }
    Ok(Value::Object(object))
}
