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

/// One condition that was looked at, with its sides where they have values.
#[derive(Debug)]
pub(crate) struct Looked<'a> {
    pub(crate) condition: &'a Condition,
    pub(crate) holds: Result<bool, String>,
    pub(crate) key: Option<Value>,
    pub(crate) value: Option<Value>,
}

/// What a walk resolves names with, and what it notes on its way.
struct Walk<'w, 'a> {
    names: &'w Names<'w>,
    /// What was looked at; then nothing is said of it.
    looked: Option<&'w mut Vec<Looked<'a>>>,
}

/// Walks conditions.
pub(crate) fn walk(conditions: &Conditions, names: &Names<'_>) -> Walked {
    let looked = None;
    Walk { names, looked }.conditions(conditions)
}

/// Walks conditions, and says what was looked at until they were decided.
pub(crate) fn look<'a>(
    conditions: &'a Conditions,
    names: &Names<'_>,
) -> (Result<bool, String>, Vec<Looked<'a>>) {
    let mut looked = Vec::new();
    let mut walk = Walk {
        names,
        looked: Some(&mut looked),
    };
    let walked = walk.conditions(conditions);
    (walked.holds, looked)
}

impl<'a> Walk<'_, 'a> {
    fn conditions(&mut self, conditions: &'a Conditions) -> Walked {
        match conditions {
            Conditions::Block(one) => self.block(one),
            Conditions::List(list) => self.all(list, ";"),
            Conditions::Blocks(blocks) => {
                let mut said = Vec::new();
                for one in blocks {
                    let walked = self.block(one);
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

    fn block(&mut self, block: &'a ConditionBlock) -> Walked {
        let any = block
            .any
            .as_ref()
            .map_or_else(Walked::absent, |list| self.any(list));
        if any.holds.is_err() {
            return any;
        }
        let all = block
            .all
            .as_ref()
            .map_or_else(Walked::absent, |list| self.all(list, "; "));
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
    fn any(&mut self, list: &'a [Condition]) -> Walked {
        let mut said = Vec::new();
        for one in list {
            match self.condition(one) {
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
    fn all(&mut self, list: &'a [Condition], separator: &str) -> Walked {
        let mut said = Vec::new();
        for one in list {
            match self.condition(one) {
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

    /// Whether one condition holds, and what is said of it.
    fn condition(&mut self, one: &'a Condition) -> Result<(bool, String), String> {
        let names = self.names;
        let (mut key, mut value) = (None, None);
        let holds = holds(one, names, &mut key, &mut value);
        if let Some(looked) = &mut self.looked {
            let said = holds.clone().map(|holds| (holds, String::new()));
            let condition = one;
            looked.push(Looked {
                condition,
                holds,
                key,
                value,
            });
            return said;
        }
        let holds = holds?;
        let message = match &one.message {
            None => String::new(),
            Some(text) => match names.text(text) {
                Ok(Value::String(text)) => text,
                Ok(other) => sprint(&other).into_owned(),
                Err(error) => {
                    format!("failed to substitute variables in condition message: {error}")
                }
            },
        };
        Ok((holds, message))
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

/// Whether a condition holds; its sides are kept in `key` and `value`.
fn holds(
    one: &Condition,
    names: &Names<'_>,
    key: &mut Option<Value>,
    value: &mut Option<Value>,
) -> Result<bool, String> {
    let key = key.insert(side(&one.key, "key", names)?);
    let value = value.insert(side(&one.value, "value", names)?);
    match one.operator {
        Some(operator) => operator::evaluate(operator, key, value)
            .map_err(|error| format!("failed to evaluate condition: {error}")),
        None => Err("the operator is not known".to_owned()),
    }
}

fn side(template: &Arc<Template>, which: &str, names: &Names<'_>) -> Result<Value, String> {
    names
        .template(template)
        .map_err(|error| format!("failed to substitute variables in condition {which}: {error}"))
}
