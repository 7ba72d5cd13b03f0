//! The operators of conditions: `Equals`, `AnyIn`, `GreaterThan` and the rest, by Kyverno's rules.
//!
//! Knows nothing of variables: key and value are what they became. Every number counts as a float, because that is what
//! each is in Kyverno by the time that it reaches a condition.

mod members;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};
use thiserror::Error;

use crate::duration::Duration;
use crate::go_format::{as_float, deep_equal, parse_float, sprint, truncate};
use crate::quantity::Quantity;
use crate::scalar::{Range, TextPattern};
use crate::semver::Version;
use crate::wildcard;
use members::Members;

/// An operator of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `Equal`, `Equals`
    Equals,
    /// `NotEqual`, `NotEquals`
    NotEquals,
    /// `In`, deprecated.
    In,
    /// `NotIn`, deprecated.
    NotIn,
    /// `AnyIn`
    AnyIn,
    /// `AllIn`
    AllIn,
    /// `AnyNotIn`
    AnyNotIn,
    /// `AllNotIn`
    AllNotIn,
    /// `GreaterThan` and the like.
    Ordering(Order),
    /// `DurationGreaterThan` and the like, deprecated.
    DurationOrdering(Order),
    /// An ordering operator in letters of the wrong case: known to Kyverno, and always false.
    Miscased,
}

/// The order that an ordering operator asks for, of key against value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Above.
    Greater,
    /// Above or the same.
    GreaterOrEqual,
    /// Below.
    Less,
    /// Below or the same.
    LessOrEqual,
}

/// Why a condition has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperatorError {
    /// The deprecated `In` and `NotIn` take lists of strings only; Kyverno panics.
    #[error("operator `{0}` takes a list of strings as its key")]
    KeyIsNoListOfStrings(&'static str),
}

impl Operator {
    /// The operator of that name, in any case; ordering operators in the wrong one are [`Self::Miscased`].
    pub fn parse(name: &str) -> Option<Self> {
        let ordering = |spelling: &str, operator| {
            Some(if name == spelling {
                operator
            } else {
                Self::Miscased
            })
        };
        match name.to_ascii_lowercase().as_str() {
            "equal" | "equals" => Some(Self::Equals),
            "notequal" | "notequals" => Some(Self::NotEquals),
            "in" => Some(Self::In),
            "notin" => Some(Self::NotIn),
            "anyin" => Some(Self::AnyIn),
            "allin" => Some(Self::AllIn),
            "anynotin" => Some(Self::AnyNotIn),
            "allnotin" => Some(Self::AllNotIn),
            "greaterthan" => ordering("GreaterThan", Self::Ordering(Order::Greater)),
            "greaterthanorequals" => {
                ordering("GreaterThanOrEquals", Self::Ordering(Order::GreaterOrEqual))
            }
            "lessthan" => ordering("LessThan", Self::Ordering(Order::Less)),
            "lessthanorequals" => ordering("LessThanOrEquals", Self::Ordering(Order::LessOrEqual)),
            "durationgreaterthan" => ordering(
                "DurationGreaterThan",
                Self::DurationOrdering(Order::Greater),
            ),
            "durationgreaterthanorequals" => ordering(
                "DurationGreaterThanOrEquals",
                Self::DurationOrdering(Order::GreaterOrEqual),
            ),
            "durationlessthan" => ordering("DurationLessThan", Self::DurationOrdering(Order::Less)),
            "durationlessthanorequals" => ordering(
                "DurationLessThanOrEquals",
                Self::DurationOrdering(Order::LessOrEqual),
            ),
            _ => None,
        }
    }

