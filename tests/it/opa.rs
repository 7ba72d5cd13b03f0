//! The real OPA over what is generated and the library that goes with it: the same answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regent::exit_status::ExitStatus;
use regent_engine::rego::builtins::BUILTINS;
use regent_engine::rego::library;
use regent_tests::{needs, record};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::regent;

mod corpora;
mod images;
mod input;
mod values;

/// OPA, or none after saying that it is not there.
pub(crate) fn opa() -> Option<PathBuf> {
    let built = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/regent/bin/opa"));
    let path = std::env::var_os("OPA").map(PathBuf::from).or_else(built);
    let found = path.filter(|path| path.is_file());
    if found.is_none() {
        needs(
            "OPA, at $OPA or ~/.cache/regent/bin/opa (`go install github.com/open-policy-agent/opa@v1.22.2`)",
        );
    }
    found
}

/// The value of a query over the files of a folder.
fn evaluate(opa: &Path, folder: &Path, input: &Value, query: &str) -> Value {
    let input_file = folder.join("input.json");
    fs::write(&input_file, input.to_string()).unwrap();
    let ran = Command::new(opa)
        // A quarter of the time goes into collecting garbage otherwise.
        .env("GOGC", "400")
        .args([
            "eval",
            "--format",
            "json",
            "--strict-builtin-errors",
            "--data",
        ])
        .arg(folder.join("rego"))
        .arg("--input")
        .arg(&input_file)
        .arg(query)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let document: Value = serde_json::from_str(&said).unwrap();
    document["result"][0]["expressions"][0]["value"].clone()
}

/// A folder with the library and one more module.
fn folder(module: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rego = folder.path().join("rego");
    fs::create_dir(&rego).unwrap();
    fs::write(rego.join(library::PATH), library::text()).unwrap();
    fs::write(rego.join("test.rego"), module).unwrap();
    folder
}

/// Calls each function for each case; what has no answer is missing.
const CALLS: &str = r#"package calls

import data.regent
import rego.v1

answer("regent.scalar", of) := regent.scalar(of[0], of[1])

answer("regent.wildcard", of) := regent.wildcard(of[0], of[1])

answer("regent.condition", of) := regent.condition(of[0], of[1], of[2])

answer("regent.pattern", of) := regent.pattern(of[0], of[1])

answer("regent.keys_missing", of) := regent.keys_missing(of[0], of[1])

answers := {format_int(index, 10): given |
	some index, case in input
	given := answer(case[0], case[1])
}
"#;

#[test]
fn the_library_answers_as_the_host_functions_do() {
    let Some(opa) = opa() else { return };
    let cases = values::cases();
    let folder = folder(CALLS);
    let answers = evaluate(&opa, folder.path(), &json!(cases), "data.calls.answers");
    let answers: BTreeMap<usize, &Value> = answers
        .as_object()
        .unwrap()
        .iter()
        .map(|(index, answer)| (index.parse().unwrap(), answer))
        .collect();
    let mut different = Vec::new();
    for (index, (name, arguments)) in cases.iter().enumerate() {
        let builtin = BUILTINS
            .iter()
            .find(|builtin| builtin.name == *name)
            .unwrap();
        let expected = builtin.answer(arguments);
        if answers.get(&index) != Some(&&expected) {
            let found = answers.get(&index);
            different.push(format!(
                "{name}{}: {expected}, and OPA says {found:?}",
                json!(arguments)
            ));
        }
    }
    record("opa-library", cases.len() - different.len(), cases.len());
    assert!(
        different.is_empty(),
        "{} of {}:\n{}",
        different.len(),
        cases.len(),
        different[..different.len().min(60)].join("\n")
    );
}

#[test]
fn a_bundle_is_what_opa_takes_and_decides_by() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, POLICY).unwrap();
    let bundle = folder.path().join("bundle");
    let arguments = [&policy, &bundle].map(|path| path.to_str().unwrap());
    let write = || regent(&["compile", arguments[0], "--bundle", arguments[1]]);
    let written = write();
    assert_eq!(written.status, ExitStatus::Pass, "{}", written.stderr);
    assert!(written.stdout.is_empty(), "{}", written.stdout);
    // Again over the earlier one, and never over anything else.
    assert_eq!(write().status, ExitStatus::Pass);
    let elsewhere = folder.path().to_str().unwrap();
    let refused = regent(&["compile", arguments[0], "--bundle", elsewhere]);
    assert_eq!(refused.status, ExitStatus::Usage, "{}", refused.stderr);
    assert!(policy.is_file());

    let Some(opa) = opa() else { return };
    let checked = Command::new(&opa)
        .args(["check", "--bundle"])
        .arg(&bundle)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    for (replicas, verdict) in [(3, "pass"), (9, "fail")] {
        let input = json!({"resource": {"spec": {"replicas": replicas}}, "values": []});
        let input_file = folder.path().join("input.json");
        fs::write(&input_file, input.to_string()).unwrap();
        let ran = Command::new(&opa)
            .args(["eval", "--format", "raw", "--bundle"])
            .arg(&bundle)
            .arg("--input")
            .arg(&input_file)
            .arg("data.regent.x_replicas.x_few.verdict")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), verdict);
    }
}

const POLICY: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: replicas}
spec:
  rules:
    - name: few
      match: {any: [{resources: {kinds: [Deployment]}}]}
      validate: {pattern: {spec: {replicas: '<5'}}}
";
