//! Questions of modules as needs of the engine.

use serde_json::{Map, Value};

use crate::evaluation::need::{DataNeed, FactError};
use crate::evaluation::rule::Context;
use crate::program::Policy;
use crate::wasm::bounds;
use crate::wasm::call::{HostAnswer, HostCall};
use crate::wasm::text::clean;

/// An answer, or why there is none.
pub(super) type Said = Result<Value, Unanswered>;

/// Why a question has no answer.
#[derive(Debug, Clone)]
pub(super) enum Unanswered {
    /// The module is told: what it asked for does not exist, or is not as it would have it.
    Told(String),
    /// Nobody knows: an outage, a refusal, nothing that was recorded. What a module would make of it must not decide.
    Lost(String),
}

/// For the module to make of it what it will: it asks wrongly, or for what does not exist.
pub(super) fn told(reason: impl Into<String>) -> Unanswered {
    Unanswered::Told(reason.into())
}

fn lost(reason: &str) -> String {
    let reason = clean(reason, bounds::ANSWER_TEXT);
    format!("what it asks cannot be answered: {reason}")
}

/// Fields of a question.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
            .ok_or_else(|| format!("the question has no `{name}`"))
    }

    /// A text that may be there.
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }
}

impl Context<'_> {
    /// The answer to a question that the policy allows, or why the rule has none; nothing as long as facts are outstanding.
    pub(super) fn answer_guest(
        &mut self,
        policy: &Policy,
        call: &HostCall,
    ) -> Option<Result<HostAnswer, String>> {
        let said = match serde_json::from_slice::<Value>(&call.payload) {
            Ok(payload) => self.said_to(policy, call, payload)?,
            Err(_) => Err(told("the question is not JSON")),
        };
        Some(Ok(match said {
            Ok(value) => {
                let bytes = value.to_string().into_bytes();
                if bytes.len() > bounds::MESSAGE {
                    // Whoever can push decides how much there is to say: a module that goes on without it must not accept.
                    return Some(Err(lost("the answer is larger than a module may be given")));
                }
                Ok(bytes)
            }
            Err(Unanswered::Told(reason)) => Err(clean(&reason, bounds::ANSWER_TEXT)),
            Err(Unanswered::Lost(reason)) => return Some(Err(lost(&reason))),
        }))
    }

    fn said_to(&mut self, policy: &Policy, call: &HostCall, payload: Value) -> Option<Said> {
        let name = call.capability();
        let fields = match payload {
            // Some questions are the name of an image and nothing else.
            Value::String(image) => Fields(Map::from_iter([("image".to_owned(), image.into())])),
            Value::Object(fields) => Fields(fields),
            _ => return Some(Err(told("the question is neither a text nor a map"))),
        };
        match name.as_str() {
            "oci/v1/manifest_digest" | "oci/v1/oci_manifest" | "oci/v1/oci_manifest_config" => {
                self.image_data(&name, &fields)
            }
            "oci/v1/verify" | "oci/v2/verify" => self.image_trust(&fields),
            "regent/v1/evidence" => self.image_evidence(&fields),
            "kubernetes/get_resource" => self.cluster_object(policy, &fields),
            "kubernetes/list_resources_all" | "kubernetes/list_resources_by_namespace" => {
                self.cluster_objects(policy, &name, &fields)
            }
            "kubernetes/can_i" => self.cluster_access(policy, &fields),
            _ => Some(Err(told(format!("`{name}` is not supported")))),
        }
    }

    /// Data from outside.
    pub(super) fn data_for_guest(&mut self, need: DataNeed) -> Option<Said> {
        let what = need.description();
        let data = self.facts.borrow_mut().data(need)?;
        Some(data.map_err(|error| unavailable(&what, &error)))
    }
}

/// Why there is no answer.
pub(super) fn unavailable(what: &str, error: &FactError) -> Unanswered {
    let reason = format!("{what}: {error}");
    match error {
        FactError::NotFound(_) => Unanswered::Told(reason),
        FactError::Unavailable(_)
        | FactError::Timeout(_)
        | FactError::NoSource(_)
        | FactError::Malformed(_)
        | FactError::NoRoom(_)
        | FactError::Unauthorized(_) => Unanswered::Lost(reason),
    }
}
