//! What a plain scalar is: the rules of `sigs.k8s.io/yaml`, which reads YAML 1.1's words and then writes JSON.
//!
//! `y`, `yes`, `on` and their opposites are booleans; `0x1f`, `0o17`, `017`, `0b11` and `1_000` are integers; a float
//! without a fraction becomes an integer on its way through JSON; dates stay texts; infinities have no JSON. What `!!binary`
//! stands for is decoded.

use serde_json::Number;

use super::Value;
use crate::go_base64;

/// Why a scalar has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarError {
    /// JSON has no infinities and no NaN.
    NotFinite,
    /// The tag asks for something else than what stands there.
    Tag,
    /// The tag asks for bytes in base64, and these are none.
    Base64,
}

/// The value of a plain scalar without a tag.
pub(super) fn plain(text: &str) -> Result<Value, ScalarError> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return Err(ScalarError::NotFinite),
        _ => match number(text)? {
            Some(number) => Value::Number(number),
            None => Value::String(text.to_owned()),
        },
    })
}

/// YAML's own tags of scalars, without `!!`.
pub(super) const TAGS: [&str; 7] = ["str", "null", "bool", "int", "float", "timestamp", "binary"];

/// The value of a scalar with one of YAML's own tags (`!!str` and so on), whatever its style.
pub(super) fn tagged(suffix: &str, text: &str) -> Result<Value, ScalarError> {
    if suffix == "str" {
        return Ok(Value::String(text.to_owned()));
    }
    if suffix == "binary" {
        let bytes = go_base64::decode(text).map_err(|_at| ScalarError::Base64)?;
        return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    }
    let value = plain(text)?;
    match (suffix, &value) {
        ("null", Value::Null)
        | ("bool", Value::Bool(_))
        | ("float", Value::Number(_))
        | ("timestamp", Value::String(_)) => Ok(value),
        ("int", Value::Number(number)) if !number.is_f64() => Ok(value),
        _ => Err(ScalarError::Tag),
    }
}

/// A number in any of the spellings, if it is one.
fn number(text: &str) -> Result<Option<Number>, ScalarError> {
    let starts = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    if !text.as_bytes().first().is_some_and(starts) {
        return Ok(None);
    }
    let digits = text.replace('_', "");
    if let Some(integer) = integer(&digits) {
        return Ok(Some(integer));
    }
    // A number that starts with a point is read without dropping underscores.
    let digits = if text.starts_with('.') { text } else { &digits };
    if !is_float(digits) {
        return Ok(None);
    }
    let Ok(float) = digits.parse::<f64>() else {
        return Ok(None);
    };
    if float.is_infinite() {
        return Err(ScalarError::NotFinite);
    }
    Ok(json_number(float))
}

/// An integer with Go's prefixes for its base; a leading zero means eight.
fn integer(digits: &str) -> Option<Number> {
    let (negative, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let lower = magnitude.to_ascii_lowercase();
    let (base, magnitude) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..).unwrap_or(""))
    } else {
        (10, lower.as_str())
    };
    if !magnitude.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let value = u64::from_str_radix(magnitude, base).ok()?;
    if negative {
        let value = 0_i64.checked_sub_unsigned(value)?;
        Some(Number::from(value))
    } else {
        Some(Number::from(value))
    }
}

/// Digits with at most one point and an exponent: what YAML calls a float.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at).unwrap_or(""), unsigned.get(at + 1..)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let some_digits = |part: &str| !part.is_empty() && all_digits(part);
    let mantissa_fits = match fraction {
        None => some_digits(whole),
        Some(fraction) if whole.is_empty() => some_digits(fraction),
        Some(fraction) => all_digits(whole) && all_digits(fraction),
    };
    let exponent_fits = |part: &str| some_digits(part.strip_prefix(['+', '-']).unwrap_or(part));
    mantissa_fits && exponent.is_none_or(exponent_fits)
}

/// A float as it comes out of JSON: Go writes those below 1e21 without an exponent, and then reads whole ones as integers.
fn json_number(float: f64) -> Option<Number> {
    if float.fract() == 0.0 && float.abs() < 1e21 {
        let written = format!("{float:.0}");
        if let Ok(integer) = written.parse::<i64>() {
            return Some(Number::from(integer));
        }
    }
    Number::from_f64(float)
}
