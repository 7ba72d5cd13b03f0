//! Answers what an evaluation needs from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use regent_engine::admission::{AdmissionRequest, Roles};
use regent_engine::evaluation::need::{DataNeed, Fact, FactError, Need};
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::guests::Guests;
use crate::image::Images;
use crate::told::{self, Told};
use crate::watch::namespaces::Namespaces;

#[cfg(test)]
mod tests;

/// Where facts come from.
#[derive(Debug)]
pub struct Host {
    images: Images,
    cluster: Arc<Cluster>,
    guests: Arc<Guests>,
    room: told::Room,
}

impl Host {
    /// A host that answers for images by `images`, for modules by `guests`, and for everything else by `cluster`.
    pub(crate) fn new(images: Images, cluster: Arc<Cluster>, guests: Arc<Guests>) -> Self {
        Self {
            images,
            cluster,
            guests,
            room: told::Room::new(),
        }
    }

    /// What one request is told, out of the room for all.
    pub(crate) fn told(&self) -> Told {
        self.room.told()
    }

    /// The answer to `need` where it is at hand, at once.
    pub fn remembered(&self, need: &Need) -> Option<Fact> {
        match need {
            Need::Image(image) => Some(Fact::Image(Ok(self.images.remembered(image)?))),
            Need::NamespaceLabels { .. }
            | Need::Roles
            | Need::Data(_)
            | Need::Inventory(_)
            | Need::Guest(_) => None,
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
            Need::NamespaceLabels { namespace } => Fact::NamespaceLabels(
                self.namespace_labels(request, namespaces, &namespace, deadline)
                    .await,
            ),
            Need::Roles => Fact::Roles(self.roles(request, deadline).await),
            Need::Image(image) => Fact::Image(self.images.evidence(&image, deadline).await),
            Need::Data(data) => Fact::Data(self.data(&data, deadline).await),
            Need::Inventory(need) => {
                let found = self.cluster.objects(&need, deadline).await;
                Fact::Inventory(found.map_err(FactError::from))
            }
            Need::Guest(need) => self.guests.answer_beside(need, deadline).await,
        }
    }

    async fn data(&self, need: &DataNeed, deadline: Instant) -> Result<Value, FactError> {
        let cluster = &self.cluster;
        let answered = match need {
            DataNeed::ConfigMap { namespace, name } => {
                cluster.config_map(namespace, name, deadline).await
            }
            DataNeed::Secret { namespace, name } => cluster.secret(namespace, name, deadline).await,
            DataNeed::ApiCall(call) => cluster.call(call, deadline).await,
            DataNeed::GlobalContext { name } => cluster.global(name, deadline).await,
            DataNeed::ImageData {
                reference,
                pull_secrets,
            } => {
                return self.images.data(reference, pull_secrets, deadline).await;
            }
            // Only rules that change and generate other resources ask for them, and no webhook runs those.
            DataNeed::Objects(_) => {
                return Err(FactError::Unavailable(format!(
                    "{} cannot be had here",
                    need.description()
                )));
            }
        };
        Ok(answered?)
    }

    async fn roles(
        &self,
        request: &AdmissionRequest,
        deadline: Instant,
    ) -> Result<Roles, FactError> {
        match &request.user_info {
            Some(user) => Ok(self.cluster.roles(user, deadline).await?),
            None => Ok(Roles::default()),
        }
    }

    /// The labels of a namespace: those in the request where it is about that very namespace, else those of the file,
    /// else those that the cluster has.
    async fn namespace_labels(
        &self,
        request: &AdmissionRequest,
        namespaces: Option<&Namespaces>,
        namespace: &str,
        deadline: Instant,
    ) -> Result<BTreeMap<String, String>, FactError> {
        if let Some(object) = own_namespace(request, namespace) {
            return labels_of(object);
        }
        if let Some(labels) = namespaces.and_then(|known| known.labels(namespace)) {
            return Ok(labels.clone());
        }
        if self.cluster.is_there() {
            return Ok(self.cluster.namespace_labels(namespace, deadline).await?);
        }
        Err(match namespaces {
            Some(_) => FactError::NotFound(format!(
                "namespace `{namespace}` is not in the file of namespaces"
            )),
            None => FactError::Unavailable(format!(
                "the labels of namespace `{namespace}` are not known: start with `--kubeconfig FILE`, in a pod that has a service account, or with `--namespaces FILE`"
            )),
        })
    }
}

/// What is said to a need that was not answered in time.
pub(crate) fn too_late(need: &Need) -> Fact {
    let what = match need {
        Need::NamespaceLabels { namespace } => {
            format!("the labels of namespace `{namespace}` were not found out")
        }
        Need::Roles => "the roles of the user were not found out".to_owned(),
        Need::Image(image) => format!("{} was not verified", described(image)),
        Need::Data(data) => format!("{} was not fetched", data.description()),
        Need::Inventory(need) => format!("{} were not listed", need.description()),
        Need::Guest(need) => format!("module `{}` did not answer", need.guest.module),
    };
    let message = format!("{what} before the deadline of the request");
    Fact::missing(need, FactError::Timeout(message))
}

/// What is said to a need whose answer there is no room for. Whoever writes the resource brings that about, and whoever
/// answers: it is never let in as an outage is.
pub(crate) fn too_much(need: &Need) -> Fact {
    let message = "all that is asked for on behalf of this request takes too much memory";
    Fact::missing(need, FactError::NoRoom(message.to_owned()))
}

/// What is said to a need whose answer panicked.
pub(crate) fn defect(need: &Need) -> Fact {
    Fact::missing(need, FactError::Unavailable("internal error".to_owned()))
}

fn described(need: &regent_engine::evaluation::need::ImageNeed) -> String {
    format!("image `{}/{}`", need.image.registry, need.image.path)
}

fn own_namespace<'a>(request: &'a AdmissionRequest, namespace: &str) -> Option<&'a Value> {
    let is_namespace = request.kind.group.is_empty()
        && request.kind.kind == "Namespace"
        && request.sub_resource.is_none();
    let object = request
        .object
        .as_deref()
        .or(request.old_object.as_deref())?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    (is_namespace && name == Some(namespace)).then_some(object)
}

fn labels_of(object: &Value) -> Result<BTreeMap<String, String>, FactError> {
    crate::cluster::labels_of(object).ok_or_else(|| {
        FactError::Malformed("the namespace's labels are not a map of texts".to_owned())
    })
}
