//! `--explain` of `test` and `apply`: what decided, where it stands, what was seen where, and the Rego behind it.

use expect_test::{ExpectFile, expect_file};
use regent::exit_status::ExitStatus;
use regent_tests::{shared_path, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Ran, folder_of, regent};

const POLICY: &str = r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: pods}
spec:
  rules:
    - name: known-team
      match: {any: [{resources: {kinds: [Pod]}}]}
      context:
        - name: teams
          variable: {value: [red, green]}
      preconditions:
        all:
          - key: "{{ request.namespace }}"
            operator: NotEquals
            value: kube-system
      validate:
        message: who is it
        deny:
          conditions:
            any:
              - key: "{{ request.object.metadata.labels.team }}"
                operator: AnyNotIn
                value: "{{ teams }}"
    - name: no-latest
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: a tag please
        pattern:
          spec:
            containers:
              - (name): "*"
                image: "!*:latest"
    - name: memory
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: not so much
        foreach:
          - list: request.object.spec.containers
            pattern:
              memory: "<=1Gi"
"#;

const RESOURCES: &str = "apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: shop, labels: {team: blue}}
spec: {containers: [{name: a, image: 'a:1', memory: 1Gi}, {name: b, image: 'b:latest', memory: 2Gi}]}
---
apiVersion: v1
kind: Pod
metadata: {name: good, namespace: kube-system, labels: {team: red}}
spec: {containers: [{name: a, image: 'a:1', memory: 1Gi}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other, namespace: shop}
";

const TEST: &str = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: pods}
policies: [policy.yaml]
resources: [resources.yaml]
results:
- {policy: pods, rule: known-team, resources: [bad], result: pass}
- {policy: pods, rule: known-team, resources: [good], result: pass}
- {policy: pods, rule: no-latest, resources: [good], result: fail}
- {policy: pods, rule: no-latest, resources: [other], result: fail}
- {policy: pods, rule: memory, resources: [bad], result: fail}
";

fn folder() -> TempDir {
    folder_of(&[
        ("policy.yaml", POLICY),
        ("resources.yaml", RESOURCES),
        ("kyverno-test.yaml", TEST),
    ])
}

fn check(actual: &str, folder: &TempDir, expected: &ExpectFile) {
    let path = format!("{}/", folder.path().display());
    expected.assert_eq(&actual.replace(&path, ""));
}

fn apply(folder: &TempDir, more: &[&str]) -> Ran {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (policy, resources) = (path("policy.yaml"), path("resources.yaml"));
    let mut arguments = vec!["apply", policy.as_str(), "--resource", resources.as_str()];
    arguments.extend(["--explain", "--threads", "1"]);
    arguments.extend(more);
    let ran = regent(&arguments);
    assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stderr);
    ran
}

