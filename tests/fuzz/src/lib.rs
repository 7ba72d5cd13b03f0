//! What the targets share: policies and resources made of a fuzzer's bytes, and what must hold of every answer.

pub mod guests;

use std::sync::Arc;

use regent_engine::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation,
};
use regent_engine::evaluation::need::{Fact, FactError};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::jmespath::Environment;
use regent_engine::load::{self, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::response::RuleStatus;
use regent_engine::source::Source;
use serde_json::Value;

/// Some time.
pub const NOW: Environment = Environment {
    seconds: 1_780_000_000,
    nanoseconds: 0,
    seed: 1,
};

/// Loads a text as a file of policies; diagnostics must lie inside of the text.
pub fn policies(text: &str) -> Arc<PolicySet> {
    let source = Source::new("policy.yaml", text);
    let loaded = load(&[source], &load::Environment::default());
    for diagnostic in &loaded.diagnostics {
        assert_ne!(diagnostic.code.name(), "internal-error", "{diagnostic:?}");
        assert!(!diagnostic.message.contains('\n'), "{diagnostic:?}");
        for label in &diagnostic.labels {
            let (start, end) = (label.span.start, label.span.end);
            assert!(
                diagnostic.source.text.get(start..end).is_some(),
                "{diagnostic:?}"
            );
        }
    }
    loaded.policies
}

/// Evaluates policies on an object: bytecode, interpreter and explainer must agree.
pub fn evaluate(policies: &Arc<PolicySet>, object: &Value) {
    for phase in [Phase::Mutate, Phase::Validate] {
        let evaluation = policies.evaluate(Arc::new(request(object)), phase, Scope::All, NOW);
        let mut evaluation = evaluation.with_second_opinion().tracing();
        let responses = loop {
            match evaluation.step() {
                Step::Done(responses) => break responses,
                Step::Need(needs) => {
                    for (id, need) in needs {
                        let nothing = FactError::NotFound("nothing is there".into());
                        evaluation.answer(id, Fact::missing(&need, nothing));
                    }
                }
            }
        };
        for rule in responses.iter().flat_map(|policy| &policy.rules) {
            let is_defect =
                rule.message.contains("the compiled rule") && rule.status == RuleStatus::Error;
            assert!(!is_defect, "{}: {}", rule.rule, rule.message);
        }
        for trace in evaluation.take_traces() {
            assert!(trace.disagreements.is_empty(), "{:?}", trace.disagreements);
        }
    }
}

fn request(object: &Value) -> AdmissionRequest {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
    };
    AdmissionRequest {
        uid: "fuzz".into(),
        kind: GroupVersionKind {
            group: String::new(),
            version: "v1".into(),
            kind: "Pod".into(),
        },
        resource: GroupVersionResource::default(),
        sub_resource: None,
        name: text("/metadata/name").into(),
        namespace: Some("default".into()),
        operation: Operation::Create,
        user_info: None,
        roles: None,
        object: Some(Arc::new(object.clone())),
        old_object: None,
        dry_run: false,
        options: None,
    }
}
