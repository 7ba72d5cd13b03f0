//! What a module says, and what it asks, as facts: changes of identity, of what goes away, and questions about the cluster and images.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::need::{DataNeed, Fact, FactError, GuestNeed, Need};
use super::super::{Phase, Scope, Step};
use super::images::evidence;
use super::{NOW, object_of, pod, request, set};
use crate::admission::{AdmissionRequest, Operation};
use crate::image::VerifiedImage;
use crate::image::evidence::Resolution;
use crate::response::{PolicyResponse, RuleStatus};
use crate::wasm::bounds;
use crate::wasm::call::{HostAnswer, HostCall, Outcome};
use crate::wasm::verdict::Verdict;

fn policy(body: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - name: asks\n    match: {{any: [{{resources: {{kinds: [Pod], operations: [CREATE, DELETE]}}}}]}}\n    {body}: {{wasm: {{module: m.wasm, capabilities: ['*']}}}}\n"
    )
}

fn says(mutated: Option<Value>) -> Outcome<Verdict> {
    Outcome::Answered(Verdict {
        accepted: true,
        message: None,
        code: None,
        mutated,
        warnings: Vec::new(),
        audit_annotations: std::collections::BTreeMap::new(),
    })
}

/// Evaluates with a module and a cluster that answer as told; what the module was answered is what its last need holds.
fn run(
    body: &str,
    request: AdmissionRequest,
    guest: impl Fn(&GuestNeed) -> Outcome<Verdict>,
    data: impl Fn(&DataNeed) -> Result<Value, FactError>,
) -> (RuleStatus, String) {
    let phase = if body == "mutate" {
        Phase::Mutate
    } else {
        Phase::Validate
    };
    let set = set(&policy(body));
    let mut evaluation = set.evaluate(Arc::new(request), phase, Scope::All, NOW);
    let responses: Vec<PolicyResponse> = loop {
        match evaluation.step() {
            Step::Done(responses) => break responses,
            Step::Need(needs) => {
                for (id, need) in needs {
                    let fact = match &need {
                        Need::Guest(need) => Fact::Guest(Ok(guest(need))),
                        Need::Data(need) => Fact::Data(data(need)),
                        other => panic!("{other:?}"),
                    };
                    evaluation.answer(id, fact);
                }
            }
        }
    };
    let rule = &responses[0].rules[0];
    (rule.status, rule.message.clone())
}

fn nothing(need: &DataNeed) -> Result<Value, FactError> {
    panic!("{need:?}")
}

fn some_pod() -> Value {
    object_of(&mut pod("nginx:1")).clone()
}

#[test]
fn a_module_changes_neither_identity_nor_kind() {
    for (field, value) in [
        ("/apiVersion", json!("v2")),
        ("/kind", json!("Secret")),
        ("/metadata/name", json!("other")),
        ("/metadata/namespace", json!("kube-system")),
        ("/metadata/uid", json!("1")),
    ] {
        let mut changed = some_pod();
        if let Some(place) = changed.pointer_mut(field) {
            *place = value;
        } else {
            let name = field.rsplit('/').next().unwrap();
            changed["metadata"][name] = value;
        }
        let request = request("Pod", some_pod());
        let (status, message) = run("mutate", request, |_| says(Some(changed.clone())), nothing);
        assert_eq!(status, RuleStatus::Error, "{field}: {message}");
        assert!(message.contains("says what the object is"), "{message}");
    }
    let mut changed = some_pod();
    changed["metadata"]["labels"] = json!({"a": "b"});
    let request = request("Pod", some_pod());
    let (status, message) = run("mutate", request, |_| says(Some(changed.clone())), nothing);
    assert_eq!(status, RuleStatus::Pass, "{message}");
}

#[test]
fn a_module_changes_nothing_of_what_goes_away() {
    let deletion = || {
        let mut request = request("Pod", some_pod());
        request.operation = Operation::Delete;
        request.old_object = request.object.take();
        request
    };
    let (status, message) = run("mutate", deletion(), |_| says(Some(some_pod())), nothing);
    assert_eq!(status, RuleStatus::Error, "{message}");
    assert!(message.contains("goes away"), "{message}");
    let (status, message) = run("mutate", deletion(), |_| says(None), nothing);
    assert_eq!(status, RuleStatus::Skip, "{message}");
}

#[test]
fn a_module_of_a_validate_rule_changes_nothing() {
    let mut changed = some_pod();
    changed["metadata"]["labels"] = json!({"a": "b"});
    let pods = || request("Pod", some_pod());
    let (status, message) = run("validate", pods(), |_| says(Some(changed.clone())), nothing);
    assert_eq!(status, RuleStatus::Error, "{message}");
    let (status, _) = run("validate", pods(), |_| says(Some(some_pod())), nothing);
    assert_eq!(status, RuleStatus::Pass);
}

