//! Answers of guests, read strictly: what is not an answer is an error.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::bounds;
use super::error::WasmError;
use super::text::clean;

/// What a guest says of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether it is accepted.
    pub accepted: bool,
    /// Why not; cleaned and cut.
    pub message: Option<String>,
    /// The HTTP status that it wants.
    pub code: Option<u16>,
    /// The object as it should be.
    pub mutated: Option<Value>,
    /// What the user is to be told besides; cleaned and cut.
    pub warnings: Vec<String>,
    /// Annotations for the audit log; cleaned and cut.
    pub audit_annotations: BTreeMap<String, String>,
}

impl Verdict {
    /// An answer without anything but whether it is one and why.
    pub(super) fn plain(accepted: bool, message: Option<String>) -> Self {
        Self {
            accepted,
            message: message.filter(|text| !text.is_empty()),
            code: None,
            mutated: None,
            warnings: Vec::new(),
            audit_annotations: BTreeMap::new(),
        }
    }
}

/// What a guest says of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsVerdict {
    /// They can be used.
    Valid,
    /// They cannot.
    Invalid(String),
}

/// Kubewarden's `ValidationResponse`.
pub(super) fn response(bytes: &[u8]) -> Result<Verdict, WasmError> {
    let fields = object(bytes, "a response")?;
    let Some(Value::Bool(accepted)) = fields.get("accepted") else {
        return Err(malformed("`accepted` is not a boolean"));
    };
    let code = match fields.get("code") {
        None | Some(Value::Null) => None,
        Some(code) => {
            let code = code.as_u64().and_then(|code| u16::try_from(code).ok());
            Some(code.ok_or_else(|| malformed("`code` is not an HTTP status"))?)
        }
    };
    Ok(Verdict {
        accepted: *accepted,
        message: text(&fields, "message")?.filter(|text| !text.is_empty()),
        code,
        mutated: fields
            .get("mutated_object")
            .filter(|object| !object.is_null())
            .cloned(),
        warnings: warnings(fields.get("warnings"))?,
        audit_annotations: annotations(fields.get("audit_annotations"))?,
    })
}

/// Kubewarden's `SettingsValidationResponse`.
pub(super) fn settings(bytes: &[u8]) -> Result<SettingsVerdict, WasmError> {
    let fields = object(bytes, "a response")?;
    match fields.get("valid") {
        Some(Value::Bool(true)) => Ok(SettingsVerdict::Valid),
        Some(Value::Bool(false)) => {
            let message = text(&fields, "message")?;
            let message = message.filter(|text| !text.is_empty());
            Ok(SettingsVerdict::Invalid(
                message.unwrap_or_else(|| "it did not say why".to_owned()),
            ))
        }
        _ => Err(malformed("`valid` is not a boolean")),
    }
}

/// An object in bytes.
pub(super) fn object(bytes: &[u8], what: &str) -> Result<Map<String, Value>, WasmError> {
    match json(bytes)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(malformed(&format!("{what} must be an object"))),
    }
}

/// JSON in bytes; the message of an error says where it is, and nothing of what is there.
pub(super) fn json(bytes: &[u8]) -> Result<Value, WasmError> {
    serde_json::from_slice(bytes).map_err(|error| {
        malformed(&format!(
            "it is not JSON from line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}

/// An answer that is not one.
pub(super) fn malformed(reason: &str) -> WasmError {
    WasmError::Output(reason.to_owned())
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, WasmError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(clean(text, bounds::ANSWER_TEXT))),
        Some(_) => Err(malformed(&format!("`{name}` is not a text"))),
    }
}

pub(super) fn warnings(written: Option<&Value>) -> Result<Vec<String>, WasmError> {
    let items = match written {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(malformed("`warnings` is not a list")),
    };
    let texts = items.iter().take(bounds::WARNINGS).map(|item| {
        let text = item.as_str();
        text.map(|text| clean(text, bounds::WARNING))
            .ok_or_else(|| malformed("a warning is not a text"))
    });
    texts.collect()
}

fn annotations(written: Option<&Value>) -> Result<BTreeMap<String, String>, WasmError> {
    let fields = match written {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(malformed("`audit_annotations` is not a map")),
    };
    let one = |(name, value): (&String, &Value)| match value {
        Value::String(value) => Ok((
            clean(name, bounds::WARNING),
            clean(value, bounds::ANSWER_TEXT),
        )),
        _ => Err(malformed("an audit annotation is not a text")),
    };
    fields.iter().take(bounds::WARNINGS).map(one).collect()
}
