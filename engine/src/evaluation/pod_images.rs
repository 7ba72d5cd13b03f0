//! The images of an object: containers, init and ephemeral containers, and image volumes, wherever its kind keeps a pod.

use serde_json::Value;

use crate::limits;

/// A field that names an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// JSON pointer of the field.
    pub(super) pointer: String,
    /// The image that stands there.
    pub(super) text: String,
    /// All that stands there.
    pub(super) written: String,
    /// The list that it is in, as `images.*` names it.
    pub(super) list: &'static str,
    /// The container's or volume's name; empty where it has none.
    pub(super) name: String,
    /// Whether it has one.
    pub(super) has_name: bool,
}

/// The images of an object of a kind, in its order; none where the kind has no pod.
///
/// What cannot be read is an error: an image that is not seen is not verified.
pub(super) fn find(kind: &str, object: &Value) -> Result<Vec<Found>, String> {
    let Some(pod) = pod_pointer(kind) else {
        return Ok(Vec::new());
    };
    let spec = match object.pointer(pod) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(spec) if spec.is_object() => spec,
        Some(_) => return Err(format!("`{pod}` is not an object")),
    };
    let mut found = Vec::new();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for (index, container) in items(spec, list)?.iter().enumerate() {
            let pointer = format!("{pod}/{list}/{index}/image");
            found.extend(image(container, "image", pointer, list)?);
        }
    }
    for (index, volume) in items(spec, "volumes")?.iter().enumerate() {
        let Some(source) = volume.get("image") else {
            continue;
        };
        let pointer = format!("{pod}/volumes/{index}/image/reference");
        let name = name(volume);
        let of_volume = image(source, "reference", pointer, "volumes")?;
        let has_name = volume.get("name").is_some_and(Value::is_string);
        let named = |one| Found {
            name,
            has_name,
            ..one
        };
        found.extend(of_volume.map(named));
    }
    if found.len() > limits::IMAGES {
        return Err(format!(
            "the object has more than {} images",
            limits::IMAGES
        ));
    }
    Ok(found)
}

fn pod_pointer(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Pod" => "/spec",
        "PodTemplate" => "/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "DaemonSet"
        | "Deployment"
        | "Job"
        | "ReplicaSet"
        | "ReplicationController"
        | "StatefulSet" => "/spec/template/spec",
        _ => return None,
    })
}

fn items<'a>(spec: &'a Value, list: &str) -> Result<&'a [Value], String> {
    match spec.get(list) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("`{list}` is not a list")),
    }
}

/// An absent or empty image names none: templates may leave it to be filled in.
fn image(
    holder: &Value,
    field: &str,
    pointer: String,
    list: &'static str,
) -> Result<Option<Found>, String> {
    if !holder.is_object() {
        return Err(format!("what holds `{pointer}` is not an object"));
    }
    match holder.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(Found {
            pointer,
            text: text.clone(),
            written: text.clone(),
            list,
            name: name(holder),
            has_name: holder.get("name").is_some_and(Value::is_string),
        })),
        Some(_) => Err(format!("`{pointer}` is not a text")),
    }
}

fn name(holder: &Value) -> String {
    holder
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned()
}
