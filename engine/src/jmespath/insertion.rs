//! Values that are put into the text of an expression, as the variables inside of a variable are.
//!
//! Knows the tokens of an expression, so that **a value stays within the token that its author put it into**: it is escaped
//! where it stands in quotes, and outside of them only what can be nothing but a name, a path or a number may stand.

use serde_json::Value;
use thiserror::Error;

use crate::go_format::{json_escaped, shown, within_text};

/// The text of an expression as it is put together from what its author wrote and from values.
#[derive(Debug, Default)]
pub struct Insertion {
    text: String,
    inside: Inside,
    /// The last value ends in a backslash, which would escape a quote behind it.
    ends_in_backslash: bool,
}

/// Why a value cannot be put into an expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InsertionError {
    /// A text that is more than a path, outside of quotes.
    #[error(
        "the text {0} stands outside of quotes, where only a name, a path or a number can be put in"
    )]
    NoPath(String),
    /// A list or a map outside of quotes.
    #[error("a list or a map stands outside of quotes: put it in backticks")]
    NoText,
    /// A text between backticks that is no JSON.
    #[error("the text {0} stands between backticks and is not one value of JSON")]
    NoJson(String),
    /// A text in single quotes that ends in a backslash, for which single quotes have no way of writing.
    #[error(
        "the text {0} ends in a backslash, which cannot stand before a single quote: use double quotes in backticks"
    )]
    Backslash(String),
}

/// The token that a text ends in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Inside {
    /// None that goes on.
    #[default]
    Nothing,
    /// `'…'`.
    Raw,
    /// `"…"`.
    Quoted,
    /// Backticks.
    Json,
    /// `"…"` in backticks.
    JsonText,
}

impl Insertion {
    /// Goes on with what the author wrote.
    ///
    /// # Errors
    ///
    /// The value before ends in a backslash that would escape the quote that this begins with.
    pub fn written(&mut self, text: &str) -> Result<(), InsertionError> {
        if self.ends_in_backslash && text.starts_with('\'') {
            return Err(InsertionError::Backslash(shown(&self.text)));
        }
        self.ends_in_backslash &= text.is_empty();
        self.inside = self.inside.after(text);
        self.text.push_str(text);
        Ok(())
    }

    /// Goes on with a value.
    ///
    /// # Errors
    ///
    /// It cannot stand there without being more than a value.
    pub fn value(&mut self, value: &Value) -> Result<(), InsertionError> {
        match self.inside {
            Inside::Nothing => self.name(value),
            Inside::Raw => {
                let text = within_text(value).replace('\'', "\\'");
                if !text.is_empty() {
                    self.ends_in_backslash = text.ends_with('\\');
                }
                self.text.push_str(&text);
                Ok(())
            }
            Inside::Quoted | Inside::JsonText => {
                let text = Value::from(within_text(value)).to_string();
                let inner = text
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'));
                self.text
                    .push_str(&without_backticks(inner.unwrap_or(&text)));
                Ok(())
            }
            Inside::Json => self.json(value),
        }
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn name(&mut self, value: &Value) -> Result<(), InsertionError> {
        match value {
            Value::String(text) if is_path(text) => self.text.push_str(text),
            Value::String(text) => return Err(InsertionError::NoPath(shown(text))),
            Value::Array(_) | Value::Object(_) => return Err(InsertionError::NoText),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                self.text.push_str(&json_escaped(value));
            }
        }
        Ok(())
    }

    fn json(&mut self, value: &Value) -> Result<(), InsertionError> {
        match value {
            Value::String(text) => {
                if serde_json::from_str::<Value>(text).is_err() {
                    return Err(InsertionError::NoJson(shown(text)));
                }
                self.text.push_str(&without_backticks(text));
            }
            other => self.text.push_str(&without_backticks(&json_escaped(other))),
        }
        Ok(())
    }
}

impl Inside {
    /// The token that goes on after more of the text.
    fn after(mut self, text: &str) -> Self {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            self = match (self, character) {
                (Self::Nothing, '\'') => Self::Raw,
                (Self::Nothing, '"') => Self::Quoted,
                (Self::Nothing, '`') | (Self::JsonText, '"') => Self::Json,
                (Self::Raw, '\'') | (Self::Quoted, '"') | (Self::Json | Self::JsonText, '`') => {
                    Self::Nothing
                }
                (Self::Json, '"') => Self::JsonText,
                // In single quotes a backslash escapes a quote and nothing else.
                (Self::Raw, '\\') => {
                    let rest = characters.as_str();
                    characters = rest.strip_prefix('\'').unwrap_or(rest).chars();
                    Self::Raw
                }
                (Self::Quoted | Self::Json | Self::JsonText, '\\') => {
                    characters.next();
                    self
                }
                (inside, _) => inside,
            };
        }
        self
    }
}

/// JSON without backticks, which stand in its texts alone.
fn without_backticks(json: &str) -> String {
    json.replace('`', "\\u0060")
}

/// Whether a text is a number or a path, as `spec.containers[0].image` is one, or a piece of a name: nothing that could
/// end what stands before it and begin something else.
fn is_path(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((index, after)) = after.split_once(']') else {
            return false;
        };
        if !is_dotted(before) || !is_index(index) {
            return false;
        }
        rest = after;
    }
    is_dotted(rest)
}

fn is_dotted(text: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    text.bytes().all(belongs)
}

fn is_index(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "*" || digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
