//! Sets of characters: what stands between brackets, classes by letter or name, and escapes that are one character.

use super::RegexError;
use super::names::is_known;
use super::translate::{Translator, push_literal};

/// An expression that no character is.
pub(super) const NOTHING: &str = r"[^\x00-\x{10FFFF}]";
/// An expression that every character is.
const EVERYTHING: &str = r"[\x00-\x{10FFFF}]";

/// The names of `[:name:]`; the crate has the same.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The characters of a Perl class, as Go has it: those of ASCII.
pub(super) fn perl_class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        _ => return None,
    })
}

/// `\pL` or `\p{Greek}`, whose backslash has been read, as the crate writes it.
pub(super) fn unicode_class(translator: &mut Translator<'_>) -> Result<String, RegexError> {
    let before = translator.rest;
    let mut negated = translator.next() == Some('P');
    let name = match translator.next() {
        None => "",
        Some('{') => {
            let Some((name, rest)) = translator.rest.split_once('}') else {
                translator.rest = "";
                return Err(unknown(before));
            };
            translator.rest = rest;
            name
        }
        Some(_) => translator.read_since(before).get(1..).unwrap_or(""),
    };
    let plain = name.strip_prefix('^');
    negated ^= plain.is_some();
    let plain: String = plain
        .unwrap_or(name)
        .chars()
        .filter(|character| !matches!(character, ' ' | '_' | '-'))
        .map(|character| character.to_ascii_lowercase())
        .collect();
    if !is_known(&plain) {
        return Err(unknown(translator.read_since(before)));
    }
    // Surrogates are in no text, and the crate knows no class of them.
    let class = match (plain.as_str(), negated) {
        ("cs" | "surrogate", false) => NOTHING.to_owned(),
        ("cs" | "surrogate", true) => EVERYTHING.to_owned(),
        (_, true) => format!(r"\P{{{plain}}}"),
        (_, false) => format!(r"\p{{{plain}}}"),
    };
    Ok(class)
}

fn unknown(written: &str) -> RegexError {
    RegexError::new("invalid character class range", format!("\\{written}"))
}

/// The character that an escape is whose backslash has been read; none where it is a surrogate, which no text holds.
pub(super) fn escape_of(translator: &mut Translator<'_>) -> Result<Option<char>, RegexError> {
    let before = translator.rest;
    let Some(character) = translator.next() else {
        return Err(RegexError::new(
            "trailing backslash at end of expression",
            "",
        ));
    };
    let is_octal = |text: &str| {
        text.bytes()
            .next()
            .filter(|byte| matches!(byte, b'0'..=b'7'))
    };
    let code = match character {
        '0'..='7' if character == '0' || is_octal(translator.rest).is_some() => {
            let mut code = character.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = is_octal(translator.rest) else {
                    break;
                };
                translator.next();
                code = code * 8 + u32::from(digit - b'0');
            }
            Some(code)
        }
        'x' => hexadecimal(translator),
        'a' => Some(0x07),
        'f' => Some(0x0C),
        'n' => Some(0x0A),
        'r' => Some(0x0D),
        't' => Some(0x09),
        'v' => Some(0x0B),
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
        _ => None,
    };
    let Some(code) = code else {
        let written = format!("\\{}", translator.read_since(before));
        return Err(RegexError::new("invalid escape sequence", written));
    };
    Ok(char::from_u32(code))
}

/// `41` or `{1F600}` behind `\x`.
fn hexadecimal(translator: &mut Translator<'_>) -> Option<u32> {
    let first = translator.next()?;
    if first != '{' {
        let second = translator.next()?;
        return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
    }
    let (mut code, mut digits) = (0, 0);
    loop {
        let character = translator.next()?;
        if character == '}' {
            return (digits > 0).then_some(code);
        }
        code = code * 16 + character.to_digit(16)?;
        if code > u32::from(char::MAX) {
            return None;
        }
        digits += 1;
    }
}

impl<'p> Translator<'p> {
    /// A class whose bracket has been read; `whole` is the rest of the expression from there.
    pub(super) fn class(&mut self, whole: &'p str) -> Result<(), RegexError> {
        let negated = self.rest.starts_with('^');
        if negated {
            self.next();
        }
        let mut items = String::new();
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if self.rest.starts_with("[:") && self.named(&mut items)? {
                continue;
            }
            if self.escaped_class(&mut items)? {
                continue;
            }
            self.range(whole, &mut items)?;
        }
        self.next();
        let class = match (items.as_str(), negated) {
            ("", false) => NOTHING.to_owned(),
            ("", true) => EVERYTHING.to_owned(),
            (_, false) => format!("[{items}]"),
            (_, true) => format!("[^{items}]"),
        };
        self.output.push_str(&class);
        Ok(())
    }

    /// `\d` or `\p{Greek}`; false where something else stands there.
    fn escaped_class(&mut self, items: &mut String) -> Result<bool, RegexError> {
        let Some(escape) = self.rest.strip_prefix('\\') else {
            return Ok(false);
        };
        let letter = escape.chars().next();
        if let Some('p' | 'P') = letter {
            self.next();
            items.push_str(&unicode_class(self)?);
            return Ok(true);
        }
        let Some(class) = letter.and_then(perl_class) else {
            return Ok(false);
        };
        self.next();
        self.next();
        items.push_str(class);
        Ok(true)
    }

    /// `[:alpha:]`; false where the bracket stands for itself.
    fn named(&mut self, items: &mut String) -> Result<bool, RegexError> {
        let inner = self.rest.get(2..).unwrap_or("");
        let Some((name, rest)) = inner.split_once(":]") else {
            return Ok(false);
        };
        let before = std::mem::replace(&mut self.rest, rest);
        let written = self.read_since(before);
        if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(RegexError::new("invalid character class range", written));
        }
        items.push_str(written);
        Ok(true)
    }

    /// One character, or two with a hyphen between.
    fn range(&mut self, whole: &'p str, items: &mut String) -> Result<(), RegexError> {
        let before = self.rest;
        let low = self.member(whole)?;
        let following = self.rest.strip_prefix('-');
        if following.is_none_or(|rest| rest.is_empty() || rest.starts_with(']')) {
            if let Some(character) = low {
                push_literal(items, character);
            }
            return Ok(());
        }
        self.next();
        let high = self.member(whole)?;
        if low.is_none() && high.is_none() {
            return Ok(());
        }
        // Of a range that begins or ends among the surrogates, what is outside of them.
        let low = low.unwrap_or('\u{E000}');
        let high = high.unwrap_or('\u{D7FF}');
        if high < low {
            let written = self.read_since(before);
            return Err(RegexError::new("invalid character class range", written));
        }
        push_literal(items, low);
        items.push('-');
        push_literal(items, high);
        Ok(())
    }

    fn member(&mut self, whole: &'p str) -> Result<Option<char>, RegexError> {
        match self.next() {
            None => Err(RegexError::new("missing closing ]", whole)),
            Some('\\') => escape_of(self),
            Some(character) => Ok(Some(character)),
        }
    }
}
