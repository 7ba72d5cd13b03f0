//! Conditions walked in the order of judging: the messages of those that decided, or the first error.
//!
//! Follows `reference/kyverno.md` §4: `any` ends with the first that holds, `all` with the first that does not.

use std::sync::Arc;

use serde_json::Value;

use crate::evaluation::Names;
use crate::go_format::sprint;
use crate::operator;
use crate::program::{Condition, ConditionBlock, Conditions};
use crate::template::Template;

/// What a walk came to.
#[derive(Debug)]
pub(crate) struct Walked {
    /// Whether the conditions hold, or why that cannot be said.
    pub(crate) holds: Result<bool, String>,
    /// What is to be said of them; may be empty.
    pub(crate) messages: String,
}

impl Walked {
    /// Why they cannot be judged.
    pub(crate) fn error(&self) -> String {
        match &self.holds {
            Ok(_) => "the values cannot be compared".to_owned(),
            Err(reason) => reason.clone(),
        }
    }

    /// What was not written holds, and says nothing.
    fn absent() -> Self {
        Self {
            holds: Ok(true),
            messages: String::new(),
        }
    }

    fn failed(reason: String) -> Self {
        Self {
            holds: Err(reason),
            messages: String::new(),
        }
    }
}

/// Walks conditions.
pub(crate) fn walk(conditions: &Conditions, names: &Names<'_>) -> Walked {
    match conditions {
        Conditions::Block(one) => block(one, names),
        Conditions::List(list) => all(list, names, ";"),
        Conditions::Blocks(blocks) => {
            let mut said = Vec::new();
            for one in blocks {
                let walked = block(one, names);
                match walked.holds {
                    Ok(true) => said.push(walked.messages),
                    Ok(false) | Err(_) => return walked,
                }
            }
            Walked {
                holds: Ok(true),
                messages: join(&said, ";"),
            }
        }
    }
}

fn block(block: &ConditionBlock, names: &Names<'_>) -> Walked {
    let any = block
        .any
        .as_ref()
        .map_or_else(Walked::absent, |list| any(list, names));
    if any.holds.is_err() {
        return any;
    }
    let all = block
        .all
        .as_ref()
        .map_or_else(Walked::absent, |list| all(list, names, "; "));
    if all.holds.is_err() {
        return all;
    }
    let holds = any.holds == Ok(true) && all.holds == Ok(true);
    // Of what holds all is said, of what does not only what is to blame.
    let of = |part: &Walked| {
        if holds || part.holds == Ok(false) {
            part.messages.clone()
        } else {
            String::new()
        }
    };
    Walked {
        holds: Ok(holds),
        messages: join(&[of(&any), of(&all)], "; "),
    }
}

/// The first that holds is enough; where none does, all are to blame.
fn any(list: &[Condition], names: &Names<'_>) -> Walked {
    let mut said = Vec::new();
    for one in list {
        match condition(one, names) {
            Err(reason) => return Walked::failed(reason),
            Ok((true, message)) => {
                return Walked {
                    holds: Ok(true),
                    messages: message,
                };
            }
            Ok((false, message)) => said.push(message),
        }
    }
    Walked {
        holds: Ok(false),
        messages: join(&said, "; "),
    }
}

/// The first that does not hold is to blame.
fn all(list: &[Condition], names: &Names<'_>, separator: &str) -> Walked {
    let mut said = Vec::new();
    for one in list {
        match condition(one, names) {
            Err(reason) => return Walked::failed(reason),
            Ok((false, message)) => {
                return Walked {
                    holds: Ok(false),
                    messages: message,
                };
            }
            Ok((true, message)) => said.push(message),
        }
    }
    Walked {
        holds: Ok(true),
        messages: join(&said, separator),
    }
}

fn join(texts: &[String], separator: &str) -> String {
    let said: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    said.join(separator)
}

/// Whether one condition holds, and what is said of it.
fn condition(one: &Condition, names: &Names<'_>) -> Result<(bool, String), String> {
    let key = side(&one.key, "key", names)?;
    let value = side(&one.value, "value", names)?;
    let holds = match one.operator {
        Some(operator) => operator::evaluate(operator, &key, &value)
            .map_err(|error| format!("failed to evaluate condition: {error}"))?,
        None => return Err("the operator is not known".to_owned()),
    };
    let message = match &one.message {
        None => String::new(),
        Some(text) => match names.text(text) {
            Ok(Value::String(text)) => text,
            Ok(other) => sprint(&other).into_owned(),
            Err(error) => format!("failed to substitute variables in condition message: {error}"),
        },
    };
    Ok((holds, message))
}

fn side(template: &Arc<Template>, which: &str, names: &Names<'_>) -> Result<Value, String> {
    names
        .template(template)
        .map_err(|error| format!("failed to substitute variables in condition {which}: {error}"))
}
