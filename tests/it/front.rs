//! The parser against every policy that other projects' tests hold: each is accepted, or refused for what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regent_engine::ast::Checked;
use regent_engine::load::{self, Environment};
use regent_engine::source::Source;
use regent_tests::{record, shared_path};
use serde_json::Value;

/// All YAML files below a folder, in order.
fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            found.push(path);
        }
    }
}

/// Whether a text holds a policy of the kinds that are read.
fn has_policy(text: &str) -> bool {
    let kind = text
        .lines()
        .any(|line| matches!(line.trim_end(), "kind: ClusterPolicy" | "kind: Policy"));
    kind && text.contains("apiVersion: kyverno.io/")
}

/// What a corpus came to.
#[derive(Default)]
struct Tally {
    policies: usize,
    accepted: usize,
}

impl Tally {
    fn take(&mut self, name: String, text: String) -> Vec<Checked> {
        self.policies += 1;
        let source = Source::new(name, text);
        let (policies, diagnostics) = load::front(&[source], &Environment::default());
        self.accepted += usize::from(!policies.is_empty());
        let errors = || {
            diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.is_error())
        };
        assert_eq!(policies.is_empty(), errors().count() > 0, "{diagnostics:?}");
        policies
    }
}

#[test]
fn policies_of_the_corpora_are_accepted_or_refused_by_name() {
    let mut tally = Tally::default();
    for corpus in ["conformance/kyverno-policies", "conformance/kyverno-cli"] {
        let Some(folder) = shared_path(corpus) else {
            return;
        };
        let mut paths = Vec::new();
        yaml_files(&folder, &mut paths);
        for path in paths {
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            for document in text.split("\n---").filter(|text| has_policy(text)) {
                tally.take(path.display().to_string(), document.to_owned());
            }
        }
    }
    record("policies-loaded", tally.accepted, tally.policies);
}

/// The rules that Kyverno answers with, autogen's among them, are the rules that we have.
#[test]
fn rules_are_those_that_kyverno_answers_with() {
    let mut tally = Tally::default();
    let mut missing = Vec::new();
    let Some(folder) = shared_path("conformance/oracle/language") else {
        return;
    };
    for path in json_files(&folder) {
        let case: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for policy in case["policies"].as_array().unwrap() {
            tally.take(path.display().to_string(), policy.to_string());
        }
    }
    let Some(folder) = shared_path("conformance/oracle") else {
        return;
    };
    for corpus in ["policies", "cli"] {
        for path in json_files(&folder.join(corpus)) {
            let case: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            missing.extend(missing_rules(&mut tally, &folder, corpus, &case));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    paths
}

/// Rules of a recorded case that none of our policies has.
fn missing_rules(tally: &mut Tally, oracle: &Path, corpus: &str, case: &Value) -> Vec<String> {
    let folder = oracle
        .join("..")
        .join(format!("kyverno-{corpus}"))
        .join(case["folder"].as_str().unwrap());
    let mut rules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in case["policies"].as_array().unwrap() {
        let path = folder.join(path.as_str().unwrap());
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for document in text.split("\n---").filter(|text| has_policy(text)) {
            for checked in tally.take(path.display().to_string(), document.to_owned()) {
                let policy = checked.policy();
                let names = policy.rules.iter().map(|rule| rule.name.value.clone());
                rules
                    .entry(policy.name.value.clone())
                    .or_default()
                    .extend(names);
            }
        }
    }
    let resources = case["resources"].as_array().unwrap();
    let results = resources
        .iter()
        .flat_map(|one| one["results"].as_array().unwrap());
    let mut missing = BTreeSet::new();
    for result in results {
        let policy = result["policy"].as_str().unwrap();
        let rule = result["rule"].as_str().unwrap_or("");
        if rules.get(policy).is_some_and(|rules| !rules.contains(rule)) {
            missing.insert(format!("{}: {policy} has no rule {rule}", folder.display()));
        }
    }
    missing.into_iter().collect()
}
