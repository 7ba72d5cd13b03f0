//! What the cluster knows and rules ask for: `ConfigMap`s, answers of the API server and of services, labels of
//! namespaces, roles of users, entries of the global context, objects that modules look at.
//!
//! The client is our own, over the hyper and rustls that the registry client uses: `kube` and `k8s-openapi` would bring
//! types of all resources for what is read as plain JSON here.
//! `ConfigMap`s and answers are asked for anew by each request; namespaces, bindings and objects are followed by a watch, and
//! nothing is answered from a copy that has not been confirmed for two minutes.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use regent_engine::admission::{Roles, UserInfo};
use regent_engine::evaluation::inventory::Snapshot;
use regent_engine::evaluation::need::{ApiCall, ApiTarget, InventoryNeed, PullSecret};
use serde_json::Value;
use thiserror::Error;
use tokio::time::Instant;

use crate::image::fetch::FetchError;
use crate::image::registry::SettingsError;
use crate::metrics::Metrics;
use access::Access;
pub use access::{AccessError, ClusterSource};
use client::{Client, PATIENCE};
use follow::Followed;
use global::Globals;
use inventory::Inventory;
use roles::Bindings;
use service::{ServiceCall, Services};

mod access;
mod client;
mod follow;
mod global;
mod inventory;
mod path;
mod roles;
mod service;

/// The path or the URL of a call that a policy may make, as it is to be sent; else why it may not.
///
/// Hosts without a cluster refuse what is refused here, so that a test says what will happen.
pub fn permitted(call: &ApiCall) -> Result<&str, String> {
    match &call.target {
        ApiTarget::Path(path) => path::check(path, call.method, call.namespace.as_deref()),
        ApiTarget::Service { url, .. } if call.namespace.is_some() => Err(format!(
            "a policy of a namespace cannot call the service {}",
            crate::image::fetch::quoted(url)
        )),
        ApiTarget::Service { url, .. } => Ok(url),
    }
}

/// What may be asked, and whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The API server; none where there is no cluster.
    pub source: Option<ClusterSource>,
    /// Secrets with credentials of registries, for all images.
    pub pull_secrets: Vec<PullSecret>,
    /// Whether those that pods name count, too.
    pub pod_secrets: PodSecrets,
    /// Hosts of services, with or without a port, that are called although they are this machine or its link.
    pub local_services: Vec<String>,
}

/// Whether Secrets that objects name in `imagePullSecrets` show registries who asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PodSecrets {
    /// They do not: whoever may create pods would choose what the server reads in their namespace.
    #[default]
    Ignored,
    /// They do, as for Kyverno.
    Used,
}

/// Why the cluster cannot be asked as the operator says.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// Where it is, and how to show it who asks.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Secrets, and nobody to ask for them.
    #[error(
        "the pull secret `{0}` is in no cluster: start with `--kubeconfig FILE`, or in a pod that has a service account"
    )]
    NoCluster(String),
    /// How services are reached.
    #[error(transparent)]
    Services(#[from] SettingsError),
}

/// The cluster, where there is one, and services.
#[derive(Debug)]
pub(crate) struct Cluster {
    api: Option<Api>,
    services: Arc<Services>,
}

/// The API server, and what is kept of it. Each copy begins when it is first asked for: a server whose policies ask for
/// none needs no right to list anything.
#[derive(Debug)]
struct Api {
    client: Arc<Client>,
    /// The server's own namespace.
    namespace: String,
    namespaces: OnceLock<Followed<BTreeMap<String, String>>>,
    bindings: OnceLock<Bindings>,
    globals: OnceLock<Globals>,
    inventory: Inventory,
}

impl Api {
    fn new(access: Access, metrics: &Arc<Metrics>) -> Result<Self, AccessError> {
        let namespace = access.namespace.clone();
        let client = Arc::new(Client::new(access, Arc::clone(metrics))?);
        Ok(Self {
            namespace,
            inventory: Inventory::new(&client),
            client,
            namespaces: OnceLock::new(),
            bindings: OnceLock::new(),
            globals: OnceLock::new(),
        })
    }
}

