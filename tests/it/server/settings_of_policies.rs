//! Settings of a policy that decide what the webhook answers besides yes and no: `emitWarning`, `allowExistingViolations`.

use serde_json::{Value, json};

use super::client::{pod_review, start};

/// A policy whose rule wants the label `team`.
fn policy(settings: &str, of_rule: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: labelled}}
spec:
  background: false
{settings}
  rules:
    - name: team
      match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
      validate:
        {of_rule}
        message: a team is wanted
        pattern: {{metadata: {{labels: {{team: '?*'}}}}}}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_only_audited_is_a_warning_where_the_policy_says_so() {
    let warnings = async |emit: &str| {
        let policy = policy(&format!("  emitWarning: {emit}"), "failureAction: Audit");
        let server = start(&[("policy.yaml", &policy)], |_| ()).await;
        let answer = server.post("/validate", &pod_review(&json!({}))).await;
        server.running.shutdown().await;
        assert!(answer.allowed());
        answer.response()["warnings"].clone()
    };
    assert_eq!(warnings("false").await, Value::Null);
    let said = warnings("true").await;
    let said = said[0].as_str().unwrap();
    assert!(
        said.contains("labelled") && said.contains("a team is wanted"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_what_was_wrong_already_is_let_through_where_the_rule_says_so() {
    let update = async |allow: &str, was: Value| {
        let of_rule = format!("failureAction: Enforce\n        allowExistingViolations: {allow}");
        let policy = policy("", &of_rule);
        let server = start(&[("policy.yaml", &policy)], |_| ()).await;
        let mut review = pod_review(&json!({"changed": "yes"}));
        review["request"]["operation"] = json!("UPDATE");
        let old = pod_review(&was)["request"]["object"].clone();
        review["request"]["oldObject"] = old;
        let answer = server.post("/validate", &review).await;
        server.running.shutdown().await;
        answer.allowed()
    };
    assert!(update("true", json!({})).await);
    assert!(!update("false", json!({})).await);
    assert!(!update("true", json!({"team": "a"})).await);
}
