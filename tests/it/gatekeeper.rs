//! Templates, constraints and suites of Gatekeeper's, as they are; where `gator` itself is, both say the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use regent::exit_status::ExitStatus;
use regent_tests::{needs, workspace};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Ran, regent};

/// A suite of the policies that ship, in a folder of its own, with one text of one file changed.
fn changed(suite: &str, file: &str, from: &str, to: &str) -> TempDir {
    let copy = TempDir::new().unwrap();
    let folder = workspace().join("policies/gatekeeper").join(suite);
    copy_folder(&folder, copy.path());
    let path = copy.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    fs::write(&path, text.replace(from, to)).unwrap();
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn test(folder: &Path) -> (Ran, Vec<Value>) {
    let ran = regent(&["test", folder.to_str().unwrap(), "--format", "json"]);
    let document: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    let results = document["results"].as_array().unwrap().clone();
    (ran, results)
}

fn failed(folder: &TempDir) -> Vec<String> {
    let (ran, results) = test(folder.path());
    assert_eq!(ran.status, ExitStatus::Failed);
    let wrong = results.iter().filter(|line| line["outcome"] != "pass");
    wrong
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or("").to_owned();
            format!("{}: {}", text("resource"), text("message"))
        })
        .collect()
}

#[test]
fn suites_run_as_they_are() {
    let (ran, results) = test(&workspace().join("policies/gatekeeper"));
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stdout);
    assert_eq!(results.len(), 9);
    let one = regent(&[
        "test",
        workspace().join("policies/gatekeeper").to_str().unwrap(),
        "--test-case-selector",
        "policy=UniqueServiceSelector.*,resource=the-same-pods",
    ]);
    assert!(one.stdout.contains("1 tests passed"), "{}", one.stdout);
}

#[test]
fn a_case_fails_where_an_assertion_does_not_hold() {
    let suite = "required-labels";
    let count = changed(suite, "suite.yaml", "- violations: 2", "- violations: 3");
    let said = failed(&count);
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("odd-owner: expected 3 violations, found 2; it says: "),
        "{said:?}"
    );
    let text = changed(
        suite,
        "suite.yaml",
        "message: \"somebody\"",
        "message: \"nobody\"",
    );
    let said = failed(&text);
    assert!(
        said[0].starts_with("odd-owner: expected violations of `nobody`, found 0"),
        "{said:?}"
    );
    let policy = changed(suite, "constraint.yaml", "[kube-*]", "[other]");
    let said = failed(&policy);
    assert!(
        said[0].starts_with("excluded: expected no violations, found 1"),
        "{said:?}"
    );
}

#[test]
fn what_cannot_be_run_is_an_error_of_its_test() {
    let suite = "required-labels";
    let broken = changed(suite, "template.yaml", "count(missing)", "counted(missing)");
    let said = failed(&broken);
    assert_eq!(said, [": the template or the constraint cannot be used"]);
    let ran = regent(&["test", broken.path().to_str().unwrap()]);
    let shown = ran.stdout + &ran.stderr;
    assert!(shown.contains("there is no function `counted`"), "{shown}");
    let invalid = changed(
        suite,
        "suite.yaml",
        "    template:",
        "    invalid: true\n    template:",
    );
    assert_eq!(
        failed(&invalid),
        [": the template and the constraint are valid, and were expected not to be"]
    );
    let expansion = changed(
        suite,
        "suite.yaml",
        "    template:",
        "    expansion: e.yaml\n    template:",
    );
    let said = failed(&expansion);
    assert!(said[0].contains("`expansion` is not supported"), "{said:?}");
    let missing = changed(
        suite,
        "suite.yaml",
        "samples/owned.yaml",
        "samples/nothing.yaml",
    );
    let said = failed(&missing);
    assert!(
        said[0].starts_with("owned: ") && said[0].contains("nothing.yaml"),
        "{said:?}"
    );
}

#[test]
fn constraints_are_applied_and_checked_as_other_policies() {
    let folder = workspace().join("policies/gatekeeper/required-labels");
    let path = |name: &str| folder.join(name).display().to_string();
    let checked = regent(&["check", &path("template.yaml"), &path("constraint.yaml")]);
    assert_eq!(
        checked.status,
        ExitStatus::Pass,
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    let sample = path("samples/nobodys.yaml");
    let applied = regent(&[
        "apply",
        &path("template.yaml"),
        &path("constraint.yaml"),
        "-r",
        &sample,
    ]);
    assert_eq!(applied.status, ExitStatus::Failed);
    assert!(applied.stdout.contains("fail: 1"), "{}", applied.stdout);
    let alone = regent(&["check", &path("constraint.yaml")]);
    let shown = alone.stdout + &alone.stderr;
    assert!(
        shown.contains("there is no template of kind `RequiredLabels`"),
        "{shown}"
    );
}

/// Gatekeeper's own runner, where it is built.
fn gator() -> Option<PathBuf> {
    let built = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache/regent/bin/gator"));
    let path = env::var_os("GATOR").map(PathBuf::from).or_else(built);
    path.filter(|path| path.is_file())
}

/// `gator verify` on our suites and on broken ones: it fails where we do.
#[test]
fn gator_says_the_same() {
    let Some(gator) = gator() else {
        return needs(
            "gator, at $GATOR or ~/.cache/regent/bin/gator (`go install github.com/open-policy-agent/gatekeeper/v3/cmd/gator@v3.20.1`)",
        );
    };
    let verify = |folder: &Path| {
        let path: PathBuf = folder.join("suite.yaml");
        let ran = Command::new(&gator)
            .arg("verify")
            .arg(path)
            .output()
            .unwrap();
        (
            ran.status.success(),
            String::from_utf8_lossy(&ran.stdout).into_owned(),
        )
    };
    let policies = workspace().join("policies/gatekeeper");
    for suite in ["required-labels", "unique-service-selector"] {
        let (good, said) = verify(&policies.join(suite));
        assert!(good, "{suite}: {said}");
    }
    for (suite, file, from, to) in [
        (
            "required-labels",
            "suite.yaml",
            "- violations: 2",
            "- violations: 3",
        ),
        ("required-labels", "constraint.yaml", "[kube-*]", "[other]"),
        ("required-labels", "constraint.yaml", "[Namespace]", "[Pod]"),
        (
            "required-labels",
            "constraint.yaml",
            "kinds:\n",
            "scope: Namespaced\n    kinds:\n",
        ),
        (
            "unique-service-selector",
            "constraint.yaml",
            "kinds: [Service]",
            "kinds: [Pod]",
        ),
        (
            "unique-service-selector",
            "template.yaml",
            "not is_itself",
            "is_itself",
        ),
    ] {
        let folder = changed(suite, file, from, to);
        let (good, said) = verify(folder.path());
        let ours = test(folder.path()).0.status == ExitStatus::Pass;
        assert_eq!(
            (good, ours),
            (false, false),
            "{suite}: {from} as {to}: {said}"
        );
    }
}
