//! Builtins that are answered otherwise than regorus does: what would take all memory, what would read the clock, and
//! digests, which it does not have.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use regorus::{Engine, Extension, Value};
use thiserror::Error;

use crate::hexadecimal;
use crate::rego::evaluate::RegoError;

/// The longest list of numbers that is made of its ends: more is no policy about one object.
const MAX_NUMBERS: u64 = 100_000;

/// Why a builtin has no answer.
#[derive(Debug, Error)]
enum Refused {
    #[error("the ends and the step must be whole numbers")]
    NotWhole,
    #[error("the step must be more than zero")]
    Step,
    #[error("a text is wanted")]
    NoText,
    #[error("these are more than {MAX_NUMBERS} numbers")]
    TooMany,
}

/// Adds those that are the same for each question.
pub(super) fn add(engine: &mut Engine) -> Result<(), RegoError> {
    let range = |arguments: Vec<Value>| Ok(numbers(&arguments)?);
    extend(engine, "numbers.range", 2, Box::new(range))?;
    let range = |arguments: Vec<Value>| Ok(numbers(&arguments)?);
    extend(engine, "numbers.range_step", 3, Box::new(range))?;
    for (name, digest) in DIGESTS {
        let call = move |arguments: Vec<Value>| {
            let text = arguments.first().and_then(|text| text.as_string().ok());
            let text = text.ok_or(Refused::NoText)?;
            Ok(Value::from(digest(text.as_bytes())))
        };
        extend(engine, name, 1, Box::new(call))?;
    }
    Ok(())
}

type Digester = fn(&[u8]) -> String;

/// Digests of a text, in hexadecimal digits, by OPA's names.
pub(super) const DIGESTS: [(&str, Digester); 3] = [
    ("crypto.md5", digest::<Md5>),
    ("crypto.sha1", digest::<Sha1>),
    ("crypto.sha256", digest::<Sha256>),
];

fn digest<D: Digest>(bytes: &[u8]) -> String {
    hexadecimal::of(&D::digest(bytes))
}

/// Adds the clock, which stands still for a question.
pub(super) fn tell_time(engine: &mut Engine, now: i64) -> Result<(), RegoError> {
    let clock = move |_: Vec<Value>| Ok(Value::from(now));
    extend(engine, "time.now_ns", 0, Box::new(clock))
}

/// Adds a builtin.
pub(super) fn extend(
    engine: &mut Engine,
    name: &str,
    arity: u8,
    extension: Box<dyn Extension>,
) -> Result<(), RegoError> {
    let added = engine.add_extension(name.to_owned(), arity, extension);
    added.map_err(|error| RegoError::Internal(error.to_string()))
}

/// The numbers from the first argument to the second, both included, downwards where that is less; by a step where there is
/// a third.
fn numbers(arguments: &[Value]) -> Result<Value, Refused> {
    let mut whole = arguments.iter().map(|one| one.as_i64().ok());
    let mut next = || whole.next().flatten().ok_or(Refused::NotWhole);
    let (from, to) = (next()?, next()?);
    let step = match arguments.get(2) {
        Some(_) => next()?,
        None => 1,
    };
    if step <= 0 {
        return Err(Refused::Step);
    }
    let count = from.abs_diff(to) / step.unsigned_abs();
    if count >= MAX_NUMBERS {
        return Err(Refused::TooMany);
    }
    let mut made = Vec::new();
    let mut next = Some(from);
    while let Some(number) = next.filter(|one| if from <= to { *one <= to } else { *one >= to }) {
        made.push(Value::from(number));
        next = if from <= to {
            number.checked_add(step)
        } else {
            number.checked_sub(step)
        };
    }
    Ok(Value::from(made))
}
