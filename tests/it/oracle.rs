//! Kyverno's own verdicts, construct by construct, against the engine run as the command line runs it.
//!
//! Every evaluation here runs bytecode and interpreter: where they differ the rule is an error, and so a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use regent_engine::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation,
};
use regent_engine::evaluation::need::{Fact, FactError};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::load::{Environment, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::source::Source;
use serde_json::Value;

/// Verdicts that agree, of those that were asked; floors may only rise.
const FLOORS: [(&str, usize); 4] = [
    ("pattern-scalar", 5005),
    ("pattern-structure", 3232),
    ("condition", 8103),
    ("selection", 891),
];

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn request(object: &Value) -> AdmissionRequest {
    let version = text(object, "/apiVersion");
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let namespace = text(object, "/metadata/namespace");
    AdmissionRequest {
        uid: "oracle".into(),
        kind: GroupVersionKind {
            group: group.into(),
            version: version.into(),
            kind: text(object, "/kind").into(),
        },
        resource: GroupVersionResource::default(),
        sub_resource: None,
        name: text(object, "/metadata/name").into(),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        operation: Operation::Create,
        user_info: None,
        roles: vec![],
        cluster_roles: vec![],
        object: Some(object.clone()),
        old_object: None,
        dry_run: false,
        options: None,
    }
}

type Answers = BTreeMap<(String, String), (String, String)>;

fn evaluate(set: &Arc<PolicySet>, object: &Value) -> Answers {
    let mut evaluation = set
        .evaluate(Arc::new(request(object)), Phase::Validate, Scope::All)
        .with_second_opinion();
    loop {
        match evaluation.step() {
            Step::Need(needs) => {
                for (id, _) in needs {
                    let nothing =
                        FactError::NotFound("the command line knows no namespaces".into());
                    evaluation.answer(id, Fact::NamespaceLabels(Err(nothing)));
                }
            }
            Step::Done(responses) => {
                let rules = responses.into_iter().flat_map(|policy| {
                    let name = policy.policy;
                    policy.rules.into_iter().map(move |rule| {
                        (
                            (name.clone(), rule.rule),
                            (rule.status.name().to_owned(), rule.message),
                        )
                    })
                });
                return rules.collect();
            }
        }
    }
}

fn compare(prefix: &str) {
    let Some(folder) = regent_tests::shared_path("conformance/oracle/language") else {
        return;
    };
    let show = std::env::var("ORACLE_SHOW")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    let (mut agree, mut messages, mut of, mut unloaded) = (0, 0, 0, 0);
    let mut shown = 0;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for file in files {
        if !file
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(prefix))
        {
            continue;
        }
        let document: Value =
            serde_json::from_str(&fs::read_to_string(&file).expect("readable")).expect("JSON");
        let sources: Vec<_> = list(&document["policies"])
            .iter()
            .map(|policy| Source::new(text(policy, "/metadata/name"), policy.to_string()))
            .collect();
        let loaded = load(&sources, &Environment::default());
        let missing: BTreeSet<&str> = loaded
            .diagnostics
            .iter()
            .filter(|one| one.is_error())
            .map(|one| {
                *reasons
                    .entry(format!("{}: {}", one.code.name(), one.message))
                    .or_default() += 1;
                one.source.name.as_str()
            })
            .collect();
        for resource in list(&document["resources"]) {
            let object = &resource["object"];
            let answers = evaluate(&loaded.policies, object);
            let wanted: Answers = list(&resource["results"])
                .iter()
                .map(|row| {
                    let field = |name: &str| row[name].as_str().unwrap_or("").to_owned();
                    (
                        (field("policy"), field("rule")),
                        (field("result"), field("message")),
                    )
                })
                .collect();
            let keys: BTreeSet<_> = wanted.keys().chain(answers.keys()).collect();
            for key in keys {
                of += 1;
                if missing.contains(key.0.as_str()) {
                    unloaded += 1;
                    continue;
                }
                let (want, got) = (wanted.get(key), answers.get(key));
                if want.map(|one| &one.0) == got.map(|one| &one.0) {
                    agree += 1;
                    let same = want.map(|one| &one.1) == got.map(|one| &one.1);
                    messages += usize::from(same);
                    if same || std::env::var_os("ORACLE_MESSAGES").is_none() {
                        continue;
                    }
                }
                if shown < show {
                    shown += 1;
                    let policy = list(&document["policies"])
                        .iter()
                        .find(|policy| text(policy, "/metadata/name") == key.0);
                    println!(
                        "{}\n  {}\n  kyverno {want:?}\n  regent  {got:?}",
                        policy
                            .map_or_else(String::new, |policy| policy["spec"]["rules"].to_string()),
                        object
                    );
                }
            }
        }
    }
    for (reason, count) in reasons {
        println!("{prefix}: {count} policies not loaded: {reason}");
    }
    println!(
        "{prefix}: {agree} of {of} verdicts agree ({unloaded} of policies that do not load), {messages} messages"
    );
    regent_tests::record(&format!("oracle-{prefix}"), agree, of);
    let floor = FLOORS
        .iter()
        .find(|(name, _)| *name == prefix)
        .map_or(0, |(_, floor)| *floor);
    assert!(
        agree >= floor,
        "{prefix}: {agree} agree, {floor} did before"
    );
}

#[test]
fn pattern_scalars() {
    compare("pattern-scalar");
}

#[test]
fn pattern_structures() {
    compare("pattern-structure");
}

#[test]
fn conditions() {
    compare("condition");
}

#[test]
fn selections() {
    compare("selection");
}
