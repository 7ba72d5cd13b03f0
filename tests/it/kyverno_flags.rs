//! Kyverno's flags, files and exit status: an alias is enough in somebody's pipeline.

use std::fs;

use regent::exit_status::ExitStatus;
use tempfile::TempDir;

use crate::command::{folder_of, regent, regent_with};

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: names}
spec:
  SETTINGS
  rules:
    - name: good
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {message: not good, pattern: {metadata: {name: good}}}
";

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec: {containers: [{name: a, image: nginx}]}
";

const TEST: &str = "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: names}
policies: [policy.yaml]
resources: [pod.yaml]
results:
- {policy: names, rule: good, kind: Pod, resources: [NAME], result: pass}
";

const VALUES: &str = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Values\nglobalValues: {a: b}\n";
const USER: &str = "apiVersion: cli.kyverno.io/v1alpha1\nkind: UserInfo\nuserInfo: {username: a}\n";
const CONTEXT: &str = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Context\nspec: {resources: []}\n";

fn folder(settings: &str, name: &str) -> TempDir {
    folder_of(&[
        ("policy.yaml", &POLICY.replace("SETTINGS", settings)),
        ("pod.yaml", &POD.replace("NAME", name)),
        ("kyverno-test.yaml", &TEST.replace("NAME", name)),
        ("values.yaml", VALUES),
        ("user.yaml", USER),
        ("context.yaml", CONTEXT),
        ("exceptions.yaml", "[]"),
    ])
}

fn in_folder(folder: &TempDir, argument: &str) -> String {
    argument.replace("DIR", folder.path().to_str().unwrap())
}

/// Runs a line of a shell, of which `DIR` is the folder.
fn line(folder: &TempDir, line: &str) -> crate::command::Ran {
    let words: Vec<String> = line
        .split_whitespace()
        .map(|word| in_folder(folder, word))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    regent(&words)
}

