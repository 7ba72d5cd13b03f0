//! Functions that decode, encode and hash texts.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Arguments, failed};
use crate::diagnostic::Diagnostic;
use crate::go_json;
use crate::hexadecimal;
use crate::jmespath::ExpressionError;
use crate::jmespath::interpreter::size;
use crate::source::Source;
use crate::yaml;

type Outcome = Result<Value, ExpressionError>;

/// Standard base64 with padding; like Go's, it does not mind bits behind the last byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(super) fn base64_decode(arguments: &Arguments<'_>) -> Outcome {
    let text: String = arguments
        .text(0)
        .chars()
        .filter(|character| !matches!(character, '\r' | '\n'))
        .collect();
    match BASE64.decode(&text) {
        Ok(bytes) => arguments.string(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(failed(format!(
            "illegal base64 data at input byte {}",
            wrong_byte(&text, &error)
        ))),
    }
}

/// Where Go says that the text went wrong.
fn wrong_byte(text: &str, error: &base64::DecodeError) -> usize {
    match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            *at
        }
        base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
            // The start of the group that is not complete.
            text.len() / 4 * 4
        }
    }
}

pub(super) fn base64_encode(arguments: &Arguments<'_>) -> Outcome {
    arguments.string(BASE64.encode(arguments.text(0)))
}

pub(super) fn sha256(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::String(hexadecimal::of(&Sha256::digest(
        arguments.text(0),
    ))))
}

pub(super) fn sha1(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::String(hexadecimal::of(&Sha1::digest(
        arguments.text(0),
    ))))
}

pub(super) fn md5(arguments: &Arguments<'_>) -> Outcome {
    Ok(Value::String(hexadecimal::of(&Md5::digest(
        arguments.text(0),
    ))))
}

pub(super) fn parse_json(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    // Most of a value is the text that it was read from.
    arguments.charged(text.len())?;
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let reason = go_json::complaint(text);
            return Err(failed(
                reason.unwrap_or_else(|| format!("invalid JSON: {error}")),
            ));
        }
    };
    arguments.charged(size(&value))?;
    Ok(value)
}

pub(super) fn parse_yaml(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    arguments.charged(text.len())?;
    let (documents, diagnostics) = yaml::parse(&Source::new("parse_yaml", text));
    // Only the first document is read: what comes behind it may be anything.
    let end = documents.first().map(|document| document.span.end);
    let is_behind = |diagnostic: &&Diagnostic| {
        let start = diagnostic.labels.first().map(|label| label.span.start);
        end.is_some_and(|end| start.is_some_and(|start| start >= end))
    };
    if let Some(diagnostic) = diagnostics.iter().find(|one| !is_behind(one)) {
        return Err(failed(format!(
            "error converting YAML to JSON: yaml: {}",
            diagnostic.message
        )));
    }
    let value = documents.first().map_or(Value::Null, to_json);
    arguments.charged(size(&value))?;
    Ok(value)
}

/// A located tree as plain JSON.
fn to_json(node: &yaml::Node) -> Value {
    match &node.value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Bool(value) => Value::Bool(*value),
        yaml::Value::Number(value) => Value::Number(value.clone()),
        yaml::Value::String(value) => Value::String(value.clone()),
        yaml::Value::List(items) => Value::Array(items.iter().map(to_json).collect()),
        yaml::Value::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), to_json(&entry.value)))
                .collect(),
        ),
    }
}
