//! The images of an object: containers, init and ephemeral containers, and image volumes, wherever its kind keeps a pod.

use std::borrow::Cow;

use serde_json::Value;

use crate::limits;

/// The lists of containers, in the order in which they run.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

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
    pub(super) list: Cow<'static, str>,
    /// The container's or volume's name; empty where it has none.
    pub(super) name: String,
}

/// The images of an object of a kind, in its order; none where the kind has no pod.
///
/// What cannot be read is an error: an image that is not seen is not verified.
pub(super) fn find(kind: &str, object: &Value) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    if let Some((pod, spec)) = pod(kind, object)? {
        for list in CONTAINERS {
            for (index, container) in items(spec, list)?.iter().enumerate() {
                let pointer = format!("{pod}/{list}/{index}/image");
                found.extend(image(container, "image", pointer, list)?);
            }
        }
    }
    found.extend(volumes(kind, object)?);
    if found.len() > limits::IMAGES {
        return Err(format!(
            "the object has more than {} images",
            limits::IMAGES
        ));
    }
    Ok(found)
}

/// The images of volumes.
pub(super) fn volumes(kind: &str, object: &Value) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let Some((pod, spec)) = pod(kind, object)? else {
        return Ok(found);
    };
    for (index, volume) in items(spec, "volumes")?.iter().enumerate() {
        let Some(source) = volume.get("image") else {
            continue;
        };
        let pointer = format!("{pod}/volumes/{index}/image/reference");
        let name = name(volume);
        let of_volume = image(source, "reference", pointer, "volumes")?;
        found.extend(of_volume.map(|one| Found { name, ..one }));
    }
    Ok(found)
}

/// The images of containers as Kyverno takes them for names in expressions, up to what keeps it from going on, and that in
/// its words: an element that is null, or whose image is no text, has none; anything else must be a container with a name.
pub(super) fn containers(kind: &str, object: &Value) -> (Vec<Found>, Result<(), String>) {
    let mut found = Vec::new();
    let outcome = pod(kind, object).and_then(|pod| {
        let lists = CONTAINERS.iter();
        let mut lists = pod
            .into_iter()
            .flat_map(|pod| lists.clone().map(move |list| (pod, list)));
        lists.try_for_each(|((pod, spec), list)| of_list(pod, (list, spec.get(list)), &mut found))
    });
    (found, outcome)
}

fn of_list(
    pod: &str,
    (list, containers): (&'static str, Option<&Value>),
    found: &mut Vec<Found>,
) -> Result<(), String> {
    let containers: Vec<(String, &Value)> = match containers {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(items)) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| (index.to_string(), item))
                .collect()
        }
        Some(Value::Object(fields)) => {
            let fields = fields.iter();
            fields.map(|(key, item)| (key.clone(), item)).collect()
        }
        Some(_) => return Err("invalid type".to_owned()),
    };
    for (step, container) in containers.into_iter().filter(|(_, item)| !item.is_null()) {
        if !container.is_object() {
            return Err("invalid image config".to_owned());
        }
        let Some(name) = container.get("name").and_then(Value::as_str) else {
            return Err("invalid key".to_owned());
        };
        let text = container.get("image").and_then(Value::as_str);
        found.extend(text.filter(|text| !text.is_empty()).map(|text| Found {
            pointer: format!("{pod}/{list}/{step}/image"),
            text: text.to_owned(),
            written: text.to_owned(),
            list: list.into(),
            name: name.to_owned(),
        }));
    }
    Ok(())
}

/// Where an object of a kind keeps its pod, and what is there; none where there is no pod.
fn pod<'a>(kind: &str, object: &'a Value) -> Result<Option<(&'static str, &'a Value)>, String> {
    let Some(pod) = pod_pointer(kind) else {
        return Ok(None);
    };
    let mut place = object;
    for step in pod.split('/').skip(1) {
        // As Kyverno says it, wherever on the way it is.
        let fields = place.as_object().ok_or("invalid image config")?;
        match fields.get(step) {
            None | Some(Value::Null) => return Ok(None),
            Some(next) => place = next,
        }
    }
    if !place.is_object() {
        return Err("invalid image config".to_owned());
    }
    Ok(Some((pod, place)))
}

/// Where an object of a kind keeps its pod, where that can be read.
pub(super) fn pod_spec<'a>(kind: &str, object: &'a Value) -> Option<&'a Value> {
    object.pointer(pod_pointer(kind)?)
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
            list: list.into(),
            name: name(holder),
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
