//! Lets run only what was built to a level of SLSA: asks its host what was verified about each image, and decides by who
//! built it.
//!
//! The host verifies; this module judges: `capabilities: ["regent/v1/evidence"]`. Which builder is worth which level is in
//! the settings, as an operator has agreed to it.

use kubewarden_policy_sdk::request::ValidationRequest;
use kubewarden_policy_sdk::settings::Validatable;
use kubewarden_policy_sdk::{accept_request, protocol_version_guest, reject_request, validate_settings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wapc_guest::CallResult;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The least that is accepted.
    level: u8,
    builders: Vec<Builder>,
}

/// Who is worth which level.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Builder {
    /// How the builder's id begins.
    id: String,
    /// Who issued the identity that signed.
    issuer: String,
    /// How that identity begins.
    subject: String,
    level: u8,
}

impl Validatable for Settings {
    fn validate(&self) -> Result<(), String> {
        if !(1..=3).contains(&self.level) {
            return Err("the level is 1, 2 or 3".to_owned());
        }
        if self.builders.iter().all(|builder| builder.level < self.level) {
            return Err("no builder is worth the level: nothing could run".to_owned());
        }
        let empty = |builder: &&Builder| {
            builder.id.is_empty() || builder.issuer.is_empty() || builder.subject.is_empty()
        };
        match self.builders.iter().find(empty) {
            Some(_) => Err("a builder has an id, an issuer and a subject".to_owned()),
            None => Ok(()),
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn wapc_init() {
    wapc_guest::register_function("validate", validate);
    wapc_guest::register_function("validate_settings", validate_settings::<Settings>);
    wapc_guest::register_function("protocol_version", protocol_version_guest);
}

fn validate(payload: &[u8]) -> CallResult {
    let asked: ValidationRequest<Settings> = ValidationRequest::new(payload)?;
    for image in images(&asked.request.object) {
        let level = level(image, &asked.settings)
            .map_err(|error| format!("nothing is known of {image}: {error}"));
        let reason = match level {
            Ok(level) if level >= asked.settings.level => continue,
            Ok(0) => format!("{image} has no provenance of a known builder"),
            Ok(level) => format!("{image} was built to level {level}, and {} is asked for", asked.settings.level),
            Err(reason) => reason,
        };
        return reject_request(Some(reason), Some(403), None, None);
    }
    accept_request()
}

fn images(object: &Value) -> impl Iterator<Item = &str> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .filter_map(|list| object.pointer(&format!("/spec/{list}"))?.as_array())
        .flatten()
        .filter_map(|container| container.get("image")?.as_str())
}

/// The level of an image: the highest that any of its verified statements shows.
fn level(image: &str, settings: &Settings) -> Result<u8, String> {
    let question = json!({ "image": image }).to_string();
    let answer = wapc_guest::host_call("kubewarden", "regent", "v1/evidence", question.as_bytes())
        .map_err(|error| error.to_string())?;
    let evidence: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    let statements = evidence.get("statements").and_then(Value::as_array);
    let levels = statements.into_iter().flatten().map(|statement| shown(statement, settings));
    Ok(levels.max().unwrap_or(0))
}

/// The level that a statement shows: it must name a builder, and be signed by who builds there.
fn shown(statement: &Value, settings: &Settings) -> u8 {
    let text = |path: &str| statement.pointer(path).and_then(Value::as_str).unwrap_or("");
    let id = match text("/predicateType") {
        "https://slsa.dev/provenance/v1" => text("/predicate/runDetails/builder/id"),
        "https://slsa.dev/provenance/v0.2" => text("/predicate/builder/id"),
        _ => return 0,
    };
    let subjects = statement.pointer("/signer/subjects").and_then(Value::as_array);
    let signed = |builder: &&Builder| {
        let mut subjects = subjects.into_iter().flatten().filter_map(Value::as_str);
        id.starts_with(&builder.id)
            && text("/signer/issuer") == builder.issuer
            && subjects.any(|subject| subject.starts_with(&builder.subject))
    };
    let levels = settings.builders.iter().filter(signed).map(|builder| builder.level);
    levels.max().unwrap_or(0)
}
