//! `regent rego test`: what it says, and that the real OPA says the same of the same tests.

use std::collections::{BTreeMap, BTreeSet};
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

const OLD_CASES: &str = "package old\n\ntest_a[name] = ok {\n\tname := [\"x\", \"y\"][i]\n\tok := i == 0\n}\n\ntest_a {\n\ttrue\n}\n";

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

/// Tests of one name, tests of several cases, and what is named as a test and is none.
const CASES_TEST: &str = r#"package cases_test

test_twice if true

test_twice if false

test_twice if true

below.test_deep if true

below.test_deep if false

test_constant.foo if true

test_key["a"] if 1 == 2

test_named[note] if {
	some note, case in {"one": 1, "two": 2}
	case == 1
}

test_named[note] if {
	some i in [1, 2, 3]
	note := i * 2
	note > 2
}

test_field[case.note] if {
	some case in [{"note": "a", "v": 1}, {"note": "b"}, {"note": "c", "v": 2}]
	case.v == 1
}

test_nested[a][b] if {
	some a in ["u", "v"]
	some b in [1, 2]
	b == 1
}

test_values[name] := value if some name, value in {"x": true, "y": false, "z": 3}

test_odd_names[name] if {
	some name in [{"a": 1}, [1, "b"], null]
	name != null
}

test_without_cases[x] if some x in []

test_set contains x if some x in [1]

todo_test_later if false

todo_test_later if false
"#;

/// A module of which tests reach a part, and its tests. Nothing in it is left out by what OPA looks up before it evaluates.
const PARTS: &str = r#"package parts

import rego.v1

default allow := false

allow if {
	count(input.roles) > 1
	some role in input.roles
	startswith(role, "adm")
	count(input.more) > 2
}

level := "high" if {
	count(input.roles) > 5
} else := "middle" if {
	count(input.roles) > 1
} else := "low"

deny contains message if {
	some role in input.roles
	startswith(role, "x")
	message := sprintf(
		"no %s",
		[role],
	)
}

one_more(x) := x + 1

table := {
	"a": 1,
	"b": [y | some y in [1, 2]; y > 1],
}

quick if count(input.roles) > 9

every_role if {
	every role in input.roles {
		startswith(role, "a")
		endswith(role, "z")
	}
}

unused if count(input.nothing) > 3
"#;

const PARTS_TEST: &str = r#"package parts_test

import data.parts

roles(names) := {"roles": names, "more": [], "nothing": []}

test_allow if not parts.allow with input as roles(["admin", "user"])

test_level if parts.level == "middle" with input as roles(["a", "b"])

test_deny if count(parts.deny) == 0 with input as roles(["a"])

test_table if parts.table.a == 1

test_quick if not parts.quick with input as roles(["a"])

test_every if not parts.every_role with input as roles(["b"])

test_cases[name] if {
	some name, names in {"one": ["a", "b"], "two": ["c", "d"]}
	parts.level == "middle" with input as roles(names)
}

test_plus if true

test_plus if true
"#;

fn parts() -> TempDir {
    folder(&[("parts.rego", PARTS), ("parts_test.rego", PARTS_TEST)])
}

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

/// The cases of each test that has some.
fn cases(json: &str) -> BTreeMap<String, Value> {
    let rows: Value = serde_json::from_str(json).expect(json);
    let rows = rows.as_array().unwrap().iter();
    let with_cases = rows.filter_map(|row| {
        let name = row["name"].as_str().unwrap().to_owned();
        Some((name, row.get("sub_results")?.clone()))
    });
    with_cases.collect()
}

