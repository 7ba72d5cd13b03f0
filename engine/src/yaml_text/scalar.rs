//! Which ways of writing a text down in YAML keep it what it is.
//!
//! Knows nothing of where it stands.

/// Which styles keep a text what it is.
pub(super) struct Allowed {
    pub(super) plain: bool,
    pub(super) single_quoted: bool,
    pub(super) literal: bool,
}

impl Allowed {
    pub(super) fn of(text: &str) -> Self {
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
pub(super) fn is_printable(character: char) -> bool {
    matches!(
        character,
        '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}'
    ) || u32::from(character) >= 0x1_0000
}

/// Whether a plain scalar of this text would be read back as a text.
pub(super) fn reads_as_string(text: &str) -> bool {
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
