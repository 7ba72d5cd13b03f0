//! What it checks: an entry of `kinds` is read as its author meant it: a group is beside its version, kinds are singular
//! and spelt as in an object's `kind`, sub-resources are in lower case.
//!
//! Why: `apps/Deployment` is the sub-resource `Deployment` of a kind `apps`, and `Pods` is a kind that no object has. Such an
//! entry matches nothing, and the rule is never asked. Kyverno looks each kind up in the cluster and refuses what is not
//! there; without a cluster this can only be said of what Kubernetes itself has, or never has.
//!
//! Example:
//!
//! ```yaml
//! - name: team
//!   match: {any: [{resources: {kinds: [apps/Deployment, Pods]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: team
//!   match: {any: [{resources: {kinds: [apps/*/Deployment, Pod]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use std::sync::Arc;

use crate::ast::matching::{Filters, Kind, is_version};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Source;
use crate::suggest::{MOST, nearest_within};
use crate::wildcard;

use super::Report;

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

pub(super) fn check(report: &mut Report<'_>) {
    // Gatekeeper and Kubewarden have groups, resources and kinds in fields of their own.
    if report.is_constraint() {
        return;
    }
    let mut found = Vec::new();
    for rule in report.rules() {
        let both = std::iter::once(&rule.matches).chain(&rule.excludes);
        for filters in both {
            found.extend(problems(&report.policy.source, filters));
        }
    }
    for diagnostic in found {
        report.add(diagnostic);
    }
}

/// What is said of the kinds of a `match` or `exclude`.
pub(super) fn problems(source: &Arc<Source>, filters: &Filters) -> Vec<Diagnostic> {
    let resources = filters.filters.iter();
    let resources = resources.filter_map(|filter| filter.resources.as_ref());
    let kinds = resources.flat_map(|resources| &resources.kinds);
    let problems = kinds.filter_map(|kind| problem(kind).map(|help| (kind, help)));
    let diagnostics = problems.take(MOST).map(|(kind, help)| {
        let message = format!("`{}` matches nothing", kind.raw);
        Diagnostic::warning(Code::UnknownKind, source, kind.span, message).help(help)
    });
    diagnostics.collect()
}

/// What to write instead of a kind that no object has.
fn problem(kind: &Kind) -> Option<String> {
    let Kind {
        group,
        version,
        kind,
        subresource,
        ..
    } = kind;
    if subresource.contains(|letter: char| letter.is_ascii_uppercase()) {
        return Some(of_sub_resource(version, kind, subresource));
    }
    if is_version(subresource) && subresource != "*" {
        return Some(format!(
            "a version stands before its kind: `{subresource}/{kind}`"
        ));
    }
    if wildcard::has_wildcard(kind) {
        return None;
    }
    if KINDS
        .iter()
        .any(|(group, _)| !group.is_empty() && group == subresource)
    {
        return Some(format!("did you mean `{subresource}/*/{kind}`?"));
    }
    let named = |name: &str| {
        let whole = match (group.as_str(), version.as_str()) {
            ("*", "*") => name.to_owned(),
            ("*", version) => format!("{version}/{name}"),
            (group, version) => format!("{group}/{version}/{name}"),
        };
        match subresource.as_str() {
            "" => whole,
            subresource => format!("{whole}/{subresource}"),
        }
    };
    let meant = meant(group, kind);
    if let Some(meant) = meant {
        return Some(format!("did you mean `{}`?", named(meant)));
    }
    let small = kind.starts_with(|letter: char| letter.is_ascii_lowercase());
    small.then(|| "a kind is spelt as in an object's `kind`, as `Pod` is".to_owned())
}

/// Of `apps/Deployment`, which is read as the sub-resource `Deployment` of a kind `apps`.
fn of_sub_resource(version: &str, kind: &str, subresource: &str) -> String {
    let is_group = kind.starts_with(|letter: char| letter.is_ascii_lowercase());
    if is_group && version == "*" && meant("*", kind).is_none() {
        // `core` is what people call the group that has no name.
        let group = if kind == "core" { "" } else { kind };
        return match group {
            "" => format!("did you mean `v1/{subresource}`?"),
            group => format!(
                "it is read as the sub-resource `{subresource}` of a kind `{group}`; did you mean `{group}/*/{subresource}`?"
            ),
        };
    }
    format!(
        "sub-resources are in lower case: `{kind}/{}`",
        subresource.to_ascii_lowercase()
    )
}

/// The kind of Kubernetes that is meant by a name which is none.
fn meant(group: &str, written: &str) -> Option<&'static str> {
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
