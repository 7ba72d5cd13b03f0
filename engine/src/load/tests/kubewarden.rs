//! Kubewarden's documents: what of them is refused, and where; and which requests they are about.

use serde_json::{Value, json};

use super::*;
use crate::admission::{AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation};
use crate::ast::RuleBody;
use crate::ast::guest::Changes;
use crate::ast::validate::ValidateBody;
use crate::evaluation::need::Need;
use crate::evaluation::{Phase, Scope, Step};
use crate::jmespath;

/// The time that modules see.
const NOW: jmespath::Environment = jmespath::Environment {
    seconds: 0,
    nanoseconds: 0,
    seed: 1,
};

const RULES: &str =
    "[{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE]}]";

fn policy(kind: &str, rules: &str, more: &str) -> String {
    format!(
        "apiVersion: policies.kubewarden.io/v1\nkind: {kind}\nmetadata: {{name: guard, namespace: team}}\nspec:\n  module: file://guard.wasm\n  mutating: false\n  rules: {rules}\n{more}"
    )
}

fn loaded(text: &str) -> Loaded {
    load(&[Source::new("policy.yaml", text)], &Environment::default())
}

/// What is wrong, with its line.
fn wrong(text: &str) -> Vec<String> {
    let loaded = loaded(text);
    let diagnostics = loaded.diagnostics.iter();
    diagnostics
        .map(|one| {
            let start = one.labels.first().map_or(0, |label| label.span.start);
            let (line, _) = one.source.position(start);
            format!("{line}: {}", one.message)
        })
        .collect()
}

#[test]
fn what_is_not_supported_is_said_at_its_place() {
    for (more, expected) in [
        ("", vec![]),
        ("  matchConditions: []\n", vec![]),
        (
            "  matchConditions: [{name: a, expression: 'true'}]\n",
            vec!["8: `matchConditions` of `spec` is not supported yet: they are written in CEL"],
        ),
        ("  modes: protect\n", vec!["8: `spec` has no field `modes`"]),
        ("  mode: watch\n", vec!["8: `mode` cannot be `watch`"]),
        (
            "  timeoutEvalSeconds: 20\n",
            vec!["8: `timeoutEvalSeconds` must be between 1 and 10"],
        ),
        ("  settings: [a]\n", vec!["8: `settings` must be a map"]),
    ] {
        assert_eq!(
            wrong(&policy("ClusterAdmissionPolicy", RULES, more)),
            expected
        );
    }
    let of_namespace = |more| wrong(&policy("AdmissionPolicy", RULES, more));
    assert_eq!(
        of_namespace("  contextAwareResources: [{apiVersion: v1, kind: Pod}]\n"),
        ["8: `spec` has no field `contextAwareResources`"]
    );
    assert_eq!(
        of_namespace("  namespaceSelector: {}\n"),
        ["8: `spec` has no field `namespaceSelector`"]
    );
    for kind in ["ClusterAdmissionPolicyGroup", "AdmissionPolicyGroup"] {
        assert_eq!(
            wrong(&policy(kind, RULES, "")),
            [format!(
                "2: `{kind}` is not supported: its expression says which of its policies must hold"
            )]
        );
    }
    assert_eq!(
        wrong(&policy("PolicyServer", RULES, "")),
        ["2: `PolicyServer` of `policies.kubewarden.io/v1` is not supported"]
    );
    let tagged =
        policy("ClusterAdmissionPolicy", RULES, "").replace("file://guard.wasm", "ghcr.io/a/b:v1");
    assert_eq!(
        wrong(&tagged),
        ["5: a module in a registry is named with its digest"]
    );
}

#[test]
fn entries_of_rules_say_something_and_hold_no_patterns() {
    for (rules, expected) in [
        ("[]", "7: `rules` is empty"),
        (
            "[{apiGroups: [''], apiVersions: [v1], resources: ['po*'], operations: ['*']}]",
            "7: `po*` is no name: `*` stands alone",
        ),
        (
            "[{apiGroups: [''], apiVersions: [v1], resources: [], operations: ['*']}]",
            "7: `resources` is empty",
        ),
        (
            "[{apiGroups: [''], resources: [pods], operations: ['*']}]",
            "7: `rules` has no `apiVersions`",
        ),
        (
            "[{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [PATCH]}]",
            "7: `operations` cannot be `PATCH`",
        ),
    ] {
        assert_eq!(
            wrong(&policy("ClusterAdmissionPolicy", rules, "")),
            [expected]
        );
    }
}

#[test]
fn the_file_of_a_policy_server_is_one_policy_for_each_name() {
    let text = "good:\n  module: file://guard.wasm\nold:\n  url: registry://ghcr.io/a/b:v1\ngroup:\n  expression: a()\n  policies: {a: {module: file://a.wasm}}\nodd:\n  module: file://guard.wasm\n  mutating: true\n";
    assert_eq!(
        wrong(text),
        [
            "4: a module in a registry is named with its digest",
            "5: a group of policies is not supported: its expression says which of its policies must hold",
            "10: `policy` has no field `mutating`",
        ]
    );
    let keys = loaded(text);
    let keys = keys.policies.policies().iter().map(|one| one.ast.key());
    assert_eq!(keys.collect::<Vec<_>>(), ["good"]);
    // Other maps are no such file.
    assert_eq!(
        wrong("good:\n  module: guard\n"),
        ["1: the document has no `apiVersion`"]
    );
}

