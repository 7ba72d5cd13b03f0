//! Names of the request itself: `request`, `images`, `serviceAccountName` and `serviceAccountNamespace`.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::admission::{AdmissionRequest, Operation};
use crate::jmespath::{ScopeError, Within};
use crate::limits::{CONTEXT_CHAIN, ContextSize};
use crate::template::Deletion;

use super::pod_images;

/// The names, each made when it is first asked for.
#[derive(Debug)]
pub(super) struct RequestNames<'a> {
    request: &'a AdmissionRequest,
    /// How large the contexts of rules may become.
    context_size: ContextSize,
    value: OnceCell<Value>,
    /// The request without its objects.
    others: OnceCell<Map<String, Value>>,
    guest: OnceCell<Arc<str>>,
    images: OnceCell<Result<Value, String>>,
    account: Option<(Value, Value)>,
    /// How many entries of contexts are in the making.
    in_making: Cell<usize>,
}

impl<'a> RequestNames<'a> {
    /// Of a request.
    pub(super) fn new(request: &'a AdmissionRequest, context_size: ContextSize) -> Self {
        let account = request.user_info.as_ref().map(|user| {
            let account = user.username.strip_prefix("system:serviceaccount:");
            let (namespace, name) = account
                .and_then(|account| account.split_once(':'))
                .unwrap_or(("", ""));
            (Value::from(name), Value::from(namespace))
        });
        Self {
            request,
            context_size,
            value: OnceCell::new(),
            others: OnceCell::new(),
            guest: OnceCell::new(),
            images: OnceCell::new(),
            account,
            in_making: Cell::new(0),
        }
    }

    /// How large the contexts of rules may become.
    pub(super) const fn context_size(&self) -> ContextSize {
        self.context_size
    }

    /// Does `next`, which may need other entries of contexts, unless too many wait for it already.
    pub(super) fn making<T>(&self, next: impl FnOnce() -> T) -> Option<T> {
        let already = self.in_making.get();
        if already >= CONTEXT_CHAIN {
            return None;
        }
        self.in_making.set(already + 1);
        let made = next();
        self.in_making.set(already);
        Some(made)
    }

    /// Whether the object goes away.
    pub(super) fn deletion(&self) -> Deletion {
        match self.request.operation {
            Operation::Delete => Deletion::Delete,
            Operation::Create | Operation::Update | Operation::Connect => Deletion::Keep,
        }
    }

    /// The value of a name; none where it is not one of these.
    pub(super) fn field(&self, name: &str) -> Result<Option<Cow<'_, Value>>, ScopeError> {
        Ok(match name {
            "request" => Some(Cow::Borrowed(self.value())),
            "images" => match self.images() {
                // An object without images does not have the name at all.
                Ok(images) => images
                    .as_object()
                    .is_some_and(|lists| !lists.is_empty())
                    .then_some(Cow::Borrowed(images)),
                Err(reason) => return Err(ScopeError::Failed(reason.clone())),
            },
            "serviceAccountName" => self.account.as_ref().map(|(name, _)| Cow::Borrowed(name)),
            "serviceAccountNamespace" => self
                .account
                .as_ref()
                .map(|(_, namespace)| Cow::Borrowed(namespace)),
            _ => None,
        })
    }

    /// A field of the request, without a copy of its objects.
    pub(super) fn within(&self, name: &str, field: &str) -> Within<'_> {
        if name != "request" {
            return Within::Unknown;
        }
        let found = match field {
            "object" => self.request.object.as_deref(),
            "oldObject" => self.request.old_object.as_deref(),
            "options" => self.request.options.as_ref(),
            _ => self.value.get().map_or_else(
                || {
                    self.others
                        .get_or_init(|| other_fields(self.request))
                        .get(field)
                },
                |whole| whole.get(field),
            ),
        };
        match found {
            Some(found) => Within::Found(found),
            None if OBJECTS.contains(&field) && is_reviewed(self.request) => Within::Found(&NULL),
            None => Within::Absent,
        }
    }

    /// All of them.
    pub(super) fn whole(&self) -> Result<Map<String, Value>, ScopeError> {
        let mut fields = Map::new();
        for name in [
            "request",
            "images",
            "serviceAccountName",
            "serviceAccountNamespace",
        ] {
            if let Some(value) = self.field(name)? {
                fields.insert(name.to_owned(), value.into_owned());
            }
        }
        Ok(fields)
    }

    /// The request as modules are given it, as JSON.
    pub(super) fn of_guests(&self) -> Arc<str> {
        let text = self
            .guest
            .get_or_init(|| guest_request(self.request).into());
        Arc::clone(text)
    }

    fn value(&self) -> &Value {
        self.value.get_or_init(|| request_value(self.request))
    }

    fn images(&self) -> Result<&Value, &String> {
        self.images
            .get_or_init(|| images_value(self.request))
            .as_ref()
    }
}

/// Names that a predicate's field can never be.
pub(super) fn is_reserved(name: &str) -> bool {
    let element = name.strip_prefix("element").is_some_and(|rest| {
        let index = rest.strip_prefix("Index").unwrap_or(rest);
        index.bytes().all(|byte| byte.is_ascii_digit())
    });
    element
        || matches!(
            name,
            "request"
                | "images"
                | "image"
                | "serviceAccountName"
                | "serviceAccountNamespace"
                | "target"
                | "@"
        )
}

/// The request as in the admission review.
fn request_value(request: &AdmissionRequest) -> Value {
    with_objects(request, other_fields(request))
}

