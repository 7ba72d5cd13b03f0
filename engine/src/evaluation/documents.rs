//! The request as programs see it: converted once, its parts shared.
//!
//! `docs/rego.md` describes the input document.

mod review;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::admission::AdmissionRequest;
use crate::rego::evaluate::Document;

/// Documents of one request.
#[derive(Debug)]
pub(super) struct Documents {
    resource: Document,
    subject: Value,
    subject_document: Document,
}

impl Documents {
    /// Converts a request.
    pub(super) fn new(request: &AdmissionRequest) -> Self {
        let resource = resource(request);
        let subject = subject(request, resource);
        let subject_document = Document::from_json(&subject);
        Self {
            resource: resource.map_or_else(Document::null, Document::from_json),
            subject,
            subject_document,
        }
    }

    /// What `match` and `exclude` read.
    pub(super) fn subject(&self) -> &Value {
        &self.subject
    }

    /// The input of a program that is about an element, or about the object where there is none.
    pub(super) fn input_about(&self, element: Option<Document>, values: Document) -> Document {
        let resource = element.unwrap_or_else(|| self.resource.clone());
        Document::object([
            ("resource", resource),
            ("subject", self.subject_document.clone()),
            ("values", values),
        ])
    }

    /// The input of a rule's program.
    pub(super) fn input(
        &self,
        namespace_labels: Option<&BTreeMap<String, String>>,
        values: Document,
    ) -> Document {
        let subject = match namespace_labels {
            None => self.subject_document.clone(),
            Some(labels) => {
                let mut subject = self.subject.clone();
                if let Some(fields) = subject.as_object_mut() {
                    fields.insert("namespace_labels".to_owned(), json!(labels));
                }
                Document::from_json(&subject)
            }
        };
        Document::object([
            ("resource", self.resource.clone()),
            ("subject", subject),
            ("values", values),
        ])
    }

    /// The input of a program that says which rules are about the request.
    pub(super) fn about_subject(&self) -> Document {
        Document::object([("subject", self.subject_document.clone())])
    }

    /// The input of a program that says which rules pass.
    pub(super) fn together(&self, about: Document, values: Document) -> Document {
        Document::object([
            ("about", about),
            ("resource", self.resource.clone()),
            ("values", values),
        ])
    }

    /// The input of a rule's verdict on what modules found.
    pub(super) fn modules(&self, found: Document) -> Document {
        Document::object([
            ("resource", self.resource.clone()),
            ("subject", self.subject_document.clone()),
            ("modules", found),
        ])
    }

    /// The input of a `podSecurity` rule's verdict.
    pub(super) fn pod_security(&self, found: Document) -> Document {
        Document::object([
            ("resource", self.resource.clone()),
            ("subject", self.subject_document.clone()),
            ("pod_security", found),
        ])
    }
}

/// What rules are about: the object, and on DELETE the object as it was.
pub(super) fn resource(request: &AdmissionRequest) -> Option<&Value> {
    request.object.as_ref().or(request.old_object.as_ref())
}

/// The summary that `match` and `exclude` read: every field is there, and has its type.
fn subject(request: &AdmissionRequest, resource: Option<&Value>) -> Value {
    let metadata =
        |field: &str| resource.and_then(|resource| resource.pointer(&format!("/metadata/{field}")));
    let text = |field: &str| metadata(field).and_then(Value::as_str).unwrap_or("");
    let name = [text("name"), &request.name, text("generateName")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or("");
    let namespace = request.namespace.as_deref().unwrap_or("");
    let subresource = request.sub_resource.as_deref().unwrap_or("");
    let kind = request.kind.kind.as_str();
    let user = request.user_info.as_ref();
    json!({
        "operation": request.operation.name(),
        "group": request.kind.group,
        "version": request.kind.version,
        "kind": kind,
        "subresource": subresource,
        "is_whole": subresource.is_empty() || (kind == "Pod" && subresource == "ephemeralcontainers"),
        "name": name,
        "namespace": if kind == "Namespace" { name } else { namespace },
        "request_namespace": namespace,
        "labels": texts(metadata("labels")),
        "annotations": texts(metadata("annotations")),
        "namespace_labels": {},
        "has_user": user.is_some(),
        "user": user.map_or("", |user| user.username.as_str()),
        "groups": user.map_or(&[][..], |user| &user.groups),
        "roles": request.roles.as_ref().map_or(&[][..], |user| &user.roles),
        "cluster_roles": request.roles.as_ref().map_or(&[][..], |user| &user.cluster_roles),
    })
}

/// A map of texts; none at all where one value is not a text, as Kubernetes' own accessors have it.
fn texts(map: Option<&Value>) -> Value {
    match map {
        Some(Value::Object(fields)) if fields.values().all(Value::is_string) => {
            Value::Object(fields.clone())
        }
        _ => json!({}),
    }
}
