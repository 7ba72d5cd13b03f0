use std::sync::Arc;

use serde_json::json;

use super::{Decision, decide};
use crate::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation, Roles,
};
use crate::response::{
    FailureAction, FailurePolicy, PatchOperation, PolicyResponse, RuleResponse, RuleStatus,
    RuleType,
};

fn request() -> AdmissionRequest {
    AdmissionRequest {
        uid: "1".into(),
        kind: GroupVersionKind {
            kind: "Pod".into(),
            version: "v1".into(),
            ..GroupVersionKind::default()
        },
        resource: GroupVersionResource::default(),
        sub_resource: None,
        name: "web".into(),
        namespace: Some("production".into()),
        operation: Operation::Create,
        user_info: None,
        roles: Some(Roles::default()),
        object: Some(Arc::new(json!({"metadata": {"name": "web"}}))),
        old_object: None,
        dry_run: false,
        options: None,
    }
}

fn rule(name: &str, status: RuleStatus, action: FailureAction, message: &str) -> RuleResponse {
    RuleResponse::new(name, RuleType::Validation, action, (status, message))
}

fn policy(name: &str, failure_policy: FailurePolicy, rules: Vec<RuleResponse>) -> PolicyResponse {
    PolicyResponse {
        policy: name.into(),
        namespace: None,
        failure_policy,
        emit_warning: true,
        rules,
    }
}

fn denial(rules: Vec<RuleResponse>) -> String {
    match decide(&request(), &[policy("p", FailurePolicy::Fail, rules)]) {
        Decision::Deny { message } => message,
        Decision::Allow { .. } => panic!("allowed"),
    }
}

#[test]
fn every_status_action_and_failure_policy() {
    use FailureAction::{Audit, Enforce};
    use RuleStatus::{Error, Fail, Pass, Skip, Warn};
    let denies = |status, action, failure_policy| {
        let answer = decide(
            &request(),
            &[policy(
                "p",
                failure_policy,
                vec![rule("r", status, action, "m")],
            )],
        );
        matches!(answer, Decision::Deny { .. })
    };
    for failure_policy in [FailurePolicy::Fail, FailurePolicy::Ignore] {
        for status in [Pass, Skip, Warn] {
            assert!(!denies(status, Enforce, failure_policy));
            assert!(!denies(status, Audit, failure_policy));
        }
        assert!(denies(Fail, Enforce, failure_policy));
        assert!(!denies(Fail, Audit, failure_policy));
        assert!(!denies(Error, Audit, failure_policy));
    }
    assert!(denies(Error, Enforce, FailurePolicy::Fail));
    assert!(!denies(Error, Enforce, FailurePolicy::Ignore));
}

#[test]
fn an_error_of_an_audited_rule_denies_beside_an_enforced_one() {
    let rules = vec![
        rule("a", RuleStatus::Pass, FailureAction::Enforce, ""),
        rule("b", RuleStatus::Error, FailureAction::Audit, "broken"),
    ];
    assert!(denial(rules).contains("b: broken"));
}

#[test]
fn an_allow_carries_patches_and_warnings_and_a_denial_neither() {
    let mut patched = rule("a", RuleStatus::Pass, FailureAction::Enforce, "");
    patched
        .patches
        .push(PatchOperation::Remove { path: "/x".into() });
    let audited = rule("b", RuleStatus::Fail, FailureAction::Audit, "not good");
    let answer = decide(
        &request(),
        &[policy(
            "p",
            FailurePolicy::Fail,
            vec![patched.clone(), audited],
        )],
    );
    assert_eq!(
        answer,
        Decision::Allow {
            patch: patched.patches,
            warnings: vec!["policy p.b: not good".into()],
            audit: vec![],
        }
    );
}

#[test]
fn the_denial_is_folded_at_the_first_space_past_eighty_columns() {
    let message = "validation error: CPU and memory resource requests and memory limits are required for containers. \
                   rule validate-resources failed at path /spec/containers/0/resources/";
    assert_eq!(
        denial(vec![rule(
            "validate-resources",
            RuleStatus::Fail,
            FailureAction::Enforce,
            message
        )]),
        "\n\nresource Pod/production/web was blocked due to the following policies \n\np:\n  validate-resources: \
         'validation error: CPU and memory resource requests and memory\n    limits are required for containers. rule \
         validate-resources failed at path /spec/containers/0/resources/'\n"
    );
}

#[test]
fn quoting_follows_go_yaml() {
    let text = |message: &str| {
        denial(vec![rule(
            "r",
            RuleStatus::Fail,
            FailureAction::Enforce,
            message,
        )])
        .rsplit_once("\n\n")
        .expect("a map")
        .1
        .to_owned()
    };
    assert_eq!(
        text("plain, with `ticks`."),
        "p:\n  r: plain, with `ticks`.\n"
    );
    assert_eq!(text("`tick` first"), "p:\n  r: '`tick` first'\n");
    assert_eq!(text("it's: so"), "p:\n  r: 'it''s: so'\n");
    assert_eq!(text(""), "p:\n  r: \"\"\n");
    assert_eq!(text("true"), "p:\n  r: \"true\"\n");
    assert_eq!(text("12"), "p:\n  r: \"12\"\n");
    assert_eq!(text("tab\there"), "p:\n  r: \"tab\\there\"\n");
    assert_eq!(text("two\nlines"), "p:\n  r: |-\n    two\n    lines\n");
    assert_eq!(text("one\n"), "p:\n  r: |\n    one\n");
    assert_eq!(text("space at the end "), "p:\n  r: 'space at the end '\n");
}

#[test]
fn rules_are_sorted_as_go_yaml_sorts_keys() {
    let names = ["rule-10", "rule-2", "Rule", "a"];
    let rules = names
        .iter()
        .map(|name| rule(name, RuleStatus::Fail, FailureAction::Enforce, "m"))
        .collect();
    let text = denial(rules);
    let order: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(": m"))
        .collect();
    assert_eq!(order, ["Rule", "a", "rule-2", "rule-10"]);
}
