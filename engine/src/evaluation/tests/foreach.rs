//! `validate.foreach`: what becomes of elements and lists of which something cannot be said.

use super::*;

/// A policy of one rule about pods.
fn of_pods(rule: &str) -> Arc<PolicySet> {
    set(&format!(
        r#"{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: p}},
            spec: {{validationFailureAction: Enforce, rules: [{{name: r,
            match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}, {rule}}}]}}}}"#
    ))
}

/// The same of one block about containers, which denies what its preconditions let through.
fn denying(preconditions: &str, context: &str) -> Arc<PolicySet> {
    of_pods(&format!(
        r#"validate: {{message: refused, foreach: [{{list: "request.object.spec.containers", context: [{context}],
            preconditions: {preconditions}, deny: {{}}}}]}}"#
    ))
}

fn containers(containers: &Value) -> AdmissionRequest {
    request(
        "Pod",
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "production"},
            "spec": {"containers": containers}}),
    )
}

fn unavailable(need: &Need) -> Fact {
    Fact::missing(need, FactError::Unavailable("nobody to ask".into()))
}

/// What the one rule says; that an answer that is none lets nothing in is said by the decision.
fn status(set: &Arc<PolicySet>, request: &AdmissionRequest) -> Option<RuleStatus> {
    let (decision, rules) = evaluate(set, request, Phase::Validate, &unavailable);
    let status = rules.first().map(|(status, _)| *status);
    let refused = matches!(status, Some(RuleStatus::Fail | RuleStatus::Error));
    assert_eq!(
        refused,
        matches!(decision, Decision::Deny { .. }),
        "{rules:?}"
    );
    status
}

/// One image that cannot be read makes the name `images` an error, for the elements that can be read, too.
#[test]
fn an_unreadable_image_does_not_take_the_others_out_of_a_rule() {
    let set = denying(
        r#"{all: [{key: "{{ images.containers.\"{{ element.name }}\".registry }}", operator: Equals, value: docker.io}]}"#,
        "",
    );
    let evil = json!({"name": "a", "image": "docker.io/evil/miner:1"});
    let odd = json!({"name": "b", "image": "NOT-A-REFERENCE"});
    assert_eq!(
        status(&set, &containers(&json!([evil]))),
        Some(RuleStatus::Fail)
    );
    for both in [json!([evil, odd]), json!([odd, evil])] {
        assert_eq!(status(&set, &containers(&both)), Some(RuleStatus::Error));
    }
}

/// What cannot be had, and what the rule reads elsewhere than in the element, is not what an element lacks.
#[test]
fn only_what_the_element_lacks_takes_it_out_of_a_rule() {
    let config = r#"{name: settings, configMap: {name: settings, namespace: production}}"#;
    let own = r#"{name: own, variable: {jmesPath: element.own}}"#;
    let large = "join('', [element.name, element.missing.more])";
    let condition =
        |key: &str| format!(r#"{{key: "{{{{ {key} }}}}", operator: Equals, value: x}}"#);
    let missing = condition("element.own.missing");
    let nested = r#"{key: "{{ element.{{ element.name }}.more }}", operator: Equals, value: x}"#;
    let cases = [
        ("element.own", "", None),
        ("element0.own.missing", "", None),
        (large, "", Some(RuleStatus::Error)),
        ("request.object.spec.missing", "", Some(RuleStatus::Error)),
        ("element.name || request.object.spec.missing", "", None),
        ("settings.data.key", config, Some(RuleStatus::Error)),
        ("own", own, Some(RuleStatus::Error)),
    ];
    let pod = containers(&json!([{"name": "a", "image": "a"}]));
    for (key, context, expected) in cases {
        let set = denying(&format!("{{all: [{}]}}", condition(key)), context);
        assert_eq!(status(&set, &pod), expected, "{key}");
    }
    let failing = condition("settings.data.key");
    let met = r#"{key: a, operator: Equals, value: a}"#;
    let unmet = r#"{key: a, operator: Equals, value: b}"#;
    let error = Some(RuleStatus::Error);
    let both = r#"{key: "{{ element.own }}", operator: Equals, value: "{{ settings.data.key }}"}"#;
    let turned =
        r#"{key: "{{ settings.data.key }}", operator: Equals, value: "{{ element.own }}"}"#;
    let cases = [
        (format!("{{all: [{missing}, {failing}]}}"), None),
        (format!("{{all: [{failing}, {missing}]}}"), error),
        (
            format!("{{any: [{met}, {failing}]}}"),
            Some(RuleStatus::Fail),
        ),
        (format!("{{any: [{unmet}, {failing}]}}"), error),
        (format!("{{any: [{missing}, {failing}]}}"), None),
        (format!("{{any: [{missing}], all: [{failing}]}}"), error),
        (format!("{{any: [{failing}], all: [{missing}]}}"), error),
        (format!("{{any: [{missing}], all: [{unmet}]}}"), None),
        (format!("{{any: [{met}], all: [{missing}]}}"), None),
        (format!("[{missing}, {failing}]"), None),
        (format!("[{failing}, {missing}]"), error),
        (format!("{{all: [{both}]}}"), None),
        (format!("{{all: [{turned}]}}"), error),
        (format!("{{all: [{nested}]}}"), error),
    ];
    for (preconditions, expected) in cases {
        let set = denying(&preconditions, config);
        assert_eq!(status(&set, &pod), expected, "{preconditions}");
    }
}

/// An element of a nested list is judged as one of an outer one is.
#[test]
fn elements_of_nested_lists_are_not_passed_over_either() {
    let nested = |key: &str| {
        of_pods(&format!(
            r#"validate: {{message: refused, foreach: [{{list: "request.object.spec.containers", foreach: [{{
                list: "element.ports", preconditions: {{all: [{{key: "{{{{ {key} }}}}", operator: Equals, value: x}}]}},
                deny: {{}}}}]}}]}}"#
        ))
    };
    let pod = containers(&json!([{"name": "a", "image": "a", "ports": [{"containerPort": 1}]}]));
    let cases = [
        ("element.name", None),
        ("element0.missing", None),
        ("element1.name", None),
        ("request.object.spec.missing", Some(RuleStatus::Error)),
    ];
    for (key, expected) in cases {
        assert_eq!(status(&nested(key), &pod), expected, "{key}");
    }
}

