//! `regent rego test`: what it says, and that the real OPA says the same of the same tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use regent::exit_status::ExitStatus;
use regent_engine::rego::library;
use regent_tests::workspace;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Ran, regent};
use crate::opa::opa;

const AUTHZ: &str = "package authz\n\nallow if input.user == data.users.admin\n\nallow if input.path in data.public\n";

/// One test for each way in which one can end.
const AUTHZ_TEST: &str = r#"package authz_test

import data.authz

test_with_input_and_data if authz.allow with input as {"user": "root"} with data.users.admin as "root"

test_data_of_a_folder if authz.allow with input as {"user": "bob", "path": "/x"}

test_data_at_the_root if authz.allow with input as {"user": "eve", "path": "/login"}

test_denied if not authz.allow with input as {"user": "eve", "path": "/x"}

test_undefined if authz.allow with input as {"user": "eve", "path": "/x"}

test_false := false

test_number := 3

test_value := true

test_builtin_that_fails if to_number("x") == 1

todo_test_later if false

test_prints if {
	print("seen", 1)
	true
}

helper if true
"#;

const OLD: &str = "package old\n\ndeny[msg] {\n\tinput.bad\n\tmsg := \"bad\"\n}\n\ntest_denies {\n\tdeny[\"bad\"] with input as {\"bad\": true}\n}\n\ntest_lets_through {\n\tcount(deny) == 0 with input as {\"bad\": false}\n}\n\ntest_fails {\n\tcount(deny) == 3\n}\n";

const LIBRARY_TEST: &str = r#"package regent_test

import data.regent

test_wildcard if regent.wildcard("registry.example/app", "registry.example/*")

test_other if not regent.wildcard("a", "b?")

test_scalar if regent.scalar("5Gi", ">1Gi") == "pass"

test_scalar_fails if regent.scalar("5", "<3") == "fail"

test_condition if regent.condition("a", "AnyIn", ["a", "b"]) == "true"

test_pattern if regent.pattern({"spec": {"replicas": 3}}, {"spec": {"replicas": ">2"}}) == "pass"

test_wrong if regent.wildcard("a", "b")
"#;

const LABELS_TEST: &str = r#"package policy_test

import data.policy

parameters := {"labels": [{"key": "team", "allowedRegex": "^[a-z]+$"}]}

object(labels) := {"review": {"object": {"metadata": {"labels": labels}}}, "parameters": parameters}

test_missing if count(policy.violation) == 1 with input as object({})

test_odd if count(policy.violation) == 1 with input as object({"team": "A"})

test_fine if count(policy.violation) == 0 with input as object({"team": "a"})

test_not_so if count(policy.violation) == 1 with input as object({"team": "a"})
"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn authz() -> TempDir {
    folder(&[
        ("authz.rego", AUTHZ),
        ("authz_test.rego", AUTHZ_TEST),
        ("users/data.yaml", "admin: bob\n"),
        ("data.json", r#"{"public": ["/login"]}"#),
        ("README.md", "no module\n"),
    ])
}

fn ours(folder: &Path, more: &[&str]) -> Ran {
    let path = folder.to_str().unwrap();
    regent(&[&["rego", "test", path], more].concat())
}

/// How each test ended.
fn outcomes(json: &str) -> BTreeMap<String, &'static str> {
    let rows: Value = serde_json::from_str(json).expect(json);
    let rows = rows.as_array().unwrap().iter();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    rows.map(|row| {
        let name = format!("{}.{}", text(row, "package"), text(row, "name"));
        let fields = [("fail", "fail"), ("skip", "skip"), ("error", "error")];
        let mut found = fields.iter().filter(|(field, _)| row.get(field).is_some());
        (name, found.next().map_or("pass", |(_, word)| word))
    })
    .collect()
}

