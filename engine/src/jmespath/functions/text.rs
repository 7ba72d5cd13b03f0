//! Functions on texts: search and replace, patterns, versions, paths and images.

use std::borrow::Cow;

use serde_json::Value;

use super::{Arguments, failed, failed_in};
use crate::go_format::{as_float, truncate as cut};
use crate::image::reference::{ImageReference, refusal};
use crate::jmespath::ExpressionError;
use crate::semver::{Range, Version};
use crate::wildcard;

type Outcome = Result<Value, ExpressionError>;

pub(super) fn compare(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::from(arguments.text(0).cmp(arguments.text(1)) as i8))
}

pub(super) fn equal_fold(arguments: &Arguments<'_>) -> Outcome {
    let folded = |text: &str| -> Vec<char> {
        text.chars()
            .map(|character| lower(upper(character)))
            .collect()
    };
    Ok(Value::Bool(
        folded(arguments.text(0)) == folded(arguments.text(1)),
    ))
}

/// The upper case of one character as one character, as Go maps it.
fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => character,
    }
}

/// The lower case of one character as one character, as Go maps it.
fn lower(character: char) -> char {
    match character {
        // Unicode's simple mapping; the full one has two characters.
        '\u{130}' => 'i',
        other => other.to_lowercase().next().unwrap_or(other),
    }
}

pub(super) fn to_upper(arguments: &Arguments<'_>) -> Outcome {
    arguments.string(arguments.text(0).chars().map(upper).collect())
}

pub(super) fn to_lower(arguments: &Arguments<'_>) -> Outcome {
    arguments.string(arguments.text(0).chars().map(lower).collect())
}

pub(super) fn to_boolean(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    match text.chars().map(lower).collect::<String>().as_str() {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        _ => Err(failed_in(
            "to_boolean",
            format!("lowercase argument must be 'true' or 'false' (provided: '{text}')"),
        )),
    }
}

pub(super) fn replace(arguments: &Arguments<'_>) -> Outcome {
    let count = cut(arguments.number(3));
    replace_some(arguments, usize::try_from(count).unwrap_or(usize::MAX))
}

pub(super) fn replace_all(arguments: &Arguments<'_>) -> Outcome {
    replace_some(arguments, usize::MAX)
}

fn replace_some(arguments: &Arguments<'_>, most: usize) -> Outcome {
    let (text, old, new) = (arguments.text(0), arguments.text(1), arguments.text(2));
    let found = text.matches(old).count().min(most);
    arguments.charged(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::String(text.replacen(old, new, most)))
}

pub(super) fn trim(arguments: &Arguments<'_>) -> Outcome {
    let cutset = arguments.text(1);
    Ok(Value::from(
        arguments
            .text(0)
            .trim_matches(|character| cutset.contains(character)),
    ))
}

pub(super) fn trim_prefix(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    Ok(Value::from(
        text.strip_prefix(arguments.text(1)).unwrap_or(text),
    ))
}

pub(super) fn split(arguments: &Arguments<'_>) -> Outcome {
    let (text, separator) = (arguments.text(0), arguments.text(1));
    let parts: Vec<Value> = if separator.is_empty() {
        // Twenty-four bytes of value for each character.
        arguments.charged(text.len().saturating_mul(24))?;
        text.chars()
            .map(|character| Value::from(character.to_string()))
            .collect()
    } else {
        arguments.charged(
            text.matches(separator)
                .count()
                .saturating_mul(24)
                .saturating_add(text.len()),
        )?;
        text.split(separator).map(Value::from).collect()
    };
    Ok(Value::Array(parts))
}

pub(super) fn truncate(arguments: &Arguments<'_>) -> Outcome {
    let length = usize::try_from(cut(arguments.number(1).max(0.0))).unwrap_or(usize::MAX);
    Ok(Value::String(
        arguments.text(0).chars().take(length).collect(),
    ))
}

/// A text or a number as text, the number with the precision of 32 bits, as Kyverno prints it there.
fn as_text<'a>(arguments: &'a Arguments<'_>, index: usize) -> Cow<'a, str> {
    number_text(arguments.value(index)).unwrap_or(Cow::Borrowed(""))
}

pub(super) fn pattern_match(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::Bool(wildcard::matches(
        arguments.text(0),
        &as_text(arguments, 1),
    )))
}

pub(super) fn regex_match(arguments: &Arguments<'_>) -> Outcome {
    let text = as_text(arguments, 1);
    match arguments.with_regex(|regex| regex.is_match(&text)) {
        Ok(found) => Ok(Value::Bool(found)),
        Err(error) => Err(failed(error.to_string())),
    }
}

pub(super) fn regex_replace_all(arguments: &Arguments<'_>) -> Outcome {
    let (text, replacement) = (as_text(arguments, 1), as_text(arguments, 2));
    let replaced = arguments.with_regex(|regex| {
        let mut output = String::new();
        let mut end = 0;
        for captures in regex.captures_iter(&text) {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            output.push_str(text.get(end..whole.start()).unwrap_or(""));
            captures.expand(&replacement, &mut output);
            end = whole.end();
            arguments.evaluator.fits(output.len())?;
        }
        output.push_str(text.get(end..).unwrap_or(""));
        Ok(output)
    });
    finish(arguments, "regex_replace_all", replaced)
}

pub(super) fn regex_replace_all_literal(arguments: &Arguments<'_>) -> Outcome {
    let (text, replacement) = (as_text(arguments, 1), as_text(arguments, 2));
    let replaced = arguments.with_regex(|regex| {
        let mut output = String::new();
        let mut end = 0;
        for found in regex.find_iter(&text) {
            output.push_str(text.get(end..found.start()).unwrap_or(""));
            output.push_str(&replacement);
            end = found.end();
            arguments.evaluator.fits(output.len())?;
        }
        output.push_str(text.get(end..).unwrap_or(""));
        Ok(output)
    });
    finish(arguments, "regex_replace_all_literal", replaced)
}

fn finish(
    arguments: &Arguments<'_>,
    function: &str,
    replaced: Result<Result<String, ExpressionError>, crate::go_regex::RegexError>,
) -> Outcome {
    match replaced {
        Ok(text) => arguments.string(text?),
        Err(error) => Err(failed_in(function, error)),
    }
}

pub(super) fn semver_compare(arguments: &Arguments<'_>) -> Outcome {
    // What is no version counts as 0.0.0 in Kyverno, and so here.
    let version = Version::parse(arguments.text(0)).ok().unwrap_or_default();
    match Range::parse(arguments.text(1)) {
        Ok(range) => Ok(Value::Bool(range.contains(&version))),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// A path without `.`, `..` and double slashes, as Go's `path.Clean` makes it.
pub(super) fn path_canonicalize(arguments: &Arguments<'_>) -> Outcome {
    let path = arguments.text(0);
    if path.is_empty() {
        return Ok(Value::from(""));
    }
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            other => kept.push(other),
        }
    }
    let joined = kept.join("/");
    Ok(Value::from(match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }))
}

pub(super) fn image_normalize(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    match ImageReference::parse(text) {
        Ok(image) => Ok(Value::String(image.kyverno_form())),
        Err(_) => Err(failed_in("image_normalize", refusal(text))),
    }
}

/// Whether the host of a URL is an address outside of one's own networks.
///
/// Kyverno looks names up while it evaluates; the engine reaches no network, so a name is an error.
/// Numbers, texts and booleans as text, the way Kyverno's own functions print them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Kyverno prints them with 32 bits"
)]
pub(super) fn number_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned((as_float(number) as f32).to_string())),
        Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
