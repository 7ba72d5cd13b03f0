//! Kyverno's own test folders, run by `regent test`, counted, and held to a floor.
//!
//! `tests/conformance/CORPUS.floor.txt` holds what passed before and only rises; `UPDATE_EXPECT=1` raises it.
//! `tests/conformance/CORPUS.known-failures.txt` names each core folder that fails, with the reason; one that passes after all
//! is an error too. What this version does not support yet is counted, and never as a pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regent_tests::{record, shared_path, workspace};
use serde_json::{Map, Value};

use crate::command::regent;

#[derive(Debug, Default)]
struct Folder {
    good: usize,
    failed: Vec<String>,
    errors: Vec<String>,
}

impl Folder {
    fn rows(&self) -> usize {
        self.good + self.failed.len() + self.errors.len()
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    folders: usize,
    rows: usize,
}

#[test]
fn kyverno_policies() {
    run("kyverno-policies");
}

#[test]
fn kyverno_cli() {
    run("kyverno-cli");
}

fn run(corpus: &str) {
    let Some(root) = shared_path(&format!("conformance/{corpus}")) else {
        return;
    };
    let Some(needs) = shared_path("conformance/needs.json") else {
        return;
    };
    let needs: Value = serde_json::from_str(&fs::read_to_string(needs).unwrap()).unwrap();
    let needs = needs[corpus].as_object().unwrap();
    let all = needs.keys().map(String::as_str).collect();
    let (folders, others): (BTreeMap<_, _>, BTreeMap<_, _>) = folders(&root, &all)
        .into_iter()
        .partition(|(name, _)| needs[name] == "core");
    record_others(corpus, needs, &others);
    let rows: usize = folders.values().map(Folder::rows).sum();
    let passed = Counts {
        folders: folders
            .values()
            .filter(|folder| folder.failed.is_empty() && folder.errors.is_empty())
            .count(),
        rows: folders.values().map(|folder| folder.good).sum(),
    };
    record(&format!("{corpus}-folders"), passed.folders, folders.len());
    record(&format!("{corpus}-rows"), passed.rows, rows);
    let mut problems = against_known(corpus, &folders);
    problems.extend(against_floor(corpus, &passed));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What came of folders that need more than the language, by what they need: printed, and held to nothing.
fn record_others(corpus: &str, needs: &Map<String, Value>, folders: &BTreeMap<String, Folder>) {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (name, folder) in folders {
        let (good, rows) = counts.entry(needs[name].as_str().unwrap()).or_default();
        *good += folder.good;
        *rows += folder.rows();
    }
    for (need, (good, rows)) in counts {
        record(&format!("{corpus}-rows-needing-{need}"), good, rows);
    }
}

/// What came of each of these folders.
fn folders(root: &Path, wanted: &BTreeSet<&str>) -> BTreeMap<String, Folder> {
    let root_name = root.to_str().unwrap();
    let ran = regent(&["test", root_name, "--format", "json"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut folders: BTreeMap<String, Folder> = wanted
        .iter()
        .map(|folder| ((*folder).to_owned(), Folder::default()))
        .collect();
    for line in document["results"].as_array().unwrap() {
        let file = Path::new(line["file"].as_str().unwrap());
        let folder = file.parent().unwrap().strip_prefix(root).unwrap();
        let Some(folder) = folders.get_mut(folder.to_str().unwrap()) else {
            continue;
        };
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let said = format!(
            "{} {} {}: {}: {}",
            text("policy"),
            text("rule"),
            text("resource"),
            text("reason"),
            text("message").lines().next().unwrap_or_default()
        );
        match line["outcome"].as_str().unwrap() {
            "pass" | "skip" => folder.good += 1,
            "fail" => folder.failed.push(said),
            _ if text("reason") == "Not supported" => folder.errors.push(said),
            _ => folder.failed.push(said),
        }
    }
    for (name, folder) in &mut folders {
        if folder.rows() == 0 {
            folder.failed.push(format!("`{name}` was not run"));
        }
    }
    folders
}

fn against_known(corpus: &str, folders: &BTreeMap<String, Folder>) -> Vec<String> {
    let known = lines(&format!("{corpus}.known-failures.txt"));
    let known: BTreeMap<&str, &str> = known
        .iter()
        .map(|line| {
            let (folder, reason) = line.split_once(": ").expect("`FOLDER: REASON`");
            (folder, reason)
        })
        .collect();
    let mut problems = Vec::new();
    for (name, folder) in folders {
        match (known.get(name.as_str()), folder.failed.first()) {
            (None, Some(_)) => {
                problems.push(format!("{corpus}/{name} fails:"));
                problems.extend(folder.failed.iter().map(|line| format!("    {line}")));
            }
            (Some(_), None) => {
                problems.push(format!(
                    "{corpus}/{name} does not fail; take it off the list (UPDATE_EXPECT=1 does)"
                ));
            }
            _ => {}
        }
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        drop_lines(corpus, folders);
    }
    let unknown = known.keys().filter(|name| !folders.contains_key(**name));
    problems.extend(unknown.map(|name| format!("{corpus}/{name} is no core folder")));
    problems
}

/// Takes what does not fail any more off the list of known failures.
fn drop_lines(corpus: &str, folders: &BTreeMap<String, Folder>) {
    let text = fs::read_to_string(path(&format!("{corpus}.known-failures.txt"))).unwrap();
    let stays = |line: &&str| {
        let name = line.split_once(": ").map_or("", |(name, _)| name);
        let folder = folders.get(name);
        folder.is_none_or(|folder| !folder.failed.is_empty())
    };
    let lines: Vec<_> = text.lines().filter(stays).collect();
    fs::write(
        path(&format!("{corpus}.known-failures.txt")),
        lines.join("\n") + "\n",
    )
    .unwrap();
}

fn against_floor(corpus: &str, passed: &Counts) -> Vec<String> {
    let found: BTreeMap<String, usize> = lines(&format!("{corpus}.floor.txt"))
        .iter()
        .map(|line| {
            let (name, count) = line.split_once(": ").expect("`NAME: COUNT`");
            (name.to_owned(), count.parse().expect("a count"))
        })
        .collect();
    let mut problems = Vec::new();
    let mut raised = found.clone();
    for (what, count) in [("folders", passed.folders), ("rows", passed.rows)] {
        let name = what.to_owned();
        let floor = found.get(&name).copied().unwrap_or(0);
        if count < floor {
            problems.push(format!(
                "{corpus}: {count} {what} passed, and {floor} did before"
            ));
        }
        raised.insert(name, count.max(floor));
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() && raised != found {
        let lines: Vec<_> = raised
            .iter()
            .map(|(name, count)| format!("{name}: {count}"))
            .collect();
        fs::write(
            path(&format!("{corpus}.floor.txt")),
            lines.join("\n") + "\n",
        )
        .unwrap();
    }
    problems
}

fn lines(name: &str) -> Vec<String> {
    fs::read_to_string(path(name))
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn path(name: &str) -> PathBuf {
    workspace().join("tests/conformance").join(name)
}
