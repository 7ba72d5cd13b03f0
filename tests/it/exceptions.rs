//! `PolicyException`s as a user meets them: in tests, in `apply`, in `compile`, and in a server.

use std::fs;
use std::path::Path;

use regent::exit_status::ExitStatus;
use regent_engine::load::ExceptionsFrom;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::regent;
use crate::server::client::{pod_review, start};

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: standards}
spec:
  rules:
    - name: level
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        failureAction: Enforce
        podSecurity: {level: baseline, version: latest}
";

const EXCEPTION: &str = "apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: debugging, namespace: platform}
spec:
  match: {any: [{resources: {kinds: [Pod], names: [debug-*]}}]}
  exceptions: [{policyName: standards, ruleNames: [level]}]
  podSecurity: [{controlName: Host Namespaces}]
";

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a"},
        "spec": {"hostPID": true, "containers": [{"name": "c", "image": "d"}]}})
}

/// A folder with a policy, two pods, an exception, and a test that expects the one to be let off.
fn folder(exceptions: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("policy.yaml", POLICY);
    write("exception.yaml", EXCEPTION);
    let pods = [pod("debug-1"), pod("other")].map(|pod| pod.to_string());
    write("pods.yaml", &pods.join("\n---\n"));
    let row = |pod: &str, result: &str| {
        format!(
            "- {{policy: standards, rule: level, kind: Pod, resources: [{pod}], result: {result}}}\n"
        )
    };
    let rows = row("debug-1", "skip") + &row("other", "fail");
    write(
        "kyverno-test.yaml",
        &format!(
            "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {{name: exceptions}}\npolicies: [policy.yaml]\nresources: [pods.yaml]\n{exceptions}results:\n{rows}"
        ),
    );
    folder
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn test(folder: &Path) -> ExitStatus {
    regent(&["test", &folder.display().to_string()]).status
}

#[test]
fn a_test_has_them_from_the_files_it_names() {
    let with = folder("exceptions: [exception.yaml]\n");
    assert_eq!(test(with.path()), ExitStatus::Pass);
    assert_eq!(test(folder("").path()), ExitStatus::Failed);
    let broken = EXCEPTION.replace("ruleNames", "rules");
    fs::write(with.path().join("exception.yaml"), broken).unwrap();
    let ran = regent(&["test", &with.path().display().to_string()]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(ran.stdout.contains("Invalid exception"), "{}", ran.stdout);
}

/// A misspelt name excuses nothing: that is said, and nothing else is another.
#[test]
fn test_and_apply_say_which_are_about_what_there_is_not() {
    let folder = folder("exceptions: [exception.yaml]\n");
    let misspelt = EXCEPTION.replace(
        "[{policyName: standards, ruleNames: [level]}]",
        "[{policyName: standards, ruleNames: [level, levels]}, {policyName: standard, ruleNames: [x]}]",
    );
    fs::write(folder.path().join("exception.yaml"), misspelt).unwrap();
    let (policy, pods) = (path(&folder, "policy.yaml"), path(&folder, "pods.yaml"));
    let exception = path(&folder, "exception.yaml");
    let tested = regent(&["test", &folder.path().display().to_string(), "--strict"]);
    assert_eq!(tested.status, ExitStatus::Pass, "{}", tested.stderr);
    let applied = regent(&[
        "apply",
        &policy,
        "-r",
        &pods,
        "--exception",
        &exception,
        "-p",
    ]);
    assert_eq!(applied.status, ExitStatus::Failed);
    assert!(
        applied.stdout.starts_with("apiVersion"),
        "{}",
        applied.stdout
    );
    for said in [tested.stderr, applied.stderr] {
        for (text, help) in [
            (
                "names a rule that is not there: `levels`",
                "did you mean `level`?",
            ),
            (
                "names a policy that is not there: `standard`",
                "did you mean `standards`?",
            ),
        ] {
            assert!(said.contains(text) && said.contains(help), "{said}");
        }
    }
}

#[test]
fn apply_has_them_from_a_flag() {
    let folder = folder("");
    let (policy, pods) = (path(&folder, "policy.yaml"), path(&folder, "pods.yaml"));
    let exception = path(&folder, "exception.yaml");
    let apply = |more: &[&str]| {
        let arguments = [&["apply", &policy, "--resource", &pods], more].concat();
        regent(&arguments).stdout
    };
    assert!(apply(&[]).contains("pass: 0, fail: 2, warn: 0, error: 0, skip: 0"));
    let counts = "pass: 0, fail: 1, warn: 0, error: 0, skip: 1";
    assert!(apply(&["--exception", &exception]).contains(counts));
    let both = path(&folder, "both.yaml");
    fs::write(&both, format!("{POLICY}---\n{EXCEPTION}")).unwrap();
    let ran = regent(&[
        "apply",
        &both,
        "--resource",
        &pods,
        "--exceptions-within-policies",
    ]);
    assert!(ran.stdout.contains(counts), "{}", ran.stdout);
}

#[test]
fn compile_prints_their_rego() {
    let folder = folder("");
    let printed = regent(&[
        "compile",
        &path(&folder, "policy.yaml"),
        &path(&folder, "exception.yaml"),
    ]);
    assert_eq!(printed.status, ExitStatus::Pass, "{}", printed.stderr);
    assert!(printed.stdout.contains("# Exception platform/debugging"));
    assert!(
        printed
            .stdout
            .contains("package regent.exceptions.y_platform_2f_debugging")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_them_only_where_it_is_told_to() {
    let allowed = async |exceptions: ExceptionsFrom| {
        let files = [("policy.yaml", POLICY), ("exception.yaml", EXCEPTION)];
        let server = start(&files, |settings| settings.exceptions = exceptions).await;
        let mut review = pod_review(&json!({}));
        review["request"]["object"] = pod("debug-1");
        let answer = server.post("/validate", &review).await;
        server.running.shutdown().await;
        answer.allowed()
    };
    assert!(!allowed(ExceptionsFrom::Nowhere).await);
    assert!(!allowed(ExceptionsFrom::Namespaces(vec!["a".into()])).await);
    assert!(allowed(ExceptionsFrom::Namespaces(vec!["platform".into()])).await);
}

#[test]
fn apply_says_everything_that_is_wrong_with_its_inputs() {
    let folder = folder("");
    let (policy, pods) = (path(&folder, "policy.yaml"), path(&folder, "pods.yaml"));
    let (exception, values) = (
        path(&folder, "exception.yaml"),
        path(&folder, "values.yaml"),
    );
    let broken = EXCEPTION.replace("policyName", "policy");
    fs::write(&exception, broken.replace("controlName", "control")).unwrap();
    fs::write(&values, "globals: {}\nrules: []\n").unwrap();
    let arguments = [
        "apply",
        &policy,
        "--resource",
        &pods,
        "--exception",
        &exception,
    ];
    let ran = regent(&[&arguments[..], &["--values-file", &values]].concat());
    assert_eq!(ran.status, ExitStatus::Failed);
    let said = [
        "unknown field `globals`",
        "unknown field `rules`",
        "`exceptions` has no field `policy`",
        "has no field `control`",
    ];
    for wanted in said {
        assert!(ran.stderr.contains(wanted), "{wanted}: {}", ran.stderr);
    }
    assert!(
        ran.stderr.lines().all(|line| line.starts_with("Error: ")),
        "{}",
        ran.stderr
    );
}
