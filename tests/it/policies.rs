//! The policies that ship: each has its tests, and they pass.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regent::exit_status::ExitStatus;
use regent_tests::{record, workspace};
use serde_json::Value;

use crate::command::regent;

/// Every folder with a policy: a category, and in it one folder a policy.
fn folders() -> Vec<PathBuf> {
    let below = |path: &Path| {
        let entries = fs::read_dir(path).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let categories = below(&workspace().join("policies"));
    let mut folders: Vec<_> = categories.iter().flat_map(|path| below(path)).collect();
    folders.sort();
    folders
}

#[test]
fn each_is_tested_both_ways() {
    let policies = workspace().join("policies");
    let ran = regent(&[
        "test",
        policies.to_str().unwrap(),
        "--strict",
        "--require-tests",
        "--format",
        "json",
    ]);
    let document: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    // How many rows of each file expect a pass, and how many a refusal.
    let mut found: BTreeMap<PathBuf, (usize, usize)> = BTreeMap::new();
    for line in document["results"].as_array().unwrap() {
        assert_eq!(line["outcome"], "pass", "{line:#}");
        let file = PathBuf::from(line["file"].as_str().unwrap());
        let counts = found.entry(file.parent().unwrap().to_owned()).or_default();
        match line["expected"].as_str().unwrap() {
            "pass" | "no violations" => counts.0 += 1,
            "fail" => counts.1 += 1,
            // Of a suite of Gatekeeper's: all that its assertions say.
            text if text.contains("violations") => counts.1 += 1,
            _ => {}
        }
    }
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let folders = folders();
    assert!(!folders.is_empty());
    for folder in &folders {
        let (pass, fail) = found.get(folder).copied().unwrap_or_default();
        let name = folder.display();
        assert!(pass > 0 && fail > 0, "{name}: {pass} pass, {fail} fail");
    }
    assert_eq!(found.len(), folders.len(), "tests outside of the folders");
    record("policies-tested", folders.len(), folders.len());
}

#[test]
fn none_has_a_warning() {
    let policies = folders();
    // A constraint of Gatekeeper's is checked with its template.
    let files = [
        "policy.yaml",
        "template.yaml",
        "constraint.yaml",
        "break-glass.yaml",
    ];
    let policies = policies.iter();
    let policies = policies.flat_map(|folder| files.map(|file| folder.join(file)));
    let policies: Vec<String> = policies
        .filter(|path| path.is_file())
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    let mut arguments = vec!["check"];
    arguments.extend(policies.iter().map(String::as_str));
    let ran = regent(&arguments);
    assert_eq!(ran.status, ExitStatus::Pass, "{}", ran.stderr);
    let all = policies.len();
    assert_eq!(
        ran.stdout,
        format!("checked {all} files: 0 errors, 0 warnings\n"),
        "{}",
        ran.stderr
    );
}
