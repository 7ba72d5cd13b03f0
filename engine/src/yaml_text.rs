//! YAML as go-yaml 2 writes it: keys in its order, lists as deep as their key.
//!
//! Plain, quoted and literal scalars are chosen and folded at 80 columns as libyaml's emitter does.

mod scalar;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use scalar::{Allowed, is_printable, reads_as_string};

/// A line is broken at the first space after this column.
const WIDTH: usize = 80;

/// How much deeper a value is than its key.
const INDENT: usize = 2;

/// A document, with a line break at its end.
pub fn document(value: &Value) -> String {
    let mut out = Writer::default();
    out.value(value, 0);
    out.text.push('\n');
    out.text
}

/// A map of maps of texts, two spaces deep, keys in go-yaml's order.
pub(crate) fn nested_map(map: &BTreeMap<&str, BTreeMap<&str, &str>>) -> String {
    let mut out = Writer::default();
    for (key, inner) in in_order(map) {
        out.scalar(key, 0, Place::Key);
        out.write(":");
        for (key, text) in in_order(inner) {
            out.line(2);
            out.scalar(key, 2, Place::Key);
            out.write(": ");
            out.scalar(text, 4, Place::Value);
        }
        out.line(0);
    }
    out.text
}

fn in_order<'a, V>(map: &'a BTreeMap<&'a str, V>) -> Vec<(&'a str, &'a V)> {
    let mut entries: Vec<(&str, &V)> = map.iter().map(|(key, value)| (*key, value)).collect();
    entries.sort_by(|left, right| natural_order(left.0, right.0));
    entries
}

/// Runs of digits compare as numbers, letters come after everything else.
fn natural_order(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (Some(a), Some(b)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len());
        };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (number, rest) = digits(left);
            let (other, other_rest) = digits(right);
            let order = number.cmp(&other);
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (rest, other_rest);
            continue;
        }
        let order = (a.is_alphabetic(), a).cmp(&(b.is_alphabetic(), b));
        if order != Ordering::Equal {
            return order;
        }
        left = left.get(a.len_utf8()..).unwrap_or("");
        right = right.get(b.len_utf8()..).unwrap_or("");
    }
}

