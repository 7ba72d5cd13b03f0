//! Objects that are too large to be judged: whoever writes them must not choose between a failure and an error.

use super::*;

/// Under `failurePolicy: Ignore`, where an error lets in.
fn of_config_maps(rule: &str) -> Arc<PolicySet> {
    set(&format!(
        r#"{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: p}},
            spec: {{validationFailureAction: Enforce, failurePolicy: Ignore, rules: [{{name: r,
            match: {{any: [{{resources: {{kinds: [ConfigMap]}}}}]}}, {rule}}}]}}}}"#
    ))
}

fn config_map(data: &Value) -> AdmissionRequest {
    request(
        "ConfigMap",
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "production"}, "data": data}),
    )
}

/// What the one rule says, by bytecode alone: the interpreter would take minutes for some of this.
fn judged(set: &Arc<PolicySet>, request: &AdmissionRequest, phase: Phase) -> (RuleStatus, String) {
    let request = Arc::new(request.clone());
    let mut evaluation = set.evaluate(Arc::clone(&request), phase, Scope::All, NOW);
    for _ in 0..5 {
        match evaluation.step() {
            Step::Need(needs) => {
                for (id, _) in needs {
                    let answer = json!({"data": {"key": "value", "list": vec![0; ELEMENTS]}});
                    evaluation.answer(id, Fact::Data(Ok(answer)));
                }
            }
            Step::Done(responses) => {
                let rule = responses.first().and_then(|policy| policy.rules.first());
                let rule = rule.expect("the rule answers");
                let refused = matches!(decide(&request, &responses), Decision::Deny { .. });
                assert_eq!(refused, rule.status == RuleStatus::Fail, "{}", rule.message);
                return (rule.status, rule.message.clone());
            }
        }
    }
    panic!("no end");
}

fn status(set: &Arc<PolicySet>, request: &AdmissionRequest) -> RuleStatus {
    judged(set, request, Phase::Validate).0
}

/// One more than a rule looks at.
const ELEMENTS: usize = 10_001;

/// An entry that the host is asked for.
const ASKED: &str = "{name: asked, configMap: {name: asked, namespace: production}}";

/// An expression that makes more bytes than one may, of an object that the API server stores.
const LARGE: &str = "join('', [request.object.data.text, request.object.data.text, \
    request.object.data.text, request.object.data.text, request.object.data.text, request.object.data.text])";

fn large() -> AdmissionRequest {
    config_map(&json!({"text": "a".repeat(1_450_000)}))
}

/// Who says how many elements there are says whether that is a failure.
#[test]
fn more_elements_than_a_rule_looks_at_are_a_failure() {
    let many = config_map(&json!({"list": vec![0; ELEMENTS]}));
    let few = config_map(&json!({"list": [0, 0]}));
    let deny = r#"deny: {conditions: {any: [{key: "{{ element }}", operator: Equals, value: 9}]}}"#;
    let of = |list: &str, context: &str| {
        of_config_maps(&format!(
            r#"context: [{context}], validate: {{message: m, foreach: [{{list: "{list}", {deny}}}]}}"#
        ))
    };
    let own = of("request.object.data.list", ASKED);
    assert_eq!(status(&own, &few), RuleStatus::Pass);
    let (said, message) = judged(&own, &many, Phase::Validate);
    assert_eq!(said, RuleStatus::Fail);
    assert!(message.contains("more than 10000 elements"), "{message}");
    let asked = of("asked.data.list", ASKED);
    assert_eq!(status(&asked, &few), RuleStatus::Error);
}

/// Who says how many elements there are does not say how often others are asked.
#[test]
fn more_data_than_a_request_may_name_is_a_failure() {
    let set = of_config_maps(
        r#"validate: {message: m, foreach: [{list: "request.object.data.list",
            context: [{name: one, configMap: {name: "{{ element }}", namespace: production}}],
            deny: {conditions: {any: [{key: "{{ one.data.key }}", operator: Equals, value: other}]}}}]}"#,
    );
    let of = |many: usize| {
        let names: Vec<_> = (0..many).map(|index| format!("n{index}")).collect();
        config_map(&json!({"list": names}))
    };
    assert_eq!(status(&set, &of(50)), RuleStatus::Pass);
    let (said, message) = judged(&set, &of(crate::limits::CONTEXT_DATA + 1), Phase::Validate);
    assert_eq!(said, RuleStatus::Fail, "{message}");
    assert!(
        message.contains("may name 1000 pieces of data"),
        "{message}"
    );
}

