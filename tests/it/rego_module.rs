//! `validate.rego.module`: modules of Rego in files beside their policies.

use std::fs;

use regent::exit_status::ExitStatus;
use regent_tests::workspace;
use serde_json::{Value, json};

use crate::command::regent;
use crate::server::client::{pod_review, start};

const MODULE: &str = "package labels\n\nviolation contains {\"msg\": msg} if {\n\tnot input.review.object.metadata.labels[input.parameters.label]\n\tmsg := sprintf(\"label %s is missing\", [input.parameters.label])\n}\n";

fn policy(module: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: labels}}\nspec:\n  rules:\n  - name: team\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      failureAction: Enforce\n      rego: {{module: {module}, parameters: {{label: team}}}}\n"
    )
}

const TEST: &str = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: labels}\npolicies: [policy.yaml]\nresources: [pods.yaml]\nresults:\n- {policy: labels, rule: team, kind: Pod, resources: [with], result: pass}\n- {policy: labels, rule: team, kind: Pod, resources: [without], result: fail}\n";

const PODS: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: with, labels: {team: red}}\nspec: {containers: []}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: without}\nspec: {containers: []}\n";

/// A folder with a policy, its module and its tests.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.0.path().join("rego")).unwrap();
        folder.write("rego/labels.rego", MODULE);
        folder.write("policy.yaml", &policy("rego/labels.rego"));
        folder.write("kyverno-test.yaml", TEST);
        folder.write("pods.yaml", PODS);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    /// How a check ends, with the code and the message of what is wrong first.
    fn check(&self) -> (ExitStatus, Value, String) {
        let file = self.0.path().join("policy.yaml");
        let ran = regent(&["check", file.to_str().unwrap(), "--format", "json"]);
        let said: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
        let first = &said["diagnostics"][0];
        (
            ran.status,
            first["code"].clone(),
            first["message"].to_string(),
        )
    }

    fn test(&self) -> ExitStatus {
        regent(&["test", self.0.path().to_str().unwrap()]).status
    }
}

#[test]
fn a_module_in_a_file_is_checked_and_tested_as_one_in_the_policy() {
    let folder = Folder::new();
    assert_eq!(folder.check().0, ExitStatus::Pass);
    assert_eq!(folder.test(), ExitStatus::Pass);
    let broken = MODULE.replace("input.parameters.label]\n", "input.parameters.label]]\n");
    folder.write("rego/labels.rego", &broken);
    let (status, code, message) = folder.check();
    assert_eq!(
        (status, code),
        (ExitStatus::DoesNotCompile, json!("invalid-rego"))
    );
    assert!(
        message.contains("rego/labels.rego of Rego, line 4"),
        "{message}"
    );
    assert_ne!(folder.test(), ExitStatus::Pass);
}

#[test]
fn what_is_no_module_is_said() {
    let folder = Folder::new();
    folder.write("rego/labels.rego", &"# long\n".repeat(40_000));
    for (module, code, expected) in [
        (
            "rego/labels.rego",
            "unusable-module",
            "more than 262144 bytes",
        ),
        ("rego/none.rego", "unusable-module", "cannot be read"),
        ("rego", "unusable-module", "is no file"),
        (
            "oci://registry.example/a",
            "invalid-value",
            "is named with its digest",
        ),
        (
            "ftp://registry.example/a",
            "not-supported",
            "a file beside the policy",
        ),
        ("a, source: package a", "invalid-value", "demands one thing"),
    ] {
        folder.write("policy.yaml", &policy(module));
        let (status, found, message) = folder.check();
        assert_eq!(
            (status, found),
            (ExitStatus::DoesNotCompile, json!(code)),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
        assert_ne!(folder.test(), ExitStatus::Pass);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_reads_modules_in_files() {
    let files = [
        ("policy.yaml", &*policy("labels.rego")),
        ("labels.rego", MODULE),
    ];
    let server = start(&files, |_settings| {}).await;
    for (labels, allowed) in [(json!({"team": "red"}), true), (json!({}), false)] {
        let said = server.post("/validate/fail", &pod_review(&labels)).await;
        assert_eq!(said.allowed(), allowed, "{}", said.body);
    }
}

#[test]
fn the_page_about_conftest_shows_a_policy_that_judges() {
    let page = fs::read_to_string(workspace().join("docs/conftest.md")).unwrap();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let policy = write("policy.yaml", shown);
    for (security, status, said) in [
        (
            "{}",
            ExitStatus::Failed,
            "containers of web must not run as root",
        ),
        ("{runAsNonRoot: true}", ExitStatus::Pass, "pass: 1"),
    ] {
        let resource = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{template: {{spec: {{securityContext: {security}}}}}}}\n"
        );
        let resource = write("resource.yaml", &resource);
        let ran = regent(&["apply", &policy, "--resource", &resource]);
        assert_eq!(ran.status, status, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(said), "{}", ran.stdout);
    }
}
