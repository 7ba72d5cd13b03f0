//! `admission.k8s.io/v1` as JSON: the only module that knows the wire.
//!
//! Reading is strict: what an API server would not send is refused by the name of the field. Where a key is repeated
//! the last one counts, as in Go. Depth is bounded by the JSON reader (128), size by the listener.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation, UserInfo,
};
use regent_engine::decision::Decision;
use regent_engine::image::Digest;
use regent_engine::image::reference::with_digest;
use regent_engine::response::PatchOperation;
use regent_engine::weight::Weight;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

#[cfg(test)]
mod tests;

/// The version that is spoken.
const API_VERSION: &str = "admission.k8s.io/v1";

/// The kind that is spoken.
const KIND: &str = "AdmissionReview";

/// Longest uid that is echoed; an API server's has 36 characters.
const MAX_UID: usize = 256;

/// Longest group, version, kind, resource, subresource or namespace: as long as a name in DNS. They become labels of metrics,
/// which are kept.
const MAX_WORD: usize = 253;

/// Longest name of an object: roles may have names that are longer than those in DNS, and no Kubernetes says how much longer.
const MAX_NAME: usize = 4 << 10;

/// Longest message of an answer in bytes; Kyverno's longest for 100 failing policies has 21,000.
const MAX_MESSAGE: usize = 128 * 1024;

/// Why bytes are no review that can be answered.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// Not JSON, or nested too deep.
    #[error("the body is not an admission review: {0}")]
    Json(#[from] serde_json::Error),
    /// It takes more memory than one request may.
    #[error(
        "the objects take {0} bytes of memory, and those of one request may take {MAX_MEMORY}: they are not judged"
    )]
    TooLarge(usize),
    /// A name is longer than any in a cluster.
    #[error("`{field}` has {length} bytes, and may have {most}")]
    TooLong {
        /// Path of the field.
        field: &'static str,
        /// Its bytes.
        length: usize,
        /// How many there may be.
        most: usize,
    },
    /// There was no room for it before its deadline.
    #[error(
        "the objects are large, and there was no room for them in time: other large ones are being judged"
    )]
    NoRoom,
    /// Another version of the review.
    #[error(
        "`apiVersion` is `{0}`, and only `{API_VERSION}` is served: set `admissionReviewVersions: [v1]`"
    )]
    ApiVersion(String),
    /// Another kind.
    #[error("`kind` is `{0}`, not `{KIND}`")]
    Kind(String),
    /// A field that an API server always sends is not there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field has the wrong type or value.
    #[error("`{field}` is not {expected}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

/// What a review may take in memory: definitions of resources with small maps take thirty times their text, and the API server
/// stores 1.5 MiB of an object.
pub(crate) const MAX_MEMORY: usize = 160 << 20;

/// The bytes that a review takes in memory once it is read.
pub(crate) fn weigh(bytes: &[u8]) -> Result<usize, ReviewError> {
    let Weight(weight) = serde_json::from_slice(bytes)?;
    if weight > MAX_MEMORY {
        return Err(ReviewError::TooLarge(weight));
    }
    Ok(weight)
}

/// Reads a review's request.
pub fn read(bytes: &[u8]) -> Result<AdmissionRequest, ReviewError> {
    let mut review = object(serde_json::from_slice(bytes)?, "the review")?;
    let api_version = required_text(&mut review, "apiVersion", "apiVersion")?;
    if api_version != API_VERSION {
        return Err(ReviewError::ApiVersion(
            shortened(&api_version, 64).into_owned(),
        ));
    }
    let kind = required_text(&mut review, "kind", "kind")?;
    if kind != KIND {
        return Err(ReviewError::Kind(shortened(&kind, 64).into_owned()));
    }
    let request = review
        .remove("request")
        .filter(|request| !request.is_null())
        .ok_or(ReviewError::Missing("request"))?;
    read_request(object(request, "request")?)
}