/// Has a module ask one question; what it is answered, with what was asked of the cluster and of registries.
fn asked(
    (namespace, operation): (&str, &str),
    payload: &Value,
    data: impl Fn(&DataNeed) -> Result<Value, FactError>,
) -> (HostAnswer, Vec<String>) {
    let call = HostCall {
        namespace: namespace.to_owned(),
        operation: operation.to_owned(),
        payload: payload.to_string().into_bytes(),
    };
    let told = std::cell::RefCell::new(None);
    let needs = std::cell::RefCell::new(Vec::new());
    let guest = |need: &GuestNeed| match need.answers.first() {
        None => Outcome::Asks(call.clone()),
        Some((question, answer)) => {
            assert_eq!(*question, call);
            *told.borrow_mut() = Some(answer.clone());
            says(None)
        }
    };
    let data = |need: &DataNeed| {
        needs.borrow_mut().push(need.description());
        data(need)
    };
    let (status, message) = run("validate", request("Pod", some_pod()), guest, data);
    // What it is not told is the rule's error.
    let (expected, answer) = match told.into_inner() {
        Some(answer) => (RuleStatus::Pass, answer),
        None => (RuleStatus::Error, Err(message.clone())),
    };
    assert_eq!(status, expected, "{message}");
    (answer, needs.into_inner())
}

fn json_of(answer: HostAnswer) -> Value {
    serde_json::from_slice(&answer.unwrap()).unwrap()
}

/// A cluster with namespaced pods, and one of them.
fn cluster(need: &DataNeed) -> Result<Value, FactError> {
    let DataNeed::ApiCall(call) = need else {
        panic!("{need:?}");
    };
    let text = need.description();
    assert_eq!(call.namespace, None);
    if text.contains("/pods") {
        Ok(json!({"path": text}))
    } else if text.contains("/api/v1") {
        Ok(json!({"resources": [
            {"name": "pods", "kind": "Pod", "namespaced": true},
            {"name": "pods/log", "kind": "Pod", "namespaced": true},
        ]}))
    } else {
        Err(FactError::NotFound("nothing is there".to_owned()))
    }
}

#[test]
fn a_module_asks_for_objects_of_the_cluster() {
    let pods = json!({"api_version": "v1", "kind": "Pod", "namespace": "shop", "name": "a"});
    let (answer, needs) = asked(("kubernetes", "get_resource"), &pods, cluster);
    let path = json_of(answer)["path"].as_str().unwrap().to_owned();
    assert!(path.contains("/api/v1/namespaces/shop/pods/a"), "{path}");
    assert_eq!(needs.len(), 2, "{needs:?}");

    let all = json!({"api_version": "v1", "kind": "Pod", "label_selector": "a=b"});
    let (answer, _) = asked(("kubernetes", "list_resources_all"), &all, cluster);
    let path = json_of(answer)["path"].as_str().unwrap().to_owned();
    assert!(path.contains("/api/v1/pods?labelSelector="), "{path}");

    let (answer, _) = asked(
        ("kubernetes", "list_resources_by_namespace"),
        &pods,
        cluster,
    );
    let path = json_of(answer)["path"].as_str().unwrap().to_owned();
    assert!(path.contains("/api/v1/namespaces/shop/pods"), "{path}");
}

#[test]
fn what_names_no_object_is_not_asked_for() {
    for fields in [
        json!({"api_version": "v1", "kind": "Pod", "namespace": "shop"}),
        json!({"api_version": "v1", "kind": "Pod", "namespace": "../x", "name": "a"}),
        json!({"api_version": "v1", "kind": "Pod", "namespace": "shop", "name": "a/../b"}),
        json!({"api_version": "v1", "kind": "Other", "namespace": "shop", "name": "a"}),
        json!({"api_version": "../v1", "kind": "Pod", "name": "a"}),
        json!({"kind": "Pod", "name": "a"}),
        json!([]),
    ] {
        let (answer, needs) = asked(("kubernetes", "get_resource"), &fields, cluster);
        assert!(answer.is_err(), "{fields}");
        assert!(
            !needs.iter().any(|need| need.contains("/pods")),
            "{needs:?}"
        );
    }
}

#[test]
fn a_module_asks_what_somebody_may_do() {
    let question = json!({"subject_access_review": {"user": "alice", "groups": [], "resource_attributes": {"verb": "get"}}});
    let status = json!({"status": {"allowed": false, "reason": "no"}});
    let (answer, _) = asked(("kubernetes", "can_i"), &question, |need| {
        let DataNeed::ApiCall(call) = need else {
            panic!("{need:?}");
        };
        let body: Value = serde_json::from_str(call.body.as_ref().unwrap()).unwrap();
        assert_eq!(body["spec"]["user"], "alice");
        assert_eq!(body["spec"]["resourceAttributes"]["verb"], "get");
        Ok(status.clone())
    });
    assert_eq!(json_of(answer)["allowed"], false);
    let (answer, _) = asked(("kubernetes", "can_i"), &question, |_| {
        Ok(json!({"status": {}}))
    });
    assert!(answer.unwrap_err().contains("did not say whether"));
    let (answer, needs) = asked(("kubernetes", "can_i"), &json!({}), nothing);
    assert!(answer.is_err() && needs.is_empty());
}

