//! Functions that generated Rego calls and that Rego itself does not have, named `regent.*`; `docs/rego.md` lists them.
//!
//! All are total: they answer for every argument, so that nothing in a body is undefined because a function gave up.

use std::collections::BTreeMap;

use serde_json::Value;

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
    pub call: fn(&[Value], &Patterns) -> Value,
}

/// The constant patterns of a program, read when it was compiled.
#[derive(Debug, Clone, Default)]
pub struct Patterns(BTreeMap<String, scalar::Pattern>);

impl Patterns {
    /// Reads patterns.
    pub fn read<'a>(patterns: impl IntoIterator<Item = &'a Value>) -> Self {
        Self(
            patterns
                .into_iter()
                .map(|pattern| (pattern.to_string(), scalar::Pattern::parse(pattern)))
                .collect(),
        )
    }

    /// Compares with a pattern; one that came with the request is read now, in time linear in its length.
    pub fn matches(&self, pattern: &Value, value: &Value) -> bool {
        match self.0.get(&pattern.to_string()) {
            Some(pattern) => scalar::matches(pattern, value),
            None => scalar::matches(&scalar::Pattern::parse(pattern), value),
        }
    }
}

/// All of them.
pub const BUILTINS: [Builtin; 5] = [
    Builtin {
        name: "regent.scalar",
        arity: 2,
        call: scalar_status,
    },
    Builtin {
        name: "regent.wildcard",
        arity: 2,
        call: wildcard_matches,
    },
    Builtin {
        name: "regent.condition",
        arity: 3,
        call: condition,
    },
    Builtin {
        name: "regent.pattern",
        arity: 2,
        call: pattern_status,
    },
    Builtin {
        name: "regent.keys_missing",
        arity: 2,
        call: keys_missing,
    },
];

/// `regent.pattern(value, pattern)`: `"pass"`, `"fail"`, `"forbidden"`, `"skip"` or `"nested"`, for a pattern whose shape is
/// only known once its variables are.
fn pattern_status(arguments: &[Value], _: &Patterns) -> Value {
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
fn keys_missing(arguments: &[Value], _: &Patterns) -> Value {
    match arguments {
        [value, pattern] => Value::Bool(pattern::keys_are_missing(pattern, value)),
        _ => Value::Bool(true),
    }
}

/// `regent.scalar(value, pattern)`: `"pass"` where the value is as a scalar of a pattern says, operators and units included,
/// else `"fail"`; of a list all elements must be.
fn scalar_status(arguments: &[Value], patterns: &Patterns) -> Value {
    match arguments {
        [Value::Array(items), pattern]
            if items.iter().all(|item| patterns.matches(pattern, item)) =>
        {
            Value::from("pass")
        }
        [Value::Array(_), _] => Value::from("fail"),
        [value, pattern] if patterns.matches(pattern, value) => Value::from("pass"),
        _ => Value::from("fail"),
    }
}

/// `regent.wildcard(text, pattern)`: whether a text matches a wildcard; what is no text matches none.
fn wildcard_matches(arguments: &[Value], _: &Patterns) -> Value {
    match arguments {
        [Value::String(text), Value::String(pattern)] => {
            Value::Bool(wildcard::matches(pattern, text))
        }
        _ => Value::Bool(false),
    }
}

/// `regent.condition(key, operator, value)`: `"true"` or `"false"`, and `"error"` where the two cannot be compared.
fn condition(arguments: &[Value], _: &Patterns) -> Value {
    let [key, Value::String(name), value] = arguments else {
        return Value::from("error");
    };
    let Some(operator) = Operator::parse(name) else {
        return Value::from("error");
    };
    Value::from(match operator::evaluate(operator, key, value) {
        Ok(true) => "true",
        Ok(false) => "false",
        Err(_reason) => "error",
    })
}
