use super::*;

/// A policy with one rule about Pods, whose module is indented by ten.
fn policy(rego: &str) -> String {
    let head = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: modules}\nspec:\n  rules:\n  - name: ask\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate:\n      failureAction: Enforce\n      rego:\n";
    let lines = rego.lines().map(|line| format!("        {line}\n"));
    format!("{head}{}", lines.collect::<String>())
}

fn answer(rego: &str, request: AdmissionRequest) -> (RuleStatus, String) {
    let set = set(&policy(rego));
    let mut evaluation = set
        .evaluate(Arc::new(request), Phase::Validate, Scope::All, NOW)
        .with_second_opinion();
    let Step::Done(responses) = evaluation.step() else {
        panic!("nothing is needed");
    };
    let mut rules = responses.into_iter().flat_map(|policy| policy.rules);
    let rule = rules.next().unwrap();
    assert_eq!(rules.next(), None);
    (rule.status, rule.message)
}

const LABELS: &str = "parameters: {labels: [team, owner]}\nsource: |\n  package labels\n  violation contains {\"msg\": msg} if {\n    some label in input.parameters.labels\n    not input.review.object.metadata.labels[label]\n    msg := sprintf(\"label %s is missing\", [label])\n  }";

#[test]
fn violations_fail_with_what_they_say_and_none_pass() {
    let (status, message) = answer(LABELS, pod("nginx"));
    assert_eq!(status, RuleStatus::Fail);
    assert_eq!(message, "label owner is missing; label team is missing");
    let mut labelled = pod("nginx");
    object_of(&mut labelled)["metadata"]["labels"] = json!({"team": "a", "owner": "b"});
    let passed = (RuleStatus::Pass, "validation rule 'ask' passed.".to_owned());
    assert_eq!(answer(LABELS, labelled), passed);
}

#[test]
fn a_boolean_says_what_is_allowed_and_a_review_why() {
    let boolean = "entrypoint: policy/allow\nsource: |\n  package policy\n  default allow := false\n  allow if input.request.name == \"good\"";
    let mut good = pod("nginx");
    good.name = "good".into();
    assert_eq!(answer(boolean, good).0, RuleStatus::Pass);
    let refused = (RuleStatus::Fail, "the modules do not allow it".to_owned());
    assert_eq!(answer(boolean, pod("nginx")), refused);
    let review = "entrypoint: system.main\nsource: |\n  package system\n  main := {\"apiVersion\": \"admission.k8s.io/v1\", \"response\": {\"allowed\": false, \"status\": {\"message\": \"no\"}}}";
    assert_eq!(
        answer(review, pod("nginx")),
        (RuleStatus::Fail, "no".to_owned())
    );
}

#[test]
fn what_is_no_answer_is_an_error() {
    let undefined =
        "entrypoint: policy/allow\nsource: |\n  package policy\n  allow if input.nothing";
    let (status, message) = answer(undefined, pod("nginx"));
    assert_eq!(status, RuleStatus::Error);
    assert!(
        message.ends_with("the rule that answers is undefined"),
        "{message}"
    );
    for (said, why) in [
        (
            "violation contains 42",
            "a violation is neither a text nor has a text `msg`, but is a number",
        ),
        ("violation contains {\"msg\": 42}", "but is an object"),
        (
            "violation := 1",
            "gives neither violations nor a boolean, but a number",
        ),
        ("violation := {\"allowed\": \"yes\"}", "but an object"),
    ] {
        let rego = format!("source: |\n  package policy\n  {said}");
        let (status, message) = answer(&rego, pod("nginx"));
        assert_eq!(status, RuleStatus::Error, "{said}");
        assert!(message.ends_with(why), "{message}");
    }
}

#[test]
fn a_failing_builtin_is_an_error_unless_the_author_says_otherwise() {
    let failing = "source: |\n  package policy\n  violation contains \"x\" if to_number(input.request.name) > 1";
    assert_eq!(answer(failing, pod("nginx")).0, RuleStatus::Error);
    let lenient = format!("strict: false\n{failing}");
    assert_eq!(answer(&lenient, pod("nginx")).0, RuleStatus::Pass);
}

#[test]
fn a_module_text_is_cleaned_and_cut() {
    let loud = "source: |\n  package policy\n  violation contains sprintf(\"a\\u001b[2Jb\\n%s\", [concat(\"\", [\"x\" | some _ in numbers.range(1, 3000)])])";
    let (status, message) = answer(loud, pod("nginx"));
    assert_eq!(status, RuleStatus::Fail);
    assert!(
        message.starts_with("a [2Jb xxx") && message.ends_with('…'),
        "{message}"
    );
    assert!(message.chars().count() <= 1_001);
    let many = "source: |\n  package policy\n  violation contains sprintf(\"%d\", [n]) if some n in numbers.range(10, 59)";
    let (_, message) = answer(many, pod("nginx"));
    assert!(message.ends_with("; and 30 more"), "{message}");
}

#[test]
fn on_delete_the_review_has_the_object_that_goes_away_and_the_request_has_not() {
    let mut deletion = pod("nginx");
    deletion.operation = Operation::Delete;
    deletion.old_object = deletion.object.take();
    let rego = "source: |\n  package policy\n  violation contains \"gone\" if {\n    input.request.object == null\n    input.review.object.kind == \"Pod\"\n    input.review.oldObject.kind == \"Pod\"\n  }";
    assert_eq!(
        answer(rego, deletion),
        (RuleStatus::Fail, "gone".to_owned())
    );
}

#[test]
fn data_is_there_as_it_was_written() {
    let rego = "data: {allowed: [nginx]}\nsource: |\n  package policy\n  violation contains \"image\" if {\n    some container in input.review.object.spec.containers\n    not container.image in data.allowed\n  }";
    assert_eq!(answer(rego, pod("nginx")).0, RuleStatus::Pass);
    assert_eq!(answer(rego, pod("redis")).0, RuleStatus::Fail);
}

#[test]
fn what_is_wrong_with_a_module_is_said_at_its_line() {
    let text = policy("source: |\n  package policy\n\n  violation contains x if x := cryptic(1)");
    let source = Source::new("policy.yaml", text);
    let loaded = load(std::slice::from_ref(&source), &Environment::default());
    let diagnostic = loaded.diagnostics.first().unwrap();
    let said = "source of Rego, line 3, column 30: there is no function `cryptic`";
    assert_eq!(diagnostic.message, said);
    let span = diagnostic.labels.first().unwrap().span;
    let line = source.text.get(span.start..span.end).unwrap();
    assert_eq!(line, "violation contains x if x := cryptic(1)");
    assert!(loaded.policies.policies().is_empty());
}

#[test]
fn no_rules_for_controllers_are_made_of_modules() {
    let set = set(&policy(LABELS));
    assert_eq!(set.policies().first().unwrap().rules.len(), 1);
}
