//! `regent test --coverage`: what rows go through, as text and for lcov.

use std::fs;
use std::path::Path;

use expect_test::{ExpectFile, expect_file};
use tempfile::TempDir;

use crate::command::{folder_of, regent};

const POLICY: &str = r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: pods}
spec:
  rules:
    - name: denied
      match: {any: [{resources: {kinds: [Pod]}}]}
      preconditions:
        all:
          - {key: "{{ request.namespace }}", operator: NotEquals, value: kube-system}
      validate:
        deny:
          conditions:
            any:
              - {key: "{{ request.object.spec.a }}", operator: Equals, value: bad}
              - {key: "{{ request.object.spec.a }}", operator: Equals, value: worse}
    - name: either
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        anyPattern:
          - spec: {a: "good"}
          - spec: {a: "better"}
    - name: anchored
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        pattern:
          spec:
            =(b): "x"
            X(c): "null"
    - name: untested
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        pattern: {spec: {a: "?*"}}
"#;

const RESOURCES: &str = "
apiVersion: v1
kind: Pod
metadata: {name: good}
spec: {a: good}
---
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec: {a: bad, b: y, c: 1}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worse}
spec: {template: {spec: {a: worse}}}
";

const TEST: &str = "
apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: pods}
policies: [policy.yaml]
resources: [resources.yaml]
results:
- {policy: pods, rule: denied, resources: [good], result: pass}
- {policy: pods, rule: denied, resources: [bad], result: fail}
- {policy: pods, rule: either, resources: [good], result: pass}
- {policy: pods, rule: either, resources: [bad], result: fail}
- {policy: pods, rule: anchored, resources: [bad], result: fail}
- {policy: pods, rule: untested, resources: [good], result: fail}
";

fn folder() -> TempDir {
    folder_of(&[
        ("policy.yaml", POLICY),
        ("resources.yaml", RESOURCES),
        ("kyverno-test.yaml", TEST),
    ])
}

/// The text and the records, with paths from the folder on.
fn coverage(folder: &Path, more: &[&str]) -> (String, String) {
    let records = folder.join("lcov.info");
    let mut arguments = vec!["test", folder.to_str().unwrap(), "--coverage"];
    arguments.extend(["--coverage-output", records.to_str().unwrap()]);
    arguments.extend(more);
    let ran = regent(&arguments);
    let text = ran.stdout + &ran.stderr;
    let (_, text) = text.split_once("\nCoverage: ").unwrap();
    let path = format!("{}/", folder.display());
    let records = fs::read_to_string(records).unwrap();
    (text.replace(&path, ""), records.replace(&path, ""))
}

fn check(actual: &str, expected: &ExpectFile) {
    expected.assert_eq(actual);
}

#[test]
fn what_no_row_goes_through_is_shown() {
    let folder = folder();
    let (text, records) = coverage(folder.path(), &[]);
    let (shown, _) = text.split_once("  v1/").unwrap_or((&text, ""));
    check(shown, &expect_file!["coverage/text.txt"]);
    check(&records, &expect_file!["coverage/lcov.txt"]);
}

#[test]
fn rows_on_what_autogen_made_count_for_the_rule() {
    let folder = folder();
    let (_, before) = coverage(folder.path(), &[]);
    assert!(before.contains("BRDA:16,3,0,0\n"), "{before}");
    let row = "- {policy: pods, rule: denied, resources: [worse], result: fail}\n";
    fs::write(
        folder.path().join("kyverno-test.yaml"),
        format!("{TEST}{row}"),
    )
    .unwrap();
    let (_, after) = coverage(folder.path(), &[]);
    assert!(after.contains("BRDA:16,3,0,1\n"), "{after}");
}

#[test]
fn the_same_comes_of_any_number_of_threads_and_in_any_format() {
    let folder = folder();
    for name in ["one", "two", "three"] {
        let copy = folder.path().join(name);
        fs::create_dir(&copy).unwrap();
        for file in ["policy.yaml", "resources.yaml", "kyverno-test.yaml"] {
            fs::copy(folder.path().join(file), copy.join(file)).unwrap();
        }
    }
    let (_, first) = coverage(folder.path(), &["--threads", "1"]);
    assert_eq!(first.matches("end_of_record").count(), 4);
    for more in [["--threads", "4"], ["-o", "json"]] {
        let (_, records) = coverage(folder.path(), &more);
        assert_eq!(records, first, "{more:?}");
    }
}
