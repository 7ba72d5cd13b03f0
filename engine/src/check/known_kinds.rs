//! Kinds of Kubernetes itself, and which of them is meant by a name that is none.

use crate::ast::matching::is_version;
use crate::suggest::nearest_within;

/// Kinds of Kubernetes itself that policies are about, with their groups.
const KINDS: [(&str, &str); 46] = [
    ("", "Binding"),
    ("", "ConfigMap"),
    ("", "Endpoints"),
    ("", "Event"),
    ("", "LimitRange"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Pod"),
    ("", "PodTemplate"),
    ("", "ReplicationController"),
    ("", "ResourceQuota"),
    ("", "Secret"),
    ("", "Service"),
    ("", "ServiceAccount"),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("apps", "ControllerRevision"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("coordination.k8s.io", "Lease"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
];

/// From how many letters on two of them may be wrong: short names of other people's kinds are near to each other.
const LONG: usize = 8;

/// Whether it is a group that kinds are known of, the core group among them.
pub(super) fn is_group(group: &str) -> bool {
    KINDS.iter().any(|(known, _)| *known == group)
}

/// The group of a kind.
pub(super) fn group_of(kind: &str) -> Option<&'static str> {
    let mut known = KINDS.iter();
    known.find(|known| known.1 == kind).map(|known| known.0)
}

/// The group of a resource, as `pods` is one.
pub(super) fn group_of_resource(resource: &str) -> Option<&'static str> {
    let mut known = KINDS.iter();
    let found = known.find(|known| plural(&known.1.to_ascii_lowercase()) == resource);
    found.map(|known| known.0)
}

/// What to write for a group that there cannot be.
pub(super) fn group_meant(group: &str) -> Option<String> {
    if group == "core" || (is_version(group) && group != "*") {
        return Some("the core group is written `\"\"`".to_owned());
    }
    let (name, version) = group.split_once('/')?;
    is_version(version).then(|| format!("a group is written without a version: `{name}`"))
}

/// How a group is called in a sentence.
pub(super) fn described(group: &str) -> String {
    match group {
        "" => "the core group, which is written `\"\"`".to_owned(),
        group => format!("the group `{group}`"),
    }
}

/// The kind of Kubernetes that is meant by a name which is none.
pub(super) fn meant(group: &str, written: &str) -> Option<&'static str> {
    let of_group = |known: &&(&str, &str)| group == "*" || group == known.0;
    let known = || KINDS.iter().filter(of_group).map(|(_, kind)| *kind);
    if known().any(|kind| kind == written) {
        return None;
    }
    let lower = written.to_ascii_lowercase();
    let same = known().find(|kind| {
        let kind = kind.to_ascii_lowercase();
        lower == kind || lower == plural(&kind)
    });
    same.or_else(|| {
        let long = written.len() >= LONG;
        long.then(|| nearest_within(2, written, known())).flatten()
    })
}

/// The resource that is meant by a name which is none: a kind, or a resource in the singular or misspelt.
pub(super) fn resource_meant(written: &str) -> Option<String> {
    if group_of_resource(written).is_some() {
        return None;
    }
    let kind = meant("*", written).or_else(|| {
        let mut known = KINDS.iter().map(|known| known.1);
        known.find(|kind| *kind == written)
    });
    let of_kind = kind.map(|kind| plural(&kind.to_ascii_lowercase()));
    of_kind.filter(|meant| meant != written)
}

/// The resource of a kind, both in lower case.
fn plural(kind: &str) -> String {
    if kind.ends_with("endpoints") {
        return kind.to_owned();
    }
    if let Some(stem) = kind.strip_suffix("cy") {
        return format!("{stem}cies");
    }
    if kind.ends_with('s') {
        return format!("{kind}es");
    }
    format!("{kind}s")
}
