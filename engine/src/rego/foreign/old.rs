//! Builtins of the Rego before OPA 1.0 that OPA 1.0 took away, and that templates of Gatekeeper's still call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use regex::Regex;
use regorus::{Engine, Extension, Value};
use thiserror::Error;

use crate::go_regex;
use crate::rego::evaluate::RegoError;

use super::Strictness;
use super::bounded::extend;

/// Their names.
pub(super) const NAMES: [&str; 4] = ["all", "any", "re_match", "set_diff"];

/// The most expressions that are kept compiled.
const MAX_PATTERNS: usize = 64;

/// Why one has no answer.
#[derive(Debug, Error)]
enum Refused {
    #[error("an array or a set is wanted")]
    NoCollection,
    #[error("two sets are wanted")]
    NoSets,
    #[error("two texts are wanted")]
    NoTexts,
    #[error("{0}")]
    Pattern(String),
}

/// Adds them.
pub(super) fn add(engine: &mut Engine, strictness: Strictness) -> Result<(), RegoError> {
    let patterns = Patterns::default();
    let matches = move |arguments: &[Value]| {
        let (pattern, text) = text(arguments, 0)
            .zip(text(arguments, 1))
            .ok_or(Refused::NoTexts)?;
        Ok(Value::from(patterns.of(pattern)?.is_match(text)))
    };
    let all = |arguments: &[Value]| Ok(Value::from(flags(arguments)?.iter().all(|flag| *flag)));
    let any = |arguments: &[Value]| Ok(Value::from(flags(arguments)?.iter().any(|flag| *flag)));
    extend(engine, "all", 1, told(all, strictness))?;
    extend(engine, "any", 1, told(any, strictness))?;
    extend(engine, "re_match", 2, told(matches, strictness))?;
    extend(engine, "set_diff", 2, told(difference, strictness))
}

/// A builtin that has no answer fails, or is undefined where that is what its author expects.
fn told(
    call: impl Fn(&[Value]) -> Result<Value, Refused> + Clone + Send + Sync + 'static,
    strictness: Strictness,
) -> Box<dyn Extension> {
    Box::new(move |arguments: Vec<Value>| match call(&arguments) {
        Err(_) if strictness == Strictness::Lenient => Ok(Value::Undefined),
        answered => Ok(answered?),
    })
}

fn text(arguments: &[Value], index: usize) -> Option<&str> {
    match arguments.get(index)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Which elements of a collection are true.
fn flags(arguments: &[Value]) -> Result<Vec<bool>, Refused> {
    let is_true = |item: &Value| *item == Value::Bool(true);
    match arguments.first() {
        Some(Value::Array(items)) => Ok(items.iter().map(is_true).collect()),
        Some(Value::Set(items)) => Ok(items.iter().map(is_true).collect()),
        _ => Err(Refused::NoCollection),
    }
}

fn difference(arguments: &[Value]) -> Result<Value, Refused> {
    let [Value::Set(from), Value::Set(taken)] = arguments else {
        return Err(Refused::NoSets);
    };
    let left = from.iter().filter(|item| !taken.contains(item));
    Ok(Value::from(left.cloned().collect::<BTreeSet<Value>>()))
}

/// Expressions that were compiled, shared by all answers of the same modules.
#[derive(Debug, Clone, Default)]
struct Patterns(Arc<Mutex<BTreeMap<String, Regex>>>);

impl Patterns {
    fn of(&self, pattern: &str) -> Result<Regex, Refused> {
        if let Ok(known) = self.0.lock()
            && let Some(compiled) = known.get(pattern)
        {
            return Ok(compiled.clone());
        }
        let compiled = go_regex::compile(pattern);
        let compiled = compiled.map_err(|error| Refused::Pattern(error.to_string()))?;
        if let Ok(mut known) = self.0.lock() {
            // Few are ever seen; one that is made anew for each request must not fill the memory.
            if known.len() >= MAX_PATTERNS {
                known.clear();
            }
            known.insert(pattern.to_owned(), compiled.clone());
        }
        Ok(compiled)
    }
}
