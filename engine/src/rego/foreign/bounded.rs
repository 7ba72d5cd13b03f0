//! Builtins that are answered otherwise than regorus does: what would take all memory, what would read the clock, and
//! digests, which it does not have.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use regorus::{Engine, Extension, Value};
use thiserror::Error;

use crate::hexadecimal;
use crate::rego::evaluate::RegoError;

use super::Strictness;

/// The longest list of numbers that is made of its ends: more is no policy about one object.
const MAX_NUMBERS: u64 = 100_000;

/// The most addresses that a network is expanded to: 10.0.0.0/16.
const MAX_ADDRESSES: u128 = 1 << 16;

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
    #[error("a network is wanted, as in 10.0.0.0/24")]
    NoNetwork,
    #[error("these are more than {MAX_ADDRESSES} addresses")]
    TooManyAddresses,
}

/// Adds those that are the same for each question.
pub(super) fn add(engine: &mut Engine, strictness: Strictness) -> Result<(), RegoError> {
    let range = |arguments: Vec<Value>| Ok(numbers(&arguments)?);
    extend(engine, "numbers.range", 2, Box::new(range))?;
    let range = |arguments: Vec<Value>| Ok(numbers(&arguments)?);
    extend(engine, "numbers.range_step", 3, Box::new(range))?;
    let expand = move |arguments: Vec<Value>| match addresses(&arguments) {
        Err(Refused::NoNetwork) if strictness == Strictness::Lenient => Ok(Value::Undefined),
        answered => Ok(answered?),
    };
    extend(engine, "net.cidr_expand", 1, Box::new(expand))?;
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

/// The addresses of a network, as a set of texts.
fn addresses(arguments: &[Value]) -> Result<Value, Refused> {
    let network = arguments.first().and_then(|text| text.as_string().ok());
    let (address, length) = network
        .and_then(|text| text.split_once('/'))
        .ok_or(Refused::NoNetwork)?;
    let address: IpAddr = address.parse().map_err(|_unread| Refused::NoNetwork)?;
    let length: u32 = length.parse().map_err(|_unread| Refused::NoNetwork)?;
    let (bits, address) = match address {
        IpAddr::V4(address) => (32_u32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (128, address.to_bits()),
    };
    let free = bits.checked_sub(length).ok_or(Refused::NoNetwork)?;
    let count = 1_u128.checked_shl(free).unwrap_or(u128::MAX);
    if count > MAX_ADDRESSES {
        return Err(Refused::TooManyAddresses);
    }
    let first = address & !(count - 1);
    let written = |address: u128| match u32::try_from(address) {
        Ok(short) if bits == 32 => Ipv4Addr::from_bits(short).to_string(),
        _ => Ipv6Addr::from_bits(address).to_string(),
    };
    let all = (0..count).map(|offset| Value::from(written(first | offset)));
    Ok(Value::from(all.collect::<BTreeSet<_>>()))
}
