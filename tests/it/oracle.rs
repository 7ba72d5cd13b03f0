//! Kyverno's own verdicts, construct by construct, against the engine run as the command line runs it.
//!
//! Every evaluation here runs bytecode and interpreter: where they differ the rule is an error, and so a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use regent_engine::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation, Roles,
};
use regent_engine::evaluation::need::{Fact, FactError};
use regent_engine::evaluation::{Evaluation, Phase, Scope, Step};
use regent_engine::load::{Environment, Loaded, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::rego::record::Asked;
use regent_engine::response::{PolicyResponse, RuleResponse};
use regent_engine::source::Source;
use regent_engine::trace::Trace;
use serde_json::Value;

/// Verdicts that agree, and messages that do, of those that were asked; floors may only rise.
///
/// What is left: the values of a map come in no order (`jmespath`).
const FLOORS: [(&str, usize, usize); 6] = [
    ("pattern-scalar", 5005, 5005),
    ("pattern-structure", 3360, 3360),
    ("condition", 8103, 8103),
    ("selection", 930, 930),
    ("foreach", 397, 397),
    ("jmespath", 404, 403),
];

/// The names of the constructs.
pub(super) fn constructs() -> impl Iterator<Item = &'static str> {
    FLOORS.into_iter().map(|(name, ..)| name)
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn request(object: &Value) -> AdmissionRequest {
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
        roles: Some(Roles::default()),
        object: Some(Arc::new(object.clone())),
        old_object: None,
        dry_run: false,
        options: None,
    }
}

/// Status and message.
pub(super) type Answer = (String, String);
/// By policy and rule.
pub(super) type Answers = BTreeMap<(String, String), Answer>;

/// By bytecode and interpreter, and by the explainer's walk: where one differs it is said, or an error of the rule.
pub(super) fn evaluate(set: &Arc<PolicySet>, object: &Value) -> Answers {
    let mut evaluation = started(set, object).with_second_opinion().tracing();
    let responses = finish(&mut evaluation);
    let disagreements = disagreements(&evaluation.take_traces());
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    responses.into_iter().flat_map(answers_of).collect()
}

/// Where the explainer's walk comes to something else than the programs.
pub(super) fn disagreements(traces: &[Trace]) -> Vec<String> {
    let of_trace = |trace: &Trace| {
        let (policy, rule) = (&trace.policy, &trace.rule);
        let said = trace.disagreements.iter();
        let said = said.map(|one| format!("{policy} {rule}: {one}"));
        said.collect::<Vec<_>>()
    };
    traces.iter().flat_map(of_trace).collect()
}

/// By bytecode alone.
pub(super) fn evaluate_once(set: &Arc<PolicySet>, object: &Value) -> Answers {
    answers(started(set, object))
}

fn started(set: &Arc<PolicySet>, object: &Value) -> Evaluation {
    set.evaluate(
        Arc::new(request(object)),
        Phase::Validate,
        Scope::All,
        regent_server::clock::environment(),
    )
}

/// What programs are asked about an object.
pub(super) fn asked(set: &Arc<PolicySet>, object: &Value) -> Vec<Asked> {
    let mut evaluation = started(set, object).recording();
    finish(&mut evaluation);
    evaluation.take_record()
}

fn answers(mut evaluation: Evaluation) -> Answers {
    let responses = finish(&mut evaluation);
    responses.into_iter().flat_map(answers_of).collect()
}

fn finish(evaluation: &mut Evaluation) -> Vec<PolicyResponse> {
    loop {
        match evaluation.step() {
            Step::Need(needs) => {
                for (id, need) in needs {
                    let nothing = FactError::NotFound("the command line knows no cluster".into());
                    evaluation.answer(id, Fact::missing(&need, nothing));
                }
            }
            Step::Done(responses) => return responses,
        }
    }
}

fn answers_of(policy: PolicyResponse) -> Vec<((String, String), Answer)> {
    let name = policy.policy;
    let answer = |rule: RuleResponse| {
        (
            (name.clone(), rule.rule),
            (rule.status.name().to_owned(), rule.message),
        )
    };
    policy.rules.into_iter().map(answer).collect()
}

