use std::sync::Arc;

use super::*;

mod kubewarden;
mod module_verify;

const POLICY: &str = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: standards}\nspec:\n  rules:\n  - name: level\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate: {podSecurity: {level: baseline}}\n";

fn exception(namespace: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {{name: tools, namespace: {namespace}}}\nspec:\n  match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n  exceptions: [{{policyName: standards, ruleNames: ['*']}}]\n"
    )
}

fn said(loaded: &Loaded) -> Vec<(bool, &str)> {
    let diagnostics = loaded.diagnostics.iter();
    diagnostics
        .map(|one| (one.is_error(), one.message.as_str()))
        .collect()
}

/// How many exceptions the rule for Pods has, and that of autogen.
fn counts(loaded: &Loaded) -> Vec<usize> {
    let policy = loaded.policies.policies().first().unwrap();
    policy
        .rules
        .iter()
        .map(|rule| rule.exceptions.len())
        .collect()
}

#[test]
fn exceptions_are_off_and_then_only_from_the_namespaces_named() {
    let texts = [POLICY.to_owned(), exception("delta"), exception("other")];
    let sources = [Source::new("a.yaml", texts.join("---\n"))];
    let loaded = |exceptions| {
        let environment = Environment {
            exceptions,
            ..Environment::default()
        };
        load(&sources, &environment)
    };
    let off = loaded(ExceptionsFrom::Nowhere);
    let message = "exceptions are not enabled: this one has no effect";
    assert_eq!(said(&off), [(false, message), (false, message)]);
    assert_eq!(counts(&off), [0, 0, 0]);
    let one = loaded(ExceptionsFrom::Namespaces(vec!["delt?".into()]));
    let message = "exceptions of namespace `other` do not count: this one has no effect";
    assert_eq!(said(&one), [(false, message)]);
    assert_eq!(counts(&one), [1, 1, 1]);
    assert_eq!(counts(&loaded(ExceptionsFrom::Anywhere)), [2, 2, 2]);
}

#[test]
fn an_exception_with_an_error_lets_nothing_off() {
    let broken = exception("a").replace("policyName", "policy");
    let direct = exception("a").replace(
        "{any: [{resources: {kinds: [Pod]}}]}",
        "{resources: {kinds: [Pod]}}",
    );
    let cel = exception("a").replace("kyverno.io/v2", "policies.kyverno.io/v1");
    let texts = [broken, direct, cel, POLICY.to_owned()];
    let source = Source::new("exceptions.yaml", texts.join("---\n"));
    let policies = [Source::new("policy.yaml", POLICY)];
    let environment = Environment::default();
    let strict = [(Arc::clone(&source), Holds::Exceptions)];
    let loaded = load_with_exceptions(&policies, &strict, &environment);
    assert_eq!(
        said(&loaded),
        [
            (true, "`exceptions` has no `policyName`"),
            (true, "`exceptions` has no field `policy`"),
            (
                true,
                "`match` of an exception has `any` or `all`, and no filter of its own"
            ),
            (
                true,
                "`PolicyException` of `policies.kyverno.io/v1` is not supported yet: it is for policies in CEL"
            ),
            (true, "`ClusterPolicy` of `kyverno.io/v1` is no exception"),
        ]
    );
    assert_eq!(counts(&loaded), [0, 0, 0]);
    let among = [(
        Source::new("all.yaml", format!("{POLICY}---\n{}", exception("a"))),
        Holds::Anything,
    )];
    let loaded = load_with_exceptions(&policies, &among, &environment);
    assert_eq!(said(&loaded), []);
    assert_eq!(counts(&loaded), [1, 1, 1]);
}