    /// The name as Kyverno spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equals => "Equals",
            Self::NotEquals => "NotEquals",
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::AnyIn => "AnyIn",
            Self::AllIn => "AllIn",
            Self::AnyNotIn => "AnyNotIn",
            Self::AllNotIn => "AllNotIn",
            Self::Ordering(Order::Greater) => "GreaterThan",
            Self::Ordering(Order::GreaterOrEqual) => "GreaterThanOrEquals",
            Self::Ordering(Order::Less) => "LessThan",
            Self::Ordering(Order::LessOrEqual) => "LessThanOrEquals",
            Self::DurationOrdering(Order::Greater) => "DurationGreaterThan",
            Self::DurationOrdering(Order::GreaterOrEqual) => "DurationGreaterThanOrEquals",
            Self::DurationOrdering(Order::Less) => "DurationLessThan",
            Self::DurationOrdering(Order::LessOrEqual) => "DurationLessThanOrEquals",
            Self::Miscased => "(miscased)",
        }
    }
}

impl Order {
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
        }
    }
}

/// Whether the condition holds.
pub fn evaluate(operator: Operator, key: &Value, value: &Value) -> Result<bool, OperatorError> {
    Ok(match operator {
        Operator::Equals => equality(key, value) == Equality::Same,
        Operator::NotEquals => equality(key, value) == Equality::Different,
        Operator::In | Operator::NotIn => return deprecated_in(operator, key, value),
        Operator::AnyIn | Operator::AllIn | Operator::AnyNotIn | Operator::AllNotIn => {
            membership(operator, key, value).unwrap_or(false)
        }
        Operator::Ordering(order) => ordering(order, key, value),
        Operator::DurationOrdering(order) => match (as_duration(key), as_duration(value)) {
            (Some(key), Some(value)) => order.holds(Some(key.cmp(&value))),
            _ => false,
        },
        Operator::Miscased => false,
    })
}

/// Whether one side of an ordering operator, whatever the other is, can be what it orders.
pub fn can_be_ordered(operator: Operator, side: &Value) -> bool {
    match operator {
        Operator::DurationOrdering(_) => as_duration(side).is_some(),
        Operator::Ordering(_) => match side {
            Value::Number(_) => true,
            Value::String(text) => {
                Duration::read(text).is_some()
                    || Quantity::parse(text).is_some()
                    || parse_float(text).is_some()
                    || Version::parse(text).is_ok()
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        },
        Operator::Equals
        | Operator::NotEquals
        | Operator::In
        | Operator::NotIn
        | Operator::AnyIn
        | Operator::AllIn
        | Operator::AnyNotIn
        | Operator::AllNotIn
        | Operator::Miscased => true,
    }
}

/// What `Equals` and `NotEquals` make of a pair: they are not each other's opposite.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Equality {
    Same,
    Different,
    /// Neither operator holds.
    Neither,
}

impl From<bool> for Equality {
    fn from(same: bool) -> Self {
        if same { Self::Same } else { Self::Different }
    }
}

#[expect(clippy::float_cmp, reason = "the same number is meant")]
fn equality(key: &Value, value: &Value) -> Equality {
    match (key, value) {
        (Value::Null, _) => Equality::Neither,
        (Value::Bool(key), Value::Bool(value)) => (key == value).into(),
        (Value::Number(key), Value::Number(value)) => (as_float(key) == as_float(value)).into(),
        (Value::Number(key), Value::String(value)) => parse_float(value)
            .is_some_and(|value| value == as_float(key))
            .into(),
        (Value::String(text), _) => text_equality(text, key, value),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
            deep_equal(key, value).into()
        }
        _ => Equality::Different,
    }
}

#[expect(clippy::float_cmp, reason = "the same number is meant")]
fn text_equality(text: &str, key: &Value, value: &Value) -> Equality {
    if let Some((key, value)) = durations(key, value) {
        return (key.seconds() == value.seconds()).into();
    }
    let Value::String(pattern) = value else {
        return Equality::Different;
    };
    if let Some(key) = Quantity::parse(text) {
        if pattern.is_empty() {
            // `Equals` cannot read the value; `NotEquals` compares the texts.
            return Equality::Different;
        }
        return Quantity::parse(pattern).map_or(Equality::Neither, |value| (key == value).into());
    }
    wildcard::matches(pattern, text).into()
}

