use serde_json::json;

use super::*;
use crate::admission::AdmissionRequest;
use crate::evaluation::need::{Fact, Need};
use crate::evaluation::tests::{NOW, request, set};
use crate::evaluation::{Phase, Scope, Step};
use crate::policy_set::PolicySet;
use crate::rego::foreign::{Dialect, Strictness, Text};
use crate::response::RuleStatus;

fn need_of(api_version: &str, kind: &str) -> InventoryNeed {
    InventoryNeed {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    }
}

fn object(api_version: &str, kind: &str, metadata: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
}

fn pod(name: &str) -> Value {
    object("v1", "Pod", &json!({"name": name, "namespace": "n"}))
}

fn snapshot(api_version: &str, kind: &str, objects: &[Value]) -> Arc<Snapshot> {
    Arc::new(Snapshot::of(&need_of(api_version, kind), objects))
}

fn foreign() -> Arc<Foreign> {
    let text = "package policy\nviolation contains name if some name, _ in data.inventory.namespace.n.v1.Pod\n";
    let module = Text {
        name: "source",
        text,
    };
    let foreign = Foreign::read(&[module], (Dialect::V1, Strictness::Strict), None);
    Arc::new(foreign.unwrap())
}

#[test]
fn each_resource_stands_below_its_namespace_version_kind_and_name() {
    let ingress = "networking.k8s.io/v1";
    let first = json!({"name": "a", "namespace": "n", "labels": {"is": "old"}});
    let objects = [
        object("v1", "Pod", &first),
        pod("a"),
        pod("b"),
        object("v1", "Pod", &json!({"name": "c", "namespace": "m"})),
        object("v1", "Service", &json!({"name": "s", "namespace": "n"})),
        object("v2", "Pod", &json!({"name": "p", "namespace": "n"})),
        object(ingress, "Ingress", &json!({"name": "i", "namespace": "n"})),
        object("v1", "Namespace", &json!({"name": "n"})),
        object("v1", "Node", &json!({"name": "x", "namespace": ""})),
    ];
    let kinds = [
        ("v1", "Pod"),
        (ingress, "Ingress"),
        ("v1", "Namespace"),
        ("v1", "Node"),
    ];
    let inventory = kinds.map(|(version, kind)| snapshot(version, kind, &objects));
    let [_, one, two, three, _, _, i, n, x] = objects;
    let expected = json!({
        "namespace": {
            "n": {"v1": {"Pod": {"a": one, "b": two}}, ingress: {"Ingress": {"i": i}}},
            "m": {"v1": {"Pod": {"c": three}}},
        },
        "cluster": {"v1": {"Namespace": {"n": n}, "Node": {"x": x}}},
    });
    assert_eq!(document(&inventory).to_json(), Some(expected));
    let nothing = json!({"namespace": {}, "cluster": {}});
    let none = snapshot("v1", "Secret", &[pod("a")]);
    assert_eq!(document(&[none]).to_json(), Some(nothing));
}

#[test]
fn modules_are_prepared_once_for_the_same_inventory() {
    let (pods, nodes) = (snapshot("v1", "Pod", &[]), snapshot("v1", "Node", &[]));
    let (one, other) = (foreign(), foreign());
    let made = |modules: &Arc<Foreign>, inventory: &[&Arc<Snapshot>]| {
        let inventory: Vec<Arc<Snapshot>> = inventory.iter().copied().cloned().collect();
        prepared(modules, &inventory).unwrap()
    };
    let first = made(&one, &[&pods, &nodes]);
    assert!(Arc::ptr_eq(&first, &made(&one, &[&pods, &nodes])));
    assert!(!Arc::ptr_eq(&first, &made(&other, &[&pods, &nodes])));
    assert!(!Arc::ptr_eq(&first, &made(&one, &[&pods])));
    assert!(Arc::ptr_eq(&one, &made(&one, &[])));
    // Of what is over nothing is kept: another version of a kind, and modules that were loaded anew.
    assert_eq!(pods.prepared.lock().unwrap().len(), 3);
    drop((nodes, other));
    let nodes = snapshot("v1", "Node", &[]);
    assert!(!Arc::ptr_eq(&first, &made(&one, &[&pods, &nodes])));
    assert_eq!(pods.prepared.lock().unwrap().len(), 2);
}

const UNIQUE: &str = r#"apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: unique}
spec:
  crd: {spec: {names: {kind: Unique}}}
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package unique
        violation[{"msg": name}] {
          data.inventory.namespace[_]["v1"]["Pod"][name]
          name == input.review.object.metadata.name
        }
---
apiVersion: config.gatekeeper.sh/v1alpha1
kind: Config
metadata: {name: config}
spec: {sync: {syncOnly: [{group: "", version: v1, kind: Pod}]}}
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: Unique
metadata: {name: unique}
"#;

fn asked(set: &Arc<PolicySet>, name: &str, snapshot: &Arc<Snapshot>) -> (RuleStatus, String) {
    let request: AdmissionRequest = request("Pod", pod(name));
    let mut evaluation = set.evaluate(Arc::new(request), Phase::Validate, Scope::All, NOW);
    loop {
        match evaluation.step() {
            Step::Done(responses) => {
                let rule = responses.first().unwrap().rules.first().unwrap();
                return (rule.status, rule.message.clone());
            }
            Step::Need(needs) => needs.into_iter().for_each(|(id, need)| {
                assert!(matches!(need, Need::Inventory(_)), "{need:?}");
                evaluation.answer(id, Fact::Inventory(Ok(Arc::clone(snapshot))));
            }),
        }
    }
}

#[test]
fn requests_share_what_was_made_and_see_what_changed() {
    let set = set(UNIQUE);
    let before = snapshot("v1", "Pod", &[pod("a")]);
    assert_eq!(asked(&set, "a", &before).0, RuleStatus::Fail);
    assert_eq!(asked(&set, "b", &before).0, RuleStatus::Pass);
    let made = before.prepared.lock().unwrap().clone();
    let [made] = made.as_slice() else {
        panic!("one for both");
    };
    let foreign = made.made.get().unwrap().as_ref().unwrap();
    let again = prepared(&made.modules.upgrade().unwrap(), &[Arc::clone(&before)]);
    assert!(Arc::ptr_eq(foreign, &again.unwrap()));
    let after = snapshot("v1", "Pod", &[pod("b")]);
    assert_eq!(asked(&set, "a", &after).0, RuleStatus::Pass);
    assert_eq!(asked(&set, "b", &after).0, RuleStatus::Fail);
}

/// Another kind's resources are no answer, not even where there are none.
#[test]
fn the_snapshot_of_another_kind_is_an_error() {
    let (status, message) = asked(&set(UNIQUE), "a", &snapshot("v1", "Node", &[]));
    assert_eq!(status, RuleStatus::Error);
    assert!(message.contains("another question"), "{message}");
}
