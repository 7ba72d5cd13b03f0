//! Functions that decode, encode and hash texts.

use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Arguments, failed};
use crate::diagnostic::Diagnostic;
use crate::go_base64;
use crate::go_json;
use crate::go_yaml;
use crate::hexadecimal;
use crate::jmespath::ExpressionError;
use crate::jmespath::interpreter::size;
use crate::source::Source;
use crate::yaml;

type Outcome = Result<Value, ExpressionError>;

pub(super) fn base64_decode(arguments: &Arguments<'_>) -> Outcome {
    match go_base64::decode(arguments.text(0)) {
        Ok(bytes) => arguments.string(String::from_utf8_lossy(&bytes).into_owned()),
        Err(at) => Err(failed(format!("illegal base64 data at input byte {at}"))),
    }
}

pub(super) fn base64_encode(arguments: &Arguments<'_>) -> Outcome {
    arguments.string(go_base64::encode(arguments.text(0)))
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
    let value: Value = serde_json::from_str(text).or_else(|_error| {
        if let Some(reason) = go_json::complaint(text) {
            return Err(failed(reason));
        }
        let whole = go_json::with_whole_characters(text);
        serde_json::from_str(&whole).map_err(|error| failed(format!("invalid JSON: {error}")))
    })?;
    arguments.charged(size(&value))?;
    Ok(value)
}

pub(super) fn parse_yaml(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    arguments.charged(text.len())?;
    let (documents, diagnostics) = yaml::parse_as_go(&Source::new("parse_yaml", text));
    // Only the first document is read: what comes behind it may be anything.
    let end = documents.first().map(|document| document.span.end);
    let is_behind = |diagnostic: &&Diagnostic| {
        let start = diagnostic.labels.first().map(|label| label.span.start);
        end.is_some_and(|end| start.is_some_and(|start| start >= end))
    };
    if let Some(diagnostic) = diagnostics.iter().find(|one| !is_behind(one)) {
        let reason = go_yaml::complaint(text, diagnostic);
        return Err(failed(format!("error converting YAML to JSON: {reason}")));
    }
    let value = documents.first().map_or(Value::Null, yaml::Node::to_json);
    arguments.charged(size(&value))?;
    Ok(value)
}