#[test]
fn a_module_asks_what_a_registry_has() {
    let data = json!({"resolvedImage": format!("registry.example/a@{}", super::DIGEST), "manifest": {"layers": []}, "configData": {"os": "linux"}});
    let image = json!("registry.example/a:v1");
    let answer = |operation: &str, data: Result<Value, FactError>| {
        asked(("oci", operation), &image, move |need| {
            assert!(matches!(need, DataNeed::ImageData { .. }), "{need:?}");
            data.clone()
        })
        .0
    };
    let digest = json_of(answer("v1/manifest_digest", Ok(data.clone())));
    assert_eq!(digest["digest"], super::DIGEST);
    let manifest = json_of(answer("v1/oci_manifest", Ok(data.clone())));
    assert_eq!(manifest, json!({"layers": []}));
    let config = json_of(answer("v1/oci_manifest_config", Ok(data)));
    assert_eq!(config["config"]["os"], "linux");
    let nothing = FactError::NotFound("it is not there".to_owned());
    assert!(
        answer("v1/oci_manifest", Err(nothing))
            .unwrap_err()
            .contains("it is not there")
    );
    assert!(answer("v1/manifest_digest", Ok(json!({}))).is_err());
}

/// A module that goes on without an answer would make an acceptance of an outage.
#[test]
fn what_nobody_knows_is_an_error_of_the_rule_whatever_the_module_makes_of_it() {
    let call = HostCall {
        namespace: "oci".to_owned(),
        operation: "v1/manifest_digest".to_owned(),
        payload: b"\"registry.example/a:v1\"".to_vec(),
    };
    let guest = |need: &GuestNeed| match need.answers.first() {
        None => Outcome::Asks(call.clone()),
        Some(_) => says(None),
    };
    let error = FactError::Unavailable;
    for error in [
        error("it is away".to_owned()),
        FactError::Timeout("it is away".to_owned()),
        FactError::NoSource("it is away".to_owned()),
        FactError::Malformed("it is away".to_owned()),
        FactError::Unauthorized("it is away".to_owned()),
    ] {
        let pods = request("Pod", some_pod());
        let (status, message) = run("validate", pods, guest, |_| Err(error.clone()));
        assert_eq!(status, RuleStatus::Error, "{message}");
        assert!(message.contains("it is away"), "{message}");
    }
    let endless = "x".repeat(bounds::MESSAGE);
    for (said, reason) in [
        (json!({}), "did not say which digest"),
        (
            json!({"resolvedImage": format!("registry.example/a@{endless}")}),
            "larger than a module may be given",
        ),
    ] {
        let pods = request("Pod", some_pod());
        let (status, message) = run("validate", pods, guest, |_| Ok(said.clone()));
        assert_eq!(status, RuleStatus::Error, "{message}");
        assert!(message.contains(reason), "{message}");
    }
}

/// What a tag stood for some time ago counts only where its digest is patched in, which no module can be held to.
#[test]
fn a_module_is_not_told_of_what_a_tag_stood_for() {
    let call = HostCall {
        namespace: "regent".to_owned(),
        operation: "v1/evidence".to_owned(),
        payload: br#"{"image": "registry.example/a:v1"}"#.to_vec(),
    };
    let fact = |need: &Need, resolution: Resolution| match need {
        Need::Guest(need) if need.answers.is_empty() => {
            Fact::Guest(Ok(Outcome::Asks(call.clone())))
        }
        Need::Guest(_) => Fact::Guest(Ok(says(None))),
        Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
            need.image.clone(),
            Arc::new(evidence(vec![], vec![])),
            resolution,
        ))),
        other => panic!("{other:?}"),
    };
    let said = |resolution: Resolution| {
        let set = set(&policy("validate"));
        let pods = Arc::new(request("Pod", some_pod()));
        let mut evaluation = set.evaluate(pods, Phase::Validate, Scope::All, NOW);
        loop {
            let needs = match evaluation.step() {
                Step::Need(needs) => needs,
                Step::Done(responses) => {
                    let rule = &responses[0].rules[0];
                    break (rule.status, rule.message.clone());
                }
            };
            for (id, need) in needs {
                evaluation.answer(id, fact(&need, resolution));
            }
        }
    };
    assert_eq!(said(Resolution::Registry).0, RuleStatus::Pass);
    let (status, message) = said(Resolution::Remembered { age: 60 });
    assert_eq!(status, RuleStatus::Error, "{message}");
    let reason = "what it said 60 s ago is no answer to a module";
    assert!(message.contains(reason), "{message}");
}
