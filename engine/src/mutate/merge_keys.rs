//! Which lists of Kubernetes' own kinds are merged by which keys.
//!
//! Facts of Kubernetes' API as of the version that kustomize carries; a kind that is not here, such as a custom resource,
//! has none, and its lists are replaced.

/// How a list is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListMerge {
    /// Elements of the same key, or keys, are one.
    Keys(&'static [&'static str]),
    /// The list is a set of scalars.
    Set,
}

/// What is known of the fields below a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The whole object, of a kind.
    Object(Kind),
    /// `metadata`.
    ObjectMeta,
    /// `spec.template` and the like.
    PodTemplate,
    /// `spec.jobTemplate`.
    JobTemplate,
    /// The spec of a controller, with a pod template in it.
    ControllerSpec,
    /// The spec of a Job.
    CronJobSpec,
    /// The spec of a pod.
    PodSpec,
    /// An element of `containers`, `initContainers`.
    Container,
    /// An element of `ephemeralContainers`, whose ports are not merged.
    EphemeralContainer,
    /// The spec of a Service.
    ServiceSpec,
    /// The spec of a Node.
    NodeSpec,
    /// The spec of a `CSINode`.
    CsiNodeSpec,
    /// A status whose `conditions` are merged.
    Status,
    /// The status of a Pod.
    PodStatus,
    /// The status of a Node.
    NodeStatus,
    /// Nothing below has keys.
    Plain,
}

/// Kinds by what is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pod.
    Pod,
    /// `PodTemplate`.
    PodTemplate,
    /// Deployment, `DaemonSet`, ReplicaSet, StatefulSet, `ReplicationController`, Job.
    Controller,
    /// `CronJob`.
    CronJob,
    /// Service.
    Service,
    /// `ServiceAccount`.
    ServiceAccount,
    /// Node.
    Node,
    /// `CSINode`.
    CsiNode,
    /// `ValidatingWebhookConfiguration`, `MutatingWebhookConfiguration`.
    WebhookConfiguration,
    /// A kind with conditions.
    Conditioned,
    /// Any other kind of Kubernetes.
    Other,
}

const NAME: ListMerge = ListMerge::Keys(&["name"]);

impl Shape {
    /// What is known of an object by its type; nothing of a type that is not Kubernetes' own.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        kind_of(api_version, kind).map(Self::Object)
    }

    /// What is known of a field.
    #[must_use]
    pub fn field(self, name: &str) -> Self {
        match (self, name) {
            (Self::Object(_) | Self::PodTemplate | Self::JobTemplate, "metadata") => {
                Self::ObjectMeta
            }
            (Self::Object(Kind::Pod) | Self::PodTemplate, "spec") => Self::PodSpec,
            (Self::Object(Kind::PodTemplate) | Self::ControllerSpec, "template") => {
                Self::PodTemplate
            }
            (Self::Object(Kind::Controller) | Self::JobTemplate, "spec") => Self::ControllerSpec,
            (Self::Object(Kind::CronJob), "spec") => Self::CronJobSpec,
            (Self::CronJobSpec, "jobTemplate") => Self::JobTemplate,
            (Self::Object(Kind::Service), "spec") => Self::ServiceSpec,
            (Self::Object(Kind::Node), "spec") => Self::NodeSpec,
            (Self::Object(Kind::CsiNode), "spec") => Self::CsiNodeSpec,
            (Self::Object(Kind::Pod), "status") => Self::PodStatus,
            (Self::Object(Kind::Node), "status") => Self::NodeStatus,
            (Self::Object(Kind::Controller | Kind::Conditioned | Kind::Service), "status") => {
                Self::Status
            }
            _ => Self::Plain,
        }
    }

    /// How the list in a field is merged, and what its elements are; none where it is replaced.
    pub fn list(self, name: &str) -> Option<(ListMerge, Self)> {
        let keys = |keys: &'static [&'static str]| Some((ListMerge::Keys(keys), Self::Plain));
        match (self, name) {
            (Self::ObjectMeta, "finalizers") | (Self::NodeSpec, "podCIDRs") => {
                Some((ListMerge::Set, Self::Plain))
            }
            (Self::ObjectMeta, "ownerReferences") => keys(&["uid"]),
            (Self::PodSpec, "containers" | "initContainers") => Some((NAME, Self::Container)),
            (Self::PodSpec, "ephemeralContainers") => Some((NAME, Self::EphemeralContainer)),
            (Self::PodSpec, "volumes" | "imagePullSecrets")
            | (Self::Container | Self::EphemeralContainer, "env")
            | (Self::Object(Kind::ServiceAccount), "secrets")
            | (Self::Object(Kind::WebhookConfiguration), "webhooks")
            | (Self::CsiNodeSpec, "drivers") => Some((NAME, Self::Plain)),
            (Self::PodSpec, "hostAliases") | (Self::PodStatus, "podIPs") => keys(&["ip"]),
            (Self::PodSpec, "topologySpreadConstraints") => {
                keys(&["topologyKey", "whenUnsatisfiable"])
            }
            (Self::Container | Self::EphemeralContainer, "volumeMounts") => keys(&["mountPath"]),
            (Self::Container | Self::EphemeralContainer, "volumeDevices") => keys(&["devicePath"]),
            (Self::Container, "ports") => keys(&["containerPort", "protocol"]),
            (Self::ServiceSpec, "ports") => keys(&["port", "protocol"]),
            (Self::PodStatus | Self::NodeStatus | Self::Status, "conditions")
            | (Self::NodeStatus, "addresses") => keys(&["type"]),
            _ => None,
        }
    }
}

