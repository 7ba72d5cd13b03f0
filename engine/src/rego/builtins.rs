//! Functions that generated Rego calls and that Rego itself does not have, named `regent.*`; `docs/rego.md` lists them.
//!
//! All are total: they answer for every argument, so that nothing in a body is undefined because a function gave up.

use std::collections::BTreeMap;

use regorus::Value as Rego;
use serde_json::{Map, Value};

use super::evaluate::{from_json, to_json};
use crate::operator::{self, Operator};
use crate::{pattern, scalar, wildcard};

/// A function: its name, how many arguments it takes, and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// The name in Rego.
    pub name: &'static str,
    /// How many arguments it takes.
    pub arity: u8,
    /// What it answers; the slice is `arity` long.
    pub call: Call,
}

/// What a function does.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// On JSON.
    Json(fn(&[Value]) -> Value),
    /// On values as Rego has them, for what is called often.
    Rego(fn(&[Rego], &Patterns) -> Rego),
}

impl Builtin {
    /// What it answers, in JSON.
    pub fn answer(&self, arguments: &[Value]) -> Value {
        match self.call {
            Call::Json(call) => call(arguments),
            Call::Rego(call) => {
                let arguments: Vec<Rego> = arguments.iter().map(from_json).collect();
                to_json(&call(&arguments, &Patterns::default())).unwrap_or(Value::Null)
            }
        }
    }
}

/// The constant patterns of a program, read when it was compiled.
#[derive(Debug, Clone)]
pub struct Patterns {
    known: BTreeMap<Rego, scalar::Pattern>,
    /// The answers, made once.
    pass: Rego,
    fail: Rego,
    holds: Rego,
    holds_not: Rego,
    error: Rego,
}

impl Default for Patterns {
    fn default() -> Self {
        Self::read([])
    }
}

impl Patterns {
    /// Reads patterns.
    pub fn read<'a>(patterns: impl IntoIterator<Item = &'a Value>) -> Self {
        Self {
            known: patterns
                .into_iter()
                .map(|pattern| (from_json(pattern), scalar::Pattern::parse(pattern)))
                .collect(),
            pass: Rego::from("pass"),
            fail: Rego::from("fail"),
            holds: Rego::from("true"),
            holds_not: Rego::from("false"),
            error: Rego::from("error"),
        }
    }

    /// Whether a value, or each of a list, is as a pattern says; one that came with the request is read now, in time linear
    /// in its length.
    fn accept(&self, pattern: &Rego, value: &Rego) -> bool {
        // Most lists of what is at a place are empty.
        if matches!(value, Rego::Array(items) if items.is_empty()) {
            return true;
        }
        let Some(pattern) = self.known.get(pattern) else {
            let pattern = to_json(pattern).unwrap_or(Value::Null);
            return accepts(&scalar::Pattern::parse(&pattern), value);
        };
        accepts(pattern, value)
    }
}

fn accepts(pattern: &scalar::Pattern, value: &Rego) -> bool {
    match value {
        Rego::Array(items) => items.iter().all(|item| is_as(pattern, item)),
        one => is_as(pattern, one),
    }
}

/// Whether one value is as a pattern says, with as little conversion as that takes.
fn is_as(pattern: &scalar::Pattern, value: &Rego) -> bool {
    match (pattern, value) {
        (scalar::Pattern::Text(pattern), Rego::String(text)) => pattern.matches_text(text),
        // A scalar is never compared with what is in a list or a map.
        (_, Rego::Array(_) | Rego::Set(_)) => scalar::matches(pattern, &Value::Array(Vec::new())),
        (_, Rego::Object(_)) => scalar::matches(pattern, &Value::Object(Map::new())),
        (_, other) => to_json(other).is_some_and(|value| scalar::matches(pattern, &value)),
    }
}

/// All of them.
pub const BUILTINS: [Builtin; 5] = [
    Builtin {
        name: "regent.scalar",
        arity: 2,
        call: Call::Rego(scalar_status),
    },
    Builtin {
        name: "regent.wildcard",
        arity: 2,
        call: Call::Json(wildcard_matches),
    },
    Builtin {
        name: "regent.condition",
        arity: 3,
        call: Call::Rego(condition),
    },
    Builtin {
        name: "regent.pattern",
        arity: 2,
        call: Call::Json(pattern_status),
    },
    Builtin {
        name: "regent.keys_missing",
        arity: 2,
        call: Call::Json(keys_missing),
    },
];

/// `regent.pattern(value, pattern)`: `"pass"`, `"fail"`, `"forbidden"`, `"skip"` or `"nested"`, for a pattern whose shape is
/// only known once its variables are.
fn pattern_status(arguments: &[Value]) -> Value {
    let [value, pattern] = arguments else {
        return Value::from("fail");
    };
    Value::from(match pattern::walk(pattern, value) {
        Ok(()) => "pass",
        Err(mismatch) => match mismatch.status {
            pattern::Status::Fail => "fail",
            pattern::Status::Forbidden => "forbidden",
            pattern::Status::Broken => "broken",
            pattern::Status::Skip => "skip",
            pattern::Status::Nested => "nested",
        },
    })
}

/// `regent.keys_missing(value, pattern)`: whether keys of `()` or `^()` are nowhere, which makes a mismatch an error.
fn keys_missing(arguments: &[Value]) -> Value {
    match arguments {
        [value, pattern] => Value::Bool(pattern::keys_are_missing(pattern, value)),
        _ => Value::Bool(true),
    }
}

/// `regent.scalar(value, pattern)`: `"pass"` where the value is as a scalar of a pattern says, operators and units included,
/// else `"fail"`; of a list all elements must be.
fn scalar_status(arguments: &[Rego], patterns: &Patterns) -> Rego {
    match arguments {
        [value, pattern] if patterns.accept(pattern, value) => patterns.pass.clone(),
        _ => patterns.fail.clone(),
    }
}

/// `regent.wildcard(text, pattern)`: whether a text matches a wildcard; what is no text matches none.
fn wildcard_matches(arguments: &[Value]) -> Value {
    match arguments {
        [Value::String(text), Value::String(pattern)] => {
            Value::Bool(wildcard::matches(pattern, text))
        }
        _ => Value::Bool(false),
    }
}

/// `regent.condition(key, operator, value)`: `"true"` or `"false"`, and `"error"` where the two cannot be compared.
fn condition(arguments: &[Rego], patterns: &Patterns) -> Rego {
    match compared(arguments) {
        Some(true) => patterns.holds.clone(),
        Some(false) => patterns.holds_not.clone(),
        None => patterns.error.clone(),
    }
}

fn compared(arguments: &[Rego]) -> Option<bool> {
    let [key, Rego::String(name), value] = arguments else {
        return None;
    };
    let operator = Operator::parse(name)?;
    operator::evaluate(operator, &to_json(key)?, &to_json(value)?).ok()
}
