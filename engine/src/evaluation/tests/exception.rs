use super::*;
use crate::admission::UserInfo;
use crate::load::{Holds, load_with_exceptions};

const POLICIES: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: standards}
spec:
  rules:
  - name: level
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {podSecurity: {level: baseline, version: latest}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: nothing}
spec:
  rules:
  - name: denied
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {message: never, deny: {}}
"#;

fn exception(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: kyverno.io/v2beta1\nkind: PolicyException\nmetadata: {{name: {name}, namespace: delta}}\nspec:\n{spec}\n"
    )
}

fn named(name: &str, policy: &str, rules: &str) -> String {
    exception(
        name,
        &format!(
            "  match: {{any: [{{resources: {{kinds: [Pod, Deployment], names: [tool*]}}}}]}}\n  exceptions: [{{policyName: {policy}, ruleNames: {rules}}}]"
        ),
    )
}

fn set_with(exceptions: &[String]) -> Arc<PolicySet> {
    let exceptions = Source::new("exceptions.yaml", exceptions.concat());
    let loaded = load_with_exceptions(
        &[Source::new("policies.yaml", POLICIES)],
        &[(exceptions, Holds::Exceptions)],
        &Environment::default(),
    );
    assert_eq!(loaded.diagnostics, []);
    loaded.policies
}

fn tool(name: &str) -> AdmissionRequest {
    let spec =
        json!({"hostPID": true, "hostIPC": true, "containers": [{"name": "c", "image": "d"}]});
    request(
        "Pod",
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a"}, "spec": spec}),
    )
}

/// Statuses and messages of the rules.
fn answers(set: &Arc<PolicySet>, request: AdmissionRequest) -> Vec<(&'static str, String)> {
    let mut evaluation = set
        .evaluate(Arc::new(request), Phase::Validate, Scope::All, NOW)
        .with_second_opinion();
    let responses = loop {
        match evaluation.step() {
            Step::Done(responses) => break responses,
            Step::Need(needs) => {
                for (id, _) in needs {
                    let labels = [("team".to_owned(), "x".to_owned())].into();
                    evaluation.answer(id, Fact::NamespaceLabels(Ok(labels)));
                }
            }
        }
    };
    let rules = responses.into_iter().flat_map(|policy| policy.rules);
    rules
        .map(|rule| (rule.status.name(), rule.message))
        .collect()
}

fn statuses(exceptions: &[String], request: AdmissionRequest) -> Vec<&'static str> {
    let answers = answers(&set_with(exceptions), request);
    answers.into_iter().map(|(status, _)| status).collect()
}

#[test]
fn what_is_excepted_is_skipped_and_all_exceptions_are_named() {
    let exceptions = [
        named("one", "nothing", "[denied]"),
        named("two", "nothing", "['den*']"),
        named("three", "standards", "[level, autogen-*]"),
    ];
    let set = set_with(&exceptions);
    assert_eq!(
        answers(&set, tool("tool-1")),
        [
            (
                "skip",
                "rule is skipped due to policy exception delta/three".to_owned()
            ),
            (
                "skip",
                "rule is skipped due to policy exceptionsdelta/one, delta/two".to_owned()
            ),
        ]
    );
    let others: Vec<_> = answers(&set, tool("other"))
        .into_iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(others, ["fail", "fail"]);
}

#[test]
fn rules_of_autogen_are_named_themselves() {
    let deployment = || {
        request(
            "Deployment",
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "tool", "namespace": "a"},
                "spec": {"template": {"spec": {"hostPID": true}}}}),
        )
    };
    let without = [named("a", "standards", "[level]")];
    assert_eq!(statuses(&without, deployment()), ["fail", "fail"]);
    let with = [named("a", "standards", "[level, autogen-level]")];
    assert_eq!(statuses(&with, deployment()), ["skip", "fail"]);
}

#[test]
fn an_exception_lets_off_single_controls() {
    let part = |field: &str| {
        exception(
            "part",
            &format!(
                "  match: {{all: [{{resources: {{kinds: [Pod]}}}}]}}\n  exceptions: [{{policyName: standards, ruleNames: [level]}}]\n  podSecurity: [{{controlName: Host Namespaces{field}}}]"
            ),
        )
    };
    let whole = answers(&set_with(&[part("")]), tool("a"));
    let message = "rule is skipped due to policy exceptions delta/part";
    assert_eq!(whole[0], ("skip", message.to_owned()));
    let field = ", restrictedField: spec.hostPID, values: ['true']";
    let one = answers(&set_with(&[part(field)]), tool("a"));
    assert_eq!(one[0].0, "fail");
    assert!(
        one[0]
            .1
            .ends_with("[spec.hostIPC is forbidden, forbidden values found: true])")
    );
    let mut harmless = tool("a");
    object_of(&mut harmless)["spec"] = json!({"containers": []});
    assert_eq!(answers(&set_with(&[part("")]), harmless)[0].0, "pass");
}

#[test]
fn conditions_must_hold_and_be_evaluable() {
    let when = |key: &str| {
        exception(
            "when",
            &format!(
                "  match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n  conditions: {{any: [{{key: \"{{{{ {key} }}}}\", operator: Equals, value: tool}}]}}\n  exceptions: [{{policyName: nothing, ruleNames: [denied]}}]"
            ),
        )
    };
    let name = "request.object.metadata.name";
    assert_eq!(statuses(&[when(name)], tool("tool")), ["fail", "skip"]);
    assert_eq!(statuses(&[when(name)], tool("other")), ["fail", "fail"]);
    let missing = "request.object.metadata.labels.name";
    assert_eq!(statuses(&[when(missing)], tool("tool")), ["fail", "fail"]);
}

#[test]
fn users_and_namespaces_are_matched() {
    let of = |filter: &str| {
        exception(
            "of",
            &format!(
                "  background: false\n  match: {{any: [{filter}]}}\n  exceptions: [{{policyName: nothing, ruleNames: [denied]}}]"
            ),
        )
    };
    let user = of("{resources: {kinds: [Pod]}, subjects: [{kind: User, name: alice}]}");
    // Where nobody asks, nobody is let off.
    assert_eq!(
        statuses(std::slice::from_ref(&user), tool("a")),
        ["fail", "fail"]
    );
    let mut asked = tool("a");
    asked.user_info = Some(UserInfo {
        username: "alice".into(),
        ..UserInfo::default()
    });
    assert_eq!(statuses(&[user], asked), ["fail", "skip"]);
    let team = |team: &str| {
        of(&format!(
            "{{resources: {{kinds: [Pod], namespaceSelector: {{matchLabels: {{team: {team}}}}}}}}}"
        ))
    };
    assert_eq!(statuses(&[team("x")], tool("a")), ["fail", "skip"]);
    assert_eq!(statuses(&[team("z")], tool("a")), ["fail", "fail"]);
}
