//! Work that an object makes, and that no program counts.

use super::*;
use crate::limits;

fn policy(action: &str, ignore: bool) -> String {
    let failure_policy = if ignore { "Ignore" } else { "Fail" };
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: p}}
spec:
  failurePolicy: {failure_policy}
  rules:
  - name: unchanged
    match: {{any: [{{resources: {{kinds: [ConfigMap], operations: [UPDATE]}}}}]}}
    validate:
      failureAction: {action}
      message: it may not change
      deny:
        conditions:
          any:
          - key: '{{{{ request.object.data.a }}}}'
            operator: NotEquals
            value: '{{{{ request.oldObject.data.a }}}}'
  - name: not-reached
    match: {{any: [{{resources: {{kinds: [ConfigMap]}}}}]}}
    validate: {{failureAction: {action}, message: m, pattern: {{data: {{a: '?*'}}}}}}
"
    )
}

/// Both sides of the comparison are the object's: a pattern that nearly matches at each place of a text.
fn update(length: usize) -> AdmissionRequest {
    let object = |text: String| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "d"}, "data": {"a": text}});
    AdmissionRequest {
        operation: Operation::Update,
        old_object: Some(Arc::new(object(format!("*{}b", "a".repeat(length))))),
        ..request("ConfigMap", object("a".repeat(2 * length)))
    }
}

/// Judges by so little that it is soon spent.
fn judged(
    set: &Arc<PolicySet>,
    request: &AdmissionRequest,
) -> (Decision, Vec<(RuleStatus, String)>) {
    judged_by(set, request, 5_000_000)
}

fn judged_by(
    set: &Arc<PolicySet>,
    request: &AdmissionRequest,
    fuel: u64,
) -> (Decision, Vec<(RuleStatus, String)>) {
    let evaluation = set.evaluate(Arc::new(request.clone()), Phase::Validate, Scope::All, NOW);
    let Step::Done(responses) = evaluation.with_fuel(fuel).step() else {
        panic!("nobody is asked");
    };
    let rules = responses.iter().flat_map(|policy| &policy.rules);
    let rules = rules.map(|rule| (rule.status, rule.message.clone()));
    (decide(request, &responses), rules.collect())
}

#[test]
fn what_would_take_minutes_is_a_failure_soon() {
    for ignore in [false, true] {
        let (decision, rules) = judged(&set(&policy("Enforce", ignore)), &update(350_000));
        assert!(matches!(decision, Decision::Deny { .. }), "{decision:?}");
        // What comes after it cannot be judged either.
        assert_eq!(rules.len(), 2);
        for (status, message) in rules {
            assert_eq!(status, RuleStatus::Fail);
            let reason = "the rules take more work on this object than one request may ask for";
            assert_eq!(message, reason);
        }
    }
    let (_, rules) = judged(&set(&policy("Enforce", false)), &update(300));
    assert_eq!(rules[0].1, "it may not change");
    assert_eq!(rules[1].0, RuleStatus::Pass);
}

#[test]
fn where_only_audit_is_asked_for_it_is_said_and_let_in() {
    let (decision, rules) = judged(&set(&policy("Audit", false)), &update(350_000));
    assert_eq!(rules[0].0, RuleStatus::Fail);
    assert!(matches!(decision, Decision::Allow { .. }), "{decision:?}");
}

/// Both lists are the object's: what is equal is looked up, wildcards are compared as long as there is fuel.
#[test]
fn long_lists_are_answered_or_a_failure() {
    let of = |operator: &str| {
        set(&format!(
            "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: p}}
spec:
  failurePolicy: Ignore
  rules:
  - name: r
    match: {{any: [{{resources: {{kinds: [ConfigMap]}}}}]}}
    validate:
      failureAction: Enforce
      message: m
      deny:
        conditions:
          any:
          - key: '{{{{ request.object.keys }}}}'
            operator: {operator}
            value: '{{{{ request.object.values }}}}'
"
        ))
    };
    let many = 30_000;
    let object = |end: &str| {
        let list = |side: &str| {
            let texts = (0..many).map(|number| json!(format!("{side}{number}{end}")));
            Value::Array(texts.collect())
        };
        let (keys, values) = (list("key"), list("value"));
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "keys": keys, "values": values});
        request("ConfigMap", object)
    };
    for (operator, expected) in [
        ("AnyIn", RuleStatus::Pass),
        ("AllIn", RuleStatus::Pass),
        ("In", RuleStatus::Pass),
        ("AllNotIn", RuleStatus::Fail),
    ] {
        let (_, rules) = judged_by(&of(operator), &object(""), limits::FUEL);
        let (status, message) = &rules[0];
        assert_eq!(*status, expected, "{operator}: {message}");
        assert!(
            *status == RuleStatus::Pass || message == "m",
            "{operator}: {message}"
        );
    }
    for operator in ["AnyIn", "AllNotIn"] {
        let (decision, rules) = judged_by(&of(operator), &object("*"), limits::FUEL / 10);
        assert_eq!(rules[0].0, RuleStatus::Fail, "{operator}: {rules:?}");
        assert!(matches!(decision, Decision::Deny { .. }), "{decision:?}");
    }
}

