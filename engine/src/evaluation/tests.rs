use std::sync::Arc;

use serde_json::{Value, json};

use super::need::{Fact, FactError, Need};
use super::{Phase, Scope, Step};
use crate::admission::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation, Roles,
};
use crate::decision::{Decision, decide};
use crate::image::evidence::{
    CertificateIdentity, Format, LogEntry, Resolution, Signer, Verification, VerifiedSignature,
    VerifiedStatement,
};
use crate::image::{Digest, Evidence, VerifiedImage};
use crate::load::{Environment, load};
use crate::policy_set::PolicySet;
use crate::response::{PatchOperation, RuleStatus};
use crate::source::Source;

mod attestors;
mod blow_up;
mod break_glass;
mod callers;
mod candidates;
mod choice;
mod context_size;
mod denied_images;
mod exception;
mod extractors;
mod foreach;
mod fuel;
mod gatekeeper;
mod guests;
mod identities;
mod images;
mod large;
mod matching;
mod mutation;
mod pod_security;
mod provenance;
mod rego;
mod request_names;
mod together;
mod too_large;
mod validate;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(super) fn set(policy: &str) -> Arc<PolicySet> {
    let loaded = load(
        &[Source::new("policy.yaml", policy)],
        &Environment::default(),
    );
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|one| one.is_error())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    loaded.policies
}

pub(super) fn request(kind: &str, object: Value) -> AdmissionRequest {
    let metadata = |field: &str| {
        object
            .pointer(&format!("/metadata/{field}"))
            .and_then(Value::as_str)
    };
    AdmissionRequest {
        uid: "1".into(),
        kind: GroupVersionKind {
            group: if kind == "Deployment" {
                "apps".into()
            } else {
                String::new()
            },
            version: "v1".into(),
            kind: kind.into(),
        },
        resource: GroupVersionResource::default(),
        sub_resource: None,
        name: metadata("name").unwrap_or("").into(),
        namespace: metadata("namespace").map(str::to_owned),
        operation: Operation::Create,
        user_info: None,
        roles: Some(Roles::default()),
        object: Some(Arc::new(object)),
        old_object: None,
        dry_run: false,
        options: None,
    }
}

/// The object, to be changed.
fn object_of(request: &mut AdmissionRequest) -> &mut Value {
    Arc::make_mut(request.object.as_mut().unwrap())
}

fn pod(image: &str) -> AdmissionRequest {
    request(
        "Pod",
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": "production"},
            "spec": {"containers": [{"name": "c", "image": image}]},
        }),
    )
}

/// Evaluates with both opinions, answering needs.
fn evaluate(
    set: &Arc<PolicySet>,
    request: &AdmissionRequest,
    phase: Phase,
    answer: &dyn Fn(&Need) -> Fact,
) -> (Decision, Vec<(RuleStatus, String)>) {
    let mut evaluation = set
        .evaluate(Arc::new(request.clone()), phase, Scope::All, NOW)
        .with_second_opinion();
    for _ in 0..5 {
        match evaluation.step() {
            Step::Need(needs) => {
                for (id, need) in needs {
                    let fact = answer(&need);
                    evaluation.answer(id, fact);
                }
            }
            Step::Done(responses) => {
                let statuses = responses
                    .iter()
                    .flat_map(|policy| &policy.rules)
                    .map(|rule| (rule.status, rule.message.clone()))
                    .collect();
                return (decide(request, &responses), statuses);
            }
        }
    }
    panic!("no end");
}

fn no_facts(_: &Need) -> Fact {
    Fact::NamespaceLabels(Err(FactError::Unavailable("nobody to ask".into())))
}

/// Some time.
pub(super) const NOW: crate::jmespath::Environment = crate::jmespath::Environment {
    seconds: 1_780_000_000,
    nanoseconds: 0,
    seed: 1,
};
