//! The templates for pipelines: workflows that keep to what their README promises, and policies that admit what they make.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regent::exit_status::ExitStatus;
use regent_tests::{needs, workspace};
use serde_json::Value;

use crate::command::regent;

/// Files below `templates/` whose names end in `suffix`.
fn files(suffix: &str) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below(&workspace().join("templates"), &mut found);
    found.retain(|path| path.to_str().unwrap().ends_with(suffix));
    found.sort();
    found
}

/// The linter, where it is built.
fn actionlint() -> Option<PathBuf> {
    let built = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache/regent/bin/actionlint"));
    let path = env::var_os("ACTIONLINT").map(PathBuf::from).or_else(built);
    path.filter(|path| path.is_file())
}

/// GitHub's workflows, by their text.
fn workflows() -> Vec<(PathBuf, String)> {
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    let all = files(".yml").into_iter().map(text);
    all.filter(|(_, text)| text.contains("runs-on:")).collect()
}

#[test]
fn policies_admit_what_the_pipelines_make_and_nothing_else() {
    let templates = workspace().join("templates");
    let ran = regent(&[
        "test",
        templates.to_str().unwrap(),
        "--strict",
        "--format",
        "json",
    ]);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let rows = document["results"].as_array().unwrap();
    let tests = files("kyverno-test.yaml");
    assert_eq!(tests.len(), 3, "a template without a test");
    for expected in ["pass", "fail"] {
        let found = rows.iter().filter(|row| row["expected"] == expected);
        assert!(found.count() >= tests.len(), "{rows:#?}");
    }
}

#[test]
fn policies_have_no_warning() {
    let policies = files("policy.yaml");
    let mut arguments = vec!["check"];
    arguments.extend(policies.iter().map(|path| path.to_str().unwrap()));
    let ran = regent(&arguments);
    let expected = format!("checked {} files: 0 errors, 0 warnings\n", policies.len());
    assert_eq!(ran.stdout, expected, "{}", ran.stderr);
}

#[test]
fn actions_are_pinned_by_commit_and_permissions_begin_at_nothing() {
    let workflows = workflows();
    assert_eq!(workflows.len(), 3);
    for (path, text) in workflows {
        let name = path.display();
        assert!(text.contains("\npermissions: {}\n"), "{name}");
        for line in text.lines().filter(|line| line.contains("uses: ")) {
            let (_, used) = line.split_once("uses: ").unwrap();
            // The generator is known by its tag, which policies name.
            if used.starts_with("slsa-framework/slsa-github-generator/") {
                continue;
            }
            let (pin, version) = used
                .split_once('@')
                .and_then(|(_, rest)| rest.split_once(" # v"))
                .unwrap_or_else(|| panic!("{name}: `{used}` has no commit and version"));
            let is_commit = pin.len() == 40 && pin.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && !version.is_empty(), "{name}: {used}");
        }
    }
}

#[test]
fn workflows_have_no_lint() {
    let Some(actionlint) = actionlint() else {
        return needs(
            "actionlint, at $ACTIONLINT or ~/.cache/regent/bin/actionlint (`go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7`)",
        );
    };
    let workflows = workflows();
    let paths = workflows.iter().map(|(path, _)| path);
    let ran = Command::new(actionlint).args(paths).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
}
