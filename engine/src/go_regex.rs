//! Regular expressions in Go's syntax (RE2), run by the `regex` crate: both are linear in time and nearly the same language.
//!
//! Go's syntax is read here, with Go's words for what is wrong, and written in the crate's: what one of them takes and the
//! other does not, or means otherwise, never reaches the crate as it stands.

mod class;
mod names;
mod translate;

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// Largest compiled program: well above what real expressions need, and small enough to be had by the thousand.
const MAX_PROGRAM: usize = 4 * 1024 * 1024;
/// The same of one that a request brings.
const MAX_SMALL_PROGRAM: usize = 256 * 1024;
/// The same of one in a program of Rego, as regorus has it.
const MAX_REGO_PROGRAM: usize = 100 * 1024;

/// An expression that no text is like.
pub const NOTHING: &str = class::NOTHING;

/// Why a text is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("error parsing regexp: {reason}: `{part}`")]
pub struct RegexError {
    reason: String,
    part: String,
}

impl RegexError {
    fn new(reason: impl Into<String>, part: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            part: part.into(),
        }
    }
}

/// Compiles an expression as Go's `regexp.Compile` does.
pub fn compile(pattern: &str) -> Result<Regex, RegexError> {
    build(pattern, MAX_PROGRAM)
}

/// The same for an expression that is only known when a request is there: a small one, since the time to match a text grows
/// with it.
pub fn compile_small(pattern: &str) -> Result<Regex, RegexError> {
    build(pattern, MAX_SMALL_PROGRAM)
}

/// The same expression in the syntax of the `regex` crate.
pub fn translate(pattern: &str) -> Result<String, RegexError> {
    translate::translate(pattern)
}

/// The same for an expression that programs of Rego match texts with.
pub fn compile_for_rego(pattern: &str) -> Result<Regex, RegexError> {
    build(pattern, MAX_REGO_PROGRAM)
}

/// The expression as a program of Rego has it: in its author's words where Go and the crate read them alike, so that OPA
/// reads it too.
pub fn for_rego(pattern: &str) -> Result<Cow<'_, str>, RegexError> {
    let translated = translate(pattern)?;
    if is_read_alike(pattern) && Regex::new(pattern).is_ok() {
        Ok(Cow::Borrowed(pattern))
    } else {
        Ok(Cow::Owned(translated))
    }
}

/// Whether nothing is in an expression that the two read in different ways: flags, classes by letters, which are of ASCII
/// in Go, and operations on sets between brackets, which Go has not.
fn is_read_alike(pattern: &str) -> bool {
    let mut following = pattern.split('\\').skip(1);
    let escapes = following.all(|rest| {
        let first = rest.chars().next();
        first.is_none_or(|escaped| {
            escaped.is_ascii_punctuation() || matches!(escaped, 'A' | 'z' | 'n' | 'r' | 't')
        })
    });
    // A bracket within brackets is a set of its own for the crate; one that ends nothing would hide it here.
    let mut classes = pattern.split('[').skip(1);
    let classes = classes.all(|rest| rest.contains(']'));
    let others = ["&&", "--", "~~", "[]", "[^]", r"\]", "(?", "{,"];
    escapes && classes && !others.iter().any(|other| pattern.contains(other))
}

fn build(pattern: &str, largest: usize) -> Result<Regex, RegexError> {
    let translated = translate(pattern)?;
    let built = RegexBuilder::new(&translated).size_limit(largest).build();
    built.map_err(|error| RegexError::new(reason(&error), pattern))
}

/// What the crate does not take of what Go does, in one line.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "expression too large".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or("").trim();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