#[test]
fn apply_explains_what_did_not_pass() {
    let folder = folder();
    let ran = apply(&folder, &[]);
    check(&ran.stderr, &folder, &expect_file!["explain/apply.txt"]);
    assert!(
        ran.stdout.contains("1 - known-team who is it"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_report_holds_the_explanation_as_data() {
    let folder = folder();
    let ran = apply(&folder, &["-p", "--output-format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = report["results"].as_array().unwrap();
    let why = |rule: &str| {
        let of_rule = |one: &&Value| one["rule"] == rule && one["resources"][0]["name"] == "bad";
        let text = results.iter().find(of_rule).unwrap()["properties"]["explanation"]
            .as_str()
            .unwrap();
        serde_json::from_str::<Value>(text).unwrap()
    };
    let part = &why("known-team")["parts"][0];
    assert_eq!(part["line"], 21);
    assert_eq!(part["path"], "/metadata/labels/team");
    assert_eq!(part["seen"], "blue");
    assert_eq!(part["held"], true);
    assert_eq!(
        part["variables"],
        json!([
            {"origin": "expression", "name": "request.object.metadata.labels.team", "line": 21, "column": 23, "value": "blue"},
            {"origin": "expression", "name": "teams", "line": 23, "column": 25, "value": ["red", "green"]},
            {"origin": "context", "name": "teams", "line": 9, "column": 17, "value": ["red", "green"]},
        ])
    );
    assert_eq!(part["rego"]["package"], "regent.x_pods.x_known_team");
    let passed = results.iter().filter(|one| one["result"] == "pass");
    assert!(passed.clone().count() > 0);
    for one in passed {
        assert!(one["properties"].get("explanation").is_none(), "{one}");
    }
}

#[test]
fn test_explains_what_was_not_expected() {
    let folder = folder();
    let path = folder.path().to_str().unwrap();
    let ran = regent(&["test", path, "--explain"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    check(&ran.stderr, &folder, &expect_file!["explain/test.txt"]);

    let ran = regent(&["test", path, "--explain", "-o", "json"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = document["results"].as_array().unwrap();
    let titles: Vec<&str> = results
        .iter()
        .map(|one| one["explanation"]["title"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(
        titles,
        [
            "rule `known-team` of policy `pods` fails on shop/Pod/bad",
            "rule `known-team` of policy `pods` does not apply to kube-system/Pod/good",
            "rule `no-latest` of policy `pods` passes on kube-system/Pod/good",
            "rule `no-latest` of policy `pods` is not about shop/ConfigMap/other",
            "",
        ]
    );
    let plain = regent(&["test", path, "-o", "json"]);
    assert!(!plain.stdout.contains("explanation"), "{}", plain.stdout);
}

#[test]
fn watching_changes_no_result() {
    let Some(corpus) = shared_path("conformance/kyverno-cli") else {
        return;
    };
    let results = |more: &[&str]| {
        let mut arguments = vec!["test", corpus.to_str().unwrap(), "-o", "json"];
        arguments.extend(more);
        let ran = regent(&arguments);
        let mut document: Value = serde_json::from_str(&ran.stdout).unwrap();
        for line in document["results"].as_array_mut().unwrap() {
            line.as_object_mut().unwrap().remove("explanation");
        }
        document
    };
    assert!(results(&["--explain", "--coverage"]) == results(&[]));
}

const MUTATIONS: &str = r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: changes}
spec:
  rules:
    - name: pull
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate:
        patchStrategicMerge:
          spec:
            containers:
              - (image): "*:latest"
                imagePullPolicy: Always
    - name: label
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate:
        patchStrategicMerge:
          metadata: {labels: {+(tier): none}}
    - name: each
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate:
        foreach:
          - list: request.object.spec.containers
            preconditions:
              all: [{key: "{{ element.name }}", operator: NotEquals, value: a}]
            patchesJson6902: |-
              - {op: add, path: "/metadata/labels/{{ element.name }}", value: "yes"}
    - name: broken
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate:
        patchesJson6902: |-
          - {op: add, path: /metadata/labels/seen, value: "yes"}
          - op: replace
            path: /spec/gone
            value: "{{ request.object.metadata.name }}"
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: expects}
spec:
  rules:
    - name: expected
      match: {any: [{resources: {kinds: [Pod]}}]}
      mutate:
        patchesJson6902: |-
          - {op: test, path: /metadata/name, value: "other"}
"#;

const PODS: &str = "apiVersion: v1
kind: Pod
metadata: {name: tagged, labels: {tier: front}}
spec: {containers: [{name: a, image: 'a:1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: latest, labels: {}}
spec: {containers: [{name: a, image: 'a:latest'}, {name: b, image: 'b:1'}]}
";

/// What a patch made, and what kept it from making anything: an anchor, a precondition of an element, an error.
#[test]
fn apply_explains_what_rules_change_and_why_they_do_not() {
    let folder = folder_of(&[("policy.yaml", MUTATIONS), ("resources.yaml", PODS)]);
    let ran = apply(&folder, &[]);
    check(&ran.stderr, &folder, &expect_file!["explain/mutate.txt"]);
}

const LOADED: &str = r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: loaded}
spec:
  rules:
    - name: known
      match: {any: [{resources: {kinds: [Pod]}}]}
      context:
        - name: registries
          configMap: {name: registries, namespace: platform}
        - name: count
          apiCall: {urlPath: /api/v1/namespaces, jmesPath: "items | length(@)"}
        - name: entry
          globalReference: {name: entry}
        - name: about
          imageRegistry: {reference: "{{ request.object.spec.containers[0].image }}"}
      validate:
        deny:
          conditions:
            any:
              - {key: "{{ registries.data.allowed }} {{ count }} {{ entry }} {{ about }}", operator: Equals, value: a}
"#;

/// What a rule asks a cluster for has no value where there is none: what would stand for it is said.
#[test]
fn apply_says_what_would_stand_for_what_is_not_loaded() {
    let folder = folder_of(&[("policy.yaml", LOADED), ("resources.yaml", PODS)]);
    let ran = apply(&folder, &[]);
    check(&ran.stderr, &folder, &expect_file!["explain/loaded.txt"]);
}

/// At each attestor and condition that an image does not satisfy stands who was wanted, and who was seen.
#[test]
fn test_explains_which_attestors_are_not_satisfied() {
    let shipped = workspace().join("policies/provenance/verify-slsa-provenance");
    let shipped_text = |name: &str| std::fs::read_to_string(shipped.join(name)).unwrap();
    let demo = workspace().join("cli/demo");
    let images = json!({"ociLayouts": [demo.join("registry")], "trustedRoots": [demo.join("trusted_root.json")]});
    let test = json!({
        "apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Test", "metadata": {"name": "images"},
        "policies": ["policy.yaml"], "resources": ["resources.yaml"], "images": images,
        "results": [{
            "policy": "verify-slsa-provenance", "rule": "verify-provenance", "kind": "Pod", "result": "pass",
            "resources": ["app", "unsigned", "foreign-signature", "no-provenance", "other-builder"],
        }],
    });
    let folder = folder_of(&[
        ("policy.yaml", &shipped_text("policy.yaml")),
        ("resources.yaml", &shipped_text("resources.yaml")),
        ("kyverno-test.yaml", &test.to_string()),
    ]);
    let ran = regent(&["test", folder.path().to_str().unwrap(), "--explain"]);
    assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stderr);
    check(&ran.stderr, &folder, &expect_file!["explain/attestors.txt"]);
}

const MISSPELT: &str = r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: misspelt}
spec:
  rules:
    - name: tagged
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: a tag please
        foreach:
          - list: request.object.spec.container
            deny: {conditions: {any: [{key: "{{ element.image }}", operator: Equals, value: "*:latest"}]}}
          - list: request.object.spec.containers[?name == 'none']
            deny: {}
"#;

/// A rule that says nothing because its lists have no elements says which.
#[test]
fn test_explains_that_a_list_has_no_elements() {
    let row = "- {policy: misspelt, rule: tagged, kind: Pod, resources: [latest], result: fail}
- {policy: misspelt, rule: tagged, kind: Deployment, resources: [web], result: fail}\n";
    let pods = format!(
        "{PODS}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{template: {{spec: {{containers: []}}}}}}\n"
    );
    let test = format!(
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {{name: misspelt}}\npolicies: [policy.yaml]\nresources: [resources.yaml]\nresults:\n{row}"
    );
    let folder = folder_of(&[
        ("policy.yaml", MISSPELT),
        ("resources.yaml", &pods),
        ("kyverno-test.yaml", &test),
    ]);
    let ran = regent(&["test", folder.path().to_str().unwrap(), "--explain"]);
    check(&ran.stderr, &folder, &expect_file!["explain/lists.txt"]);
}
