//! Numbers and values as text, and text as numbers, the way Go does it: Kyverno compares and prints through Go's `fmt`,
//! `strconv` and `encoding/json`, so its verdicts depend on their forms.
//!
//! Knows nothing of policies.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Number, Value};

/// A float as `fmt` prints it with `%v`: the shortest digits, with an exponent below 1e-4 and from 1e6 on.
pub fn float(value: f64) -> String {
    let Some(digits) = Digits::of(value) else {
        return special(value);
    };
    if digits.exponent < -4 || digits.exponent >= 6 {
        digits.scientific('e', 2)
    } else {
        digits.positional()
    }
}

/// A float as `strconv` formats it with `'E'`: always with an exponent, as in `1.5E+00`.
pub fn float_scientific(value: f64) -> String {
    Digits::of(value).map_or_else(|| special(value), |digits| digits.scientific('E', 2))
}

/// A float as `encoding/json` writes it.
pub fn float_json(value: f64) -> String {
    let Some(digits) = Digits::of(value) else {
        return special(value);
    };
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        digits.scientific('e', 1)
    } else {
        digits.positional()
    }
}

/// A number as `fmt.Sprint` prints it: integers as integers, the rest as [`float`] does.
pub fn number(value: &Number) -> String {
    match value.as_f64() {
        Some(float_value) if value.is_f64() => float(float_value),
        _ => value.to_string(),
    }
}

/// The type of a value as `fmt` prints it with `%T`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        // Once it went through a context, every number is a float.
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value as `fmt.Sprint` prints it, its numbers taken for floats, as they are in Kyverno once they went through an expression.
pub fn sprint(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed("<nil>"),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(value) => Cow::Owned(float(as_float(value))),
        Value::Array(_) | Value::Object(_) => {
            let mut text = String::new();
            write_sprint(&mut text, value);
            Cow::Owned(text)
        }
    }
}

fn write_sprint(text: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                write_sprint(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push_str("map[");
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            for (index, name) in names.into_iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(name);
                text.push(':');
                write_sprint(text, fields.get(name).unwrap_or(&Value::Null));
            }
            text.push(']');
        }
        scalar => text.push_str(&sprint(scalar)),
    }
}

/// A value as `encoding/json` writes it: keys sorted, numbers as floats, and without Go's escapes for HTML.
pub fn json(value: &Value) -> String {
    let mut text = String::new();
    write_json(&mut text, value);
    text
}

/// A text as a message of our own shows it: in quotes, on one line, and not at any length.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or("")),
        None => format!("{text:?}"),
    }
}

/// A text in quotes as `%q` and `strconv.Quote` write it.
pub fn quoted(text: &str) -> String {
    let mut written = String::from("\"");
    for character in text.chars() {
        let simple = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            _ => "",
        };
        written.push_str(simple);
        if !simple.is_empty() {
            continue;
        }
        let code = u32::from(character);
        let escape = match character {
            character if is_printable(character) => character.to_string(),
            '\0'..='\u{7f}' => format!("\\x{code:02x}"),
            '\u{80}'..='\u{ffff}' => format!("\\u{code:04x}"),
            _ => format!("\\U{code:08x}"),
        };
        written.push_str(&escape);
    }
    written.push('"');
    written
}

/// Near enough to `unicode.IsPrint`: blanks but the plain one, controls, and marks that nobody sees are not.
fn is_printable(character: char) -> bool {
    let invisible = matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}'
    );
    character == ' ' || !(invisible || character.is_control() || character.is_whitespace())
}

/// A text in quotes as the package `time` writes it: all that is not of ASCII byte by byte.
pub fn quoted_bytes(text: &str) -> String {
    let mut written = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => written.extend(['\\', char::from(byte)]),
            b' '..=0x7f => written.push(char::from(byte)),
            _ => {
                let escape = format!("\\x{byte:02x}");
                written.push_str(&escape);
            }
        }
    }
    written.push('"');
    written
}

/// A value within a text: texts as they are, everything else as JSON.
pub fn within_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(json_escaped(other)),
    }
}

/// A value as `encoding/json` writes it by default: as [`json`], with `<`, `>` and `&` escaped.
pub fn json_escaped(value: &Value) -> String {
    // None of the three can stand outside of a string.
    let mut text = String::new();
    for character in json(value).chars() {
        match character {
            '<' | '>' | '&' => write_escape(&mut text, character),
            other => text.push(other),
        }
    }
    text
}

fn write_json(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => text.push_str(&float_json(as_float(value))),
        Value::String(value) => write_json_string(text, value),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_json(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            for (index, name) in names.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_json_string(text, name);
                text.push(':');
                write_json(text, fields.get(name).unwrap_or(&Value::Null));
            }
            text.push('}');
        }
    }
}

/// A string as `encoding/json` writes it with `SetEscapeHTML(false)`.
pub fn write_json_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..'\u{20}' | '\u{2028}' | '\u{2029}' => write_escape(text, character),
            _ => text.push(character),
        }
    }
    text.push('"');
}

