//! The request as programs see it: converted once, its parts shared.
//!
//! `docs/rego.md` describes the input document.

mod review;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::admission::{AdmissionRequest, Operation};
use crate::rego::evaluate::Document;

/// Documents of one request.
#[derive(Debug)]
pub(super) struct Documents {
    request: Arc<AdmissionRequest>,
    /// Once a program compares the whole of it: that it is another tree of values costs more than most programs.
    resource: OnceLock<Document>,
    /// What `match` and `exclude` read, without labels of the namespace.
    subject: Document,
    /// Once a rule asks what it would have said of the old object.
    before: OnceLock<Box<Before>>,
}

/// The old object as if it were created now, and its documents.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) request: Arc<AdmissionRequest>,
    pub(super) documents: Documents,
}

impl Documents {
    /// Of a request.
    pub(super) fn new(request: &Arc<AdmissionRequest>) -> Self {
        Self {
            request: Arc::clone(request),
            resource: OnceLock::new(),
            subject: subject(request, None),
            before: OnceLock::new(),
        }
    }

    /// The old object as if it were created now, made once for all rules that ask.
    pub(super) fn before(&self) -> &Before {
        self.before.get_or_init(|| {
            let request = Arc::new(AdmissionRequest {
                operation: Operation::Create,
                object: self.request.old_object.clone(),
                old_object: None,
                ..(*self.request).clone()
            });
            let documents = Self::new(&request);
            Box::new(Before { request, documents })
        })
    }

    fn resource(&self) -> &Document {
        self.resource.get_or_init(|| {
            resource(&self.request).map_or_else(Document::null, Document::from_json)
        })
    }

    /// What `match` and `exclude` read.
    pub(super) fn subject(&self) -> Value {
        self.subject.to_json().unwrap_or(Value::Null)
    }

    /// The input of a program that compares an element with patterns, or the object where there is none.
    pub(super) fn compared(&self, element: Option<Document>, values: Document) -> Document {
        let resource = element.unwrap_or_else(|| self.resource().clone());
        Document::object([
            ("resource", resource),
            ("subject", self.subject.clone()),
            ("values", values),
        ])
    }

    /// The input of a program that looks at no more of the request than matches do, and at values.
    pub(super) fn input(
        &self,
        namespace_labels: Option<&BTreeMap<String, String>>,
        values: Document,
    ) -> Document {
        let subject = match namespace_labels {
            None => self.subject.clone(),
            labels @ Some(_) => subject(&self.request, labels),
        };
        Document::object([("subject", subject), ("values", values)])
    }

    /// The input of a program that says which rules are about the request.
    pub(super) fn about_subject(&self) -> Document {
        Document::object([("subject", self.subject.clone())])
    }

    /// The input of a program that says which rules pass.
    pub(super) fn together(about: Document, at: Document, values: Document) -> Document {
        Document::object([("about", about), ("at", at), ("values", values)])
    }

    /// The input of a rule's verdict on what modules found.
    pub(super) fn modules(&self, found: Document) -> Document {
        Document::object([("subject", self.subject.clone()), ("modules", found)])
    }

    /// The input of a `wasm` rule's verdict.
    pub(super) fn wasm(&self, said: Document) -> Document {
        Document::object([("subject", self.subject.clone()), ("wasm", said)])
    }

    /// The input of a `podSecurity` rule's verdict.
    pub(super) fn pod_security(&self, found: Document) -> Document {
        Document::object([("subject", self.subject.clone()), ("pod_security", found)])
    }
}

/// What rules are about: the object, and on DELETE the object as it was.
pub(super) fn resource(request: &AdmissionRequest) -> Option<&Value> {
    request.object.as_deref().or(request.old_object.as_deref())
}

/// The summary that `match` and `exclude` read: every field is there, and has its type.
fn subject(
    request: &AdmissionRequest,
    namespace_labels: Option<&BTreeMap<String, String>>,
) -> Document {
    let metadata = resource(request).and_then(|resource| resource.pointer("/metadata"));
    let metadata = |field: &str| metadata?.get(field);
    let text = |field: &str| metadata(field).and_then(Value::as_str).unwrap_or("");
    let name = [text("name"), &request.name, text("generateName")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or("");
    let namespace = request.namespace.as_deref().unwrap_or("");
    let subresource = request.sub_resource.as_deref().unwrap_or("");
    let (group, version, kind) = request.matched_kind();
    let is_whole =
        subresource.is_empty() || (kind == "Pod" && subresource == "ephemeralcontainers");
    let user = request.user_info.as_ref();
    let roles = request.roles.as_ref();
    let list = |texts: &[String]| Document::list(texts.iter().map(|text| Document::text(text)));
    let labels = namespace_labels.into_iter().flatten();
    let labels = labels.map(|(name, label)| (name.as_str(), Document::text(label)));
    // A namespace is in none, whatever its request says: who may write policies in it does not govern it.
    let (own_namespace, request_namespace) = match kind {
        "Namespace" => (name, ""),
        _ => (namespace, namespace),
    };
    Document::object([
        ("annotations", texts(metadata("annotations"))),
        (
            "cluster_roles",
            list(roles.map_or(&[], |user| &user.cluster_roles)),
        ),
        ("group", Document::text(group)),
        ("groups", list(user.map_or(&[], |user| &user.groups))),
        ("has_user", Document::flag(user.is_some())),
        ("is_whole", Document::flag(is_whole)),
        ("kind", Document::text(kind)),
        ("labels", texts(metadata("labels"))),
        ("name", Document::text(name)),
        ("namespace", Document::text(own_namespace)),
        ("namespace_labels", Document::object(labels)),
        ("operation", Document::text(request.operation.name())),
        ("request_namespace", Document::text(request_namespace)),
        ("roles", list(roles.map_or(&[], |user| &user.roles))),
        ("resource", Document::text(&request.resource.resource)),
        ("resource_group", Document::text(&request.resource.group)),
        (
            "resource_version",
            Document::text(&request.resource.version),
        ),
        ("subresource", Document::text(subresource)),
        (
            "user",
            Document::text(user.map_or("", |user| &user.username)),
        ),
        ("version", Document::text(version)),
    ])
}

/// A map of texts; none at all where one value is not a text, as Kubernetes' own accessors have it.
fn texts(map: Option<&Value>) -> Document {
    let fields = map.and_then(Value::as_object);
    let texts = fields.and_then(|fields| {
        let pairs = fields.iter();
        let pairs = pairs.map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        pairs.collect::<Option<Vec<_>>>()
    });
    let texts = texts.unwrap_or_default();
    Document::object(
        texts
            .into_iter()
            .map(|(name, text)| (name, Document::text(text))),
    )
}
