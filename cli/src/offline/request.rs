//! A resource on disk becomes an admission request, as if it were being created now.
//!
//! Knows what Kyverno's command line assumes where there is no API server; nothing of policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use regent_engine::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation, Roles,
};
use serde_json::{Map, Value};

use super::values::{RequestUser, SubResource};

/// What is assumed of a request besides its object.
#[derive(Debug, Clone, Copy)]
pub struct Assumptions<'a> {
    /// What is done; where a row does not say it, the values do, and else it is CREATE.
    pub operation: Option<Operation>,
    /// Who asks, where that is known.
    pub user: Option<&'a RequestUser>,
    /// Kinds that stand for sub-resources.
    pub sub_resources: &'a [SubResource],
    /// Values by their paths, as in `request.object.metadata.labels.app`; what is no part of a request is not for it.
    pub values: &'a BTreeMap<String, Value>,
}

/// The request that asks for `object`.
pub fn assume(object: &Value, assumptions: Assumptions<'_>) -> AdmissionRequest {
    let operation = assumptions
        .operation
        .or_else(|| {
            let named = assumptions.values.get("request.operation")?.as_str()?;
            operation_of(named)
        })
        .unwrap_or(Operation::Create);
    let mut document = document(object, operation);
    for (path, value) in assumptions.values {
        let keys = split(path);
        if is_settable(&keys) {
            put(&mut document, keys, value);
        }
    }
    let kind = kind_of(object);
    let (kind, sub_resource) = parent_of(kind, assumptions.sub_resources);
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    AdmissionRequest {
        uid: String::new(),
        resource: resource_of(&kind),
        kind,
        sub_resource,
        name: text("/request/name").unwrap_or_default().to_owned(),
        namespace: text("/request/namespace").map(str::to_owned),
        operation,
        user_info: assumptions.user.map(|user| user.user_info.clone()),
        roles: Some(assumptions.user.map_or_else(Roles::default, |user| Roles {
            roles: user.roles.clone(),
            cluster_roles: user.cluster_roles.clone(),
        })),
        object: document.pointer("/request/object").cloned().map(Arc::new),
        old_object: document
            .pointer("/request/oldObject")
            .cloned()
            .map(Arc::new),
        dry_run: false,
        options: None,
    }
}

/// Whether the value at a path is a part of the request, and not only a name in expressions.
pub fn is_of_request(path: &str) -> bool {
    path == "request.operation" || is_settable(&split(path))
}

/// The parts of a request that values may overwrite, as policies see them.
fn document(object: &Value, operation: Operation) -> Value {
    let mut request = Map::new();
    let metadata = |field: &str| object.get("metadata").and_then(|map| map.get(field));
    let mut copy = |name: &str, value: Option<&Value>| {
        if let Some(value) = value {
            request.insert(name.to_owned(), value.clone());
        }
    };
    copy("name", metadata("name"));
    copy("namespace", metadata("namespace"));
    // INVARIANT: an update without its old object is one that changes nothing, as Kyverno's runner has it.
    match operation {
        Operation::Create | Operation::Connect => copy("object", Some(object)),
        Operation::Update => {
            copy("object", Some(object));
            copy("oldObject", Some(object));
        }
        Operation::Delete => copy("oldObject", Some(object)),
    }
    let mut document = Map::new();
    document.insert("request".to_owned(), Value::Object(request));
    Value::Object(document)
}

/// Whether a path leads to what policies match with: what is below `request` besides is only a name in expressions.
fn is_settable(keys: &[String]) -> bool {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    matches!(
        keys[..],
        ["request", "name" | "namespace"] | ["request", "object" | "oldObject", ..]
    )
}

/// The keys of a path that leads into the object of a request, from there; none where it leads elsewhere.
pub fn in_object(path: &str) -> Option<Vec<String>> {
    let keys = split(path);
    match keys.as_slice() {
        [request, object, rest @ ..]
            if request == "request" && object == "object" && !rest.is_empty() =>
        {
            Some(rest.to_vec())
        }
        _ => None,
    }
}

/// Puts a value at a path of keys, making the maps on the way.
pub fn put(document: &mut Value, keys: Vec<String>, value: &Value) {
    let mut place = document;
    for key in keys {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(fields) = place.as_object_mut() else {
            return;
        };
        place = fields.entry(key).or_insert(Value::Null);
    }
    *place = value.clone();
}

/// The keys of a path like `request.object.metadata.annotations."example.com/a"`: separated by dots, in double quotes where
/// they contain some.
pub fn split(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut quoted = false;
    for character in path.chars() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => keys.push(String::new()),
            _ => {
                if let Some(key) = keys.last_mut() {
                    key.push(character);
                }
            }
        }
    }
    keys
}

/// Group, version and kind as `apiVersion` and `kind` say them.
pub fn kind_of(object: &Value) -> GroupVersionKind {
    let text = |field: &str| {
        object
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (group, version) = text("apiVersion")
        .split_once('/')
        .unwrap_or(("", text("apiVersion")));
    GroupVersionKind {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: text("kind").to_owned(),
    }
}

/// Where a kind stands for a sub-resource, the kind that it belongs to and the sub-resource's name.
fn parent_of(
    kind: GroupVersionKind,
    sub_resources: &[SubResource],
) -> (GroupVersionKind, Option<String>) {
    let written = (&kind.group, &kind.version, &kind.kind);
    let found = sub_resources.iter().find(|sub_resource| {
        let (group, version, kind) = &sub_resource.object;
        written == (group, version, kind)
    });
    let Some(found) = found else {
        return (kind, None);
    };
    let (group, version, kind) = found.parent.clone();
    let name = found.name.split_once('/').map(|(_, name)| name.to_owned());
    let parent = GroupVersionKind {
        group,
        version,
        kind,
    };
    (parent, name)
}

/// The operation that Kubernetes calls so.
pub fn operation_of(name: &str) -> Option<Operation> {
    [
        Operation::Create,
        Operation::Update,
        Operation::Delete,
        Operation::Connect,
    ]
    .into_iter()
    .find(|operation| operation.name() == name)
}

/// The resource that a kind is served as, by the rules that Kubernetes' own clients guess by.
pub fn resource_of(kind: &GroupVersionKind) -> GroupVersionResource {
    let singular = kind.kind.to_lowercase();
    let resource = match singular.as_str() {
        "endpoints" => singular,
        _ if singular.ends_with('s') => format!("{singular}es"),
        _ => match singular.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{singular}s"),
        },
    };
    GroupVersionResource {
        group: kind.group.clone(),
        version: kind.version.clone(),
        resource,
    }
}

#[cfg(test)]
mod tests;
