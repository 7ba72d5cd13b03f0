//! Kyverno's own patched objects, against the engine run as the command line runs it.
//!
//! Every evaluation here runs bytecode and interpreter: where they differ the rule is an error, and so a difference.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regent_engine::evaluation::need::{Fact, FactError};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::load::{Environment, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::response::{PolicyResponse, RuleResponse, RuleType};
use regent_engine::source::Source;
use serde_json::Value;

use crate::oracle::{list, request, text};

/// The responses of rules that mutate, and the object as they leave it.
fn mutate(set: &Arc<PolicySet>, object: &Value) -> (Vec<PolicyResponse>, Value) {
    let mut evaluation = set
        .evaluate(
            Arc::new(request(object)),
            Phase::Mutate,
            Scope::All,
            regent_server::clock::environment(),
        )
        .with_second_opinion();
    let responses = loop {
        match evaluation.step() {
            Step::Need(needs) => {
                for (id, need) in needs {
                    let nothing = FactError::NotFound("the command line knows no cluster".into());
                    evaluation.answer(id, Fact::missing(&need, nothing));
                }
            }
            Step::Done(responses) => break responses,
        }
    };
    let rules = || responses.iter().flat_map(|policy| &policy.rules);
    let last = rules().rev().find_map(|rule| rule.patched.clone());
    let patched = last.map_or_else(|| object.clone(), |last| (*last).clone());
    (responses, patched)
}

/// As Kyverno's command line reads an object from a file: one without a namespace is in `default`.
fn placed(object: &Value, file: &str) -> Value {
    let mut object = object.clone();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata")
        && !file.starts_with("mutation")
    {
        metadata.entry("namespace").or_insert("default".into());
    }
    object
}

/// What a set of files came to.
#[derive(Default)]
struct Counts {
    agree: usize,
    of: usize,
    shown: Vec<String>,
}

impl Counts {
    fn count(&mut self, same: bool, show: impl FnOnce() -> String) {
        self.of += 1;
        self.agree += usize::from(same);
        if !same {
            self.shown.push(show());
        }
    }

    fn file(&mut self, name: &str, document: &Value, sources: &[Arc<Source>]) {
        let loaded = load(sources, &Environment::default());
        for resource in list(&document["resources"]) {
            let object = &placed(&resource["object"], name);
            let (responses, patched) = mutate(&loaded.policies, object);
            self.answers(
                &format!("{name} on {object}"),
                resource,
                answers(&responses),
            );
            let wanted = resource.get("patched").unwrap_or(&patched);
            self.count(*wanted == patched, || {
                format!("{name} on {object}: Kyverno made {wanted}, Regent {patched}")
            });
        }
    }

    fn answers(&mut self, what: &str, resource: &Value, mut got: Answers) {
        for row in list(&resource["results"]) {
            let field = |name: &str| text(row, &format!("/{name}")).to_owned();
            let key = (field("policy"), field("rule"));
            let wanted = (field("result"), field("message"));
            match got.remove(&key) {
                Some(got) => self.count(got == wanted, || {
                    format!("{what} {key:?}: Kyverno {wanted:?}, Regent {got:?}")
                }),
                // Other rows are of rules that do not mutate.
                None if wanted.1.contains("mutate") || wanted.1.contains("patch") => {
                    self.count(false, || format!("{what} {key:?}: Kyverno {wanted:?}"));
                }
                None => {}
            }
        }
        for (key, got) in got {
            self.count(false, || format!("{what} {key:?}: Regent {got:?}"));
        }
    }
}

/// Status and message by policy and rule.
type Answers = BTreeMap<(String, String), (String, String)>;

fn answers(responses: &[PolicyResponse]) -> Answers {
    let mut answers = Answers::new();
    for policy in responses {
        let mutates = |rule: &&RuleResponse| rule.rule_type == RuleType::Mutation;
        for rule in policy.rules.iter().filter(mutates) {
            let key = (policy.policy.clone(), rule.rule.clone());
            answers.insert(key, (rule.status.name().to_owned(), rule.message.clone()));
        }
    }
    answers
}

fn compare(set: &str, prefix: &str, floor: usize) {
    let Some(folder) = regent_tests::shared_path(&format!("conformance/oracle/{set}")) else {
        return;
    };
    let mut counts = Counts::default();
    let entries = fs::read_dir(&folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for file in files {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if !name.starts_with(prefix) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("readable");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let sources = sources(&document, &folder.join("../.."), set);
        // What needs a user or values is compared by the command line's tests.
        let plain = document["values"].is_null() && document["userinfo"].is_null();
        if plain && sources.iter().any(|source| source.text.contains("mutate")) {
            counts.file(name, &document, &sources);
        }
    }
    let Counts { agree, of, shown } = counts;
    regent_tests::record(&format!("oracle-mutate-{set}"), agree, of);
    let first = shown
        .iter()
        .take(12)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        agree >= floor,
        "{set}: {agree} of {of} agree, {floor} did before\n{first}"
    );
}

/// The policies of a file: in it, or in the folder that it names.
fn sources(document: &Value, conformance: &Path, set: &str) -> Vec<Arc<Source>> {
    let policies = list(&document["policies"]);
    let Some(folder) = document["folder"].as_str() else {
        let source =
            |policy: &Value| Source::new(text(policy, "/metadata/name"), policy.to_string());
        return policies.iter().map(source).collect();
    };
    let folder = conformance.join(format!("kyverno-{set}")).join(folder);
    let paths = policies.iter().filter_map(Value::as_str);
    paths
        .filter_map(|path| {
            let text = fs::read_to_string(folder.join(path)).ok()?;
            if text.contains("policies.kyverno.io/v") {
                return None;
            }
            Some(Source::new(path, text))
        })
        .collect()
}

#[test]
fn constructs() {
    compare("language", "mutation", 343);
}

#[test]
fn policies() {
    compare("policies", "", 1_701);
}

#[test]
fn command_line() {
    compare("cli", "", 835);
}
