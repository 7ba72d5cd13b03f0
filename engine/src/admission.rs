//! The admission request as the engine sees it.
//!
//! Knows nothing of the wire: `server::review` reads and writes `admission.k8s.io/v1`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

/// What is being done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// The object is new.
    Create,
    /// The object is changed.
    Update,
    /// The object is removed.
    Delete,
    /// A sub-resource is connected to.
    Connect,
}

impl Operation {
    /// The name as Kubernetes spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// Group, version and kind of an object; the core group is the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GroupVersionKind {
    /// API group.
    pub group: String,
    /// Version in the group.
    pub version: String,
    /// Kind, singular and in camel case.
    pub kind: String,
}

/// Group, version and resource as in a request's path; the core group is the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GroupVersionResource {
    /// API group.
    pub group: String,
    /// Version in the group.
    pub version: String,
    /// Resource, plural and in lower case.
    pub resource: String,
}

/// Kinds whose sub-resources take objects of other kinds, by group and resource.
const PARENTS: [(&str, &str, &str); 8] = [
    ("", "nodes", "Node"),
    ("", "pods", "Pod"),
    ("", "replicationcontrollers", "ReplicationController"),
    ("", "serviceaccounts", "ServiceAccount"),
    ("", "services", "Service"),
    ("apps", "deployments", "Deployment"),
    ("apps", "replicasets", "ReplicaSet"),
    ("apps", "statefulsets", "StatefulSet"),
];

impl AdmissionRequest {
    /// A request to create a pod with one container, as a dry run of nobody: what policies say of an image alone.
    pub fn to_create_pod(name: &str, namespace: Option<&str>, image: &str) -> Self {
        let mut metadata = json!({ "name": name });
        if let (Some(namespace), Some(fields)) = (namespace, metadata.as_object_mut()) {
            fields.insert("namespace".to_owned(), namespace.into());
        }
        Self {
            uid: String::new(),
            kind: GroupVersionKind {
                group: String::new(),
                version: "v1".to_owned(),
                kind: "Pod".to_owned(),
            },
            resource: GroupVersionResource {
                group: String::new(),
                version: "v1".to_owned(),
                resource: "pods".to_owned(),
            },
            sub_resource: None,
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            operation: Operation::Create,
            user_info: None,
            roles: Some(Roles::default()),
            object: Some(Arc::new(json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {"containers": [{"name": name, "image": image}]},
            }))),
            old_object: None,
            dry_run: true,
            options: None,
        }
    }

    /// The kind that policies match: of a sub-resource that of what it belongs to, `Pod` of `pods/exec`, which takes a
    /// `PodExecOptions`; with the group and version of the resource.
    ///
    /// Kyverno finds policies by the resource of a request. Which kind a custom resource has, a request to its `scale` does
    /// not say: it keeps the kind that it has.
    pub fn matched_kind(&self) -> (&str, &str, &str) {
        let own = (
            self.kind.group.as_str(),
            self.kind.version.as_str(),
            self.kind.kind.as_str(),
        );
        if self.sub_resource.as_deref().is_none_or(str::is_empty) {
            return own;
        }
        let resource = &self.resource;
        let mut parents = PARENTS.iter();
        let parent = parents.find(|(group, name, _)| {
            (*group, *name) == (resource.group.as_str(), resource.resource.as_str())
        });
        parent.map_or(own, |(_, _, kind)| {
            (&resource.group, &resource.version, kind)
        })
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserInfo {
    /// User name.
    pub username: String,
    /// Unique id of the user, where the authenticator has one.
    pub uid: String,
    /// Groups of the user.
    pub groups: Vec<String>,
    /// Whatever else the authenticator said.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// The roles that a user has by bindings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// Roles as `namespace:name`.
    pub roles: Vec<String>,
    /// Cluster roles.
    pub cluster_roles: Vec<String>,
}

/// One admission request.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmissionRequest {
    /// Id that the answer repeats.
    pub uid: String,
    /// Kind of the object.
    pub kind: GroupVersionKind,
    /// Resource that is asked for.
    pub resource: GroupVersionResource,
    /// Sub-resource, as in `pods/ephemeralcontainers`; none for the resource itself.
    pub sub_resource: Option<String>,
    /// Name of the object; empty where the API server will make one.
    pub name: String,
    /// Namespace; none for cluster-scoped objects.
    pub namespace: Option<String>,
    /// What is being done.
    pub operation: Operation,
    /// Who asks; none where there is no request, as in a CI run.
    pub user_info: Option<UserInfo>,
    /// Roles of the user; none where they are not known, and then rules that need them ask the host.
    pub roles: Option<Roles>,
    /// The object as it will be; none on DELETE. Shared, since it may be megabytes: rules look at it as the one before, the
    /// one after, and what a patch made of it.
    pub object: Option<Arc<Value>>,
    /// The object as it is; none on CREATE.
    pub old_object: Option<Arc<Value>>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The operation's options.
    pub options: Option<Value>,
}
