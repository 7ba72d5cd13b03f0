//! Reviews as an API server sends them, and its answers as it reads them.
//!
//! Knows the wire from the API server's side: on purpose not by the code of the webhook.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::response::PatchOperation;
use serde_json::{Value, json};

use crate::offline::patch;

/// What the API server was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The request may go on, with the object as it is now.
    Admitted {
        /// The object, patched.
        object: Value,
    },
    /// The request is refused.
    Refused {
        /// What the user is shown.
        message: String,
    },
}

/// A review that asks to create an object.
pub fn review(uid: &str, object: &Value) -> Value {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let api_version = text("/apiVersion").unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = text("/kind").unwrap_or_default();
    let kind_of = json!({"group": group, "version": version, "kind": kind});
    let resource = json!({
        "group": group,
        "version": version,
        "resource": format!("{}s", kind.to_lowercase()),
    });
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": kind_of,
            "resource": resource,
            "requestKind": kind_of,
            "requestResource": resource,
            "name": text("/metadata/name"),
            "namespace": text("/metadata/namespace"),
            "operation": "CREATE",
            "userInfo": {"username": "demo", "groups": ["system:authenticated"]},
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    })
}

/// Reads an answer as an API server does: it must repeat the uid, and its patch must apply.
pub fn read(uid: &str, object: &Value, answer: &Value) -> Result<Answer> {
    let response = answer
        .get("response")
        .context("the answer has no response")?;
    if response.get("uid").and_then(Value::as_str) != Some(uid) {
        bail!("the answer is for another request");
    }
    match response.get("allowed").and_then(Value::as_bool) {
        Some(true) => {
            let mut object = object.clone();
            if let Some(patch) = response.get("patch").and_then(Value::as_str) {
                let operations = operations(patch)?;
                patch::apply(&mut object, &operations).map_err(anyhow::Error::msg)?;
            }
            Ok(Answer::Admitted { object })
        }
        Some(false) => {
            let message = response.pointer("/status/message").and_then(Value::as_str);
            Ok(Answer::Refused {
                message: message.unwrap_or_default().to_owned(),
            })
        }
        None => bail!("the answer does not say whether the request is allowed"),
    }
}

fn operations(patch: &str) -> Result<Vec<PatchOperation>> {
    let bytes = STANDARD.decode(patch).context("the patch is not base64")?;
    let operations: Vec<Value> = serde_json::from_slice(&bytes).context("the patch is not JSON")?;
    operations.iter().map(operation).collect()
}

fn operation(value: &Value) -> Result<PatchOperation> {
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let path = text("path").context("an operation has no path")?.to_owned();
    let value = value.get("value").cloned().unwrap_or(Value::Null);
    Ok(match text("op") {
        Some("add") => PatchOperation::Add { path, value },
        Some("replace") => PatchOperation::Replace { path, value },
        Some("remove") => PatchOperation::Remove { path },
        other => bail!("the patch has an operation {other:?}"),
    })
}

/// A pod in a namespace.
pub fn pod(namespace: &str, name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "app", "image": image}]},
    })
}

/// A deployment in a namespace.
pub fn deployment(namespace: &str, name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
    })
}

/// The image of an object's first container.
pub fn image_of(object: &Value) -> Option<&str> {
    let places = [
        "/spec/containers/0/image",
        "/spec/template/spec/containers/0/image",
    ];
    let found = places.iter().find_map(|place| object.pointer(place));
    found.and_then(Value::as_str)
}
