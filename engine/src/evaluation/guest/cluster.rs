//! Questions of modules about the cluster.

use serde_json::{Value, json};

use crate::ast::context::Method;
use crate::evaluation::need::{ApiCall, ApiTarget, DataNeed};
use crate::evaluation::rule::Context;
use crate::program::Policy;

use super::questions::{Fields, Said, Unanswered, told};

impl Context<'_> {
    /// One object.
    pub(super) fn cluster_object(&mut self, policy: &Policy, fields: &Fields) -> Option<Said> {
        let name = match fields.text("name") {
            Ok(name) => name,
            Err(reason) => return Some(Err(told(reason))),
        };
        let collection = match self.collection(fields, fields.optional("namespace"))? {
            Ok(path) => path,
            Err(reason) => return Some(Err(reason)),
        };
        if !is_name(name) {
            return Some(Err(told("the question's `name` is not a name")));
        }
        self.get(policy, format!("{collection}/{name}"))
    }

    /// Objects of a kind, of all namespaces or of one.
    pub(super) fn cluster_objects(
        &mut self,
        policy: &Policy,
        operation: &str,
        fields: &Fields,
    ) -> Option<Said> {
        let namespace = match operation {
            "kubernetes/list_resources_by_namespace" => match fields.text("namespace") {
                Ok(namespace) => Some(namespace),
                Err(reason) => return Some(Err(told(reason))),
            },
            _ => None,
        };
        let mut path = match self.collection(fields, namespace)? {
            Ok(path) => path,
            Err(reason) => return Some(Err(reason)),
        };
        let mut mark = '?';
        for (field, parameter) in [
            ("label_selector", "labelSelector"),
            ("field_selector", "fieldSelector"),
        ] {
            if let Some(selector) = fields.optional(field) {
                path = format!("{path}{mark}{parameter}={}", encoded(selector));
                mark = '&';
            }
        }
        self.get(policy, path)
    }

    /// Whether somebody may do something.
    pub(super) fn cluster_access(&mut self, policy: &Policy, fields: &Fields) -> Option<Said> {
        let Some(Value::Object(asked)) = fields.0.get("subject_access_review") else {
            return Some(Err(told("the question has no `subject_access_review`")));
        };
        let field = |name: &str| asked.get(name).cloned().unwrap_or(Value::Null);
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": field("user"),
                "groups": field("groups"),
                "resourceAttributes": field("resource_attributes"),
            },
        });
        let said = self.data_for_guest(DataNeed::ApiCall(ApiCall {
            target: ApiTarget::Path(
                "/apis/authorization.k8s.io/v1/subjectaccessreviews".to_owned(),
            ),
            method: Method::Post,
            body: Some(body.to_string()),
            namespace: own_namespace(policy),
        }))?;
        Some(said.and_then(|review| match review.get("status") {
            Some(status) if status.get("allowed").is_some_and(Value::is_boolean) => {
                Ok(status.clone())
            }
            _ => {
                let reason = "the API server did not say whether it is allowed";
                Err(Unanswered::Lost(reason.to_owned()))
            }
        }))
    }

    fn get(&mut self, policy: &Policy, path: String) -> Option<Said> {
        self.data_for_guest(DataNeed::ApiCall(ApiCall {
            target: ApiTarget::Path(path),
            method: Method::Get,
            body: None,
            namespace: own_namespace(policy),
        }))
    }

    /// The path of a kind's objects: which plural a kind has, the API server says.
    fn collection(
        &mut self,
        fields: &Fields,
        namespace: Option<&str>,
    ) -> Option<Result<String, Unanswered>> {
        let asked = fields
            .text("api_version")
            .and_then(|version| Ok((version, fields.text("kind")?)));
        let (version, kind) = match asked {
            Ok(asked) => asked,
            Err(reason) => return Some(Err(told(reason))),
        };
        let is_version = version.split('/').all(is_name) && version.split('/').count() <= 2;
        if !is_version || !namespace.is_none_or(is_name) {
            return Some(Err(told("the question names no resource")));
        }
        let group = if version.contains('/') { "apis" } else { "api" };
        let group = format!("/{group}/{version}");
        let said = self.data_for_guest(DataNeed::ApiCall(ApiCall {
            target: ApiTarget::Path(group.clone()),
            method: Method::Get,
            body: None,
            namespace: None,
        }))?;
        let resources = match &said {
            Ok(list) => list.get("resources").and_then(Value::as_array),
            Err(reason) => return Some(Err(reason.clone())),
        };
        let found = resources.into_iter().flatten().find_map(|resource| {
            let name = resource.get("name")?.as_str()?;
            let is_it = resource.get("kind")?.as_str()? == kind && !name.contains('/');
            let namespaced = resource.get("namespaced")?.as_bool()?;
            (is_it && is_name(name)).then_some((name, namespaced))
        });
        Some(match (found, namespace) {
            (None, _) => Err(told(format!(
                "the API server has no kind `{kind}` in `{version}`"
            ))),
            (Some((name, true)), Some(namespace)) => {
                Ok(format!("{group}/namespaces/{namespace}/{name}"))
            }
            (Some((name, _)), _) => Ok(format!("{group}/{name}")),
        })
    }
}

/// The namespace that a policy is confined to.
fn own_namespace(policy: &Policy) -> Option<String> {
    let namespace = policy.ast.namespace.as_ref();
    namespace.map(|namespace| namespace.value.clone())
}

/// Whether a text is a part of a path and nothing else.
fn is_name(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    !text.is_empty()
        && text != "."
        && text != ".."
        && text.len() <= 253
        && text.bytes().all(allowed)
}

/// A text as it stands in a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
            encoded.push('%');
            encoded.push(digit(byte >> 4).to_ascii_uppercase());
            encoded.push(digit(byte & 15).to_ascii_uppercase());
        }
    }
    encoded
}