/// `\u` and four hexadecimal digits.
pub fn write_escape(text: &mut String, character: char) {
    // Writing to a string cannot fail.
    if write!(text, "\\u{:04x}", u32::from(character)).is_err() {
        debug_assert!(false, "a string took no more text");
    }
}

/// A number as Go's JSON decoder gives it when no type is asked for.
pub fn as_float(value: &Number) -> f64 {
    // Without `arbitrary_precision` every number has a float near it.
    value.as_f64().unwrap_or(f64::NAN)
}

/// Deep equality with every number taken for a float.
#[expect(clippy::float_cmp, reason = "the same number is meant")]
pub fn deep_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => as_float(left) == as_float(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| deep_equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| {
                    right.get(name).is_some_and(|right| deep_equal(left, right))
                })
        }
        _ => left == right,
    }
}

/// What `strconv.ParseFloat` reads: decimal and hexadecimal, infinities and NaN by name; nothing that is out of range.
pub fn parse_float(text: &str) -> Option<f64> {
    let without_sign = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts_as_number =
        without_sign.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if !starts_as_number {
        let named = ["inf", "infinity"]
            .iter()
            .any(|name| without_sign.eq_ignore_ascii_case(name));
        return (named || text.eq_ignore_ascii_case("nan"))
            .then(|| text.parse().ok())
            .flatten();
    }
    let digits = if text.contains('_') {
        Cow::Owned(without_underscores(text)?)
    } else {
        Cow::Borrowed(text)
    };
    let value: f64 = if without_sign.starts_with("0x") || without_sign.starts_with("0X") {
        parse_hexadecimal(&digits)?
    } else {
        digits.parse().ok()?
    };
    value.is_finite().then_some(value)
}

/// What `strconv.ParseInt` reads in base ten.
pub fn parse_int(text: &str) -> Option<i64> {
    // Rust's reads the same: an optional sign, then decimal digits, in range.
    text.parse().ok()
}

/// A float as Go converts it to `int64` on amd64: cut, and the smallest integer where it is out of range or no number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first"
)]
pub fn truncate(value: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// The text without the underscores that Go's literals may have: each between two digits, or behind `0x`.
fn without_underscores(text: &str) -> Option<String> {
    let hexadecimal = text
        .trim_start_matches(['+', '-'])
        .get(..2)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x"));
    let is_digit = |byte: u8| byte.is_ascii_digit() || (hexadecimal && byte.is_ascii_hexdigit());
    let bytes = text.as_bytes();
    let allowed = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| {
            let before = at
                .checked_sub(1)
                .and_then(|before| bytes.get(before))
                .copied();
            let after = bytes.get(at + 1).copied();
            let behind_prefix =
                hexadecimal && before.is_some_and(|byte| byte.eq_ignore_ascii_case(&b'x'));
            after.is_some_and(is_digit) && (behind_prefix || before.is_some_and(is_digit))
        });
    allowed.then(|| text.replace('_', ""))
}

/// `0x1.8p3`: the exponent is required, as Go requires it.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let rest = rest.get(2..)?;
    let (mantissa, exponent) = rest.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value.mul_add(16.0, f64::from(digit.to_digit(16)?));
    }
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    value *= 2.0_f64.powi(shift);
    Some(if negative { -value } else { value })
}

fn special(value: f64) -> String {
    let name = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    name.to_owned()
}

/// The shortest decimal digits that read back as the same float.
struct Digits {
    negative: bool,
    /// At least one, without a point.
    text: String,
    /// Of ten, for a point behind the first digit.
    exponent: i32,
}

impl Digits {
    /// Of a finite float.
    fn of(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let shortest = format!("{:e}", value.abs());
        let (mantissa, exponent) = shortest.split_once('e')?;
        Some(Self {
            negative: value.is_sign_negative(),
            text: mantissa.replace('.', ""),
            exponent: exponent.parse().ok()?,
        })
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    /// `1.5e+06`, with at least so many digits of exponent.
    fn scientific(&self, mark: char, exponent_digits: usize) -> String {
        let (first, rest) = self.text.split_at_checked(1).unwrap_or((&self.text, ""));
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if self.exponent < 0 { '-' } else { '+' };
        let exponent = self.exponent.unsigned_abs();
        format!(
            "{}{first}{point}{rest}{mark}{exponent_sign}{exponent:0exponent_digits$}",
            self.sign()
        )
    }

    /// `1500000` or `0.00015`.
    fn positional(&self) -> String {
        let sign = self.sign();
        let digits = &self.text;
        let Ok(before_point) = usize::try_from(self.exponent + 1) else {
            let zeros = "0".repeat(usize::try_from(-self.exponent - 1).unwrap_or(0));
            return format!("{sign}0.{zeros}{digits}");
        };
        match digits.split_at_checked(before_point) {
            Some(("", fraction)) => format!("{sign}0.{fraction}"),
            Some((whole, "")) => format!("{sign}{whole}"),
            Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
            None => format!("{sign}{digits}{}", "0".repeat(before_point - digits.len())),
        }
    }
}

#[cfg(test)]
mod tests;
