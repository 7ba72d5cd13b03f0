//! `regent compile --input`: what it prints and the printed Rego give Regent's own answers in the real OPA.

use std::fs;
use std::path::Path;
use std::process::Command;

use regent::exit_status::ExitStatus;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::regent;

const POLICY: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: teams}
spec:
  rules:
    - name: known
      match: {any: [{resources: {kinds: [Pod], selector: {matchExpressions: [{key: test, operator: DoesNotExist}]}}}]}
      context: [{name: teams, configMap: {name: teams, namespace: policy}}]
      preconditions: {all: [{key: '{{ request.namespace }}', operator: NotEquals, value: kube-system}]}
      validate:
        message: who is it
        deny: {conditions: {any: [{key: '{{ request.object.metadata.labels.team }}', operator: AnyNotIn, value: '{{ teams.data.all | parse_json(@) }}'}]}}
    - name: small
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {pattern: {spec: {'=(volumes)': [{'X(hostPath)': null}]}}}
";

const PODS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: good, namespace: shop, labels: {team: red}}
spec: {}
---
apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: shop, labels: {team: blue}}
spec: {volumes: [{name: a, hostPath: {path: /}}]}
";

const CONTEXT: &str = "
apiVersion: cli.kyverno.io/v1alpha1
kind: Context
metadata: {name: context}
spec:
  resources:
    - apiVersion: v1
      kind: ConfigMap
      metadata: {name: teams, namespace: policy}
      data: {all: '[\"red\", \"green\"]'}
";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("policy.yaml", POLICY),
        ("pods.yaml", PODS),
        ("context.yaml", CONTEXT),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn compile(folder: &Path, more: &[&str]) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let (policy, pods, context) = (path("policy.yaml"), path("pods.yaml"), path("context.yaml"));
    let mut arguments = vec!["compile", policy.as_str()];
    arguments.extend(["--input", pods.as_str(), "--context-file", context.as_str()]);
    arguments.extend(more);
    let ran = regent(&arguments);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    ran.stdout
}

fn answers(text: &str) -> Vec<(String, String, Value)> {
    let document: Value = serde_json::from_str(text).unwrap();
    let field = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = document.as_array().unwrap().iter();
    all.map(|one| {
        (
            field(one, "resource"),
            field(one, "query"),
            one["answer"].clone(),
        )
    })
    .collect()
}

#[test]
fn each_question_is_shown_with_its_answer() {
    let folder = folder();
    let rule = "data.regent.x_teams.x_known";
    let row = |name: &str, entry: &str, answer: &str| {
        (
            format!("shop/Pod/{name}"),
            format!("{rule}.{entry}"),
            json!(answer),
        )
    };
    let said = answers(&compile(folder.path(), &["--rule", "known"]));
    assert_eq!(
        said,
        [
            row("good", "selected", "match"),
            row("good", "preconditions", "true"),
            row("good", "verdict", "pass"),
            row("bad", "selected", "match"),
            row("bad", "preconditions", "true"),
            row("bad", "verdict", "fail"),
        ]
    );
    let query = format!("{rule}.verdict");
    let inputs = compile(folder.path(), &["--query", &query]);
    let inputs: Vec<Value> = serde_json::Deserializer::from_str(&inputs)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        inputs[1]["values"],
        json!([{"ok": true, "value": "blue"}, {"ok": true, "value": ["red", "green"]}])
    );

    let path = |name: &str| folder.path().join(name).display().to_string();
    let nothing = regent(&[
        "compile",
        &path("policy.yaml"),
        "--input",
        &path("context.yaml"),
    ]);
    assert_eq!(nothing.status, ExitStatus::Usage);
    assert!(
        nothing.stderr.contains("no program is asked"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn the_printed_input_and_bundle_give_the_same_answers_in_opa() {
    let Some(opa) = super::opa() else { return };
    let folder = folder();
    let bundle = folder.path().join("bundle");
    let policy = folder.path().join("policy.yaml");
    let (policy, bundled) = (policy.to_str().unwrap(), bundle.to_str().unwrap());
    let ran = regent(&["compile", policy, "--bundle", bundled]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let document: Value = serde_json::from_str(&compile(folder.path(), &[])).unwrap();
    let questions = document.as_array().unwrap();
    assert_eq!(questions.len(), 10);
    for question in questions {
        let input = folder.path().join("input.json");
        fs::write(&input, question["input"].to_string()).unwrap();
        let ran = Command::new(&opa)
            .args(["eval", "--format", "raw", "--bundle"])
            .arg(&bundle)
            .arg("--input")
            .arg(&input)
            .arg(question["query"].as_str().unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(said.trim(), question["answer"], "{question}");
    }
}