#[test]
fn who_only_looks_on_neither_refuses_nor_changes() {
    let text = policy("ClusterAdmissionPolicy", RULES, "  mode: monitor\n");
    for (text, expected) in [
        (
            text.replace("mutating: false", "mutating: true"),
            Changes::Ignored,
        ),
        (text, Changes::Refused),
    ] {
        let loaded = loaded(&text);
        let policy = loaded.policies.policies().first().unwrap();
        let Some(RuleBody::Validate(validate)) = policy.ast.rules.first().map(|rule| &rule.body)
        else {
            panic!("it validates");
        };
        let ValidateBody::Wasm(guest) = &validate.body else {
            panic!("it asks a module");
        };
        assert_eq!(guest.kubewarden.as_ref().unwrap().changes, expected);
    }
}

fn request(resource: [&str; 3], kind: &str, sub_resource: &str) -> AdmissionRequest {
    let [group, version, resource] = resource.map(str::to_owned);
    AdmissionRequest {
        uid: "a".to_owned(),
        kind: GroupVersionKind {
            group: group.clone(),
            version: version.clone(),
            kind: kind.to_owned(),
        },
        resource: GroupVersionResource {
            group,
            version,
            resource,
        },
        sub_resource: Some(sub_resource.to_owned()).filter(|name| !name.is_empty()),
        name: "web".to_owned(),
        namespace: Some("team".to_owned()),
        operation: Operation::Create,
        user_info: None,
        roles: None,
        object: Some(Arc::new(
            json!({"metadata": {"name": "web", "namespace": "team", "labels": {"a": "new"}}}),
        )),
        old_object: None,
        dry_run: false,
        options: None,
    }
}

/// Whether the module is asked about a request.
fn asks(text: &str, request: AdmissionRequest) -> bool {
    let loaded = loaded(text);
    assert_eq!(said(&loaded), []);
    let set = &loaded.policies;
    let mut evaluation = set
        .evaluate(Arc::new(request), Phase::Validate, Scope::All, NOW)
        .with_second_opinion();
    match evaluation.step() {
        Step::Need(needs) => needs.iter().any(|(_, need)| matches!(need, Need::Guest(_))),
        Step::Done(_) => false,
    }
}

#[test]
fn a_request_is_matched_as_the_api_server_matches_webhooks() {
    let deployment = || request(["apps", "v1", "deployments"], "Deployment", "");
    let rules = |resources: &str| {
        format!(
            "[{{apiGroups: ['*'], apiVersions: [v1], resources: [{resources}], operations: ['*']}}]"
        )
    };
    let cluster = |rules: &str, more: &str| policy("ClusterAdmissionPolicy", rules, more);
    assert!(asks(&cluster(RULES, ""), deployment()));
    for (resources, whole, scale) in [
        ("deployments", true, false),
        ("'*'", true, false),
        ("deployments/scale", false, true),
        ("'deployments/*'", true, true),
        ("'*/scale'", false, true),
        ("'*/*'", true, true),
        ("pods", false, false),
        ("pods, deployments", true, false),
    ] {
        let text = cluster(&rules(resources), "");
        let of_scale = request(["apps", "v1", "deployments"], "Scale", "scale");
        assert_eq!(asks(&text, deployment()), whole, "{resources}");
        assert_eq!(asks(&text, of_scale), scale, "{resources}");
    }
    let other_group = request(["extensions", "v1", "deployments"], "Deployment", "");
    assert!(!asks(&cluster(RULES, ""), other_group));
    let other_version = request(["apps", "v1beta1", "deployments"], "Deployment", "");
    assert!(!asks(&cluster(RULES, ""), other_version));
    let deleted = AdmissionRequest {
        operation: Operation::Delete,
        ..deployment()
    };
    assert!(!asks(&cluster(RULES, ""), deleted));
    // An object that had the labels counts, so that nobody takes them off to get away.
    let selected = cluster(
        &rules("deployments"),
        "  objectSelector: {matchLabels: {a: old}}\n",
    );
    assert!(!asks(&selected, deployment()));
    let changed = AdmissionRequest {
        operation: Operation::Update,
        old_object: Some(Arc::new(
            json!({"metadata": {"name": "web", "labels": {"a": "old"}}}),
        )),
        ..deployment()
    };
    assert!(asks(&selected, changed));
    let of_cluster = cluster(
        &rules("deployments").replace("]}]", "], scope: Cluster}]"),
        "",
    );
    assert!(!asks(&of_cluster, deployment()));
    let elsewhere = AdmissionRequest {
        namespace: Some("other".to_owned()),
        ..deployment()
    };
    let confined = policy("AdmissionPolicy", &rules("deployments"), "");
    assert!(asks(&confined, deployment()));
    assert!(!asks(&confined, elsewhere));
}

#[test]
fn settings_and_kinds_reach_the_module() {
    let text = policy(
        "ClusterAdmissionPolicy",
        RULES,
        "  settings: {a: [1]}\n  contextAwareResources: [{apiVersion: apps/v1, kind: Deployment}]\n",
    );
    let of_cluster = loaded(&text);
    let (_, _, guest) = of_cluster.policies.guests().next().unwrap();
    let settings: Value = serde_json::from_str(&guest.settings).unwrap();
    assert_eq!(settings, json!({"a": [1]}));
    let kinds = guest.kinds.as_deref().unwrap();
    assert_eq!(kinds, [("apps/v1".to_owned(), "Deployment".to_owned())]);
    assert!(guest.capabilities.iter().any(|name| name == "oci/*"));
    let confined = policy("AdmissionPolicy", RULES, "");
    let of_namespace = loaded(&confined);
    let (_, _, guest) = of_namespace.policies.guests().next().unwrap();
    assert!(guest.capabilities.is_empty());
}