/// Reads a request that was written down by [`request_json`].
pub(crate) fn read_recorded(request: &Value) -> Result<AdmissionRequest, ReviewError> {
    read_request(object(request.clone(), "request")?)
}

/// A request as a review has it, with digests put in where images stand, by pointer, reference and digest; without what fields
/// are managed by whom, and without the object of a Secret, which is to be in no file.
///
/// Rules may have changed the object before images were looked for: what does not stand there is left as it is.
pub(crate) fn request_json<'a>(
    request: &AdmissionRequest,
    pins: impl Iterator<Item = (&'a str, &'a str, &'a Digest)>,
) -> Value {
    let is_secret = request.kind.group.is_empty() && request.kind.kind == "Secret";
    let kept = |object: Option<&Value>| {
        let mut object = object.filter(|_| !is_secret)?.clone();
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata.remove("managedFields");
        }
        Some(object)
    };
    let mut new = kept(request.object.as_deref());
    for (pointer, reference, digest) in pins {
        let place = new.as_mut().and_then(|object| object.pointer_mut(pointer));
        if let Some(place) = place.filter(|place| place.as_str() == Some(reference)) {
            *place = with_digest(reference, digest).into();
        }
    }
    let user = request.user_info.as_ref();
    let user = user.map(|user| {
        json!({
            "username": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra,
        })
    });
    let (kind, resource) = (&request.kind, &request.resource);
    json!({
        "uid": request.uid,
        "kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "resource": {
            "group": resource.group, "version": resource.version, "resource": resource.resource,
        },
        "subResource": request.sub_resource,
        "name": request.name,
        "namespace": request.namespace,
        "operation": request.operation.name(),
        "userInfo": user,
        "object": new,
        "oldObject": kept(request.old_object.as_deref()),
        "dryRun": request.dry_run,
        "options": request.options,
    })
}

/// The uid of what an API server sent and [`read`] does not take, where that much can be read: what stands beside it is
/// passed over without being looked at, however deep it is.
pub fn uid(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        request: Request,
    }
    #[derive(Deserialize)]
    struct Request {
        uid: String,
    }
    let head: Head = serde_json::from_slice(bytes).ok()?;
    let uid = head.request.uid;
    (1..=MAX_UID).contains(&uid.len()).then_some(uid)
}

/// The uid of a review of which only the beginning is there; an API server says it before the object.
pub(crate) fn uid_of_beginning(bytes: &[u8]) -> Option<String> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // What is cut off, or comes after the uid, is an error, which says nothing.
    let _cut_off = reader.deserialize_map(Within {
        names: &["request", "uid"],
        found: &mut found,
    });
    found.filter(|uid: &String| (1..=MAX_UID).contains(&uid.len()))
}

