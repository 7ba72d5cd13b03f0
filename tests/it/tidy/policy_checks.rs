//! `docs/policy-checks.md`: what Kyverno's webhook for policies checks, each with a policy that fails it and what Regent
//! says of that.

use std::fmt::Write as _;
use std::fs;

use regent_engine::load::{self, Environment};
use regent_engine::source::Source;
use regent_tests::workspace;

const HEAD: &str = "\
# What Kyverno checks when a policy is created

Kyverno's webhook for policies refuses these; `regent check`, and everything else that loads policies, says the same under the names of [diagnostics.md](diagnostics.md), each at its place.
A policy with an error is left out.

`tests/it/tidy/policy_checks.rs` writes this file and tries each line; do not edit it.

| What is refused | Diagnostic |
| --- | --- |
";

const MATCH: &str = "match: {any: [{resources: {kinds: [Pod]}}]}";
const VALIDATE: &str = "validate: {pattern: {metadata: {name: a}}}";
const ENTRY: &str =
    "imageReferences: ['*'], attestors: [{entries: [{keyless: {issuer: a, subject: b}}]}]";

/// A policy with some fields of `spec` and one rule.
fn with_spec(spec: &str, rule: &str) -> String {
    format!(
        "{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: example}}, spec: {{{spec}{}rules: [{{{rule}}}]}}}}",
        if spec.is_empty() { "" } else { ", " }
    )
}

/// A policy with one rule.
fn rule(rule: &str) -> String {
    with_spec("", rule)
}

/// A policy with a rule that matches pods.
fn body(body: &str) -> String {
    rule(&format!("name: a, {MATCH}, {body}"))
}

/// A policy with a rule that validates pods, and more of it.
fn more(more: &str) -> String {
    body(&format!("{more}, {VALIDATE}"))
}

/// A policy with a filter of `match`.
fn filter(filter: &str) -> String {
    rule(&format!("name: a, match: {{any: [{filter}]}}, {VALIDATE}"))
}

/// A `Policy` of the namespace `shop` with a rule for pods.
fn of_namespace(body: &str) -> String {
    format!(
        "{{apiVersion: kyverno.io/v1, kind: Policy, metadata: {{name: example, namespace: shop}}, spec: {{rules: [{{name: a, {MATCH}, {body}}}]}}}}"
    )
}

fn spec(spec: &str) -> String {
    with_spec(spec, &format!("name: a, {MATCH}, {VALIDATE}"))
}

fn generate(fields: &str) -> String {
    body(&format!(
        "generate: {{apiVersion: v1, kind: ConfigMap, name: x, {fields}}}"
    ))
}

fn long() -> String {
    "a".repeat(64)
}

/// What is checked, the diagnostic, and a policy that fails it.
fn checks() -> Vec<(&'static str, &'static str, String)> {
    let mut checks = of_policies();
    checks.extend(of_rules());
    checks.extend(of_matches());
    checks.extend(of_variables());
    checks.extend(of_bodies());
    checks.extend(of_images());
    checks
}