/// The kinds of Kubernetes, by group and version.
fn kind_of(api_version: &str, kind: &str) -> Option<Kind> {
    let other = |known: bool| known.then_some(Kind::Other);
    let conditioned = |known: bool| known.then_some(Kind::Conditioned);
    match (api_version, kind) {
        ("v1", _) => core(kind),
        ("apps/v1", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
        | ("batch/v1", "Job") => Some(Kind::Controller),
        ("apps/v1", _) => other(kind == "ControllerRevision"),
        ("batch/v1" | "batch/v1beta1", _) => (kind == "CronJob").then_some(Kind::CronJob),
        ("autoscaling/v1" | "autoscaling/v2beta1" | "autoscaling/v2beta2", _) => {
            other(kind == "HorizontalPodAutoscaler")
        }
        ("networking.k8s.io/v1" | "networking.k8s.io/v1beta1", _) => {
            other(matches!(kind, "Ingress" | "IngressClass"))
                .or_else(|| other(api_version.ends_with("v1") && kind == "NetworkPolicy"))
        }
        ("extensions/v1beta1", _) => other(kind == "Ingress"),
        ("policy/v1", "PodDisruptionBudget") => Some(Kind::Conditioned),
        ("policy/v1beta1", _) => other(matches!(
            kind,
            "PodDisruptionBudget" | "PodSecurityPolicy" | "Eviction"
        )),
        (
            "rbac.authorization.k8s.io/v1"
            | "rbac.authorization.k8s.io/v1beta1"
            | "rbac.authorization.k8s.io/v1alpha1",
            _,
        ) => other(matches!(
            kind,
            "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding"
        )),
        ("storage.k8s.io/v1" | "storage.k8s.io/v1beta1", "CSINode") => Some(Kind::CsiNode),
        ("storage.k8s.io/v1" | "storage.k8s.io/v1beta1" | "storage.k8s.io/v1alpha1", _) => {
            other(matches!(
                kind,
                "StorageClass" | "VolumeAttachment" | "CSIDriver" | "CSIStorageCapacity"
            ))
        }
        ("admissionregistration.k8s.io/v1" | "admissionregistration.k8s.io/v1beta1", _) => {
            matches!(
                kind,
                "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration"
            )
            .then_some(Kind::WebhookConfiguration)
        }
        ("apiextensions.k8s.io/v1" | "apiextensions.k8s.io/v1beta1", _) => {
            other(kind == "CustomResourceDefinition")
        }
        ("apiregistration.k8s.io/v1" | "apiregistration.k8s.io/v1beta1", _) => {
            conditioned(kind == "APIService")
        }
        _ => other(is_small_kind(api_version, kind)),
    }
}

fn core(kind: &str) -> Option<Kind> {
    Some(match kind {
        "Pod" => Kind::Pod,
        "PodTemplate" => Kind::PodTemplate,
        "ReplicationController" => Kind::Controller,
        "Service" => Kind::Service,
        "ServiceAccount" => Kind::ServiceAccount,
        "Node" => Kind::Node,
        "Namespace" | "PersistentVolumeClaim" => Kind::Conditioned,
        "Binding" | "ComponentStatus" | "ConfigMap" | "Endpoints" | "Event" | "LimitRange"
        | "PersistentVolume" | "ResourceQuota" | "Secret" => Kind::Other,
        _ => return None,
    })
}

/// Kinds of groups with few kinds, none of which has lists with keys.
fn is_small_kind(api_version: &str, kind: &str) -> bool {
    const KINDS: [(&str, &str); 9] = [
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("coordination.k8s.io", "Lease"),
        ("discovery.k8s.io", "EndpointSlice"),
        ("events.k8s.io", "Event"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("node.k8s.io", "RuntimeClass"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("internal.apiserver.k8s.io", "StorageVersion"),
    ];
    let Some((group, version)) = api_version.split_once('/') else {
        return false;
    };
    matches!(version, "v1" | "v1beta1" | "v1alpha1") && KINDS.contains(&(group, kind))
}
