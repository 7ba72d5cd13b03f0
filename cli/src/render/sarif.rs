//! Findings as SARIF 2.1.0, the format of code scanning.
//!
//! Knows nothing of what was found.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regent_engine::diagnostic::Diagnostic;
use serde_json::{Value, json};

use super::place::Place;

/// The schema of the format.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It has to be mended.
    Error,
    /// It is likely a mistake.
    Warning,
}

/// Something that was found at a place.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What kind of finding it is.
    pub rule: String,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// Where.
    pub place: Place,
    /// Where else to look.
    pub related: Option<(Place, &'static str)>,
}

impl Finding {
    /// What a diagnostic says.
    pub fn of_diagnostic(diagnostic: &Diagnostic) -> Self {
        let advice = diagnostic.help.iter().map(|help| format!(" ({help})"));
        Self {
            rule: diagnostic.code.name().to_owned(),
            level: if diagnostic.is_error() {
                Level::Error
            } else {
                Level::Warning
            },
            message: diagnostic.message.clone() + &advice.collect::<String>(),
            place: Place::of_diagnostic(diagnostic),
            related: None,
        }
    }
}

/// One run with all findings.
pub fn document(findings: &[Finding]) -> Value {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        rules.insert(&finding.rule, 0);
    }
    for (index, position) in rules.values_mut().enumerate() {
        *position = index;
    }
    let descriptors: Vec<Value> = rules.keys().map(|rule| json!({"id": rule})).collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| result(finding, rules.get(finding.rule.as_str())))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Regent",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": descriptors,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding, rule: Option<&usize>) -> Value {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": finding.message},
        "locations": [location(&finding.place)],
    });
    if let (Some((place, text)), Some(fields)) = (&finding.related, result.as_object_mut()) {
        let mut related = location(place);
        if let Some(fields) = related.as_object_mut() {
            fields.insert("message".to_owned(), json!({"text": text}));
        }
        fields.insert("relatedLocations".to_owned(), json!([related]));
    }
    result
}

fn location(place: &Place) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.file)},
        "region": {
            "startLine": place.start.0,
            "startColumn": place.start.1,
            "endLine": place.end.0,
            "endColumn": place.end.1,
        },
    }})
}

/// A path as a reference: relative ones stay so, and what has a meaning in a reference is escaped.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else if write!(uri, "%{byte:02X}").is_err() {
            debug_assert!(false, "a string took no more text");
        }
    }
    uri
}

#[cfg(test)]
mod tests;
