//! Which roles a user has, by the bindings that name him or a group of his.
//!
//! A role that cannot be read from a binding is not his; whether it exists, and what it allows, is not asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regent_engine::admission::{Roles, UserInfo};
use serde_json::Value;
use tokio::time::Instant;

use super::client::Client;
use super::follow::Followed;
use crate::image::fetch::FetchError;

/// All bindings of the cluster.
#[derive(Debug)]
pub(super) struct Bindings {
    in_namespaces: Followed<Binding>,
    of_cluster: Followed<Binding>,
}

/// Who has which role.
#[derive(Debug, PartialEq, Eq)]
struct Binding {
    /// The namespace; none of a binding for the whole cluster.
    namespace: Option<String>,
    subjects: Vec<Subject>,
    role: Role,
}

#[derive(Debug, PartialEq, Eq)]
enum Subject {
    User(String),
    Group(String),
}

#[derive(Debug, PartialEq, Eq)]
enum Role {
    OfNamespace(String),
    OfCluster(String),
}

impl Bindings {
    /// Starts following the bindings.
    pub(super) fn start(client: &Arc<Client>) -> Self {
        let follow = |resource: &str| {
            let path = format!("/apis/rbac.authorization.k8s.io/v1/{resource}");
            Followed::start(Arc::clone(client), path, Binding::of)
        };
        Self {
            in_namespaces: follow("rolebindings"),
            of_cluster: follow("clusterrolebindings"),
        }
    }

    /// The roles of a user, sorted, each once.
    pub(super) async fn roles(
        &self,
        user: &UserInfo,
        deadline: Instant,
    ) -> Result<Roles, FetchError> {
        let mut found = Found::default();
        for bindings in [&self.in_namespaces, &self.of_cluster] {
            let look = |bindings: &BTreeMap<String, Binding>| {
                let about = bindings.values().filter(|binding| binding.is_about(user));
                about.for_each(|binding| found.add(binding));
            };
            bindings.read(deadline, look).await?;
        }
        Ok(Roles {
            roles: found.roles.into_iter().collect(),
            cluster_roles: found.cluster_roles.into_iter().collect(),
        })
    }
}

#[derive(Debug, Default)]
struct Found {
    roles: BTreeSet<String>,
    cluster_roles: BTreeSet<String>,
}

impl Found {
    fn add(&mut self, binding: &Binding) {
        match (&binding.role, &binding.namespace) {
            (Role::OfCluster(name), _) => {
                self.cluster_roles.insert(name.clone());
            }
            (Role::OfNamespace(name), Some(namespace)) => {
                self.roles.insert(format!("{namespace}:{name}"));
            }
            // No API server takes such a binding.
            (Role::OfNamespace(_), None) => {}
        }
    }
}

impl Binding {
    fn of(object: &Value) -> Option<Self> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let name = text("/roleRef/name")?.to_owned();
        let role = match text("/roleRef/kind")? {
            "Role" => Role::OfNamespace(name),
            "ClusterRole" => Role::OfCluster(name),
            _ => return None,
        };
        let namespace = text("/metadata/namespace");
        let subjects = object.get("subjects").and_then(Value::as_array);
        let subjects = subjects.into_iter().flatten();
        Some(Self {
            namespace: namespace.map(str::to_owned),
            subjects: subjects
                .filter_map(|subject| Subject::of(subject, namespace))
                .collect(),
            role,
        })
    }

    fn is_about(&self, user: &UserInfo) -> bool {
        self.subjects.iter().any(|subject| match subject {
            Subject::User(name) => *name == user.username,
            Subject::Group(name) => user.groups.contains(name),
        })
    }
}

impl Subject {
    /// A service account without a namespace is one of the binding's.
    fn of(subject: &Value, namespace: Option<&str>) -> Option<Self> {
        let text = |field: &str| subject.get(field).and_then(Value::as_str);
        let name = text("name")?;
        match text("kind")? {
            "User" => Some(Self::User(name.to_owned())),
            "Group" => Some(Self::Group(name.to_owned())),
            "ServiceAccount" => {
                let own = text("namespace").filter(|own| !own.is_empty());
                let namespace = own.or(namespace)?;
                Some(Self::User(format!(
                    "system:serviceaccount:{namespace}:{name}"
                )))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
