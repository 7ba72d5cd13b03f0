//! What it checks: of kinds that every cluster has, `generate` names a namespace for those that live in one and none for the
//! others, and a `cloneList` does not mix the two.
//!
//! Why: the API server would take no such resource.
//! Kyverno refuses such policies, of other kinds too, as it can ask the cluster.
//!
//! Example:
//!
//! ```yaml
//! - name: quota
//!   match: {any: [{resources: {kinds: [Namespace]}}]}
//!   generate:
//!     apiVersion: v1
//!     kind: ResourceQuota
//!     name: default
//!     data: {spec: {hard: {pods: "10"}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: quota
//!   match: {any: [{resources: {kinds: [Namespace]}}]}
//!   generate:
//!     apiVersion: v1
//!     kind: ResourceQuota
//!     name: default
//!     namespace: "{{ request.object.metadata.name }}"
//!     data: {spec: {hard: {pods: "10"}}}
//! ```

use crate::ast::RuleBody;
use crate::ast::generate::{GenerateBody, Generated, Reference};
use crate::ast::template::Text;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

use super::Report;

/// Kinds that stand alone, by the group that their name is sure in.
const OF_CLUSTER: [(&str, &str); 11] = [
    ("v1", "Namespace"),
    ("v1", "Node"),
    ("v1", "PersistentVolume"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
    ),
];

/// Kinds that live in a namespace.
const OF_NAMESPACES: [(&str, &str); 19] = [
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
];

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        let RuleBody::Generate(generate) = &rule.body else {
            continue;
        };
        match &generate.body {
            GenerateBody::Resource(one) => found.extend(of_one(report, one, generate.span)),
            GenerateBody::Foreach(blocks) => {
                for block in blocks {
                    found.extend(of_one(report, &block.resource, block.span));
                }
            }
        }
    }
    for diagnostic in found {
        report.add(diagnostic);
    }
}

fn of_one(report: &Report<'_>, made: &Generated, span: Span) -> Option<Diagnostic> {
    let (scope, kind, namespace, span) = match made {
        Generated::Data { resource, .. } | Generated::Clone { resource, .. } => {
            let Reference {
                api_version, kind, ..
            } = resource;
            let scope = scope(api_version.literal()?, kind.literal()?)?;
            (scope, kind.raw.clone(), &resource.namespace, kind.span)
        }
        Generated::CloneList {
            namespace, kinds, ..
        } => {
            let mut known = kinds.iter().filter_map(|kind| Some((of_list(kind)?, kind)));
            let (scope, first) = known.next()?;
            if let Some((_, other)) = known.find(|(other, _)| *other != scope) {
                let message = format!("`{}` and `{}` do not live alike", first.raw, other.raw);
                return Some(report.error(Code::WrongScope, other.span, message));
            }
            (scope, first.raw.clone(), namespace, span)
        }
    };
    match (scope, namespace) {
        (Scope::Namespaced, None) => {
            let message = format!("`{kind}` lives in a namespace, and none is named");
            Some(report.error(Code::WrongScope, span, message))
        }
        (Scope::Cluster, Some(namespace)) => {
            let message = format!("`{kind}` lives in no namespace");
            Some(report.error(Code::WrongScope, namespace.span, message))
        }
        (Scope::Namespaced, Some(_)) | (Scope::Cluster, None) => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Namespaced,
    Cluster,
}

/// Where a kind lives, where that is known of every cluster.
fn scope(version: &str, kind: &str) -> Option<Scope> {
    let is = |known: &[(&str, &str)]| known.contains(&(version, kind));
    match (is(&OF_NAMESPACES), is(&OF_CLUSTER)) {
        (true, _) => Some(Scope::Namespaced),
        (_, true) => Some(Scope::Cluster),
        (false, false) => None,
    }
}

/// The same of `v1/Secret`.
fn of_list(kind: &Text) -> Option<Scope> {
    let (version, kind) = kind.literal()?.rsplit_once('/')?;
    scope(version, kind)
}
