//! `foreachValues` of a values file: what a name stands for at each element of a `foreach`.

use regent::exit_status::ExitStatus;

use crate::command::{folder_of, regent};

const POLICIES: &str = r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: sources}
spec:
  rules:
    - name: known
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        foreach:
          - list: request.object.spec.containers
            context:
              - name: owner
                configMap: {name: "{{ element.name }}", namespace: default}
            deny:
              conditions:
                all: [{key: "{{ owner.data.team }}", operator: NotEquals, value: "{{ element.name }}"}]
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labels}
spec:
  rules:
    - name: named
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate:
        foreach:
          - list: request.object.spec.containers
            context:
              - name: owner
                configMap: {name: "{{ element.name }}", namespace: default}
            patchStrategicMerge:
              metadata: {labels: {"owner-{{ elementIndex }}": "{{ owner.data.team }}"}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: quotas}
spec:
  rules:
    - name: made
      match: {any: [{resources: {kinds: [Pod]}}]}
      generate:
        foreach:
          - list: request.object.spec.containers
            context:
              - name: owner
                configMap: {name: "{{ element.name }}", namespace: default}
            apiVersion: v1
            kind: ConfigMap
            name: "owner-{{ elementIndex }}"
            namespace: shop
            data: {data: {team: "{{ owner.data.team }}"}}
"#;

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: a, image: x}, {name: b, image: y}]}
";

const PATCHED: &str = "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {owner-0: a, owner-1: b}}
spec: {containers: [{name: a, image: x}, {name: b, image: y}]}
";

const MADE: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: owner-1, namespace: shop}
data: {team: b}
";

fn test(values: &str, result: &str) -> String {
    let rule = |policy: &str, rule: &str| {
        format!(
            "  - {{name: {policy}, rules: [{{name: {rule}, foreachValues: {{owner.data.team: {values}}}}}]}}\n"
        )
    };
    let row = |policy: &str, rule: &str, more: &str, result: &str| {
        format!(
            "- {{policy: {policy}, rule: {rule}, kind: Pod, resources: [web], result: {result}{more}}}\n"
        )
    };
    let made = if result == "pass" {
        [
            ", patchedResources: patched.yaml",
            ", generatedResource: made.yaml",
        ]
    } else {
        ["", ""]
    };
    let other = if result == "pass" { "pass" } else { "error" };
    [
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: elements}\npolicies: [policies.yaml]\nresources: [pod.yaml]\nvalues:\n  policies:\n".to_owned(),
        rule("sources", "known"),
        rule("labels", "named"),
        rule("quotas", "made"),
        "results:\n".to_owned(),
        row("sources", "known", "", result),
        row("labels", "named", made[0], other),
        row("quotas", "made", made[1], other),
    ]
    .concat()
}

fn run(values: &str, result: &str) -> (ExitStatus, String) {
    let folder = folder_of(&[
        ("policies.yaml", POLICIES),
        ("pod.yaml", POD),
        ("patched.yaml", PATCHED),
        ("made.yaml", MADE),
        ("kyverno-test.yaml", &test(values, result)),
    ]);
    let ran = regent(&["test", folder.path().to_str().unwrap()]);
    (ran.status, ran.stdout + &ran.stderr)
}

#[test]
fn each_element_has_its_own_value() {
    let (status, said) = run("[a, b]", "pass");
    assert_eq!(status, ExitStatus::Pass, "{said}");
}

/// Kyverno's runner panics, or takes the value of the first element for all.
#[test]
fn an_element_without_a_value_is_an_error() {
    let (status, said) = run("[a]", "error");
    assert_eq!(status, ExitStatus::Pass, "{said}");
}

#[test]
fn a_value_that_is_no_list_is_a_mistake() {
    let (status, said) = run("a", "pass");
    assert_eq!(status, ExitStatus::Failed, "{said}");
    let wanted = "`foreachValues` takes a list, with a value for each element";
    assert!(said.contains(wanted), "{said}");
}