/// Goes down maps by names until there is a text.
struct Within<'a> {
    names: &'a [&'a str],
    found: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a review")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((wanted, names)) = self.names.split_first() else {
            return Ok(());
        };
        while let Some(name) = map.next_key::<String>()? {
            if name != *wanted {
                map.next_value::<IgnoredAny>()?;
            } else if names.is_empty() {
                *self.found = Some(map.next_value()?);
                return Ok(());
            } else {
                let found = &mut *self.found;
                return map.next_value_seed(Within { names, found });
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

fn read_request(mut fields: Map<String, Value>) -> Result<AdmissionRequest, ReviewError> {
    let uid = required_text(&mut fields, "uid", "request.uid")?;
    if uid.is_empty() {
        return Err(ReviewError::Missing("request.uid"));
    }
    if uid.len() > MAX_UID {
        return Err(ReviewError::Invalid {
            field: "request.uid",
            expected: "at most 256 bytes long",
        });
    }
    let operation = operation(&required_text(
        &mut fields,
        "operation",
        "request.operation",
    )?)?;
    let request = AdmissionRequest {
        uid,
        kind: kind(&mut fields)?,
        resource: resource(&mut fields)?,
        sub_resource: word(&mut fields, "subResource", "request.subResource")?
            .filter(|name| !name.is_empty()),
        name: name(&mut fields)?,
        namespace: word(&mut fields, "namespace", "request.namespace")?
            .filter(|name| !name.is_empty()),
        operation,
        user_info: Some(user_info(&mut fields)?),
        roles: None,
        object: optional_object(&mut fields, "object", "request.object")?.map(Arc::new),
        old_object: optional_object(&mut fields, "oldObject", "request.oldObject")?.map(Arc::new),
        dry_run: flag(&mut fields, "dryRun", "request.dryRun")?,
        options: optional_object(&mut fields, "options", "request.options")?,
    };
    // A policy about an object that is not there would judge nothing, and nothing is not a pass.
    let needs_object = matches!(operation, Operation::Create | Operation::Update);
    let needs_old_object = matches!(operation, Operation::Update | Operation::Delete);
    if needs_object && request.object.is_none() {
        return Err(ReviewError::Missing("request.object"));
    }
    if needs_old_object && request.old_object.is_none() {
        return Err(ReviewError::Missing("request.oldObject"));
    }
    Ok(request)
}

fn operation(name: &str) -> Result<Operation, ReviewError> {
    match name {
        "CREATE" => Ok(Operation::Create),
        "UPDATE" => Ok(Operation::Update),
        "DELETE" => Ok(Operation::Delete),
        "CONNECT" => Ok(Operation::Connect),
        _ => Err(ReviewError::Invalid {
            field: "request.operation",
            expected: "one of CREATE, UPDATE, DELETE and CONNECT",
        }),
    }
}

fn kind(fields: &mut Map<String, Value>) -> Result<GroupVersionKind, ReviewError> {
    let mut kind = required_object(fields, "kind", "request.kind")?;
    Ok(GroupVersionKind {
        group: word(&mut kind, "group", "request.kind.group")?.unwrap_or_default(),
        version: required_word(&mut kind, "version", "request.kind.version")?,
        kind: required_word(&mut kind, "kind", "request.kind.kind")?,
    })
}

fn resource(fields: &mut Map<String, Value>) -> Result<GroupVersionResource, ReviewError> {
    let mut resource = required_object(fields, "resource", "request.resource")?;
    Ok(GroupVersionResource {
        group: word(&mut resource, "group", "request.resource.group")?.unwrap_or_default(),
        version: required_word(&mut resource, "version", "request.resource.version")?,
        resource: required_word(&mut resource, "resource", "request.resource.resource")?,
    })
}

fn name(fields: &mut Map<String, Value>) -> Result<String, ReviewError> {
    let name = text(fields, "name", "request.name")?.unwrap_or_default();
    bounded(name, "request.name", MAX_NAME)
}

/// A text that may be as long as a name in DNS.
fn word(
    fields: &mut Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<Option<String>, ReviewError> {
    let word = text(fields, key, field)?;
    word.map(|word| bounded(word, field, MAX_WORD)).transpose()
}

fn required_word(
    fields: &mut Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<String, ReviewError> {
    bounded(required_text(fields, key, field)?, field, MAX_WORD)
}

fn bounded(text: String, field: &'static str, most: usize) -> Result<String, ReviewError> {
    let length = text.len();
    if length > most {
        return Err(ReviewError::TooLong {
            field,
            length,
            most,
        });
    }
    Ok(text)
}

fn user_info(fields: &mut Map<String, Value>) -> Result<UserInfo, ReviewError> {
    let mut user = required_object(fields, "userInfo", "request.userInfo")?;
    let extra = match user.remove("extra") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(extra) => object(extra, "request.userInfo.extra")?
            .into_iter()
            .map(|(name, values)| Ok((name, texts(Some(values), "request.userInfo.extra")?)))
            .collect::<Result<_, ReviewError>>()?,
    };
    Ok(UserInfo {
        username: text(&mut user, "username", "request.userInfo.username")?.unwrap_or_default(),
        uid: text(&mut user, "uid", "request.userInfo.uid")?.unwrap_or_default(),
        groups: texts(user.remove("groups"), "request.userInfo.groups")?,
        extra,
    })
}

fn object(value: Value, field: &'static str) -> Result<Map<String, Value>, ReviewError> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(ReviewError::Invalid {
            field,
            expected: "an object",
        }),
    }
}