#[test]
fn every_flag_of_kyverno_test_is_taken() {
    let folder = folder("background: true", "good");
    for flags in [
        "",
        "-f kyverno-test.yaml",
        "--file-name kyverno-test.yaml",
        "-t policy=*,rule=*,resource=*",
        "--test-case-selector policy=names",
        "-o json",
        "--output-format yaml",
        "-o markdown",
        "-o junit",
        "--registry",
        "--registry=false",
        "--fail-only",
        "--remove-color",
        "--detailed-results",
        "--require-tests",
    ] {
        let ran = line(&folder, &format!("test DIR {flags}"));
        assert_eq!(ran.status, ExitStatus::Pass, "{flags}: {}", ran.stderr);
    }
    // A folder, a file, and several of them.
    for paths in ["DIR", "DIR/kyverno-test.yaml", "DIR DIR/kyverno-test.yaml"] {
        let ran = line(&folder, &format!("test {paths}"));
        assert!(
            ran.stdout.contains("1 tests passed and 0"),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn every_flag_of_kyverno_apply_is_taken() {
    let folder = folder("background: true", "good");
    let output = tempfile::tempdir().unwrap();
    let output = output.path().to_str().unwrap();
    for flags in [
        "-r DIR/pod.yaml",
        "--resource=DIR/pod.yaml",
        "--resources DIR/pod.yaml,DIR/pod.yaml",
        "-r DIR/pod.yaml --target-resource DIR/pod.yaml",
        "-r DIR/pod.yaml --target-resources DIR/pod.yaml",
        "-r DIR/pod.yaml -o OUT",
        "-r DIR/pod.yaml -u DIR/user.yaml",
        "-r DIR/pod.yaml --userinfo DIR/user.yaml",
        "-r DIR/pod.yaml -s a=b",
        "-r DIR/pod.yaml --set a=b,c=d",
        "-r DIR/pod.yaml -f DIR/values.yaml",
        "-r DIR/pod.yaml --values-file DIR/values.yaml",
        "-r DIR/pod.yaml --context-file DIR/context.yaml",
        "-r DIR/pod.yaml -p",
        "-r DIR/pod.yaml --policy-report --output-format json",
        "-r DIR/pod.yaml -i",
        "-r DIR/pod.yaml --stdin",
        "-r DIR/pod.yaml --registry",
        "-r DIR/pod.yaml --audit-warn",
        "-r DIR/pod.yaml --warn-exit-code 3",
        "-r DIR/pod.yaml --warn-no-pass",
        "-r DIR/pod.yaml --remove-color",
        "-r DIR/pod.yaml -t --detailed-results",
        "-r DIR/pod.yaml --exceptions-with-resources",
        "-r DIR/pod.yaml --exceptions-within-resources",
        "-r DIR/pod.yaml --exceptions-within-policies",
        "-r DIR/pod.yaml --generate-exceptions --generated-exception-ttl 24h",
        "-r DIR/pod.yaml --continue-on-fail --continue-on-error=true",
        "-r DIR/pod.yaml --concurrent 2 --batch-size 10 --show-performance",
    ] {
        let flags = flags.replace("OUT", output);
        let ran = line(&folder, &format!("apply DIR/policy.yaml {flags}"));
        assert_eq!(ran.status, ExitStatus::Pass, "{flags}: {}", ran.stderr);
    }
}

#[test]
fn what_goes_wrong_ends_with_one_in_kyvernos_commands() {
    let folder = folder("background: true", "bad");
    for command in [
        "test DIR",
        "test /no/such/folder",
        "test DIR --no-such-flag",
        "test DIR -t no-selector",
        "--color never test --no-such-flag",
        "apply DIR/policy.yaml -r DIR/pod.yaml",
        "apply DIR/policy.yaml -r /no/such/file",
        "apply --no-such-flag",
        "jp query -i /no/such/file a",
        "jp query --no-such-flag",
        "jp",
    ] {
        let ran = line(&folder, command);
        assert_eq!(ran.status, ExitStatus::Failed, "{command}: {}", ran.stderr);
        assert!(!(ran.stdout + &ran.stderr).is_empty(), "{command}");
    }
    let ours = line(&folder, "check --no-such-flag");
    assert_eq!(ours.status, ExitStatus::Usage);
}

#[test]
fn repositories_are_refused_with_what_to_do_instead() {
    let folder = folder("background: true", "good");
    for command in [
        "test https://github.com/kyverno/policies/pod-security",
        "test DIR -b main",
        "test DIR --git-branch main",
        "apply https://github.com/kyverno/policies -b main -r DIR/pod.yaml",
        "apply https://github.com/kyverno/policies -r DIR/pod.yaml",
    ] {
        let ran = line(&folder, command);
        assert_eq!(ran.status, ExitStatus::Failed, "{command}");
        assert!(
            ran.stderr.contains("clone the repository"),
            "{command}: {}",
            ran.stderr
        );
    }
}

/// Where a policy runs in a cluster says nothing of a test: Kyverno's command line evaluates it all the same.
#[test]
fn settings_for_admission_and_background_do_not_count_offline() {
    for settings in ["admission: false", "background: false", "background: true"] {
        let good = folder(settings, "good");
        let ran = line(&good, "test DIR --strict");
        assert_eq!(ran.status, ExitStatus::Pass, "{settings}: {}", ran.stdout);
        let bad = folder(settings, "bad");
        let ran = line(&bad, "test DIR");
        assert!(ran.stdout.contains("Want pass, got fail"), "{}", ran.stdout);
        let ran = line(&bad, "apply DIR/policy.yaml -r DIR/pod.yaml");
        let wanted = "pass: 0, fail: 1, warn: 0, error: 0, skip: 0";
        assert!(ran.stdout.contains(wanted), "{settings}: {}", ran.stdout);
    }
}

#[test]
fn every_flag_of_kyverno_jp_is_taken() {
    let folder = folder("background: true", "good");
    fs::write(folder.path().join("query"), "metadata.name").unwrap();
    for (command, said) in [
        ("jp query -i DIR/pod.yaml metadata.name", "\"good\""),
        ("jp query --input DIR/pod.yaml -u metadata.name", "\ngood\n"),
        (
            "jp query -i DIR/pod.yaml -q DIR/query --unquoted",
            "\ngood\n",
        ),
        ("jp query -i DIR/pod.yaml --query DIR/query", "\"good\""),
        (
            "jp query -i DIR/pod.yaml -c metadata",
            "{\"name\":\"good\"}",
        ),
        (
            "jp query -i DIR/pod.yaml --compact kind metadata.name",
            "# kind\n\"Pod\"\n# metadata.name\n\"good\"\n",
        ),
        ("jp parse metadata.name", "metadata"),
        ("jp parse -f DIR/query", "metadata"),
        ("jp parse --file DIR/query", "metadata"),
        ("jp function", "Name: truncate"),
        ("jp function truncate", "Name: truncate"),
    ] {
        let ran = line(&folder, command);
        assert_eq!(ran.status, ExitStatus::Pass, "{command}: {}", ran.stderr);
        assert!(ran.stdout.contains(said), "{command}: {}", ran.stdout);
    }
    let ran = regent_with(
        "metadata: {name: piped}",
        &["jp", "query", "-u", "metadata.name"],
    );
    assert!(ran.stdout.ends_with("piped\n"), "{}", ran.stdout);
}