#[test]
fn each_test_ends_as_it_should() {
    let folder = authz();
    let ran = ours(folder.path(), &[]);
    assert_eq!(ran.status, ExitStatus::RegoFailed, "{}", ran.stderr);
    let said = &ran.stdout;
    assert!(
        said.contains("data.authz_test.test_undefined: FAIL ("),
        "{said}"
    );
    assert!(
        said.contains("data.authz_test.todo_test_later: SKIPPED\n"),
        "{said}"
    );
    assert!(!said.contains("test_denied"), "{said}");
    assert!(
        said.ends_with("PASS: 6/11\nFAIL: 4/11\nSKIPPED: 1/11\n"),
        "{said}"
    );
    let ran = ours(folder.path(), &["-v", "--run", "test_(denied|prints)$"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("seen 1") && ran.stdout.ends_with("PASS: 2/2\n"),
        "{}",
        ran.stdout
    );
    let ran = ours(folder.path(), &["--run", "nothing"]);
    assert_eq!(
        (ran.status, ran.stderr.as_str()),
        (ExitStatus::Pass, "no test was run\n")
    );
}

#[test]
fn what_cannot_be_run_is_an_error() {
    for (text, expected) in [
        (
            "package a\n\ntest_a if nobody(1)\n",
            "a_test.rego:3:11: there is no function `nobody`",
        ),
        ("package a\n\ntest_a if {\n", "a_test.rego:4:1: "),
        (
            "package a\n\ntest_a if true\n\ntest_a if false\n",
            "there is a test `data.a.test_a` already",
        ),
        (
            "package a\n\ntest_a[x] if some x in [1]\n",
            "tests of several cases are not supported",
        ),
        (
            "package a\n\ntest_a(x) if x\n",
            "not one rule without arguments",
        ),
        (
            "package a\n\ntest_a if http.send({})\n",
            "`http.send` cannot be called",
        ),
    ] {
        let folder = folder(&[("a_test.rego", text)]);
        let ran = ours(folder.path(), &[]);
        assert_eq!(ran.status, ExitStatus::Failed, "{text}{}", ran.stdout);
        assert!(ran.stderr.contains(expected), "{text}{}", ran.stderr);
    }
    for files in [
        &[("a.json", "{\"a\": 1}"), ("b.json", "{\"a\": 2}")][..],
        &[("a.yaml", "a: 1\n---\na: 2\n")],
        &[("a.json", "[1]")],
        &[("a.json", "{")],
    ] {
        let folder = folder(files);
        let ran = ours(folder.path(), &[]);
        assert_eq!(ran.status, ExitStatus::Failed, "{files:?}");
    }
    assert_eq!(ours(Path::new("/nowhere"), &[]).status, ExitStatus::Failed);
}

/// A test that runs without end is stopped, and the others run.
#[test]
fn a_test_that_takes_too_long_is_an_error_of_its_own() {
    let slow = "package a\n\ntest_slow if {\n\tsome x in numbers.range(1, 100000)\n\tsome y in numbers.range(1, 100000)\n\tx * y == 0\n}\n\ntest_quick if true\n";
    let folder = folder(&[("a_test.rego", slow)]);
    let ran = ours(folder.path(), &["--timeout", "1", "--format", "json"]);
    let found = outcomes(&ran.stdout);
    assert_eq!(found["data.a.test_slow"], "error");
    assert_eq!(found["data.a.test_quick"], "pass");
    assert_eq!(ran.status, ExitStatus::RegoFailed);
}

#[test]
fn opa_says_the_same() {
    let Some(opa) = opa() else { return };
    let required = workspace().join("wasm-modules/required-labels/policy.rego");
    let required = fs::read_to_string(required).unwrap();
    let library = library::text();
    let old = &["--v0-compatible"][..];
    for (folder, more) in [
        (authz(), &[][..]),
        (folder(&[("old.rego", OLD)]), old),
        (
            folder(&[
                ("policy.rego", &required),
                ("policy_test.rego", LABELS_TEST),
            ]),
            &[],
        ),
        (
            folder(&[
                (library::PATH, &library),
                ("regent_test.rego", LIBRARY_TEST),
            ]),
            &[],
        ),
        (folder(&[("a.rego", "package a\n\ntest_a if true\n")]), &[]),
        (
            folder(&[("a.rego", "package a\n\ntest_a if nobody(1)\n")]),
            &[],
        ),
    ] {
        let ran = ours(folder.path(), &[&["--format", "json"], more].concat());
        let theirs = Command::new(&opa)
            .args(["test", "--format", "json"])
            .args(more)
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(theirs.stdout).unwrap();
        let status = i32::from(ran.status.code());
        assert_eq!(
            theirs.status.code(),
            Some(status),
            "{said}{}{}",
            ran.stdout,
            ran.stderr
        );
        if status != 1 {
            assert_eq!(outcomes(&ran.stdout), outcomes(&said));
        }
    }
}