#[test]
fn cases_and_tests_of_one_name_are_told_apart() {
    let folder = folder(&[("cases_test.rego", CASES_TEST)]);
    let ran = ours(folder.path(), &["-v"]);
    assert_eq!(ran.status, ExitStatus::RegoFailed, "{}", ran.stderr);
    for line in [
        "data.cases_test.test_twice#01: FAIL (",
        "data.cases_test.below[\"test_deep#01\"]: FAIL (",
        "  one: PASS\n  two: FAIL\n",
        "  u: FAIL\n    1: PASS\n    2: FAIL\n",
    ] {
        assert!(ran.stdout.contains(line), "{line}{}", ran.stdout);
    }
    let ran = ours(folder.path(), &["--run", "test_twice#02"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stdout);
    let function = self::folder(&[("a.rego", "package a\n\ntest_a(x) if x\n\ntest_b if true\n")]);
    let ran = ours(function.path(), &["--format", "json"]);
    let found = outcomes(&ran.stdout);
    assert_eq!(
        (found["data.a.test_a"], found["data.a.test_b"]),
        ("error", "pass")
    );
}

/// The lines of each file that are covered, and that are not.
fn covered(json: &str) -> BTreeMap<String, [BTreeSet<u64>; 2]> {
    let report: Value = serde_json::from_str(json).expect(json);
    let files = report["files"].as_object().unwrap().iter();
    let lines = |file: &Value, field: &str| {
        let ranges = file[field].as_array().into_iter().flatten();
        let row = |range: &Value, end: &str| range[end]["row"].as_u64().unwrap();
        ranges
            .flat_map(|range| row(range, "start")..=row(range, "end"))
            .collect()
    };
    files
        .map(|(name, file)| {
            let name = Path::new(name).file_name().unwrap().to_str().unwrap();
            (
                name.to_owned(),
                [lines(file, "covered"), lines(file, "not_covered")],
            )
        })
        .collect()
}

#[test]
fn coverage_says_what_tests_reach() {
    let folder = parts();
    let ran = ours(folder.path(), &["--coverage"]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}{}", ran.stdout, ran.stderr);
    let [reached, missed] = &covered(&ran.stdout)["parts.rego"];
    // The body of `allow` up to what fails, and its head not.
    assert!(
        [5, 8, 9, 10, 11].iter().all(|line| reached.contains(line)),
        "{reached:?}"
    );
    assert!(missed.contains(&7) && !reached.contains(&7), "{missed:?}");
    // One line of a rule: its expression is reached, its head is not.
    assert!(missed.contains(&36) && reached.contains(&36), "{missed:?}");

    let less = ours(folder.path(), &["--threshold", "99.5", "-v"]);
    assert_eq!(
        (less.status, less.stdout.as_str()),
        (ExitStatus::RegoFailed, "")
    );
    assert!(
        less.stderr
            .contains("Code coverage threshold not met: got ")
            && less
                .stderr
                .contains(" instead of 99.50\nLines not covered:\n\t"),
        "{}",
        less.stderr
    );
    let enough = ours(folder.path(), &["--threshold", "10"]);
    assert_eq!(
        (enough.status, enough.stdout),
        (ExitStatus::Pass, ran.stdout)
    );
    let failing = ours(authz().path(), &["--coverage"]);
    assert_eq!(failing.status, ExitStatus::Failed);
    assert!(
        failing.stdout.contains("test_undefined: FAIL"),
        "{}",
        failing.stdout
    );
}

/// Lines, the counts and how it ends; OPA's ranges are those of its compiler.
#[test]
fn coverage_is_that_of_opa() {
    let Some(opa) = opa() else { return };
    let folder = parts();
    for more in [
        &["--coverage"][..],
        &["--coverage", "--run", "test_(level|table)"],
        &["--threshold", "99"],
        &["--threshold", "20"],
        &["--threshold", "101"],
    ] {
        let ours = ours(folder.path(), more);
        let theirs = Command::new(&opa)
            .arg("test")
            .args(more)
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(theirs.stdout).unwrap();
        if more != ["--threshold", "101"] {
            assert_eq!(
                theirs.status.code(),
                Some(i32::from(ours.status.code())),
                "{more:?}{}",
                ours.stderr
            );
        }
        if theirs.status.success() {
            assert_eq!(covered(&ours.stdout), covered(&said), "{more:?}");
            let figures = |text: &str| {
                let report: Value = serde_json::from_str(text).unwrap();
                ["covered_lines", "not_covered_lines", "coverage"].map(|name| report[name].clone())
            };
            assert_eq!(figures(&ours.stdout), figures(&said));
        } else {
            assert_ne!(ours.status, ExitStatus::Pass);
        }
    }
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
        (ExitStatus::Failed, "no test was run\n")
    );
    let empty = tempfile::tempdir().unwrap();
    for more in [&[][..], &["--coverage"]] {
        let ran = ours(empty.path(), more);
        assert_eq!(ran.status, ExitStatus::Failed, "{}", ran.stdout);
        assert_eq!(ran.stderr, "no test was run\n");
    }
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
    let nowhere = ours(Path::new("/nowhere"), &[]);
    assert_eq!(nowhere.status, ExitStatus::Failed);
    let said = &nowhere.stderr;
    assert!(said.contains("/nowhere: No such file"), "{said}");
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
        (folder(&[("cases_test.rego", CASES_TEST)]), &[]),
        (folder(&[("old_test.rego", OLD_CASES)]), old),
        (parts(), &[]),
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
            assert_eq!(cases(&ran.stdout), cases(&said));
        }
    }
}
