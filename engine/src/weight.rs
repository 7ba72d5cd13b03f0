//! What JSON takes in memory, so that others' documents are bounded by that and not by the bytes of their text: a list of
//! small maps takes a hundred times its text.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Entries of a map's node as they are inserted in order: nodes are split when they have eleven, and six stay.
const OF_A_NODE: usize = 6;
/// A node of a map of values, with its share of the nodes above.
const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 48;
/// What an allocation takes beside its bytes.
const ALLOCATION: usize = 16;
/// The least elements that a list has room for.
const LEAST: usize = 4;

/// The bytes that a JSON text takes as a [`Value`], counted while it is read and without making one.
///
/// Deserializing fails where the text is no JSON, as a [`Value`] would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(pub usize);

/// The bytes that a value takes in memory, roughly.
pub fn of(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => of_text(text),
            Value::Array(items) => of_list(items.len()) + items.iter().map(of).sum::<usize>(),
            Value::Object(fields) => of_fields(fields),
        }
}

fn of_fields(fields: &Map<String, Value>) -> usize {
    let each = fields.iter().map(|(name, value)| {
        // The value itself lies in the node.
        of_text(name) + of(value) - size_of::<Value>()
    });
    of_map(fields.len()) + each.sum::<usize>()
}

/// What a text has outside of itself.
const fn of_text(text: &str) -> usize {
    match text.len() {
        0 => 0,
        length => length + ALLOCATION,
    }
}

/// What a list has outside of itself for elements that are not there: it has room for up to as many again.
fn of_list(length: usize) -> usize {
    if length == 0 {
        return 0;
    }
    let room = length.max(LEAST).next_power_of_two();
    (room - length) * size_of::<Value>() + ALLOCATION
}

const fn of_map(length: usize) -> usize {
    length.div_ceil(OF_A_NODE) * (NODE + ALLOCATION)
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scale).map(Self)
    }
}

/// Weighs what is read.
struct Scale;

impl<'de> Visitor<'de> for Scale {
    type Value = usize;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<usize, E> {
        Ok(size_of::<Value>())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<usize, E> {
        Ok(size_of::<Value>())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<usize, E> {
        Ok(size_of::<Value>())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<usize, E> {
        Ok(size_of::<Value>())
    }

    fn visit_unit<E: Error>(self) -> Result<usize, E> {
        Ok(size_of::<Value>())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        Ok(size_of::<Value>() + of_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<usize, A::Error> {
        let (mut length, mut weight) = (0, size_of::<Value>());
        while let Some(Weight(item)) = items.next_element()? {
            length += 1;
            weight += item;
        }
        Ok(weight + of_list(length))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<usize, A::Error> {
        let (mut length, mut weight) = (0, size_of::<Value>());
        while let Some((Weight(name), Weight(value))) = fields.next_entry()? {
            length += 1;
            weight += name + value - 2 * size_of::<Value>();
        }
        Ok(weight + of_map(length))
    }
}

#[cfg(test)]
mod tests;
