//! Which requests rules are about: sub-resources by what they belong to, users by their roles.

use serde_json::json;

use super::super::Phase;
use super::{evaluate, no_facts, request, set};
use crate::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation, Roles, UserInfo,
};
use crate::decision::Decision;

fn policy(filter: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n  background: false\n  rules:\n  - name: r\n    match: {{any: [{{{filter}}}]}}\n    validate: {{failureAction: Enforce, allowExistingViolations: false, message: refused, deny: {{}}}}\n"
    )
}

fn is_denied(policy: &str, request: &AdmissionRequest) -> bool {
    let (decision, _) = evaluate(&set(policy), request, Phase::Validate, &no_facts);
    matches!(decision, Decision::Deny { .. })
}

/// A request to a sub-resource, as an API server sends it.
fn to(
    (group, resource, sub_resource): (&str, &str, &str),
    (of_group, kind): (&str, &str),
    operation: Operation,
) -> AdmissionRequest {
    AdmissionRequest {
        kind: GroupVersionKind {
            group: of_group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
        },
        resource: GroupVersionResource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
        },
        sub_resource: Some(sub_resource.to_owned()),
        operation,
        ..request(kind, json!({"kind": kind, "metadata": {"name": "a"}}))
    }
}

#[test]
fn a_sub_resource_is_matched_by_what_it_belongs_to() {
    let exec = to(
        ("", "pods", "exec"),
        ("", "PodExecOptions"),
        Operation::Connect,
    );
    let scale = to(
        ("apps", "deployments", "scale"),
        ("autoscaling", "Scale"),
        Operation::Update,
    );
    let status = to(("", "pods", "status"), ("", "Pod"), Operation::Update);
    let custom = to(
        ("example.com", "widgets", "scale"),
        ("autoscaling", "Scale"),
        Operation::Update,
    );
    for (request, kinds, about) in [
        (&exec, "Pod/exec", true),
        (&exec, "v1/Pod/exec", true),
        (&exec, "Pod/*", true),
        (&exec, "'*/exec'", true),
        (&exec, "Pod/attach", false),
        (&exec, "Pod", false),
        (&exec, "Service/exec", false),
        (&scale, "Deployment/scale", true),
        (&scale, "apps/v1/Deployment/scale", true),
        (&scale, "StatefulSet/scale", false),
        (&scale, "Deployment", false),
        (&status, "Pod/status", true),
        (&status, "Pod", false),
        (&custom, "Scale/scale", true),
        (&custom, "Deployment/scale", false),
    ] {
        let policy = policy(&format!("resources: {{kinds: [{kinds}]}}"));
        assert_eq!(
            is_denied(&policy, request),
            about,
            "{kinds}: {:?}",
            request.kind
        );
    }
}

#[test]
fn roles_are_names_and_no_patterns() {
    let pod = AdmissionRequest {
        user_info: Some(UserInfo::default()),
        roles: Some(Roles {
            roles: vec!["shop:editor".to_owned()],
            cluster_roles: vec!["view".to_owned()],
        }),
        ..super::pod("nginx")
    };
    let pods = "resources: {kinds: [Pod]}";
    for (roles, about) in [
        ("clusterRoles: [admin, view]", true),
        ("clusterRoles: ['v*']", false),
        ("clusterRoles: ['*']", false),
        ("roles: ['shop:editor']", true),
        ("roles: ['*:editor']", false),
    ] {
        let policy = policy(&format!("{pods}, {roles}"));
        assert_eq!(is_denied(&policy, &pod), about, "{roles}");
    }
}

#[test]
fn report_properties_are_there_however_many_rules_are_judged_together() {
    let policy = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec:\n  rules:\n  - name: a\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    reportProperties: {owner: x}\n    validate: {message: first, pattern: {metadata: {labels: {a: b}}}}\n  - name: b\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate: {message: second, pattern: {metadata: {labels: {c: d}}}}\n";
    let set = set(policy);
    let request = std::sync::Arc::new(super::pod("nginx"));
    let mut evaluation = set.evaluate(
        request,
        Phase::Validate,
        super::super::Scope::All,
        super::NOW,
    );
    let super::super::Step::Done(responses) = evaluation.step() else {
        panic!("nothing is asked");
    };
    let details = responses[0].rules[0].details.as_ref();
    let properties = details.map(|details| details.properties.clone());
    let expected = vec![("owner".to_owned(), "x".to_owned())];
    assert_eq!(properties, Some(expected));
}

#[test]
fn a_policy_of_a_namespace_is_not_about_that_namespace() {
    let policy = "apiVersion: kyverno.io/v1
kind: Policy
metadata: {name: own, namespace: shop}
spec:
  background: false
  rules:
  - name: nothing-changes
    match: {any: [{resources: {kinds: ['*']}}]}
    validate: {failureAction: Enforce, message: never, deny: {}}
  - name: no-namespaces
    match: {any: [{resources: {kinds: [Namespace]}}]}
    validate: {failureAction: Enforce, message: never, deny: {}}
  - name: weaker
    match: {any: [{resources: {kinds: [Namespace]}}]}
    mutate: {patchStrategicMerge: {metadata: {labels: {pod-security.kubernetes.io/enforce: privileged}}}}
";
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    // As an API server asks: a request about a namespace says that it is in it.
    let request = AdmissionRequest {
        namespace: Some("shop".into()),
        ..request("Namespace", object)
    };
    for phase in [Phase::Mutate, Phase::Validate] {
        let (decision, rules) = evaluate(&set(policy), &request, phase, &no_facts);
        assert_eq!(rules, []);
        assert!(matches!(decision, Decision::Allow { patch, .. } if patch.is_empty()));
    }
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}});
    let rules = evaluate(
        &set(policy),
        &self::request("ConfigMap", config),
        Phase::Validate,
        &no_facts,
    )
    .1;
    assert_eq!(rules.len(), 1);
}
