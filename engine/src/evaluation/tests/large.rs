//! Policies that list more than the registers of one body of bytecode hold: each loads, and says what it lists.

use super::attestors::{fails, passes, policy};
use super::images::{evidence, signature};
use super::*;

const MANY: usize = 300;

/// `{name_0: …, name_1: …}`.
fn each(name: &str, of: &dyn Fn(usize) -> Value) -> Value {
    let fields = (0..MANY).map(|number| (name.replace('#', &number.to_string()), of(number)));
    Value::Object(fields.collect())
}

fn list(of: &dyn Fn(usize) -> Value) -> Value {
    (0..MANY).map(of).collect()
}

fn rule(matches: &Value, validate: &Value) -> Value {
    json!({"name": "r", "match": matches, "validate": validate})
}

/// What rules of one policy say of a pod.
fn judged(rules: &Value, metadata: &Value, spec: &Value) -> Vec<RuleStatus> {
    let policy = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
        "metadata": {"name": "p",
            "annotations": {"pod-policies.kyverno.io/autogen-controllers": "none"}},
        "spec": {"rules": rules}});
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    let set = set(&policy.to_string());
    let (_, rules) = evaluate(&set, &request("Pod", object), Phase::Validate, &no_facts);
    rules.iter().map(|(status, _)| *status).collect()
}

fn named(name: &str, labels: &Value) -> Value {
    json!({"name": name, "namespace": "production", "labels": labels, "annotations": labels})
}

/// A long match is compiled in the rule's own program, and in one for many rules where there are two.
#[test]
fn long_matches_match() {
    let value = |number| json!(format!("v{number}"));
    let all = each("k#", &value);
    let mut other = all.clone();
    other["k299"] = json!("other");
    let pods = |more: Value| {
        let mut resources = json!({"kinds": ["Pod"]});
        resources
            .as_object_mut()
            .expect("a map")
            .extend(more.as_object().expect("a map").clone());
        json!({"any": [{"resources": resources}]})
    };
    let names = |number| json!({"resources": {"names": ["a*", format!("*{number}?b")]}});
    let cases = [
        pods(json!({"annotations": all})),
        pods(json!({"selector": {"matchLabels": all}})),
        json!({"all": list(&names)}),
    ];
    for matches in cases {
        let deny = rule(&matches, &json!({"message": "m", "deny": {}}));
        let mut second = deny.clone();
        second["name"] = json!("s");
        for (rules, count) in [(json!([deny]), 1), (json!([deny, second]), 2)] {
            let fits = judged(&rules, &named("ab", &all), &json!({}));
            assert_eq!(fits, vec![RuleStatus::Fail; count], "{matches:.200}");
            let others = judged(&rules, &named("b", &other), &json!({}));
            assert_eq!(others, [], "{matches:.200}");
        }
    }
}

#[test]
fn long_patterns_are_judged() {
    let value = |number| json!(format!("v{number}"));
    let of_name = |number| json!(format!("{{{{ request.object.metadata.name }}}}{number}"));
    let own = |number| json!(format!("web{number}"));
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    let mut anchored = each("k#", &value);
    anchored["(k0)"] = json!("v0");
    let of_list = |number| json!([format!("v{number}")]);
    let cases = [
        (labels(each("k#", &of_name)), labels(each("k#", &own))),
        (labels(each("<(k#)", &value)), labels(each("k#", &value))),
        (labels(anchored), labels(each("k#", &value))),
        (
            json!({"spec": {"args": list(&of_list)}}),
            json!({"spec": {"args": list(&of_list)}}),
        ),
    ];
    for (pattern, fits) in cases {
        let pods = json!({"any": [{"resources": {"kinds": ["Pod"]}}]});
        let rules = json!([rule(&pods, &json!({"message": "m", "pattern": pattern}))]);
        let labels = fits
            .pointer("/metadata/labels")
            .cloned()
            .unwrap_or(json!({}));
        let mut spec = fits.get("spec").cloned().unwrap_or(json!({}));
        let statuses = judged(&rules, &named("web", &labels), &spec);
        assert_eq!(statuses, [RuleStatus::Pass], "{pattern:.200}");
        let mut others = labels;
        if let Some(label) = others.get_mut("k150") {
            *label = json!("other");
        }
        if let Some(item) = spec.pointer_mut("/args/150/0") {
            *item = json!("other");
        }
        let statuses = judged(&rules, &named("web", &others), &spec);
        assert!(
            statuses != [RuleStatus::Pass] && statuses != [RuleStatus::Error],
            "{statuses:?}"
        );
    }
}

#[test]
fn long_lists_of_attestors_and_annotations_are_judged() {
    let keyless = |number| {
        let issuer = "https://token.actions.githubusercontent.com";
        json!({"keyless": {"issuer": issuer, "subject": format!("s{number}")}})
    };
    // Each set costs a look at each signature: one signs for all sets, or for all but one.
    let all_but_one = |number: usize| json!({"entries": [keyless(number / (MANY - 1))]});
    let sets = list(&|_| json!({"entries": [keyless(0)]}));
    let by_one = evidence(vec![signature("s0")], vec![]);
    passes(&policy("ClusterPolicy", &sets, &json!([])), &by_one);
    let but_one = policy("ClusterPolicy", &list(&all_but_one), &json!([]));
    fails(&but_one, &by_one, "");
    let mut entry = keyless(0);
    entry["annotations"] = each("k#", &|number| json!(format!("v{number}")));
    let annotated = policy("ClusterPolicy", &json!([{"entries": [entry]}]), &json!([]));
    let mut one = signature("s0");
    one.annotations = each("k#", &|number| json!(format!("v{number}")));
    passes(&annotated, &evidence(vec![one.clone()], vec![]));
    one.annotations["k150"] = json!("other");
    fails(&annotated, &evidence(vec![one], vec![]), "");
}
