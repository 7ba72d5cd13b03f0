//! The functions of the JMESPath standard.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Arguments, failed, number};
use crate::go_format::{as_float, deep_equal, json_escaped, parse_float};
use crate::jmespath::ExpressionError;
use crate::jmespath::interpreter::size;

type Outcome = Result<Value, ExpressionError>;

pub(super) fn abs(arguments: &Arguments<'_>) -> Outcome {
    number(arguments.number(0).abs())
}

pub(super) fn ceil(arguments: &Arguments<'_>) -> Outcome {
    number(arguments.number(0).ceil())
}

pub(super) fn floor(arguments: &Arguments<'_>) -> Outcome {
    number(arguments.number(0).floor())
}

#[expect(clippy::cast_precision_loss, reason = "lists are not that long")]
pub(super) fn avg(arguments: &Arguments<'_>) -> Outcome {
    let items = arguments.list(0);
    let sum: f64 = items.iter().map(float).sum();
    number(sum / items.len() as f64)
}

fn float(value: &Value) -> f64 {
    value.as_number().map_or(f64::NAN, as_float)
}

pub(super) fn length(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::from(match arguments.value(0) {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => return Err(failed("could not compute length()")),
    }))
}

pub(super) fn contains(arguments: &Arguments<'_>) -> Outcome {
    let wanted = arguments.value(1);
    Ok(Value::Bool(match (arguments.value(0), wanted) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), _) => items.iter().any(|item| deep_equal(item, wanted)),
        _ => false,
    }))
}

pub(super) fn starts_with(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::Bool(
        arguments.text(0).starts_with(arguments.text(1)),
    ))
}

pub(super) fn ends_with(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.text(0).ends_with(arguments.text(1))))
}

pub(super) fn map(arguments: &Arguments<'_>) -> Outcome {
    let mut results = Vec::new();
    for item in arguments.list(1) {
        let result = arguments.apply(0, item)?;
        arguments.charged(size(&result))?;
        results.push(result);
    }
    Ok(Value::Array(results))
}

/// Numbers or texts; between others there is no order.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => as_float(left).partial_cmp(&as_float(right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// The first item that none is on the wanted side of.
fn extreme(items: &[Value], side: Ordering) -> Outcome {
    let mut best = items.first();
    for item in items {
        if best.and_then(|best| order(item, best)) == Some(side) {
            best = Some(item);
        }
    }
    Ok(best.cloned().unwrap_or(Value::Null))
}

pub(super) fn max(arguments: &Arguments<'_>) -> Outcome {
    extreme(arguments.list(0), Ordering::Greater)
}

pub(super) fn min(arguments: &Arguments<'_>) -> Outcome {
    extreme(arguments.list(0), Ordering::Less)
}

fn extreme_by(arguments: &Arguments<'_>, side: Ordering) -> Outcome {
    let (first, rest) = match arguments.list(0) {
        [] => return Ok(Value::Null),
        [only] => return Ok(only.clone()),
        [first, rest @ ..] => (first, rest),
    };
    let mut best = (first, arguments.apply(1, first)?);
    let wanted = sort_key(&best.1)?;
    for item in rest {
        let key = arguments.apply(1, item)?;
        if sort_key(&key).ok() != Some(wanted) {
            return Err(failed(format!("invalid type, must be {wanted}")));
        }
        if order(&key, &best.1) == Some(side) {
            best = (item, key);
        }
    }
    Ok(best.0.clone())
}

/// What items are ordered by: numbers or texts.
fn sort_key(key: &Value) -> Result<&'static str, ExpressionError> {
    match key {
        Value::Number(_) => Ok("number"),
        Value::String(_) => Ok("string"),
        _ => Err(failed("invalid type, must be number of string")),
    }
}

pub(super) fn max_by(arguments: &Arguments<'_>) -> Outcome {
    extreme_by(arguments, Ordering::Greater)
}

pub(super) fn min_by(arguments: &Arguments<'_>) -> Outcome {
    extreme_by(arguments, Ordering::Less)
}

pub(super) fn sort(arguments: &Arguments<'_>) -> Outcome {
    let mut items = arguments.list(0).to_vec();
    items.sort_by(|left, right| order(left, right).unwrap_or(Ordering::Equal));
    Ok(Value::Array(items))
}

pub(super) fn sort_by(arguments: &Arguments<'_>) -> Outcome {
    let items = arguments.list(0);
    let (first, rest) = match items {
        [] | [_] => return Ok(Value::Array(items.to_vec())),
        [first, rest @ ..] => (first, rest),
    };
    let mut keyed = vec![(arguments.apply(1, first)?, first)];
    let wanted = sort_key(&keyed.first().map_or(Value::Null, |(key, _)| key.clone()))?;
    for item in rest {
        let key = arguments.apply(1, item)?;
        if sort_key(&key).ok() != Some(wanted) {
            return Err(failed("error in sort_by comparison"));
        }
        keyed.push((key, item));
    }
    keyed.sort_by(|left, right| order(&left.0, &right.0).unwrap_or(Ordering::Equal));
    Ok(Value::Array(
        keyed.into_iter().map(|(_, item)| item.clone()).collect(),
    ))
}

pub(super) fn merge(arguments: &Arguments<'_>) -> Outcome {
    let mut merged = Map::new();
    for index in 0..arguments.values.len() {
        for (name, value) in arguments.fields(index) {
            arguments.charged(size(value))?;
            merged.insert(name.clone(), value.clone());
        }
    }
    Ok(Value::Object(merged))
}

pub(super) fn keys(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::Array(
        arguments
            .fields(0)
            .map(|(name, _)| Value::String(name.clone()))
            .collect(),
    ))
}

pub(super) fn values(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::Array(
        arguments
            .fields(0)
            .map(|(_, value)| value.clone())
            .collect(),
    ))
}

pub(super) fn join(arguments: &Arguments<'_>) -> Outcome {
    let parts: Vec<&str> = arguments.list(1).iter().filter_map(Value::as_str).collect();
    let separators = arguments.text(0).len().saturating_mul(parts.len());
    arguments.charged(separators.saturating_add(parts.iter().map(|part| part.len()).sum()))?;
    Ok(Value::String(parts.join(arguments.text(0))))
}

pub(super) fn reverse(arguments: &Arguments<'_>) -> Outcome {
    Ok(match arguments.value(0) {
        Value::String(text) => Value::String(text.chars().rev().collect()),
        Value::Array(items) => Value::Array(items.iter().rev().cloned().collect()),
        _ => Value::Null,
    })
}

pub(super) fn to_array(arguments: &Arguments<'_>) -> Outcome {
    let value = arguments.value(0).clone();
    Ok(if value.is_array() {
        value
    } else {
        Value::Array(vec![value])
    })
}

pub(super) fn to_string(arguments: &Arguments<'_>) -> Outcome {
    match arguments.value(0) {
        Value::String(text) => Ok(Value::String(text.clone())),
        value => arguments.string(json_escaped(value)),
    }
}

pub(super) fn to_number(arguments: &Arguments<'_>) -> Outcome {
    match arguments.value(0) {
        Value::Number(value) => Ok(Value::Number(value.clone())),
        Value::String(text) => parse_float(text).map_or(Ok(Value::Null), number),
        _ => Ok(Value::Null),
    }
}

pub(super) fn type_name(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::from(match arguments.value(0) {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }))
}

pub(super) fn not_null(arguments: &Arguments<'_>) -> Outcome {
    let found = (0..arguments.values.len())
        .map(|index| arguments.value(index))
        .find(|value| !value.is_null());
    Ok(found.cloned().unwrap_or(Value::Null))
}