/// Fields that a review has whether there is something in them or not: Go writes what is raw as null.
const OBJECTS: [&str; 3] = ["object", "oldObject", "options"];

static NULL: Value = Value::Null;

/// Whether an API server asks, and not a command that makes a request of an object.
fn is_reviewed(request: &AdmissionRequest) -> bool {
    !request.uid.is_empty()
}

/// The fields with those that were left out.
fn with_objects(request: &AdmissionRequest, mut fields: Map<String, Value>) -> Value {
    let objects = [
        ("object", request.object.as_deref()),
        ("oldObject", request.old_object.as_deref()),
        ("options", request.options.as_ref()),
    ];
    for (name, object) in objects {
        let object = object.cloned();
        if let Some(object) = object.or_else(|| is_reviewed(request).then_some(Value::Null)) {
            fields.insert(name.to_owned(), object);
        }
    }
    Value::Object(fields)
}

/// Its fields but for `object`, `oldObject` and `options`: without what is empty, as Go writes it, and with Kyverno's own.
fn other_fields(request: &AdmissionRequest) -> Map<String, Value> {
    let mut fields = reviewed_fields(request);
    if request.name.is_empty() {
        fields.remove("name");
    }
    if !is_reviewed(request) {
        fields.remove("requestResource");
    }
    if let Some(Value::Object(user)) = fields.get_mut("userInfo") {
        user.retain(|_, field| !is_empty(field));
    }
    let roles = request.roles.as_ref();
    let of_namespaces = roles.map_or(&[][..], |user| &user.roles);
    let of_cluster = roles.map_or(&[][..], |user| &user.cluster_roles);
    fields.insert("roles".to_owned(), json!(of_namespaces));
    fields.insert("clusterRoles".to_owned(), json!(of_cluster));
    fields
}

fn is_empty(field: &Value) -> bool {
    match field {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The same fields as modules have them: what is empty is there, since kits for modules look for it.
pub(super) fn reviewed_fields(request: &AdmissionRequest) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut set = |name: &str, field: Value| {
        fields.insert(name.to_owned(), field);
    };
    let kind = json!({"group": request.kind.group, "version": request.kind.version, "kind": request.kind.kind});
    set("uid", request.uid.as_str().into());
    set("kind", kind.clone());
    set("requestKind", kind);
    let resource = &request.resource;
    let resource = json!({"group": resource.group, "version": resource.version, "resource": resource.resource});
    set("resource", resource.clone());
    set("requestResource", resource);
    set("name", request.name.as_str().into());
    set("operation", request.operation.name().into());
    set("dryRun", request.dry_run.into());
    if let Some(namespace) = &request.namespace {
        set("namespace", namespace.as_str().into());
    }
    if let Some(sub_resource) = &request.sub_resource {
        set("subResource", sub_resource.as_str().into());
    }
    if let Some(user) = &request.user_info {
        set(
            "userInfo",
            json!({"username": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra}),
        );
    }
    fields
}

/// The request as in the admission review, with all that kits of modules ask for.
fn guest_request(request: &AdmissionRequest) -> String {
    let mut value = with_objects(request, reviewed_fields(request));
    if let Value::Object(fields) = &mut value {
        let user = || json!({"username": "", "uid": "", "groups": [], "extra": {}});
        fields.entry("userInfo").or_insert_with(user);
        for name in ["object", "oldObject"] {
            fields.entry(name).or_insert(Value::Null);
        }
        // Kits read what is not there as empty, and null as something else.
        let missing = |field: &Value| field.is_null();
        if fields.get("options").is_some_and(missing) {
            fields.remove("options");
        }
    }
    value.to_string()
}

/// `images.<list>.<name>`, with the lists in the order in which Kyverno goes through them: what it cannot read is said so.
fn images_value(request: &AdmissionRequest) -> Result<Value, String> {
    let mut lists = Map::new();
    let object = request.object.as_deref().or(request.old_object.as_deref());
    let Some(object) = object else {
        return Ok(Value::Object(lists));
    };
    let (mut all, outcome) = pod_images::containers(&request.kind.kind, object);
    if outcome.is_ok() {
        all.extend(pod_images::volumes(&request.kind.kind, object)?);
    }
    for found in all {
        let Some(image) = image_value(&found) else {
            let text = &found.text;
            let reason = crate::image::reference::refusal(text);
            return Err(format!("invalid image '{text}' ({reason})"));
        };
        let list = lists.entry(found.list.clone()).or_insert_with(|| json!({}));
        if let Value::Object(list) = list {
            list.insert(found.name, image);
        }
    }
    outcome.map(|()| Value::Object(lists))
}

/// An image as expressions see it.
pub(super) fn image_value(found: &pod_images::Found) -> Option<Value> {
    let reference = crate::image::ImageReference::parse(&found.text).ok()?;
    let name = reference.path.rsplit('/').next().unwrap_or("").to_owned();
    let repository = reference.repository();
    let tag = reference.tag.as_deref();
    let mut image = json!({
        "registry": reference.registry,
        "path": reference.path,
        "name": name,
        "reference": reference.kyverno_form(),
        "referenceWithTag": format!("{repository}:{}", tag.unwrap_or("")),
        "jsonPointer": found.pointer,
    });
    // What the reference does not have is no field, as in Kyverno.
    let digest = reference.digest.as_ref().map(crate::image::Digest::as_str);
    let written = [("tag", tag), ("digest", digest)].into_iter();
    if let Value::Object(fields) = &mut image {
        fields.extend(written.filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
    }
    Some(image)
}