/// What could not be listed may hold what is to be refused, whatever the other lists hold.
#[test]
fn a_list_that_cannot_be_had_is_not_forgotten_for_another_that_passes() {
    let ports = r#"{list: "request.object.spec.containers[].ports[]",
        deny: {conditions: {all: [{key: "{{ element.hostPort }}", operator: Equals, value: 22}]}}}"#;
    let listed = r#"{list: "parse_json(request.object.metadata.annotations.extra)",
        deny: {conditions: {all: [{key: "{{ element.privileged }}", operator: Equals, value: true}]}}}"#;
    let pod = |extra: Option<&str>, port: u16| {
        let mut pod =
            containers(&json!([{"name": "a", "image": "a", "ports": [{"hostPort": port}]}]));
        if let Some(extra) = extra {
            object_of(&mut pod)["metadata"]["annotations"] = json!({"extra": extra});
        }
        pod
    };
    let cases = [
        (Some("[]"), 80, RuleStatus::Pass),
        (Some(r#"[{"privileged": false}]"#), 80, RuleStatus::Pass),
        (Some(r#"[{"privileged": true}]"#), 80, RuleStatus::Fail),
        (Some("[{privileged: true}]"), 80, RuleStatus::Error),
        // That it breaks the rule is known for sure.
        (Some("[{privileged: true}]"), 22, RuleStatus::Fail),
        (None, 80, RuleStatus::Error),
        (None, 22, RuleStatus::Fail),
    ];
    for blocks in [format!("{listed}, {ports}"), format!("{ports}, {listed}")] {
        let set = of_pods(&format!(
            "validate: {{message: refused, foreach: [{blocks}]}}"
        ));
        for (extra, port, expected) in &cases {
            assert_eq!(
                status(&set, &pod(*extra, *port)),
                Some(*expected),
                "{extra:?}"
            );
        }
    }
}

/// Of a policy whose first rule that applies counts, one that ends with an error does not keep the others from being heard.
#[test]
fn an_error_does_not_hide_what_a_later_rule_refuses() {
    let rule = |name: &str, key: &str| {
        format!(
            r#"{{name: {name}, match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}, validate: {{message: refused,
                deny: {{conditions: {{all: [{{key: "{{{{ {key} }}}}", operator: Equals, value: bad}}]}}}}}}}}"#
        )
    };
    let set = set(&format!(
        r#"{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: p}},
            spec: {{validationFailureAction: Enforce, failurePolicy: Ignore, applyRules: One, rules: [{}, {}, {}]}}}}"#,
        rule("first", "request.object.metadata.labels.first"),
        rule("second", "request.object.metadata.labels.second"),
        rule("third", "request.object.metadata.labels.second"),
    ));
    let pod = |labels: Value| {
        let mut pod = pod("a");
        object_of(&mut pod)["metadata"]["labels"] = labels;
        let (decision, rules) = evaluate(&set, &pod, Phase::Validate, &no_facts);
        let statuses: Vec<_> = rules.iter().map(|(status, _)| *status).collect();
        (matches!(decision, Decision::Deny { .. }), statuses)
    };
    let (error, fail, pass) = (RuleStatus::Error, RuleStatus::Fail, RuleStatus::Pass);
    assert_eq!(
        pod(json!({"first": "good", "second": "bad"})),
        (false, vec![pass])
    );
    assert_eq!(pod(json!({"second": "bad"})), (true, vec![error, fail]));
    assert_eq!(pod(json!({"second": "good"})), (false, vec![error, pass]));
}