/// Where there is no room for what was asked for, nothing that stands for it lets the object in.
#[test]
fn answers_that_there_is_no_room_for_are_a_failure() {
    let call = "{name: asked, apiCall: {urlPath: /api/v1/pods, default: fine}}";
    let of = |context: &str| {
        of_config_maps(&format!(
            r#"context: [{context}], validate: {{message: m,
            deny: {{conditions: {{any: [{{key: "{{{{ asked }}}}", operator: Equals, value: bad}}]}}}}}}"#
        ))
    };
    let said = |set: &Arc<PolicySet>, error: &FactError| {
        let request = Arc::new(config_map(&json!({})));
        let mut evaluation = set.evaluate(Arc::clone(&request), Phase::Validate, Scope::All, NOW);
        let Step::Need(needs) = evaluation.step() else {
            panic!("nobody is asked");
        };
        for (id, need) in needs {
            evaluation.answer(id, Fact::missing(&need, error.clone()));
        }
        let Step::Done(responses) = evaluation.step() else {
            panic!("no end");
        };
        let allowed = matches!(decide(&request, &responses), Decision::Allow { .. });
        (responses[0].rules[0].status, allowed)
    };
    let (away, full) = (
        FactError::Unavailable("away".to_owned()),
        FactError::NoRoom("full".to_owned()),
    );
    assert_eq!(said(&of(call), &away), (RuleStatus::Pass, true));
    assert_eq!(said(&of(call), &full), (RuleStatus::Fail, false));
    assert_eq!(said(&of(ASKED), &away), (RuleStatus::Error, true));
    assert_eq!(said(&of(ASKED), &full), (RuleStatus::Fail, false));
}

/// A pattern with conditions takes steps for each element; in a build that is slow the time may be over before, which is
/// no less of a failure.
#[test]
fn more_steps_than_a_rule_may_take_are_a_failure() {
    let set = of_config_maps(
        r#"validate: {message: m, pattern: {data: {list: [{(name): "DEBUG*", value: "off"}]}}}"#,
    );
    let of = |many: usize| config_map(&json!({"list": vec![json!({"name": "a"}); many]}));
    let (said, message) = judged(&set, &of(20_000), Phase::Validate);
    assert_eq!(said, RuleStatus::Fail, "{message}");
}

/// Wherever an expression stands whose value is too large, the rule fails, and no default stands for it.
#[test]
fn expressions_that_make_too_much_are_a_failure() {
    let condition =
        format!(r#"{{all: [{{key: "{{{{ {LARGE} }}}}", operator: Equals, value: x}}]}}"#);
    let deny = r#"deny: {conditions: {any: [{key: "{{ large }}", operator: Equals, value: x}]}}"#;
    let of_context = |more: &str| {
        format!(
            r#"context: [{{name: large, variable: {{jmesPath: "{LARGE}"{more}}}}}],
                validate: {{message: m, {deny}}}"#
        )
    };
    let rules = [
        format!("validate: {{message: m, deny: {{conditions: {condition}}}}}"),
        format!("preconditions: {condition}, validate: {{message: m, deny: {{}}}}"),
        format!(r#"validate: {{message: m, pattern: {{data: {{text: "{{{{ {LARGE} }}}}"}}}}}}"#),
        format!(r#"validate: {{message: m, foreach: [{{list: "{LARGE}", deny: {{}}}}]}}"#),
        format!(
            r#"validate: {{message: m, foreach: [{{list: "request.object.data.text",
                preconditions: {condition}, deny: {{}}}}]}}"#
        ),
        of_context(""),
        of_context(", default: small"),
        format!(
            r#"context: [{ASKED}], validate: {{message: m, foreach: [{{list: "{LARGE}", deny: {{}}}}]}}"#
        ),
    ];
    for rule in rules {
        assert_eq!(
            status(&of_config_maps(&rule), &large()),
            RuleStatus::Fail,
            "{rule}"
        );
    }
    // What the host was asked for may be why.
    let asked =
        format!("context: [{ASKED}], validate: {{message: m, deny: {{conditions: {condition}}}}}");
    assert_eq!(status(&of_config_maps(&asked), &large()), RuleStatus::Error);
}

