//! Regular expressions in Go's syntax (RE2), run by the `regex` crate: both are linear in time and nearly the same language.
//!
//! What differs is translated: `\d`, `\w`, `\s` and `\b` are ASCII in Go, `\Q..\E` quotes, classes have no set operations,
//! and a brace that is no repetition stands for itself.

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// Largest compiled program: well above what real expressions need, and small enough to be had by the thousand.
const MAX_PROGRAM: usize = 4 * 1024 * 1024;
/// The same of one that a request brings.
const MAX_SMALL_PROGRAM: usize = 256 * 1024;
/// Most repetitions that Go allows in braces.
const MAX_REPEAT: u32 = 1_000;

/// Why a text is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("error parsing regexp: {0}")]
pub struct RegexError(String);

/// Compiles an expression as Go's `regexp.Compile` does.
pub fn compile(pattern: &str) -> Result<Regex, RegexError> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(MAX_PROGRAM)
        .build()
        .map_err(|error| RegexError(reason(pattern, &error)))
}

/// The same for an expression that is only known when a request is there: a small one, since the time to match a text grows
/// with it.
pub fn compile_small(pattern: &str) -> Result<Regex, RegexError> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(MAX_SMALL_PROGRAM)
        .build()
        .map_err(|error| RegexError(reason(pattern, &error)))
}

/// The same expression in the syntax of the `regex` crate.
pub fn translate(pattern: &str) -> Result<String, RegexError> {
    Translator {
        rest: pattern,
        output: String::with_capacity(pattern.len()),
        pattern,
    }
    .run()
}

/// Go's word for the mistakes that people make, else the crate's own in one line.
fn reason(pattern: &str, error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("expression too large: `{pattern}`"),
        other => {
            let text = other.to_string();
            let last = text
                .lines()
                .last()
                .unwrap_or("")
                .trim()
                .trim_start_matches("error: ")
                .to_owned();
            format!("{last}: `{pattern}`")
        }
    }
}

struct Translator<'p> {
    pattern: &'p str,
    rest: &'p str,
    output: String,
}

const DIGITS: &str = "0-9";
const WORDS: &str = "0-9A-Za-z_";
const SPACES: &str = r"\t\n\f\r ";

impl<'p> Translator<'p> {
    fn run(mut self) -> Result<String, RegexError> {
        // Whether the last thing was a repetition, which Go does not allow to be repeated.
        let mut repeated = false;
        while let Some(character) = self.next() {
            let mut repeats = false;
            match character {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '{' => match self.repetition()? {
                    Some(repetition) => {
                        repeats = true;
                        self.output.push_str(repetition);
                    }
                    None => self.output.push_str(r"\{"),
                },
                '}' => self.output.push_str(r"\}"),
                '*' | '+' | '?' => {
                    repeats = true;
                    self.output.push(character);
                }
                other => self.output.push(other),
            }
            if repeats && repeated {
                let message = format!("invalid nested repetition operator: `{}`", self.pattern);
                return Err(RegexError(message));
            }
            if repeats && self.rest.starts_with('?') {
                self.next();
                self.output.push('?');
            }
            repeated = repeats;
        }
        Ok(self.output)
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next()?;
        self.rest = characters.as_str();
        Some(character)
    }

    /// Takes `{n}`, `{n,}` or `{n,m}` whose brace has been read; none where it is something else, which stands for itself.
    fn repetition(&mut self) -> Result<Option<&'p str>, RegexError> {
        let Some(end) = self.rest.find('}') else {
            return Ok(None);
        };
        let inner = self.rest.get(..end).unwrap_or("");
        let (low, high) = inner.split_once(',').unwrap_or((inner, inner));
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(low) || !(high.is_empty() || is_number(high)) {
            return Ok(None);
        }
        let too_many = |text: &str| {
            !text.is_empty() && text.parse::<u32>().map_or(true, |count| count > MAX_REPEAT)
        };
        if too_many(low) || too_many(high) {
            return Err(RegexError(format!("invalid repeat count: `{{{inner}}}`")));
        }
        let start = self.pattern.len() - self.rest.len() - 1;
        self.rest = self.rest.get(end + 1..).unwrap_or("");
        Ok(self.pattern.get(start..start + end + 2))
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<(), RegexError> {
        let Some(character) = self.next() else {
            return Err(RegexError(format!(
                "trailing backslash at end of expression: `{}`",
                self.pattern
            )));
        };
        match character {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                let inverted = if character.is_ascii_uppercase() {
                    "^"
                } else {
                    ""
                };
                self.output.push('[');
                self.output.push_str(inverted);
                self.output.push_str(perl_class(character));
                self.output.push(']');
            }
            'b' => self.output.push_str(r"(?-u:\b)"),
            'B' => self.output.push_str(r"(?-u:\B)"),
            'Q' => {
                let end = self.rest.find(r"\E").unwrap_or(self.rest.len());
                let (quoted, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
                self.output.push_str(&regex::escape(quoted));
                self.rest = rest.strip_prefix(r"\E").unwrap_or(rest);
            }
            'E' => {}
            'C' => return Err(Self::invalid_escape('C')),
            other => self.plain_escape(other)?,
        }
        Ok(())
    }