/// What one construct came to.
#[derive(Default)]
struct Counts {
    agree: usize,
    messages: usize,
    of: usize,
    unloaded: usize,
    shown: Vec<String>,
}

impl Counts {
    fn add(
        &mut self,
        object: &Value,
        key: &(String, String),
        want: Option<&Answer>,
        got: Option<&Answer>,
    ) {
        let same = want.map(|one| &one.0) == got.map(|one| &one.0);
        self.agree += usize::from(same);
        self.messages += usize::from(same && want.map(|one| &one.1) == got.map(|one| &one.1));
        let is_said = want.map(|one| &one.1) == got.map(|one| &one.1);
        if !same || !is_said {
            self.shown.push(format!(
                "{key:?} on {object}: Kyverno {want:?}, Regent {got:?}"
            ));
        }
    }

    fn file(&mut self, document: &Value) {
        let loaded = loaded(document);
        let errors = loaded.diagnostics.iter().filter(|one| one.is_error());
        let missing: BTreeSet<&str> = errors.map(|one| one.source.name.as_str()).collect();
        for resource in list(&document["resources"]) {
            let object = &resource["object"];
            let answers = evaluate(&loaded.policies, object);
            let wanted = wanted(resource);
            let keys: BTreeSet<_> = wanted.keys().chain(answers.keys()).collect();
            self.of += keys.len();
            let (left_out, asked): (Vec<_>, Vec<_>) = keys
                .into_iter()
                .partition(|key| missing.contains(key.0.as_str()));
            self.unloaded += left_out.len();
            for key in asked {
                self.add(object, key, wanted.get(key), answers.get(key));
            }
        }
    }
}

pub(super) fn wanted(resource: &Value) -> Answers {
    let row = |row: &Value| {
        let field = |name: &str| row[name].as_str().unwrap_or("").to_owned();
        (
            (field("policy"), field("rule")),
            (field("result"), field("message")),
        )
    };
    list(&resource["results"]).iter().map(row).collect()
}

/// The files of a construct; none where they are not there.
pub(super) fn documents(prefix: &str) -> Option<Vec<Value>> {
    let folder = regent_tests::shared_path("conformance/oracle/language")?;
    let entries = fs::read_dir(&folder).expect("a folder");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let of_prefix = files.into_iter().filter(|file| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix))
    });
    let read = |file| {
        let text = fs::read_to_string(file).expect("readable");
        serde_json::from_str(&text).expect("JSON")
    };
    Some(of_prefix.map(read).collect())
}

/// The policies of a file, and what is wrong with them.
pub(super) fn loaded(document: &Value) -> Loaded {
    let source = |policy: &Value| Source::new(text(policy, "/metadata/name"), policy.to_string());
    let sources: Vec<_> = list(&document["policies"]).iter().map(source).collect();
    load(&sources, &Environment::default())
}

fn compare(prefix: &str) {
    let Some(documents) = documents(prefix) else {
        return;
    };
    let mut counts = Counts::default();
    for document in documents {
        counts.file(&document);
    }
    let Counts {
        agree,
        messages,
        of,
        unloaded,
        shown,
    } = counts;
    regent_tests::record(&format!("oracle-{prefix}"), agree, of);
    let (_, floor, said) = FLOORS
        .into_iter()
        .find(|(name, ..)| *name == prefix)
        .expect("a floor");
    let first = shown
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    regent_tests::record(&format!("oracle-{prefix}-messages"), messages, of);
    regent_tests::note(&format!("oracle-{prefix}"), &shown.join("\n"));
    assert!(
        agree >= floor && messages >= said,
        "{prefix}: {agree} of {of} agree, {floor} did before; {messages} messages, {said} did before; {unloaded} not loaded\n{first}"
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

#[test]
fn foreaches() {
    compare("foreach");
}

#[test]
fn expressions() {
    compare("jmespath");
}