fn of_policies() -> Vec<(&'static str, &'static str, String)> {
    let plain = format!("{{name: a, {MATCH}, {VALIDATE}}}");
    vec![
        ("a policy's name of more than 63 characters", "name-too-long", format!("{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: {}}}, spec: {{rules: [{plain}]}}}}", long())),
        ("a policy without rules", "missing-field", "{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: example}, spec: {rules: []}}".to_owned()),
        ("two rules of one name", "duplicate-rule-name", format!("{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: example}}, spec: {{rules: [{plain}, {plain}]}}}}")),
        ("a setting in its old and in its new place: `failurePolicy`", "conflicting-settings", spec("failurePolicy: Fail, webhookConfiguration: {failurePolicy: Fail}")),
        ("the same of `webhookTimeoutSeconds`", "conflicting-settings", spec("webhookTimeoutSeconds: 5, webhookConfiguration: {timeoutSeconds: 5}")),
        ("the same of `generateExisting`", "conflicting-settings", with_spec("generateExisting: false", &format!("name: a, {MATCH}, generate: {{generateExisting: true, apiVersion: v1, kind: ConfigMap, name: x, namespace: ns, data: {{}}}}"))),
        ("the same of `mutateExistingOnPolicyUpdate`", "conflicting-settings", with_spec("mutateExistingOnPolicyUpdate: true", &format!("name: a, {MATCH}, mutate: {{mutateExistingOnPolicyUpdate: true, targets: [{{apiVersion: v1, kind: Secret, name: s, namespace: ns}}], patchStrategicMerge: {{metadata: {{labels: {{a: b}}}}}}}}"))),
        ("`generateExistingOnPolicyUpdate`, which is no more", "not-supported", spec("generateExistingOnPolicyUpdate: true")),
        ("a webhook's timeout out of 1 to 30 seconds", "invalid-value", spec("webhookConfiguration: {timeoutSeconds: 31}")),
        ("`admission: false` with `background: false`", "never-evaluated", spec("admission: false, background: false")),
        ("`admission: false` of a policy that does more than validate", "never-evaluated", with_spec("admission: false", &format!("name: a, {MATCH}, mutate: {{patchStrategicMerge: {{metadata: {{labels: {{a: b}}}}}}}}"))),
        ("the annotation `pod-policies.kyverno.io/autogen-controllers: all`", "autogen-controllers", format!("{{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {{name: example, annotations: {{pod-policies.kyverno.io/autogen-controllers: all}}}}, spec: {{rules: [{plain}]}}}}")),
        ("`validationFailureActionOverrides` of a `Policy`", "invalid-value", format!("{{apiVersion: kyverno.io/v1, kind: Policy, metadata: {{name: example, namespace: shop}}, spec: {{validationFailureActionOverrides: [{{action: Audit, namespaces: [a]}}], rules: [{plain}]}}}}")),
        ("an unknown field", "unknown-field", spec("backgroud: true")),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one line after the other")]
fn of_rules() -> Vec<(&'static str, &'static str, String)> {
    vec![
        (
            "a rule's name of more than 63 characters",
            "name-too-long",
            rule(&format!("name: {}, {MATCH}, {VALIDATE}", long())),
        ),
        (
            "a rule without a name",
            "invalid-value",
            rule(&format!("name: '', {MATCH}, {VALIDATE}")),
        ),
        (
            "a rule that does nothing",
            "missing-field",
            rule(&format!("name: a, {MATCH}")),
        ),
        (
            "a rule that does two things",
            "invalid-value",
            body(&format!(
                "{VALIDATE}, mutate: {{patchStrategicMerge: {{}}}}"
            )),
        ),
        (
            "`imageExtractors` of a rule that verifies no images",
            "not-supported",
            more("imageExtractors: {Task: [{path: /spec/image}]}"),
        ),
        (
            "an entry of `context` with a reserved name",
            "reserved-name",
            more("context: [{name: request, variable: {value: 1}}]"),
        ),
        (
            "an entry of `context` without a source",
            "missing-field",
            more("context: [{name: x}]"),
        ),
        (
            "an entry of `context` with two sources",
            "invalid-value",
            more(
                "context: [{name: x, variable: {value: 1}, configMap: {name: settings, namespace: platform}}]",
            ),
        ),
        (
            "a `configMap` without a name",
            "missing-field",
            more("context: [{name: x, configMap: {namespace: z}}]"),
        ),
        (
            "an `apiCall` with neither path nor service",
            "missing-field",
            more("context: [{name: x, apiCall: {jmesPath: a}}]"),
        ),
        (
            "an `apiCall` with both",
            "invalid-value",
            more(
                "context: [{name: x, apiCall: {urlPath: /api/v1/pods, service: {url: 'http://a'}}}]",
            ),
        ),
        (
            "an `apiCall` that sends data with GET",
            "invalid-value",
            more(
                "context: [{name: x, apiCall: {urlPath: /api/v1/pods, data: [{key: a, value: b}]}}]",
            ),
        ),
        (
            "a `ConfigMap` of another namespace in a `Policy`",
            "other-namespace",
            of_namespace(&format!(
                "context: [{{name: x, configMap: {{name: settings, namespace: platform}}}}], {VALIDATE}"
            )),
        ),
        (
            "an operator that there is not",
            "unknown-operator",
            more("preconditions: {all: [{key: a, operator: Is, value: b}]}"),
        ),
        (
            "`request.operation` compared with what is no operation",
            "unknown-operation",
            more(
                "preconditions: {all: [{key: '{{ request.operation }}', operator: Equals, value: MAKE}]}",
            ),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one line after the other")]
fn of_matches() -> Vec<(&'static str, &'static str, String)> {
    let matched = |matched: &str| rule(&format!("name: a, match: {matched}, {VALIDATE}"));
    vec![
        ("an empty `match`", "missing-field", matched("{}")),
        (
            "`any` beside `all`",
            "invalid-value",
            matched("{any: [{resources: {kinds: [Pod]}}], all: [{resources: {kinds: [Pod]}}]}"),
        ),
        (
            "`any` beside a filter of its own",
            "invalid-value",
            matched("{any: [{resources: {kinds: [Pod]}}], resources: {kinds: [Pod]}}"),
        ),
        (
            "an empty filter",
            "invalid-value",
            filter("{resources: {}}"),
        ),
        (
            "`name` beside `names`",
            "conflicting-settings",
            filter("{resources: {kinds: [Pod], name: a, names: [b]}}"),
        ),
        (
            "an operation that there is not",
            "invalid-value",
            filter("{resources: {kinds: [Pod], operations: [READ]}}"),
        ),
        (
            "an operator of a selector that there is not",
            "invalid-value",
            filter(
                "{resources: {kinds: [Pod], selector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}}}",
            ),
        ),
        (
            "a subject of a kind that there is not",
            "invalid-value",
            filter("{resources: {kinds: [Pod]}, subjects: [{kind: Robot, name: a}]}"),
        ),
        (
            "a service account without its namespace",
            "missing-field",
            filter("{resources: {kinds: [Pod]}, subjects: [{kind: ServiceAccount, name: a}]}"),
        ),
        (
            "a filter of `exclude` that `match` has too",
            "empty-match",
            more("exclude: {any: [{resources: {kinds: [Pod]}}]}"),
        ),
        (
            "`*` beside other kinds, in the background, or about more than metadata",
            "wildcard-kind",
            filter("{resources: {kinds: ['*', Pod]}}"),
        ),
        (
            "a variable in `match` or `exclude`",
            "variable-not-allowed",
            filter("{resources: {kinds: [Pod], names: ['{{ request.name }}']}}"),
        ),
        (
            "users, roles or their variables in a policy that runs in the background",
            "user-data-in-background",
            filter("{resources: {kinds: [Pod]}, clusterRoles: [a]}"),
        ),
    ]
}

fn of_variables() -> Vec<(&'static str, &'static str, String)> {
    let denied = |key: &str| {
        body(&format!(
            "validate: {{deny: {{conditions: {{all: [{{key: '{key}', operator: Equals, value: x}}]}}}}}}"
        ))
    };
    vec![
        (
            "an expression that cannot be read",
            "invalid-expression",
            denied("{{ request.object. }}"),
        ),
        (
            "a function that there is not",
            "invalid-expression",
            denied("{{ lenght(request.object) }}"),
        ),
        (
            "a name that nothing sets",
            "unknown-variable",
            denied("{{ teams.data }}"),
        ),
        (
            "a variable of an element outside of `foreach`",
            "element-outside-foreach",
            denied("{{ element.name }}"),
        ),
        (
            "a variable of a target outside of `targets`",
            "unknown-variable",
            denied("{{ target.metadata.name }}"),
        ),
        (
            "a reference that leads nowhere",
            "unknown-reference",
            body("validate: {pattern: {metadata: {name: '$(./../x)'}}}"),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one line after the other")]
fn of_bodies() -> Vec<(&'static str, &'static str, String)> {
    let patch = |text: &str| body(&format!("mutate: {{patchesJson6902: '{text}'}}"));
    vec![
        (
            "a `validate` that demands nothing, or two things",
            "invalid-value",
            body("validate: {pattern: {a: b}, deny: {}}"),
        ),
        (
            "a `foreach` without a list",
            "missing-field",
            body("validate: {foreach: [{pattern: {a: b}}]}"),
        ),
        (
            "a `foreach` that demands nothing",
            "missing-field",
            body("validate: {foreach: [{list: request.object.spec.containers}]}"),
        ),
        (
            "an anchor for mutation in a pattern",
            "invalid-value",
            body("validate: {pattern: {+(a): b}}"),
        ),
        (
            "an exclusion of `podSecurity` that its control does not take",
            "invalid-exclusion",
            body(
                "validate: {podSecurity: {level: baseline, exclude: [{controlName: Capabilities}]}}",
            ),
        ),
        (
            "a `mutate` without a patch",
            "missing-field",
            body("mutate: {}"),
        ),
        (
            "a `mutate` with two patches",
            "invalid-value",
            body("mutate: {patchStrategicMerge: {}, patchesJson6902: '[]'}"),
        ),
        ("a JSON patch that is none", "invalid-value", patch("a: b")),
        (
            "an operation of a JSON patch that there is not",
            "invalid-value",
            patch("[{op: put, path: /a, value: b}]"),
        ),
        (
            "a path of a JSON patch that does not begin with `/`",
            "invalid-value",
            patch("[{op: add, path: a, value: b}]"),
        ),
        (
            "a target without `kind` or `apiVersion`",
            "missing-field",
            body(
                "mutate: {targets: [{kind: Secret}], patchStrategicMerge: {metadata: {labels: {a: b}}}}",
            ),
        ),
        (
            "a target in another namespace of a `Policy`",
            "other-namespace",
            of_namespace(
                "mutate: {targets: [{apiVersion: v1, kind: Secret, namespace: other, name: a}], patchStrategicMerge: {metadata: {labels: {a: b}}}}",
            ),
        ),
        (
            "`generate` that makes nothing, or two things",
            "invalid-value",
            generate("namespace: a, data: {}, clone: {name: b}"),
        ),
        (
            "`generate` without a kind or a name",
            "missing-field",
            body("generate: {apiVersion: v1, kind: ConfigMap, namespace: a, data: {}}"),
        ),
        (
            "`generate` without the namespace that the kind lives in, or with one where it lives in none",
            "wrong-scope",
            generate("data: {}"),
        ),
        (
            "kinds of a `cloneList` that live differently",
            "wrong-scope",
            body(
                "generate: {namespace: a, cloneList: {namespace: b, kinds: [v1/Secret, v1/Namespace]}}",
            ),
        ),
        (
            "`generate` from or into another namespace of a `Policy`",
            "other-namespace",
            of_namespace(
                "generate: {apiVersion: v1, kind: ConfigMap, name: x, namespace: other, data: {}}",
            ),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one line after the other")]
fn of_images() -> Vec<(&'static str, &'static str, String)> {
    let entry = |fields: &str| body(&format!("verifyImages: [{{{fields}}}]"));
    let attestor = |attestor: &str| {
        entry(&format!(
            "imageReferences: ['*'], attestors: [{{entries: [{attestor}]}}]"
        ))
    };
    vec![
        (
            "an entry of `verifyImages` without images",
            "missing-field",
            entry("attestors: [{entries: [{keyless: {issuer: a, subject: b}}]}]"),
        ),
        (
            "`mutateDigest: true` of a rule that audits",
            "mutate-digest-audit",
            entry(&format!(
                "failureAction: Audit, mutateDigest: true, {ENTRY}"
            )),
        ),
        (
            "an attestor that is none, or two",
            "invalid-value",
            attestor("{keyless: {issuer: a, subject: b}, keys: {publicKeys: x}}"),
        ),
        (
            "a `count` of more entries than there are",
            "invalid-value",
            entry(
                "imageReferences: ['*'], attestors: [{count: 2, entries: [{keyless: {issuer: a, subject: b}}]}]",
            ),
        ),
        (
            "a set of attestors without entries",
            "missing-field",
            entry("imageReferences: ['*'], attestors: [{entries: []}]"),
        ),
        (
            "keys that name no key",
            "missing-field",
            attestor("{keys: {}}"),
        ),
        (
            "certificates that name none",
            "missing-field",
            attestor("{certificates: {}}"),
        ),
        (
            "a keyless attestor that names nobody",
            "any-identity",
            attestor("{keyless: {}}"),
        ),
        (
            "a regular expression that does not compile",
            "invalid-regex",
            attestor("{keyless: {issuer: a, subjectRegExp: '('}}"),
        ),
        (
            "an attestation without a type",
            "missing-field",
            entry(&format!(
                "{ENTRY}, attestations: [{{attestors: [{{entries: [{{keyless: {{issuer: a, subject: b}}}}]}}]}}]"
            )),
        ),
    ]
}

fn said(policy: &str) -> Vec<String> {
    let sources = [Source::new("example.yaml", policy)];
    let said = load::load(&sources, &Environment::default()).diagnostics;
    let said = said.iter();
    said.map(|one| format!("{}: {}", one.code.name(), one.message))
        .collect()
}

#[test]
fn what_kyverno_refuses_is_said_under_its_name() {
    let (mut page, mut wrong) = (HEAD.to_owned(), Vec::new());
    for (what, code, policy) in checks() {
        writeln!(page, "| {what} | [`{code}`](diagnostics.md#{code}) |").unwrap();
        let said = said(&policy);
        if !said.iter().any(|one| one.starts_with(&format!("{code}: "))) {
            wrong.push(format!("{what}: wanted {code}, said {said:?}\n  {policy}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let path = workspace().join("docs/policy-checks.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/policy-checks.md is old: UPDATE_EXPECT=1 writes it"
    );
}