/// The entries of a context together, too.
#[test]
fn a_context_that_the_object_makes_too_large_is_a_failure() {
    let set = of_config_maps(
        r#"context: [{name: one, variable: {value: "{{ request.object }}"}}, {name: two, variable: {value: "{{ request.object }}"}}],
            validate: {message: m, deny: {conditions: {any: [{key: "{{ one.kind }}{{ two.kind }}", operator: Equals, value: x}]}}}"#,
    );
    assert_eq!(status(&set, &config_map(&json!({}))), RuleStatus::Pass);
    assert_eq!(status(&set, &large()), RuleStatus::Fail);
}

/// A rule that changes the object refuses nothing by itself.
#[test]
fn where_a_rule_changes_the_object_it_stays_an_error() {
    let condition =
        format!(r#"{{all: [{{key: "{{{{ {LARGE} }}}}", operator: Equals, value: x}}]}}"#);
    let set = of_config_maps(&format!(
        "preconditions: {condition}, mutate: {{patchStrategicMerge: {{data: {{a: b}}}}}}"
    ));
    assert_eq!(judged(&set, &large(), Phase::Mutate).0, RuleStatus::Error);
}

/// That the object was too large to be judged before does not say that it broke the rule.
#[test]
fn an_object_that_was_too_large_before_has_broken_nothing() {
    let condition =
        format!(r#"{{all: [{{key: "{{{{ {LARGE} }}}}", operator: Equals, value: x}}]}}"#);
    let set = of_config_maps(&format!(
        "validate: {{message: m, deny: {{conditions: {condition}}}}}"
    ));
    let update = AdmissionRequest {
        operation: Operation::Update,
        old_object: large().object,
        ..large()
    };
    assert_eq!(status(&set, &update), RuleStatus::Fail);
}

/// What a host was asked for is not told to whoever made the request, who says which part of it is looked for.
#[test]
fn an_error_about_an_answer_does_not_tell_it() {
    let judged = |context: &str| {
        let set = of_config_maps(&format!(
            r#"context: [{context}], validate: {{message: m,
            deny: {{conditions: {{any: [{{key: "{{{{ picked }}}}", operator: Equals, value: bad}}]}}}}}}"#
        ));
        let request = Arc::new(config_map(&json!({"part": "nosuch"})));
        let mut evaluation = set.evaluate(request, Phase::Validate, Scope::All, NOW);
        loop {
            let needs = match evaluation.step() {
                Step::Need(needs) => needs,
                Step::Done(responses) => break responses[0].rules[0].message.clone(),
            };
            for (id, _) in needs {
                evaluation.answer(id, Fact::Data(Ok(json!({"blue": "a secret"}))));
            }
        }
    };
    let path = "{{ request.object.data.part }}.more";
    let call = "{name: CALL, apiCall: {urlPath: /api/v1/secrets PATH}}";
    let direct = call
        .replace("CALL", "picked")
        .replace("PATH", &format!(r#", jmesPath: "{path}""#));
    let told = call.replace("CALL", "told").replace("PATH", "");
    let copied = format!(
        r#"{told}, {{name: picked, variable: {{value: "{{{{ told }}}}", jmesPath: "{path}"}}}}"#
    );
    for context in [direct, copied] {
        let message = judged(&context);
        assert!(
            message.contains("failed to apply jmespath nosuch.more to variable picked: "),
            "{message}"
        );
        assert!(!message.contains("secret"), "{message}");
    }
    // What the policy says itself is shown.
    let own =
        format!(r#"{{name: picked, variable: {{value: {{blue: own}}, jmesPath: "{path}"}}}}"#);
    assert!(
        judged(&own).contains(r#"to variable {"blue":"own"}"#),
        "{}",
        judged(&own)
    );
}