#[test]
fn conditions_of_an_exception_are_checked_as_any_others() {
    let conditions = "spec:\n  conditions: {any: [{key: \"{{ request.object. }}\", operator: Equals, value: \"{{ nothing(@) }}\"}]}";
    let text = exception("a").replace("spec:", conditions);
    let policies = [Source::new("policy.yaml", POLICY)];
    let exceptions = [(Source::new("exception.yaml", text), Holds::Exceptions)];
    let loaded = load_with_exceptions(&policies, &exceptions, &Environment::default());
    let codes: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|one| one.code.name())
        .collect();
    assert_eq!(codes, ["invalid-expression", "invalid-expression"]);
    assert_eq!(counts(&loaded), [0, 0, 0]);
}

#[test]
fn versions_of_slsa_are_exact_where_the_host_says_so() {
    let text = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  rules:
    - name: signed
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:
        - imageReferences: [\"registry.example/*\"]
          attestors:
            - entries:
                - keyless: {issuer: \"https://issuer.example\", subject: \"builder@example.com\"}
";
    for exact_slsa_versions in [false, true] {
        let environment = Environment {
            exact_slsa_versions,
            ..Environment::default()
        };
        let (policies, diagnostics) = front(&[Source::new("policy.yaml", text)], &environment);
        assert_eq!(diagnostics, []);
        let fallback = policies[0].policy().slsa_version_fallback();
        assert_eq!(fallback, !exact_slsa_versions);
    }
}

#[test]
fn an_exception_of_what_is_not_there_is_warned_of() {
    let named = |policy: &str, rules: &str| {
        let text =
            exception("a").replace("policyName: standards", &format!("policyName: {policy}"));
        text.replace("ruleNames: ['*']", &format!("ruleNames: {rules}"))
    };
    let said_of = |policies: &str, texts: &[String]| -> Vec<String> {
        let policies = [Source::new("policy.yaml", policies)];
        let exceptions = [(
            Source::new("e.yaml", texts.join("---\n")),
            Holds::Exceptions,
        )];
        let loaded = load_with_exceptions(&policies, &exceptions, &Environment::default());
        let said = loaded
            .diagnostics
            .into_iter()
            .filter(|one| one.source.name == "e.yaml");
        said.map(|one| format!("{} {}", one.message, one.help.unwrap_or_default()))
            .collect()
    };
    let texts = [
        named("standard", "[level]"),
        named("standards", "[levels, autogen-level, 'autogen-*', 'x*']"),
    ];
    assert_eq!(
        said_of(POLICY, &texts),
        [
            "the exception names a policy that is not there: `standard` did you mean `standards`?",
            "the exception names a rule that is not there: `levels` did you mean `level`?",
            "the exception names a rule that is not there: `x*` ",
        ]
    );
    // Policies that are not read here, or not well, may be what is meant.
    let none: [&str; 0] = [];
    assert_eq!(said_of("", &texts), none);
    let other = POLICY.replace("name: standards", "name: other");
    let broken = POLICY.replace("podSecurity", "podSafety");
    let both = format!("{broken}---\n{other}");
    assert_eq!(said_of(&both, &[named("standards", "[level]")]), none);
}

#[test]
fn exceptions_for_controls_that_excuse_other_rules_as_a_whole_are_said() {
    let team = "  - name: team\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate: {pattern: {metadata: {labels: {team: '?*'}}}}\n";
    let policies = [Source::new("p.yaml", format!("{POLICY}{team}"))];
    let said_of = |rules: &str, controls: &str| -> Vec<String> {
        let text = exception("delta").replace("['*']", rules) + controls;
        let exceptions = [(Source::new("e.yaml", text), Holds::Exceptions)];
        let loaded = load_with_exceptions(&policies, &exceptions, &Environment::default());
        let said = loaded.diagnostics.into_iter();
        said.map(|one| one.message).collect()
    };
    let controls = "  podSecurity: [{controlName: Host Namespaces}]\n";
    let message = "`podSecurity` says nothing of rule `team`, which is excused as a whole";
    assert_eq!(said_of("['*']", controls), [message]);
    assert_eq!(said_of("[level, team]", controls), [message]);
    let none: [&str; 0] = [];
    assert_eq!(said_of("['*level']", controls), none);
    assert_eq!(said_of("['*']", ""), none);
}
