//! YAML as go-yaml 2 writes it: the part that a map of maps of texts needs.
//!
//! Plain, quoted and literal scalars are chosen and folded at 80 columns as libyaml's emitter does.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A line is broken at the first space after this column.
const WIDTH: usize = 80;

/// A map of maps of texts, two spaces deep, keys in go-yaml's order.
pub(super) fn nested_map(map: &BTreeMap<&str, BTreeMap<&str, &str>>) -> String {
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

/// Which styles keep a text what it is.
struct Allowed {
    plain: bool,
    single_quoted: bool,
    literal: bool,
}

impl Allowed {
    fn of(text: &str) -> Self {
        let mut allowed = Self {
            plain: !text.is_empty() && !starts_with_indicator(text),
            single_quoted: true,
            literal: true,
        };
        if text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']) {
            allowed.plain = false;
        }
        if text.ends_with(' ') {
            allowed.literal = false;
        }
        let mut previous = None;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let blank_follows = characters.peek().is_none_or(|next| next.is_whitespace());
            match character {
                ':' if blank_follows => allowed.plain = false,
                '#' if previous.is_some_and(char::is_whitespace) => allowed.plain = false,
                '\n' => {
                    allowed.plain = false;
                    let space_before = previous == Some(' ');
                    allowed.single_quoted &= !space_before;
                    allowed.literal &= !space_before;
                }
                ' ' if previous == Some('\n') => {
                    allowed.plain = false;
                    allowed.single_quoted = false;
                }
                other if !is_printable(other) => {
                    allowed.plain = false;
                    allowed.single_quoted = false;
                    allowed.literal = false;
                }
                _ => {}
            }
            previous = Some(character);
        }
        allowed
    }
}

fn starts_with_indicator(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    let blank_follows = characters.next().is_none_or(char::is_whitespace);
    match first {
        Some(
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`',
        ) => true,
        Some('-' | '?' | ':') if blank_follows => true,
        Some('-' | '.') => text.starts_with("---") || text.starts_with("..."),
        _ => false,
    }
}

/// Printable by YAML's definition; a tab is not, for libyaml.
fn is_printable(character: char) -> bool {
    matches!(
        character,
        '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}'
    ) || u32::from(character) >= 0x1_0000
}

/// Whether a plain scalar of this text would be read back as a text.
fn reads_as_string(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    if text.is_empty() || matches!(text, "~" | "<<") {
        return false;
    }
    let is_word = |word: &&str| {
        let capital = text.chars().next().is_some_and(char::is_uppercase);
        text == *word
            || text == word.to_uppercase()
            || (capital
                && text.eq_ignore_ascii_case(word)
                && text.chars().skip(1).all(char::is_lowercase))
    };
    !(WORDS.iter().any(is_word) || is_number(text) || is_date(text))
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = unsigned.replace('_', "");
    if matches!(
        plain.as_str(),
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return true;
    }
    let starts_right =
        plain.starts_with(|character: char| character.is_ascii_digit() || character == '.');
    let radix = |prefix: &str, radix: u32| {
        plain
            .strip_prefix(prefix)
            .is_some_and(|digits| u64::from_str_radix(digits, radix).is_ok())
    };
    let sixty = plain.contains(':')
        && plain.split(':').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
    starts_right
        && (plain.parse::<f64>().is_ok()
            || radix("0x", 16)
            || radix("0o", 8)
            || radix("0b", 2)
            || sixty)
}

/// `2001-12-14`, with or without a time behind it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| {
            part.len() <= length
                && !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    text.get(..4)
        .is_some_and(|year| year.bytes().all(|byte| byte.is_ascii_digit()))
        && digits(parts.next(), 4)
        && digits(parts.next(), 2)
        && parts.next().is_some_and(|day| {
            let day = day.split(['T', 't', ' ']).next();
            digits(day, 2)
        })
}
