//! Distinguished names.

use serde_json::{Value, json};

use super::bytes;
use super::object_identifier;
use super::reader::{Element, tag};

/// The fields of a name that Go gives by themselves, by the last number of `2.5.4.n`.
const LISTS: [(u64, &str); 7] = [
    (6, "Country"),
    (10, "Organization"),
    (11, "OrganizationalUnit"),
    (7, "Locality"),
    (8, "Province"),
    (9, "StreetAddress"),
    (17, "PostalCode"),
];

/// A name as Go's `pkix.Name`.
pub(super) fn name(element: &Element<'_>) -> Option<Value> {
    let mut decoded =
        json!({"SerialNumber": "", "CommonName": "", "Names": null, "ExtraNames": null});
    for (_, list) in LISTS {
        *field(&mut decoded, list)? = Value::Null;
    }
    for set in element.inner(tag::SEQUENCE)? {
        for attribute in set.inner(tag::SET)? {
            let (identifier, value) = attribute_of(&attribute)?;
            push(
                field(&mut decoded, "Names")?,
                json!({"Type": object_identifier(&identifier), "Value": value}),
            );
            let by_itself = match identifier.as_slice() {
                [2, 5, 4, number] => own_field(*number),
                _ => None,
            };
            match by_itself {
                Some(name @ ("CommonName" | "SerialNumber")) => *field(&mut decoded, name)? = value,
                Some(list) => push(field(&mut decoded, list)?, value),
                None => {}
            }
        }
    }
    Some(decoded)
}

/// The field of an attribute `2.5.4.n`.
fn own_field(number: u64) -> Option<&'static str> {
    match number {
        3 => Some("CommonName"),
        5 => Some("SerialNumber"),
        _ => LISTS
            .iter()
            .find(|(own, _)| *own == number)
            .map(|(_, list)| *list),
    }
}

fn field<'v>(decoded: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    Some(decoded.as_object_mut()?.entry(name).or_insert(Value::Null))
}

/// Appends to a list that is null while it is empty.
pub(super) fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        other => *other = Value::Array(vec![item]),
    }
}

/// Type and value of an attribute.
pub(super) fn attribute_of(element: &Element<'_>) -> Option<(Vec<u64>, Value)> {
    let mut fields = element.inner(tag::SEQUENCE)?;
    let identifier = fields.next()?.object_identifier()?;
    Some((identifier, any(&fields.next()?)))
}

/// A value of any type, as far as JSON has one for it.
fn any(element: &Element<'_>) -> Value {
    const BMP_STRING: u8 = 0x1e;
    const TELETEX_STRING: u8 = 0x14;
    match element.tag {
        // UTF-8, numeric, printable and IA5.
        0x0c | 0x12 | 0x13 | 0x16 => {
            Value::String(String::from_utf8_lossy(element.content).into_owned())
        }
        TELETEX_STRING => Value::String(element.content.iter().copied().map(char::from).collect()),
        BMP_STRING => {
            let units: Vec<u16> = element
                .content
                .chunks_exact(2)
                .filter_map(|unit| <[u8; 2]>::try_from(unit).ok().map(u16::from_be_bytes))
                .collect();
            Value::String(String::from_utf16_lossy(&units))
        }
        tag::BOOLEAN => Value::Bool(element.content.first().is_some_and(|byte| *byte != 0)),
        tag::OCTET_STRING => bytes(element.content),
        tag::INTEGER => element.small_integer().map_or(Value::Null, Value::from),
        _ => Value::Null,
    }
}
