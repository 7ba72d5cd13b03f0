use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::admission::{AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation};
use crate::evaluation::{Phase, Scope, Step};
use crate::jmespath;
use crate::load::{Environment, load};
use crate::policy_set::PolicySet;
use crate::response::RuleStatus;
use crate::source::Source;

fn set(pattern: &Value) -> Arc<PolicySet> {
    let policy = json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"},
        "spec": {"rules": [{
            "name": "r",
            "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "validate": {"message": "no", "pattern": pattern},
        }]},
    });
    let loaded = load(
        &[Source::new("p.yaml", policy.to_string())],
        &Environment::default(),
    );
    assert_eq!(
        loaded.policies.policies().len(),
        1,
        "{:?}",
        loaded.diagnostics
    );
    loaded.policies
}

/// The status by bytecode, with which the interpreter has to agree.
fn status(set: &Arc<PolicySet>, object: Value) -> RuleStatus {
    let request = AdmissionRequest {
        uid: "1".into(),
        kind: GroupVersionKind {
            group: String::new(),
            version: "v1".into(),
            kind: "Pod".into(),
        },
        resource: GroupVersionResource::default(),
        sub_resource: None,
        name: "p".into(),
        namespace: None,
        operation: Operation::Create,
        user_info: None,
        roles: None,
        object: Some(Arc::new(object)),
        old_object: None,
        dry_run: false,
        options: None,
    };
    let environment = jmespath::Environment {
        seconds: 0,
        nanoseconds: 0,
        seed: 0,
    };
    let evaluation = set.evaluate(Arc::new(request), Phase::Validate, Scope::All, environment);
    match evaluation.with_second_opinion().step() {
        Step::Done(responses) => responses[0].rules[0].status,
        Step::Need(needs) => panic!("{needs:?}"),
    }
}

fn is_plain(set: &Arc<PolicySet>) -> bool {
    let mut text = String::new();
    for rule in &set.policies()[0].rules {
        text.write_str(rule.program.text()).unwrap();
    }
    text.contains("as_wanted if {") && !text.contains("walked")
}

#[test]
fn what_is_not_there_and_what_is_null_is_judged_as_by_the_walk() {
    let set = set(&json!({"spec": {
        "=(a)": {"=(b)": [{"=(c)": "x | y", "X(d)": "null"}], "e": true},
        "n": "*",
        "=(s)": "*",
    }}));
    assert!(is_plain(&set));
    for (spec, expected) in [
        (json!({"n": 1}), RuleStatus::Pass),
        (json!({"n": null}), RuleStatus::Fail),
        (json!({}), RuleStatus::Fail),
        (json!({"n": 1, "a": {"e": true}}), RuleStatus::Pass),
        (json!({"n": 1, "a": {"e": false}}), RuleStatus::Fail),
        (json!({"n": 1, "a": {}}), RuleStatus::Fail),
        (json!({"n": 1, "a": null}), RuleStatus::Fail),
        (json!({"n": 1, "a": {"e": true, "b": []}}), RuleStatus::Pass),
        (json!({"n": 1, "a": {"e": true, "b": {}}}), RuleStatus::Fail),
        (
            json!({"n": 1, "a": {"e": true, "b": [{"c": "y"}, {}]}}),
            RuleStatus::Pass,
        ),
        (
            json!({"n": 1, "a": {"e": true, "b": [{"c": "z"}]}}),
            RuleStatus::Fail,
        ),
        (
            json!({"n": 1, "a": {"e": true, "b": [{"d": false}]}}),
            RuleStatus::Fail,
        ),
        (
            json!({"n": 1, "a": {"e": true, "b": ["c"]}}),
            RuleStatus::Fail,
        ),
    ] {
        assert_eq!(status(&set, json!({"spec": spec})), expected, "{spec}");
    }
}

/// The largest body still fits the registers of regorus' bytecode, and what is more stands in functions.
#[test]
fn the_largest_body_compiles() {
    let fields = |count: usize| -> Value {
        let entries = (0..count).map(|index| (format!("=(f{index})"), json!([{"=(a)": "b* | c"}])));
        Value::Object(entries.collect())
    };
    for count in [7, 8, 9, 60] {
        let set = set(&json!({"spec": fields(count)}));
        assert!(is_plain(&set), "{count}");
        assert_eq!(status(&set, json!({"spec": {}})), RuleStatus::Pass);
        assert_eq!(
            status(&set, json!({"spec": {"f0": [{"a": "d"}]}})),
            RuleStatus::Fail
        );
    }
    let scalars: serde_json::Map<String, Value> = (0..22)
        .map(|index| (format!("f{index}"), json!("a* | b")))
        .collect();
    let set = set(&json!({"spec": scalars}));
    assert!(is_plain(&set));
    assert_eq!(status(&set, json!({"spec": {}})), RuleStatus::Fail);
}