    /// An escape that means the same inside and outside of a class.
    fn plain_escape(&mut self, character: char) -> Result<(), RegexError> {
        match character {
            'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'p' | 'P' | 'A' | 'z' => {
                self.output.push('\\');
                self.output.push(character);
            }
            '0'..='7' => {
                let digits = self
                    .rest
                    .bytes()
                    .take(2)
                    .take_while(|byte| matches!(byte, b'0'..=b'7'))
                    .count();
                if character != '0' && digits == 0 {
                    return Err(Self::invalid_escape(character));
                }
                let (more, rest) = self
                    .rest
                    .split_at_checked(digits)
                    .unwrap_or(("", self.rest));
                self.rest = rest;
                let code = u8::from_str_radix(&format!("{character}{more}"), 8).unwrap_or(0);
                self.output
                    .push_str(&regex::escape(char::from(code).encode_utf8(&mut [0; 4])));
            }
            other if other.is_ascii_punctuation() => {
                self.output
                    .push_str(&regex::escape(other.encode_utf8(&mut [0; 4])));
            }
            other => return Err(Self::invalid_escape(other)),
        }
        Ok(())
    }

    fn invalid_escape(character: char) -> RegexError {
        RegexError(format!(r"invalid escape sequence: `\{character}`"))
    }

    /// A class whose bracket has been read.
    fn class(&mut self) -> Result<(), RegexError> {
        let start = self.pattern.len() - self.rest.len() - 1;
        self.output.push('[');
        if self.rest.starts_with('^') {
            self.next();
            self.output.push('^');
        }
        let mut first = true;
        loop {
            let Some(character) = self.next() else {
                return Err(RegexError(format!(
                    "missing closing ]: `{}`",
                    self.pattern.get(start..).unwrap_or("")
                )));
            };
            match character {
                ']' if !first => {
                    self.output.push(']');
                    return Ok(());
                }
                '[' if self.rest.starts_with(':') => self.named_class()?,
                '\\' => self.class_escape()?,
                // A hyphen is left for the crate to judge: it takes ranges as Go does.
                '-' => self
                    .output
                    .push_str(if self.rest.starts_with('-') || first {
                        r"\-"
                    } else {
                        "-"
                    }),
                '[' | ']' | '&' | '~' | '^' => {
                    self.output.push('\\');
                    self.output.push(character);
                }
                other => self.output.push(other),
            }
            first = false;
        }
    }

    /// `[:alpha:]`, or a bracket that stands for itself.
    fn named_class(&mut self) -> Result<(), RegexError> {
        let Some(end) = self.rest.find(":]") else {
            self.output.push_str(r"\[");
            return Ok(());
        };
        let (name, rest) = self
            .rest
            .split_at_checked(end + 2)
            .unwrap_or((self.rest, ""));
        let inner = name
            .trim_start_matches(':')
            .trim_start_matches('^')
            .trim_end_matches(":]");
        if !inner.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(RegexError(format!(
                "invalid character class range: `[{name}`"
            )));
        }
        self.output.push('[');
        self.output.push_str(name);
        self.rest = rest;
        Ok(())
    }

    fn class_escape(&mut self) -> Result<(), RegexError> {
        let Some(character) = self.next() else {
            return Err(RegexError(format!(
                "trailing backslash at end of expression: `{}`",
                self.pattern
            )));
        };
        match character {
            'd' | 'w' | 's' => self.output.push_str(perl_class(character)),
            'D' | 'W' | 'S' => {
                self.output.push_str("[^");
                self.output.push_str(perl_class(character));
                self.output.push(']');
            }
            'A' | 'z' | 'b' | 'B' | 'Q' | 'E' | 'C' => return Err(Self::invalid_escape(character)),
            other => self.plain_escape(other)?,
        }
        Ok(())
    }
}

/// The characters of a Perl class, as Go has it.
fn perl_class(letter: char) -> &'static str {
    match letter.to_ascii_lowercase() {
        'd' => DIGITS,
        'w' => WORDS,
        _ => SPACES,
    }
}

#[cfg(test)]
mod tests;
