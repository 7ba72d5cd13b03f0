//! The command line as a user meets it: check, compile and test on small folders.

use std::fs;
use std::path::Path;

use regent::exit_status::ExitStatus;
use regent_tests::workspace;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Ran, regent, regent_with};

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: refuse-bad
spec:
  validationFailureAction: Enforce
  rules:
    - name: check-name
      match:
        any:
          - resources:
              kinds: [Pod]
      validate:
        message: nothing may be called `bad`
        deny:
          conditions:
            any:
              - key: \"{{ request.object.metadata.name }}\"
                operator: Equals
                value: bad
";

const RESOURCES: &str = "apiVersion: v1
kind: Pod
metadata: {name: good, labels: {team: shop}}
spec: {containers: [{name: a, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec: {containers: [{name: a, image: nginx}]}
";

fn test_file(rows: &str) -> String {
    format!(
        "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {{name: names}}
policies: [policy.yaml]
resources: [resources.yaml]
results:
{rows}"
    )
}

fn row(rule: &str, resource: &str, result: &str) -> String {
    format!(
        "- policy: refuse-bad\n  rule: {rule}\n  kind: Pod\n  resources: [{resource}]\n  result: {result}\n"
    )
}

fn folder(rows: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("policy.yaml", POLICY);
    write("resources.yaml", RESOURCES);
    write("kyverno-test.yaml", &test_file(rows));
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn help_is_data_and_mistakes_are_not() {
    let ran = regent(&["--help"]);
    assert_eq!(ran.status, ExitStatus::Pass);
    assert!(ran.stdout.contains("Usage: regent"), "{}", ran.stdout);
    let ran = regent(&["tets"]);
    assert_eq!(ran.status, ExitStatus::Usage);
    assert!(ran.stdout.is_empty());
    assert!(ran.stderr.contains("'test'"), "{}", ran.stderr);
}

#[test]
fn versions_are_said_in_three_ways() {
    assert!(regent(&["version"]).stdout.starts_with("regent "));
    assert!(
        regent(&["version", "-o", "yaml"])
            .stdout
            .starts_with("version: ")
    );
    let json = regent(&["version", "-o", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["version"].is_string());
}

#[test]
fn check_finds_all_mistakes_of_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    write("good.yaml", POLICY.as_bytes());
    write("typo.yaml", POLICY.replace("deny:", "denny:").as_bytes());
    write("latin.yaml", b"name: caf\xe9\n");
    let ran = regent(&["check", text(folder.path()), "--format", "json"]);
    assert_eq!(ran.status, ExitStatus::DoesNotCompile);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["summary"]["files"], 3);
    let found: Vec<_> = document["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            let file = found["file"].as_str().unwrap();
            let name = file.rsplit('/').next().unwrap();
            format!("{name}:{} {}", found["labels"][0]["line"], found["code"])
        })
        .collect();
    assert!(
        found.contains(&"latin.yaml:1 \"unreadable-file\"".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"typo.yaml:15 \"unknown-field\"".to_owned()),
        "{found:?}"
    );
}

#[test]
fn check_reads_stdin_and_is_quiet_about_good_policies() {
    let ran = regent_with(POLICY, &["check", "-"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    assert_eq!(ran.stdout, "checked 1 file: 0 errors, 0 warnings\n");
    assert_eq!(ran.stderr, "");
}

const SIGNED: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  validationFailureAction: Enforce
  rules:
    - name: signed
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:
        - imageReferences: ['registry.example/*']
          attestors:
            - entries:
                - keyless:
                    issuer: https://issuer.example
                    subject: builder@example.com
                    rekor: {url: 'https://rekor.sigstore.dev'}
";

#[test]
fn check_knows_the_logs_of_the_trust_roots_that_it_is_given() {
    const PUBLIC: &str = "https://rekor.sigstore.dev";
    const INTERNAL: &str = "https://rekor.internal.example";
    let folder = tempfile::tempdir().unwrap();
    let root = fs::read_to_string(workspace().join("cli/demo/trusted_root.json")).unwrap();
    let write = |name: &str, log: &str| {
        let path = folder.path().join(name);
        fs::write(&path, root.replace(PUBLIC, log)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (public, internal) = (write("public", PUBLIC), write("internal", INTERNAL));
    let (public, internal) = (public.as_str(), internal.as_str());
    let (default, both) = (&[][..], &[public, internal][..]);
    for (log, roots, known) in [
        (PUBLIC, default, true),
        (INTERNAL, default, false),
        (PUBLIC, &[internal][..], false),
        (INTERNAL, &[internal][..], true),
        (PUBLIC, both, true),
        (INTERNAL, both, true),
    ] {
        let mut arguments = vec!["check", "-", "--format", "json"];
        arguments.extend(roots.iter().flat_map(|root| ["--trusted-root", *root]));
        let ran = regent_with(&SIGNED.replace(PUBLIC, log), &arguments);
        let document: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
        let found = document["diagnostics"].as_array().unwrap();
        let codes: Vec<_> = found.iter().map(|found| &found["code"]).collect();
        if known {
            assert_eq!(ran.status, ExitStatus::Pass, "{log} {roots:?}: {codes:?}");
        } else {
            assert_eq!(ran.status, ExitStatus::DoesNotCompile, "{log} {roots:?}");
            assert_eq!(codes, ["unknown-log"], "{log} {roots:?}");
        }
    }
    let missing = regent_with(SIGNED, &["check", "-", "--trusted-root", "/missing"]);
    assert_eq!(missing.status, ExitStatus::Usage);
    assert!(missing.stderr.contains("/missing"), "{}", missing.stderr);
}

#[test]
fn tests_pass_and_fail_as_kyverno_says_it() {
    let folder = folder(&(row("check-name", "good", "pass") + &row("check-name", "bad", "pass")));
    let ran = regent(&["test", text(folder.path())]);
    assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("Want pass, got fail"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        ran.stdout
            .contains("Test Summary: 1 tests passed and 1 tests failed"),
        "{}",
        ran.stdout
    );
    let selector = "policy=refuse-bad, rule=*, resource=g*";
    let ran = regent(&["test", text(folder.path()), "-t", selector]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stdout);
}

#[test]
fn rows_that_test_nothing_are_said_and_fail_where_strict() {
    let folder = folder(&row("chek-name", "good", "fail"));
    let ran = regent(&["test", text(folder.path())]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stdout);
    assert!(ran.stdout.contains("Excluded"), "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("has no rule `chek-name`; did you mean `check-name`?"),
        "{}",
        ran.stderr
    );
    let ran = regent(&["test", "--strict", text(folder.path())]);
    assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stdout);
}

#[test]
fn resources_may_be_named_by_the_end_of_their_keys() {
    let named = |name: &str, result: &str| {
        let folder = folder(&row("check-name", name, result));
        let ran = regent(&["test", text(folder.path())]);
        assert_eq!(ran.status, ExitStatus::Pass, "{name}: {}", ran.stdout);
        ran.stderr
    };
    for name in [
        "bad",
        "default/bad",
        "Pod/default/bad",
        "v1/Pod/default/bad",
    ] {
        assert_eq!(named(name, "fail"), "", "{name}");
    }
    let said = named("ood", "pass");
    assert!(
        said.contains("it is tested on `v1/Pod/default/good`, whose name ends so"),
        "{said}"
    );
}

#[test]
fn a_policy_that_does_not_load_is_never_a_pass() {
    let folder = folder(&row("check-name", "bad", "fail"));
    let broken = POLICY.replace("deny:", "denny:");
    fs::write(folder.path().join("policy.yaml"), broken).unwrap();
    let ran = regent(&["test", text(folder.path()), "--format", "json"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["summary"]["errors"], 1);
    assert_eq!(document["results"][0]["outcome"], "error");
}

#[test]
fn what_cannot_be_read_is_said_and_the_other_folders_run() {
    let folder = folder(&row("check-name", "good", "pass"));
    for (name, content) in [
        ("syntax", "a: [\n"),
        ("unknown", "polices: []\n"),
        ("empty", ""),
    ] {
        let broken = folder.path().join(name);
        fs::create_dir(&broken).unwrap();
        fs::write(broken.join("kyverno-test.yaml"), content).unwrap();
    }
    let ran = regent(&["test", text(folder.path()), "--format", "json"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["summary"]["passed"], 1, "{document:#}");
    assert_eq!(document["summary"]["errors"], 3);
}

#[test]
fn the_answer_is_the_same_for_any_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    for index in 0..9 {
        let folder = root.path().join(format!("f{index}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("policy.yaml"), POLICY).unwrap();
        fs::write(folder.join("resources.yaml"), RESOURCES).unwrap();
        let result = if index % 2 == 0 { "pass" } else { "fail" };
        let rows = row("check-name", "good", result);
        fs::write(folder.join("kyverno-test.yaml"), test_file(&rows)).unwrap();
    }
    let outputs: Vec<_> = ["1", "3", "16"]
        .iter()
        .map(|threads| regent(&["test", text(root.path()), "--threads", threads]).stdout)
        .collect();
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn no_test_is_an_error_only_where_tests_are_required() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        regent(&["test", text(folder.path())]).status,
        ExitStatus::Pass
    );
    let ran = regent(&["test", text(folder.path()), "--require-tests"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    let ran = regent(&["test", "/no/such/folder"]);
    assert_eq!(ran.status, ExitStatus::Failed);
}

/// Also where nothing asks for an image.
#[test]
fn a_directory_without_layouts_is_an_error() {
    let folder = folder(&row("check-name", "good", "pass"));
    let empty = tempfile::tempdir().unwrap();
    let (policy, pods) = (
        folder.path().join("policy.yaml"),
        folder.path().join("resources.yaml"),
    );
    for command in [
        &["test", text(folder.path())][..],
        &["apply", text(&policy), "-r", text(&pods)],
    ] {
        let ran = regent(&[command, &["--oci-layout", text(empty.path())]].concat());
        assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stdout);
        assert!(
            ran.stderr.contains("neither an OCI layout"),
            "{}",
            ran.stderr
        );
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    }
}

#[test]
fn a_run_that_tests_nothing_fails_where_strict() {
    let empty = tempfile::tempdir().unwrap();
    let folder = folder(&row("check-name", "good", "pass"));
    for (folder, more, told) in [
        (&empty, &[][..], "no test file named"),
        (
            &folder,
            &["-t", "policy=typo"],
            "warning: nothing was tested: `policy=typo` chooses no row",
        ),
    ] {
        let arguments = [&["test", text(folder.path())], more].concat();
        let lenient = regent(&arguments);
        assert_eq!(lenient.status, ExitStatus::Pass, "{more:?}");
        assert!(lenient.stderr.contains(told), "{}", lenient.stderr);
        let strict = regent(&[&arguments[..], &["--strict"]].concat());
        assert_eq!(strict.status, ExitStatus::Failed, "{more:?}");
        let said = strict.stderr;
        assert!(said.contains("error: nothing was tested"), "{said}");
    }
}

#[test]
fn what_is_named_as_a_policy_and_is_none_is_never_a_pass() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}",
        pod.trim_end().replace('\n', "\n  ")
    );
    let misspelt = POLICY.replace("kyverno.io/v1", "kyvreno.io/v1");
    let beside = format!("{POLICY}---\n{}", misspelt.replace("refuse-bad", "other"));
    for (content, said) in [
        (list.as_str(), "`Pod` of `v1` is no policy"),
        (pod, "`Pod` of `v1` is no policy"),
        (&misspelt, "`ClusterPolicy` of `kyvreno.io/v1` is no policy"),
        (&beside, "`ClusterPolicy` of `kyvreno.io/v1` is no policy"),
    ] {
        let folder = folder(&row("check-name", "good", "pass"));
        let policy = folder.path().join("policy.yaml");
        fs::write(&policy, content).unwrap();
        let resources = folder.path().join("resources.yaml");
        for more in [&[][..], &["-p"]] {
            let arguments = ["apply", text(&policy), "-r", text(&resources)];
            let ran = regent(&[&arguments[..], more].concat());
            assert_eq!(ran.status, ExitStatus::Failed, "{content}");
            assert!(ran.stderr.contains(said), "{}", ran.stderr);
        }
        if content == beside {
            // What a row is about is all right.
            continue;
        }
        let ran = regent(&["test", text(folder.path())]);
        assert_eq!(ran.status, ExitStatus::Failed, "{content}{}", ran.stdout);
        assert!(ran.stdout.contains("Invalid policy"), "{}", ran.stdout);
    }
    // What stands beside a policy is not asked for.
    let folder = folder(&row("check-name", "good", "pass"));
    fs::write(
        folder.path().join("policy.yaml"),
        format!("{POLICY}---\n{pod}"),
    )
    .unwrap();
    let ran = regent(&["test", "--strict", text(folder.path())]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn compile_prints_rego_with_the_lines_that_it_came_from() {
    let ran = regent_with(POLICY, &["compile", "-", "--rule", "check-name"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    assert!(ran.stdout.contains("# Policy refuse-bad, <stdin>:4"));
    assert!(ran.stdout.contains("# Rule check-name"));
    assert!(!ran.stdout.contains("# Rule autogen"));
    assert!(
        ran.stdout.contains("import rego.v1") && ran.stdout.contains("# 11: - resources:"),
        "{}",
        ran.stdout
    );
    let ran = regent_with(&POLICY.replace("deny:", "denny:"), &["compile", "-"]);
    assert_eq!(ran.status, ExitStatus::DoesNotCompile);
    assert_eq!(ran.stdout, "");
}

#[test]
fn exact_slsa_versions_count_for_test_and_apply_as_for_serve() {
    let path = |name: &str| workspace().join(name).to_str().unwrap().to_owned();
    let folder = path("policies/provenance/verify-slsa-provenance");
    let (policy, resources) = (
        format!("{folder}/policy.yaml"),
        format!("{folder}/resources.yaml"),
    );
    let (layout, root) = (
        path("cli/demo/registry"),
        path("cli/demo/trusted_root.json"),
    );
    let apply = ["apply", &policy, "-r", &resources, "-p"];
    let json = ["--output-format", "json", "--oci-layout", &layout];
    let apply = [&apply[..], &json, &["--trusted-root", &root]].concat();
    let test = ["test", &folder, "--format", "json"];
    // What passes, by its name.
    let passed = |command: &[&str], more: &[&str], status| {
        let ran = regent(&[command, more].concat());
        assert_eq!(ran.status, status, "{}", ran.stderr);
        let document: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
        let results = document["results"].as_array().unwrap().clone();
        let passed = results.iter().filter(|line| {
            let result = line.get("actual").or_else(|| line.get("result"));
            result.unwrap() == "pass"
        });
        let name = |line: &Value| {
            let resource = line["resource"].as_str();
            let name = resource.or_else(|| line["resources"][0]["name"].as_str());
            name.unwrap().rsplit('/').next().unwrap().to_owned()
        };
        let mut names: Vec<String> = passed.map(name).collect();
        names.sort();
        names
    };
    let either = ["app", "app-deployment", "legacy", "other"];
    let exact = ["app", "app-deployment"];
    let flag = ["--exact-slsa-versions"];
    assert_eq!(passed(&test, &[], ExitStatus::Pass), either);
    assert_eq!(passed(&test, &flag, ExitStatus::Failed), exact);
    assert_eq!(passed(&apply, &[], ExitStatus::Failed), either);
    assert_eq!(passed(&apply, &flag, ExitStatus::Failed), exact);
}

/// Rules whose names differ in signs alone, as policies of two namespaces may: nothing of one stands for another's.
#[test]
fn rules_with_names_alike_have_modules_of_their_own() {
    let rule = |name: &str| {
        format!(
            "    - name: {name}\n      match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n      validate: {{pattern: {{metadata: {{name: '{name}'}}}}}}\n"
        )
    };
    let rules = ["a-b", "a_b", "a.b", "a--b", "\"a\\nb := 1\""].map(rule);
    let policy = |head: &str| {
        format!(
            "apiVersion: kyverno.io/v1\n{head}\nspec:\n  rules:\n{}",
            rules.concat()
        )
    };
    let policies = [
        policy("kind: ClusterPolicy\nmetadata: {name: shop-names}"),
        policy("kind: ClusterPolicy\nmetadata: {name: shop.names}"),
        policy("kind: Policy\nmetadata: {name: names, namespace: shop}"),
    ];
    let text = policies.join("---\n");
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    let ran = regent_with(
        &text,
        &["compile", "-", "--bundle", bundle.to_str().unwrap()],
    );
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    // Each rule with its two forms for controllers.
    let modules = fs::read_dir(bundle.join("policies")).unwrap().count();
    assert_eq!(modules, 3 * rules.len() * 3, "{}", ran.stderr);
    let ran = regent_with(&text, &["compile", "-"]);
    assert!(ran.stdout.contains("# Rule a b := 1\n"));
    assert!(!ran.stdout.lines().any(|line| line.starts_with("b :=")));
    let ran = regent_with(&text, &["compile", "-", "--rule", "a+b"]);
    assert_eq!(ran.status, ExitStatus::Usage);
    assert!(
        ran.stderr
            .contains("no rule of these policies is called `a+b`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn check_of_nothing_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let said = |ran: &Ran| {
        assert_eq!(ran.status, ExitStatus::Usage);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        assert!(ran.stderr.contains("no policy to check"), "{}", ran.stderr);
    };
    said(&regent(&["check", text(folder.path())]));
    said(&regent_with("", &["check", "-"]));
    said(&regent_with("# nothing\n---\n", &["check", "-"]));
    fs::write(
        folder.path().join("pod.yaml"),
        "apiVersion: v1\nkind: Pod\n",
    )
    .unwrap();
    said(&regent(&["check", text(folder.path())]));
}

#[test]
fn a_test_that_tests_nothing_is_told_and_fails_where_it_must_not_mislead() {
    let head = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: a}\n";
    for (content, said) in [
        (format!("{head}results: []\n"), "expects nothing"),
        (head.to_owned(), "expects nothing"),
        (head.replace("kind: Test", "kind: Pod"), "this is `Pod`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kyverno-test.yaml"), content).unwrap();
        let lenient = regent(&["test", text(folder.path())]);
        assert_eq!(lenient.status, ExitStatus::Pass, "{}", lenient.stderr);
        assert!(lenient.stderr.contains(": warning["), "{}", lenient.stderr);
        assert!(lenient.stderr.contains(said), "{}", lenient.stderr);
        let strict = regent(&["test", text(folder.path()), "--strict"]);
        assert_eq!(strict.status, ExitStatus::Failed);
        assert!(strict.stderr.contains(said), "{}", strict.stderr);
        let junit = regent(&["test", text(folder.path()), "--strict", "--format", "junit"]);
        assert!(junit.stdout.contains("errors=\"1\""), "{}", junit.stdout);
    }
}

#[test]
fn what_needs_a_payload_is_not_supported_rather_than_failed() {
    let folder = tempfile::tempdir().unwrap();
    let head = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: a}\npolicies: [policy.yaml]\n";
    let rows = "results: [{policy: a, result: pass}]\n";
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "policy.yaml",
        "apiVersion: policies.kyverno.io/v1\nkind: ValidatingPolicy\nmetadata: {name: a}\nspec: {}\n",
    );
    write(
        "kyverno-test.yaml",
        &format!("{head}jsonPayloads: [a.json]\n{rows}"),
    );
    let ran = regent(&["test", text(folder.path()), "--format", "json"]);
    assert_eq!(ran.status, ExitStatus::Failed);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["summary"]["errors"], 1, "{document:#}");
    assert_eq!(document["summary"]["failed"], 0);
    assert_eq!(document["results"][0]["reason"], "Not supported");
    let message = document["results"][0]["message"].as_str().unwrap();
    assert!(message.contains("`jsonPayloads`"), "{message}");
}