#[test]
fn expressions_and_regular_expressions_are_counted_too() {
    let policy = |expression: &str| {
        format!(
            "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: p}}
spec:
  rules:
  - name: r
    match: {{any: [{{resources: {{kinds: [ConfigMap]}}}}]}}
    validate:
      failureAction: Enforce
      message: m
      foreach:
      - list: request.object.items
        deny: {{conditions: {{any: [{{key: \"{{{{ {expression} }}}}\", operator: Equals, value: x}}]}}}}
"
        )
    };
    let items: Vec<Value> = (0..2_000).map(|index| json!(format!("a{index}"))).collect();
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "items": items});
    let request = request("ConfigMap", object);
    // The elements themselves take most of it.
    let fuel = 35_000_000;
    for expression in [
        "length(request.object.items[?contains(@, element)])",
        "contains(request.object.items, element)",
        "regex_match(element, 'a')",
    ] {
        let (_, rules) = judged_by(&set(&policy(expression)), &request, fuel);
        assert_eq!(rules[0].0, RuleStatus::Fail, "{expression}: {rules:?}");
        assert!(rules[0].1.contains("more work"), "{expression}: {rules:?}");
    }
    let (_, rules) = judged_by(&set(&policy("element")), &request, fuel);
    assert_eq!(rules[0].0, RuleStatus::Pass, "{rules:?}");
}

/// A Pod with so many containers, of which each is patched by itself.
fn patched_one_by_one(containers: usize, fuel: u64) -> (Decision, Vec<(RuleStatus, String)>) {
    let set = set(
        r#"{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p},
        spec: {failurePolicy: Ignore, rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}]}, mutate: {foreach: [
        {list: request.object.spec.containers, patchStrategicMerge: {spec: {containers:
        [{name: "{{ element.name }}", imagePullPolicy: Always}]}}}]}}]}}"#,
    );
    let containers =
        (0..containers).map(|index| json!({"name": format!("c{index}"), "image": "i"}));
    let request = request(
        "Pod",
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "d"},
            "spec": {"containers": containers.collect::<Vec<_>>()}}),
    );
    let evaluation = set.evaluate(Arc::new(request.clone()), Phase::Mutate, Scope::All, NOW);
    let Step::Done(responses) = evaluation.with_fuel(fuel).step() else {
        panic!("nobody is asked");
    };
    let rules = responses.iter().flat_map(|policy| &policy.rules);
    let rules = rules.map(|rule| (rule.status, rule.message.clone()));
    (decide(&request, &responses), rules.collect())
}

#[test]
fn patches_of_a_large_object_are_counted_too() {
    let (decision, rules) = patched_one_by_one(200, limits::FUEL / 10);
    assert_eq!(rules[0].0, RuleStatus::Pass, "{rules:?}");
    assert!(matches!(decision, Decision::Allow { .. }), "{decision:?}");
    let (decision, rules) = patched_one_by_one(1_000, limits::FUEL / 10);
    assert_eq!(rules[0].0, RuleStatus::Fail, "{rules:?}");
    assert!(rules[0].1.contains("more work"), "{rules:?}");
    assert!(matches!(decision, Decision::Deny { .. }), "{decision:?}");
}

/// Says of a pod with so many containers, volumes and as much fuel as a request has.
fn of_pod(rule: &str, containers: usize) -> (Decision, String) {
    let policy = format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: p, annotations: {{pod-policies.kyverno.io/autogen-controllers: none}}}}
spec:
  validationFailureAction: Enforce
  rules:
  - name: r
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
{rule}"
    );
    let of_each = |make: &dyn Fn(usize) -> Value| (0..containers).map(make).collect::<Value>();
    let spec = json!({
        "containers": of_each(&|number| json!({"name": format!("c{number}"), "image": "istio/proxyv2"})),
        "volumes": of_each(&|number| json!({"name": format!("v{number}"), "emptyDir": {}})),
    });
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "d"}, "spec": spec});
    let (decision, rules) = judged(&set(&policy), &request("Pod", object));
    (decision, rules[0].1.clone())
}

const TOO_MUCH: &str = "the rules take more work on this object than one request may ask for";

#[test]
fn elements_in_elements_multiply() {
    let rule = "    validate:
      message: m
      foreach:
      - list: request.object.spec.containers
        foreach:
        - list: request.object.spec.volumes
          deny: {conditions: {any: [{key: '{{ element1.name }}', operator: Equals, value: none}]}}
";
    let (decision, message) = of_pod(rule, 5);
    assert!(matches!(decision, Decision::Allow { .. }), "{message}");
    let (decision, message) = of_pod(rule, 40);
    assert!(matches!(decision, Decision::Deny { .. }), "{message}");
    assert_eq!(message, TOO_MUCH);
}

#[test]
fn what_is_read_again_for_each_element_is_counted() {
    let rule = |value: &str| {
        format!(
            "    context:
    - name: names
      variable: {{jmesPath: 'request.object.spec.volumes[].name'}}
    validate:
      message: m
      foreach:
      - list: request.object.spec.containers
        deny: {{conditions: {{all: [{{key: '{{{{ {value} }}}}', operator: AnyIn, value: none}}]}}}}
"
        )
    };
    assert_eq!(of_pod(&rule("element.name"), 200).1, "rule passed");
    assert_eq!(of_pod(&rule("names"), 200).1, TOO_MUCH);
}

#[test]
fn containers_that_are_judged_by_themselves_are_counted() {
    let rule = "    validate:
      podSecurity:
        level: baseline
        version: latest
        exclude:
        - {controlName: Capabilities, images: ['*istio/proxyv2*']}
";
    let (decision, message) = of_pod(rule, 50);
    assert!(matches!(decision, Decision::Allow { .. }), "{message}");
    let (decision, message) = of_pod(rule, 400);
    assert!(matches!(decision, Decision::Deny { .. }), "{message}");
    assert_eq!(message, TOO_MUCH);
}
