//! Tests of policies that say less than they seem to, and what a user is told of it.

use std::fs;

use regent::exit_status::ExitStatus;
use regent_tests::workspace;
use tempfile::TempDir;

use crate::command::{Ran, folder_of, regent};

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: api}
spec:
  rules:
  - name: max-pods
    match: {any: [{resources: {kinds: [Pod]}}]}
    context:
    - {name: answer, apiCall: {urlPath: /api/v1/pods}}
    validate:
      message: never
      deny: {conditions: {any: [{key: \"{{ answer }}\", operator: Equals, value: 3}]}}
";

const RESOURCES: &str = "apiVersion: v1
kind: Pod
metadata: {name: good, namespace: shop}
spec: {containers: [{name: a, image: nginx}]}
";

const HEAD: &str = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: a}
policies: [policy.yaml]
resources: [resources.yaml]
";

const ROW: &str =
    "results: [{policy: api, rule: max-pods, kind: Pod, resources: [good], result: pass}]\n";

const VALUES: &str = "apiVersion: cli.kyverno.io/v1alpha1
kind: Values
policies:
- name: api
  rules: [{name: max-pods, values: {answer: 1}}]
  resources: [{name: good, values: {other: 1}}]
namespaceSelector: [{name: shop, labels: {a: b}}]
";

/// A folder with a test of this text, and values.
fn folder(test: &str, values: &str) -> TempDir {
    folder_of(&[
        ("policy.yaml", POLICY),
        ("resources.yaml", RESOURCES),
        ("values.yaml", values),
        ("kyverno-test.yaml", test),
    ])
}

fn run(folder: &TempDir, more: &[&str]) -> Ran {
    regent(&[&["test", folder.path().to_str().unwrap()], more].concat())
}

#[test]
fn values_that_are_about_nothing_are_told_and_fail_where_strict() {
    let test = format!("{HEAD}variables: values.yaml\n{ROW}");
    let strict = run(&folder(&test, VALUES), &["--strict"]);
    assert_eq!(strict.status, ExitStatus::Pass, "{}", strict.stderr);
    assert_eq!(strict.stderr, "");
    for (right, wrong, told) in [
        ("name: api", "name: apii", "no policy is named `apii`"),
        (
            "name: max-pods",
            "name: maxpods",
            "policy `api` has no rule `maxpods`",
        ),
        ("name: good", "name: goood", "no resource is named `goood`"),
        (
            "name: shop",
            "name: shopp",
            "no resource is in a namespace `shopp`",
        ),
        (
            "kind: Values",
            "kind: Valuess",
            "has to be of `kind: Values`, and is `Valuess`",
        ),
    ] {
        // Where the policy has no values any more, globals have them.
        let values = format!(
            "{}globalValues: {{answer: 1}}\n",
            VALUES.replace(right, wrong)
        );
        let folder = folder(&test, &values);
        let lenient = run(&folder, &[]);
        assert_eq!(
            lenient.status,
            ExitStatus::Pass,
            "{wrong}: {}",
            lenient.stderr
        );
        assert!(
            lenient.stderr.contains(": warning["),
            "{wrong}: {}",
            lenient.stderr
        );
        assert!(lenient.stderr.contains(told), "{wrong}: {}", lenient.stderr);
        let strict = run(&folder, &["--strict"]);
        assert_eq!(
            strict.status,
            ExitStatus::Failed,
            "{wrong}: {}",
            strict.stdout
        );
        assert!(strict.stderr.contains(told), "{wrong}: {}", strict.stderr);
        let [policy, pods, values] = ["policy.yaml", "resources.yaml", "values.yaml"]
            .map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        let ran = regent(&["apply", &policy, "-r", &pods, "-f", &values]);
        assert_eq!(ran.status, ExitStatus::Pass, "{wrong}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{wrong}: {}", ran.stderr);
    }
}

/// What values call a resource is what policies behind them see.
#[test]
fn names_that_values_give_are_not_looked_for() {
    let test = format!("{HEAD}variables: values.yaml\n{ROW}");
    let renaming = "globalValues: {request.object.metadata.namespace: bank, answer: 1}\n";
    let values = VALUES.replace("name: shop", "name: bank") + renaming;
    let strict = run(&folder(&test, &values), &["--strict"]);
    assert_eq!(strict.status, ExitStatus::Pass, "{}", strict.stderr);
}

#[test]
fn what_a_test_lacks_is_said_in_its_own_words() {
    for (test, status, told) in [
        (
            format!("{HEAD}{}", ROW.replace(", result: pass", "")),
            ExitStatus::Failed,
            "a result has no `result`, which must be pass, fail, skip, warn or error",
        ),
        (
            format!("{HEAD}{}", ROW.replace("rule: max-pods, ", "")),
            ExitStatus::Pass,
            "the row names no `rule`, so it is about none of policy `api`",
        ),
        (
            POLICY.to_owned(),
            ExitStatus::Failed,
            "this is a `ClusterPolicy`, and no test",
        ),
        (
            format!(
                "{HEAD}apiCallResponses: [{{urlPath: /api/v1/pods, response: {{items: []}}}}]\n{ROW}"
            ),
            ExitStatus::Failed,
            "what a call answers stands below `body`",
        ),
    ] {
        let ran = run(&folder(&test, ""), &[]);
        assert_eq!(ran.status, status, "{told}: {}", ran.stdout);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("unknown field `spec`"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_policy_that_does_not_load_keeps_its_help() {
    let folder = folder(&format!("{HEAD}{ROW}"), "");
    let broken = POLICY.replace("deny:", "denny:");
    fs::write(folder.path().join("policy.yaml"), broken).unwrap();
    let ran = run(&folder, &[]);
    assert_eq!(ran.status, ExitStatus::Failed);
    assert!(
        ran.stderr.contains("  help: did you mean `deny`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_recording_beside_layouts_says_what_it_lacks() {
    let test = workspace().join("policies/provenance/verify-slsa-provenance");
    let folder = tempfile::tempdir().unwrap();
    let facts = folder.path().join("facts.json");
    let record = ["--record", facts.to_str().unwrap()];
    let ran = regent(&[&["test", test.to_str().unwrap()], &record[..]].concat());
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let told = "what OCI layouts have is not recorded, so a replay needs them too";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
}