/// Both as durations, if at least one is a text that says so; a number on the other side is in seconds.
fn durations(key: &Value, value: &Value) -> Option<(Duration, Duration)> {
    let written = |value: &Value| {
        value
            .as_str()
            .filter(|text| *text != "0")
            .and_then(Duration::read)
    };
    let counted = |value: &Value| {
        value
            .as_number()
            .map(|number| Duration::from_seconds(truncate(as_float(number))))
    };
    match (written(key), written(value)) {
        (Some(key), Some(value)) => Some((key, value)),
        (Some(key), None) => Some((key, counted(value)?)),
        (None, Some(value)) => Some((counted(key)?, value)),
        (None, None) => None,
    }
}

/// As the deprecated duration operators read it.
fn as_duration(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => Duration::read(text),
        Value::Number(number) => Some(Duration::from_seconds(truncate(as_float(number)))),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn ordering(order: Order, key: &Value, value: &Value) -> bool {
    if !matches!(key, Value::Number(_) | Value::String(_)) {
        return false;
    }
    if let Some((key, value)) = durations(key, value) {
        return order.holds(key.seconds().partial_cmp(&value.seconds()));
    }
    if let (Value::String(key), Value::String(value)) = (key, value)
        && let (Some(key), Some(value)) = (Quantity::parse(key), Quantity::parse(value))
    {
        return order.holds(Some(key.cmp(&value)));
    }
    let as_number = |value: &Value| match value {
        Value::Number(number) => Some(as_float(number)),
        Value::String(text) => parse_float(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if let Some(number) = as_number(key) {
        // A text that reads as a number counts as one now, also beside a duration.
        let counted = Number::from_f64(number).map(Value::Number);
        if let Some((key, value)) = counted.and_then(|key| durations(&key, value)) {
            return order.holds(key.seconds().partial_cmp(&value.seconds()));
        }
        return order.holds(as_number(value).and_then(|value| number.partial_cmp(&value)));
    }
    let version = |value: &Value| value.as_str().and_then(|text| Version::parse(text).ok());
    match (version(key), version(value)) {
        (Some(key), Some(value)) => order.holds(Some(key.cmp(&value))),
        _ => false,
    }
}

/// What the `In` family makes of key and value; none where a type is not supported, which is false for each of them.
fn membership(operator: Operator, key: &Value, value: &Value) -> Option<bool> {
    let positive = matches!(operator, Operator::AnyIn | Operator::AllIn);
    match key {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            Some(scalar_is_member(&sprint(key), value)? == positive)
        }
        Value::Array(keys) => {
            let keys: Vec<Cow<'_, str>> = keys.iter().map(sprint).collect();
            list_membership(operator, &keys, value)
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn scalar_is_member(key: &str, value: &Value) -> Option<bool> {
    match value {
        Value::Array(values) => Some(
            values
                .iter()
                .any(|value| match_either_way(key, &sprint(value))),
        ),
        Value::String(text) => {
            if wildcard::matches(text, key) {
                return Some(true);
            }
            if is_range(text) {
                return Some(TextPattern::parse(text).matches_text(key));
            }
            Some(listed(text)?.iter().any(|item| item == key))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn list_membership(operator: Operator, keys: &[Cow<'_, str>], value: &Value) -> Option<bool> {
    let any = matches!(operator, Operator::AnyIn | Operator::AnyNotIn);
    match value {
        Value::Array(values) => {
            let values: Vec<Cow<'_, str>> = values.iter().map(sprint).collect();
            let members = Members::of(values.iter().map(AsRef::as_ref).collect(), keys.len());
            Some(quantified(operator, keys, |key| members.has(key)))
        }
        Value::Bool(_) | Value::Number(_) if any => {
            let value = sprint(value);
            Some(quantified(operator, keys, |key| {
                match_either_way(key, &value)
            }))
        }
        Value::String(text) => {
            if let [key] = keys
                && key == text
            {
                return Some(matches!(operator, Operator::AnyIn | Operator::AllIn));
            }
            if is_range(text) {
                return Some(range_membership(operator, keys, text));
            }
            let values = listed(text)?;
            let members = Members::of(values.iter().map(String::as_str).collect(), keys.len());
            Some(quantified(operator, keys, |key| members.has(key)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Ranges: `AnyNotIn` asks for one key outside, where what is no number is neither in nor out; `AllNotIn` for none inside.
fn range_membership(operator: Operator, keys: &[Cow<'_, str>], range: &str) -> bool {
    if operator == Operator::AnyNotIn {
        let outside = TextPattern::parse(&range.replacen('-', "!-", 1));
        return keys.iter().any(|key| outside.matches_text(key));
    }
    let inside = TextPattern::parse(range);
    quantified(operator, keys, |key| inside.matches_text(key))
}

fn quantified(operator: Operator, keys: &[Cow<'_, str>], is_member: impl Fn(&str) -> bool) -> bool {
    let mut found = keys.iter().map(|key| is_member(key));
    match operator {
        Operator::AllIn => found.all(|found| found),
        Operator::AnyNotIn => found.any(|found| !found),
        Operator::AllNotIn => found.all(|found| !found),
        _ => found.any(|found| found),
    }
}

fn match_either_way(key: &str, value: &str) -> bool {
    wildcard::matches(value, key) || wildcard::matches(key, value)
}

/// Whether Kyverno takes the text for a range before it looks for a list: its ends may not be written with an operator.
fn is_range(text: &str) -> bool {
    Range::parse(text).is_some_and(|range| !range.outside)
}

/// The strings of a JSON array, or the text itself if it is no JSON; none where it is other JSON.
fn listed(text: &str) -> Option<Vec<String>> {
    match serde_json::from_str::<Value>(text) {
        // Go reads null as an empty list, and a null in a list as an empty string.
        Ok(Value::Null) => Some(Vec::new()),
        Ok(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(item) => Some(item),
                Value::Null => Some(String::new()),
                _ => None,
            })
            .collect(),
        Ok(_) => None,
        Err(_) => Some(vec![text.to_owned()]),
    }
}

/// `In` and `NotIn`, where lists are compared as sets of strings.
fn deprecated_in(operator: Operator, key: &Value, value: &Value) -> Result<bool, OperatorError> {
    let negative = operator == Operator::NotIn;
    match key {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            Ok(deprecated_scalar_is_member(&sprint(key), value)
                .is_some_and(|member| member != negative))
        }
        Value::Array(keys) => {
            let keys: Vec<&str> = keys
                .iter()
                .map(|key| {
                    key.as_str()
                        .ok_or(OperatorError::KeyIsNoListOfStrings(operator.name()))
                })
                .collect::<Result<_, _>>()?;
            Ok(deprecated_list(negative, &keys, value).unwrap_or(false))
        }
        Value::Null | Value::Object(_) => Ok(false),
    }
}

fn deprecated_scalar_is_member(key: &str, value: &Value) -> Option<bool> {
    match value {
        Value::String(text) if wildcard::matches(text, key) => Some(true),
        Value::String(text) => Some(listed_json(text)?.iter().any(|item| item == key)),
        _ => scalar_is_member(key, value),
    }
}

fn deprecated_list(negative: bool, keys: &[&str], value: &Value) -> Option<bool> {
    let values: Vec<String> = match value {
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()?,
        // One key that is the value itself holds for both operators.
        Value::String(text) if matches!(keys, [key] if key == text) => return Some(true),
        Value::String(text) => listed_json(text)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let members = Members::of(values.iter().map(String::as_str).collect(), keys.len());
    let all_listed = keys.iter().all(|key| members.has_exactly(key));
    Some(all_listed != negative)
}

/// The strings of a JSON array; none for any other text.
fn listed_json(text: &str) -> Option<Vec<String>> {
    serde_json::from_str::<Value>(text)
        .is_ok()
        .then(|| listed(text))
        .flatten()
}

#[cfg(test)]
mod tests;
