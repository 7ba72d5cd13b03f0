//! The one thing of JSON that is not YAML: a character beyond the first 65,536 written as two escapes, a surrogate pair.
//!
//! Knows nothing of documents; what is no JSON is left alone, since there a backslash may be a backslash.

use serde_json::Value;

/// A text whose surrogate pairs are one escape each, as YAML writes them.
pub(super) struct Joined {
    pub(super) text: String,
    /// Where each character of it stands in what was written.
    pub(super) offsets: Vec<usize>,
}

/// How long `\ud83d` is.
const ESCAPE: usize = 6;

/// The text with its surrogate pairs joined; none where it has none, or is no JSON.
pub(super) fn joined(text: &str) -> Option<Joined> {
    let json = text.strip_prefix("---").unwrap_or(text);
    if !json.contains("\\u") || serde_json::from_str::<Value>(json).is_err() {
        return None;
    }
    let mut joined = Joined {
        text: String::with_capacity(text.len()),
        offsets: Vec::new(),
    };
    let mut found = false;
    let mut at = 0;
    while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or("");
        let (written, length) = match pair(rest) {
            Some(joined) => {
                found = true;
                (format!("\\U{:08x}", u32::from(joined)), 2 * ESCAPE)
            }
            // What follows a backslash is escaped by it, a backslash too.
            None if character == '\\' => {
                let escaped = rest.chars().take(2).collect::<String>();
                let length = escaped.len();
                (escaped, length)
            }
            None => (character.to_string(), character.len_utf8()),
        };
        let characters = written.chars().count();
        let places = (0..characters).map(|index| at + index.min(length - 1));
        joined.offsets.extend(places);
        joined.text.push_str(&written);
        at += length;
    }
    found.then_some(joined)
}

/// The character that a text begins with the two escapes of.
fn pair(text: &str) -> Option<char> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (high, low) = (unit(text)?, unit(text.get(ESCAPE..)?)?);
    if !(0xd800..0xdc00).contains(&high) {
        return None;
    }
    char::decode_utf16([high, low]).next()?.ok()
}
