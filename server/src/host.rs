//! Answers what an evaluation needs from outside.

use std::collections::BTreeMap;

use regent_engine::admission::AdmissionRequest;
use regent_engine::evaluation::need::{Fact, FactError, Need};
use serde_json::Value;
use tokio::time::Instant;

use crate::image::Images;
use crate::watch::namespaces::Namespaces;

#[cfg(test)]
mod tests;

/// Where facts come from.
#[derive(Debug)]
pub struct Host {
    images: Images,
}

impl Host {
    /// A host that answers for images by `images`.
    pub fn new(images: Images) -> Self {
        Self { images }
    }

    /// The answer to `need` where it is at hand, at once.
    pub fn remembered(&self, need: &Need) -> Option<Fact> {
        match need {
            Need::Image(image) => Some(Fact::Image(Ok(self.images.remembered(image)?))),
            Need::NamespaceLabels { .. } | Need::Data(_) => None,
        }
    }

    /// The answer to `need` of an evaluation of `request`, before `deadline`.
    pub async fn answer(
        &self,
        request: &AdmissionRequest,
        namespaces: Option<&Namespaces>,
        need: Need,
        deadline: Instant,
    ) -> Fact {
        match need {
            Need::NamespaceLabels { namespace } => {
                Fact::NamespaceLabels(namespace_labels(request, namespaces, &namespace))
            }
            Need::Image(image) => Fact::Image(self.images.evidence(&image, deadline).await),
            Need::Data(data) => Fact::Data(Err(FactError::Unavailable(format!(
                "{} cannot be had: this server does not ask the cluster yet",
                data.description()
            )))),
        }
    }
}

/// What is said to a need that was not answered in time.
pub(crate) fn too_late(need: &Need) -> Fact {
    let what = match need {
        Need::NamespaceLabels { namespace } => {
            format!("the labels of namespace `{namespace}` were not found out")
        }
        Need::Image(image) => format!("{} was not verified", described(image)),
        Need::Data(data) => format!("{} was not fetched", data.description()),
    };
    let message = format!("{what} before the deadline of the request");
    Fact::missing(need, FactError::Timeout(message))
}

/// What is said to a need whose answer panicked.
pub(crate) fn defect(need: &Need) -> Fact {
    Fact::missing(need, FactError::Unavailable("internal error".to_owned()))
}

fn described(need: &regent_engine::evaluation::need::ImageNeed) -> String {
    format!("image `{}/{}`", need.image.registry, need.image.path)
}

/// The labels of a namespace: those in the request where it is about that very namespace, else those of the file.
fn namespace_labels(
    request: &AdmissionRequest,
    namespaces: Option<&Namespaces>,
    namespace: &str,
) -> Result<BTreeMap<String, String>, FactError> {
    if let Some(object) = own_namespace(request, namespace) {
        return labels_of(object);
    }
    let Some(namespaces) = namespaces else {
        return Err(FactError::Unavailable(format!(
            "the labels of namespace `{namespace}` are not known: start with `--namespaces FILE`"
        )));
    };
    match namespaces.labels(namespace) {
        Some(labels) => Ok(labels.clone()),
        None => Err(FactError::NotFound(format!(
            "namespace `{namespace}` is not in the file of namespaces"
        ))),
    }
}

fn own_namespace<'a>(request: &'a AdmissionRequest, namespace: &str) -> Option<&'a Value> {
    let is_namespace = request.kind.group.is_empty()
        && request.kind.kind == "Namespace"
        && request.sub_resource.is_none();
    let object = request.object.as_ref().or(request.old_object.as_ref())?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    (is_namespace && name == Some(namespace)).then_some(object)
}

fn labels_of(object: &Value) -> Result<BTreeMap<String, String>, FactError> {
    let malformed =
        || FactError::Malformed("the namespace's labels are not a map of texts".to_owned());
    match object.pointer("/metadata/labels") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(labels)) => labels
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), text.clone())),
                _ => Err(malformed()),
            })
            .collect(),
        Some(_) => Err(malformed()),
    }
}