impl Cluster {
    /// Reads where the cluster is; asks it nothing yet.
    pub(crate) fn new(
        settings: &ClusterSettings,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ClusterError> {
        let api = match (&settings.source, settings.pull_secrets.first()) {
            (None, Some(secret)) => return Err(ClusterError::NoCluster(secret.name.clone())),
            (None, None) => None,
            (Some(source), _) => Some(Api::new(Access::find(source)?, metrics)?),
        };
        let services = Services::new(&settings.local_services, Arc::clone(metrics))?;
        Ok(Self {
            api,
            services: Arc::new(services),
        })
    }

    /// Whether there is an API server to ask.
    pub(crate) fn is_there(&self) -> bool {
        self.api.is_some()
    }

    /// A `ConfigMap`, as it is now.
    pub(crate) async fn config_map(
        &self,
        namespace: &str,
        name: &str,
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        self.object("configmaps", namespace, name, deadline).await
    }

    /// A `Secret`, as it is now.
    pub(crate) async fn secret(
        &self,
        namespace: &str,
        name: &str,
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        self.object("secrets", namespace, name, deadline).await
    }

    /// A Secret with credentials of registries; of the server's own namespace where none is named.
    pub(crate) async fn pull_secret(
        &self,
        secret: &PullSecret,
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        let own = &self.api()?.namespace;
        let namespace = secret.namespace.as_ref().unwrap_or(own);
        self.object("secrets", namespace, &secret.name, deadline)
            .await
    }

    async fn object(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        let [namespace, name] = parts([namespace, name])?;
        let path = format!("/api/v1/namespaces/{namespace}/{resource}/{name}");
        self.api()?.client.get(&path, deadline).await
    }

    /// The answer to a call.
    pub(crate) async fn call(
        &self,
        call: &ApiCall,
        deadline: Instant,
    ) -> Result<Value, FetchError> {
        let target = permitted(call).map_err(FetchError::Unauthorized)?;
        match &call.target {
            ApiTarget::Path(_) => {
                let deadline = deadline.min(Instant::now() + PATIENCE);
                let client = &self.api()?.client;
                let question = (call.method, call.body.as_deref());
                client.ask_by(target, question, deadline).await
            }
            ApiTarget::Service {
                headers, ca_bundle, ..
            } => {
                let call = ServiceCall {
                    url: target,
                    method: call.method,
                    headers,
                    ca_bundle: ca_bundle.as_deref(),
                    body: call.body.as_deref(),
                    deadline,
                };
                self.services.call(call).await
            }
        }
    }

    /// The labels of a namespace, by a copy that is kept up to date; one that is not in it is asked for.
    pub(crate) async fn namespace_labels(
        &self,
        namespace: &str,
        deadline: Instant,
    ) -> Result<BTreeMap<String, String>, FetchError> {
        let api = self.api()?;
        let followed = api.namespaces.get_or_init(|| {
            let path = "/api/v1/namespaces".to_owned();
            Followed::start(Arc::clone(&api.client), path, labels_of)
        });
        let look =
            |known: &BTreeMap<String, BTreeMap<String, String>>| known.get(namespace).cloned();
        if let Some(labels) = followed.read(deadline, look).await? {
            return Ok(labels);
        }
        // It may be so new that the watch has not told yet.
        let [name] = parts([namespace])?;
        let path = format!("/api/v1/namespaces/{name}");
        let object = api.client.get(&path, deadline).await?;
        labels_of(&object).ok_or_else(|| {
            let message = "the namespace's labels are not a map of texts";
            FetchError::Malformed(message.to_owned())
        })
    }

    /// The roles of a user, by a copy of all bindings that is kept up to date.
    pub(crate) async fn roles(
        &self,
        user: &UserInfo,
        deadline: Instant,
    ) -> Result<Roles, FetchError> {
        let api = self.api()?;
        let bindings = api.bindings.get_or_init(|| Bindings::start(&api.client));
        bindings.roles(user, deadline).await
    }

    /// What an entry of the global context holds.
    pub(crate) async fn global(&self, name: &str, deadline: Instant) -> Result<Value, FetchError> {
        let api = self.api()?;
        let start = || Globals::start(&api.client, &self.services);
        api.globals.get_or_init(start).value(name, deadline).await
    }

    /// All objects of a kind, by a copy that is kept up to date.
    pub(crate) async fn objects(
        &self,
        need: &InventoryNeed,
        deadline: Instant,
    ) -> Result<Arc<Snapshot>, FetchError> {
        self.api()?.inventory.objects(need, deadline).await
    }

    fn api(&self) -> Result<&Api, FetchError> {
        self.api.as_ref().ok_or_else(|| {
            let message = "there is no cluster to ask: start with `--kubeconfig FILE`, or in a pod that has a service account";
            FetchError::Unavailable(message.to_owned())
        })
    }
}

fn parts<const N: usize>(names: [&str; N]) -> Result<[&str; N], FetchError> {
    for name in names {
        path::part(name).map_err(FetchError::Malformed)?;
    }
    Ok(names)
}

/// The labels of an object; nothing where they are no map of texts.
pub(crate) fn labels_of(object: &Value) -> Option<BTreeMap<String, String>> {
    match object.pointer("/metadata/labels") {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(labels)) => labels
            .iter()
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        Some(_) => None,
    }
}
