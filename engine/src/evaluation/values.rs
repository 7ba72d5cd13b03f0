//! Values of templates with variables, for programs: each a value, or why there is none.

use serde_json::{Map, Value, json};

use crate::admission::AdmissionRequest;
use crate::ast::template::{Part, Template, TemplateValue, Text};
use crate::rego::evaluate::Document;

use super::pod_images;

/// Values in order, each with the reason where there is none.
#[derive(Debug, Default)]
pub(crate) struct Values(Vec<Result<Value, String>>);

impl Values {
    /// `input.values` of a program.
    pub(super) fn document(&self) -> Document {
        let slot = |value: &Result<Value, String>| match value {
            Ok(value) => json!({"ok": true, "value": value}),
            Err(_reason) => json!({"ok": false}),
        };
        Document::list(self.0.iter().map(|value| Document::from_json(&slot(value))))
    }

    /// The first reason why a value is missing.
    pub(crate) fn first_error(&self) -> &str {
        let error = self.0.iter().find_map(|value| value.as_ref().err());
        error.map_or("the values cannot be compared", String::as_str)
    }
}

/// What the names at the root of an expression stand for.
#[derive(Debug, Clone)]
pub(super) struct Root(Value);

impl Root {
    /// Of a request.
    pub(super) fn of_request(request: &AdmissionRequest) -> Self {
        let mut fields = Map::new();
        fields.insert("request".to_owned(), request_value(request));
        if let Some(user) = &request.user_info {
            let account = user.username.strip_prefix("system:serviceaccount:");
            let (namespace, name) = account
                .and_then(|account| account.split_once(':'))
                .unwrap_or(("", ""));
            fields.insert("serviceAccountName".to_owned(), name.into());
            fields.insert("serviceAccountNamespace".to_owned(), namespace.into());
        }
        fields.insert("images".to_owned(), images_value(request));
        Self(Value::Object(fields))
    }

    /// A predicate's fields below the names that are there: these are never shadowed.
    #[must_use]
    pub(super) fn with_predicate(&self, predicate: &Map<String, Value>) -> Self {
        let mut fields = predicate.clone();
        // Reserved even where nothing stands behind them here.
        fields.retain(|name, _| !is_reserved(name));
        if let Value::Object(own) = &self.0 {
            fields.extend(own.clone());
        }
        Self(Value::Object(fields))
    }

    /// One more name.
    #[must_use]
    pub(super) fn with(&self, name: &str, value: Value) -> Self {
        let mut fields = self.0.clone();
        if let Value::Object(fields) = &mut fields {
            fields.insert(name.to_owned(), value);
        }
        Self(fields)
    }

    /// The values of templates.
    pub(super) fn values(&self, templates: &[Template]) -> Values {
        Values(
            templates
                .iter()
                .map(|template| self.value(template))
                .collect(),
        )
    }

    fn value(&self, template: &Template) -> Result<Value, String> {
        Ok(match &template.value {
            TemplateValue::Null => Value::Null,
            TemplateValue::Bool(flag) => Value::Bool(*flag),
            TemplateValue::Number(number) => Value::Number(number.clone()),
            TemplateValue::Text(text) => self.text(text)?,
            TemplateValue::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.value(item))
                    .collect::<Result<_, _>>()?,
            ),
            TemplateValue::Map(entries) => {
                let mut fields = Map::new();
                for (key, value) in entries {
                    fields.insert(as_text(&self.text(key)?), self.value(value)?);
                }
                Value::Object(fields)
            }
        })
    }

    fn text(&self, text: &Text) -> Result<Value, String> {
        if let Some(variable) = text.whole_variable() {
            return self.variable(&variable.expression);
        }
        let mut whole = String::new();
        for part in &text.parts {
            match part {
                Part::Literal(literal) => whole.push_str(literal),
                Part::Variable(variable) => {
                    whole.push_str(&as_text(&self.variable(&variable.expression)?));
                }
            }
        }
        Ok(Value::String(whole))
    }

    fn variable(&self, expression: &str) -> Result<Value, String> {
        let mut value = &self.0;
        for name in expression.split('.') {
            value = match value {
                Value::Object(fields) => fields.get(name).ok_or_else(|| {
                    format!("failed to resolve {expression}: Unknown key \"{name}\" in path")
                })?,
                _ => return Ok(Value::Null),
            };
        }
        Ok(value.clone())
    }
}

/// Values of templates over a request.
pub(super) fn of_request(request: &AdmissionRequest, templates: &[Template]) -> Values {
    if templates.is_empty() {
        return Values::default();
    }
    Root::of_request(request).values(templates)
}

/// Names that a predicate's field can never be.
fn is_reserved(name: &str) -> bool {
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

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The request as in the admission review.
fn request_value(request: &AdmissionRequest) -> Value {
    let kind = json!({"group": request.kind.group, "version": request.kind.version, "kind": request.kind.kind});
    let mut value = json!({
        "uid": request.uid,
        "kind": kind,
        "requestKind": kind,
        "resource": {
            "group": request.resource.group,
            "version": request.resource.version,
            "resource": request.resource.resource,
        },
        "name": request.name,
        "operation": request.operation.name(),
        "dryRun": request.dry_run,
        "roles": request.roles,
        "clusterRoles": request.cluster_roles,
    });
    let mut set = |name: &str, field: Option<Value>| {
        if let (Value::Object(fields), Some(field)) = (&mut value, field) {
            fields.insert(name.to_owned(), field);
        }
    };
    set("namespace", request.namespace.clone().map(Value::String));
    set(
        "subResource",
        request.sub_resource.clone().map(Value::String),
    );
    set("object", request.object.clone());
    set("oldObject", request.old_object.clone());
    set("options", request.options.clone());
    let user = request.user_info.as_ref().map(|user| {
        json!({"username": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra})
    });
    set("userInfo", user);
    value
}

/// `images.<list>.<name>`.
fn images_value(request: &AdmissionRequest) -> Value {
    let mut lists = Map::new();
    let object = request.object.as_ref().or(request.old_object.as_ref());
    let found = object.map(|object| pod_images::find(&request.kind.kind, object));
    for found in found.and_then(Result::ok).unwrap_or_default() {
        let Some(image) = image_value(&found) else {
            continue;
        };
        let list = lists.entry(found.list).or_insert_with(|| json!({}));
        if let Value::Object(list) = list {
            list.insert(found.name, image);
        }
    }
    Value::Object(lists)
}

/// An image as expressions see it.
pub(super) fn image_value(found: &pod_images::Found) -> Option<Value> {
    let reference = crate::image::ImageReference::parse(&found.text).ok()?;
    let name = reference.path.rsplit('/').next().unwrap_or("").to_owned();
    let repository = reference.repository();
    let tag = reference.tag.clone().unwrap_or_default();
    Some(json!({
        "registry": reference.registry,
        "path": reference.path,
        "name": name,
        "tag": tag,
        "digest": reference.digest.as_ref().map_or("", |digest| digest.as_str()),
        "reference": reference.kyverno_form(),
        "referenceWithTag": format!("{repository}:{tag}"),
        "jsonPointer": found.pointer,
    }))
}