fn required_object(
    fields: &mut Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<Map<String, Value>, ReviewError> {
    object(
        fields.remove(key).ok_or(ReviewError::Missing(field))?,
        field,
    )
}

fn optional_object(
    fields: &mut Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<Option<Value>, ReviewError> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value @ Value::Object(_)) => Ok(Some(value)),
        Some(_) => Err(ReviewError::Invalid {
            field,
            expected: "an object",
        }),
    }
}

fn text(
    fields: &mut Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<Option<String>, ReviewError> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ReviewError::Invalid {
            field,
            expected: "a string",
        }),
    }
}

fn required_text(
    fields: &mut Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<String, ReviewError> {
    text(fields, key, field)?.ok_or(ReviewError::Missing(field))
}

fn texts(value: Option<Value>, field: &'static str) -> Result<Vec<String>, ReviewError> {
    let wrong = || ReviewError::Invalid {
        field,
        expected: "a list of strings",
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => values
            .into_iter()
            .map(|value| match value {
                Value::String(text) => Ok(text),
                _ => Err(wrong()),
            })
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn flag(
    fields: &mut Map<String, Value>,
    key: &str,
    field: &'static str,
) -> Result<bool, ReviewError> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(ReviewError::Invalid {
            field,
            expected: "true or false",
        }),
    }
}

/// `text`, cut at a character boundary to at most `length` bytes.
pub(crate) fn shortened(text: &str, length: usize) -> Cow<'_, str> {
    match text.get(..text.floor_char_boundary(length)) {
        Some(start) if start.len() < text.len() => Cow::Owned(format!("{start}…")),
        Some(_) | None => Cow::Borrowed(text),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, &'a str>,
}

/// As Kyverno writes it: no code and no reason; the API server fills in 400.
#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    message: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Operand<'a> {
    Add { path: &'a str, value: &'a Value },
    Replace { path: &'a str, value: &'a Value },
    Remove { path: &'a str },
}

/// Writes the review that answers the request `uid`: the response alone, the request is not sent back.
pub fn write(uid: &str, decision: &Decision) -> Result<Vec<u8>, ReviewError> {
    let response = match decision {
        Decision::Allow {
            patch,
            warnings,
            audit,
        } => Response {
            uid,
            allowed: true,
            status: None,
            patch_type: (!patch.is_empty()).then_some("JSONPatch"),
            patch: encoded_patch(patch)?,
            warnings,
            audit_annotations: audit
                .iter()
                .map(|(key, text)| (*key, text.as_str()))
                .collect(),
        },
        Decision::Deny { message } => Response {
            uid,
            allowed: false,
            status: Some(Status {
                status: "Failure",
                message: shortened(message, MAX_MESSAGE),
            }),
            patch: None,
            patch_type: None,
            warnings: &[],
            audit_annotations: BTreeMap::new(),
        },
    };
    Ok(serde_json::to_vec(&Answer {
        api_version: API_VERSION,
        kind: KIND,
        response,
    })?)
}

fn encoded_patch(patch: &[PatchOperation]) -> Result<Option<String>, ReviewError> {
    if patch.is_empty() {
        return Ok(None);
    }
    let operands: Vec<Operand<'_>> = patch
        .iter()
        .map(|operation| match operation {
            PatchOperation::Add { path, value } => Operand::Add { path, value },
            PatchOperation::Replace { path, value } => Operand::Replace { path, value },
            PatchOperation::Remove { path } => Operand::Remove { path },
        })
        .collect();
    Ok(Some(STANDARD.encode(serde_json::to_vec(&operands)?)))
}