/// A run of digits as its length without leading zeros and its text, and what follows.
fn digits(text: &str) -> ((usize, &str), &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (run, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let significant = run.trim_start_matches('0');
    ((significant.len(), significant), rest)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Value,
}

#[derive(Default)]
struct Writer {
    text: String,
    column: usize,
}

impl Writer {
    fn write(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn put(&mut self, character: char) {
        self.text.push(character);
        self.column += 1;
    }

    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// A value where the writer stands; what needs more lines continues them at `indent`.
    fn value(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.write("null"),
            Value::Bool(value) => self.write(if *value { "true" } else { "false" }),
            Value::Number(number) => self.write(&number.to_string()),
            Value::String(text) => self.scalar(text, indent + INDENT, Place::Value),
            Value::Array(items) => self.list(items, indent),
            Value::Object(fields) => self.map(fields, indent),
        }
    }

    fn list(&mut self, items: &[Value], indent: usize) {
        if items.is_empty() {
            self.write("[]");
        }
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.line(indent);
            }
            self.write("- ");
            match item {
                Value::String(text) => self.scalar(text, indent + INDENT, Place::Value),
                item => self.value(item, indent + INDENT),
            }
        }
    }

    fn map(&mut self, fields: &Map<String, Value>, indent: usize) {
        if fields.is_empty() {
            self.write("{}");
        }
        let mut entries: Vec<_> = fields.iter().collect();
        entries.sort_by(|left, right| natural_order(left.0, right.0));
        for (index, (key, value)) in entries.into_iter().enumerate() {
            if index > 0 {
                self.line(indent);
            }
            self.scalar(key, indent, Place::Key);
            self.write(":");
            match value {
                // A list stands as deep as its key.
                Value::Array(items) if !items.is_empty() => {
                    self.line(indent);
                    self.list(items, indent);
                }
                Value::Object(fields) if !fields.is_empty() => {
                    self.line(indent + INDENT);
                    self.map(fields, indent + INDENT);
                }
                value => {
                    self.write(" ");
                    self.value(value, indent);
                }
            }
        }
    }

    fn scalar(&mut self, text: &str, indent: usize, place: Place) {
        let allowed = Allowed::of(text);
        if !reads_as_string(text) {
            self.double_quoted(text, indent, place);
        } else if text.contains('\n') && place == Place::Value {
            if allowed.literal {
                self.literal(text, indent);
            } else {
                self.double_quoted(text, indent, place);
            }
        } else if allowed.plain && !(place == Place::Key && text.contains('\n')) {
            self.plain(text, indent, place);
        } else if allowed.single_quoted && !text.contains('\n') {
            self.single_quoted(text, indent, place);
        } else {
            self.double_quoted(text, indent, place);
        }
    }

    fn plain(&mut self, text: &str, indent: usize, place: Place) {
        self.folded(text, indent, place, false);
    }

    fn single_quoted(&mut self, text: &str, indent: usize, place: Place) {
        self.put('\'');
        self.folded(text, indent, place, true);
        self.put('\'');
    }

    /// Text without line breaks; a single space beyond the width becomes one.
    fn folded(&mut self, text: &str, indent: usize, place: Place, quoted: bool) {
        let mut after_space = false;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek();
            let inside = !quoted || (!first && next.is_some());
            let breaks = character == ' '
                && place == Place::Value
                && !after_space
                && self.column > WIDTH
                && inside
                && next != Some(&' ');
            if breaks {
                self.line(indent);
            } else {
                self.put_doubling_quotes(character, quoted);
            }
            after_space = character == ' ';
            first = false;
        }
    }

    fn put_doubling_quotes(&mut self, character: char, quoted: bool) {
        if quoted && character == '\'' {
            self.put('\'');
        }
        self.put(character);
    }

    fn double_quoted(&mut self, text: &str, indent: usize, place: Place) {
        self.put('"');
        let mut after_space = false;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek();
            if character == ' '
                && place == Place::Value
                && !after_space
                && self.column > WIDTH
                && !first
                && next.is_some()
            {
                self.line(indent);
                let escape = next == Some(&' ');
                self.text.extend(escape.then_some('\\'));
                self.column += usize::from(escape);
                after_space = true;
            } else {
                self.escaped(character);
                after_space = character == ' ';
            }
            first = false;
        }
        self.put('"');
    }

    fn escaped(&mut self, character: char) {
        let short = match character {
            '\0' => "\\0",
            '\x07' => "\\a",
            '\x08' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\x0b' => "\\v",
            '\x0c' => "\\f",
            '\r' => "\\r",
            '\x1b' => "\\e",
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{85}' => "\\N",
            '\u{a0}' => "\\_",
            '\u{2028}' => "\\L",
            '\u{2029}' => "\\P",
            printable if is_printable(printable) => {
                self.put(printable);
                return;
            }
            other => {
                let code = u32::from(other);
                let mut escape = String::new();
                let written = match code {
                    0..=0xff => write!(escape, "\\x{code:02X}"),
                    0x100..=0xffff => write!(escape, "\\u{code:04X}"),
                    _ => write!(escape, "\\U{code:08X}"),
                };
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
                self.write(&escape);
                return;
            }
        };
        self.write(short);
    }

    /// `|` with its hints, and the lines as they are.
    fn literal(&mut self, text: &str, indent: usize) {
        self.put('|');
        if text.starts_with([' ', '\n']) {
            self.put('2');
        }
        let trailing = text.len() - text.trim_end_matches('\n').len();
        match trailing {
            0 => self.put('-'),
            1 if text.len() > 1 => {}
            _ => self.put('+'),
        }
        for line in text.split_inclusive('\n') {
            let line = line.strip_suffix('\n').unwrap_or(line);
            if line.is_empty() {
                self.line(0);
            } else {
                self.line(indent);
                self.write(line);
            }
        }
        // Kept line feeds end the scalar already, all but the one that the map writes.
        if trailing > 1 {
            for _ in 1..trailing {
                self.line(0);
            }
            let kept = self.text.trim_end_matches('\n').len() + trailing - 1;
            self.text.truncate(kept);
        }
    }
}

#[cfg(test)]
mod tests;
