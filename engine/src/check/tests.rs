use std::fmt::Write as _;

use expect_test::{Expect, expect};

use crate::load::{self, Environment, ExceptionsFrom};
use crate::source::Source;

fn check_in(environment: &Environment, text: &str, expected: &Expect) {
    let source = Source::new("policy.yaml", text);
    let (_, diagnostics) = load::front(&[source], environment);
    let mut out = String::new();
    for diagnostic in &diagnostics {
        let (line, column) = diagnostic.position();
        let severity = if diagnostic.is_error() {
            ""
        } else {
            "warning "
        };
        let (code, message) = (diagnostic.code.name(), &diagnostic.message);
        writeln!(out, "{severity}{code} {line}:{column} {message}").unwrap();
        for label in diagnostic.labels.iter().skip(1) {
            let (line, column) = diagnostic.source.position(label.span.start);
            writeln!(out, "  {line}:{column} {}", label.text).unwrap();
        }
        if let Some(help) = &diagnostic.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    expected.assert_eq(&out);
}

fn check(text: &str, expected: &Expect) {
    check_in(&Environment::default(), text, expected);
}

/// A policy with some rules.
fn rules(rules: &str) -> String {
    let head = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: example}\nspec:\n  rules:\n";
    let mut text = head.to_owned();
    for line in rules.lines() {
        writeln!(text, "    {line}").unwrap();
    }
    text
}

const REFERENCE: &str = r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: verify-slsa-provenance
spec:
  validationFailureAction: Enforce
  webhookTimeoutSeconds: 30
  rules:
    - name: verify-provenance
      match:
        any:
          - resources:
              kinds: [Pod]
              namespaces: [production, staging]
      verifyImages:
        - imageReferences:
            - "ghcr.io/your-org/*"
          attestors:
            - count: 1
              entries:
                - keyless:
                    issuer: "https://token.actions.githubusercontent.com"
                    subject: "https://github.com/your-org/*"
                    rekor:
                      url: "https://rekor.sigstore.dev"
          attestations:
            - type: https://slsa.dev/provenance/v1
              conditions:
                - all:
                    - key: "{{ builder.id }}"
                      operator: Equals
                      value: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0"
"#;

#[test]
fn the_reference_policy_loads_without_diagnostics() {
    let environment = Environment {
        log_urls: Some(vec!["https://rekor.sigstore.dev/".to_owned()]),
        ..Environment::default()
    };
    check_in(&environment, REFERENCE, &expect![[""]]);
}

#[test]
fn a_log_that_no_trust_root_has() {
    let environment = Environment {
        log_urls: Some(vec!["https://log.example".to_owned()]),
        ..Environment::default()
    };
    check_in(
        &environment,
        REFERENCE,
        &expect![[r#"
        unknown-log 25:28 no trust root has a log at `https://rekor.sigstore.dev`
          help: load its trust root; those that are loaded have https://log.example
    "#]],
    );
}

#[test]
fn kinds_that_are_not_run_are_named() {
    check(
        "apiVersion: policies.kyverno.io/v1\nkind: ValidatingPolicy\nmetadata: {name: a}\nspec: {}\n",
        &expect![[r#"
            not-supported-yet 2:7 `ValidatingPolicy` of `policies.kyverno.io/v1` is not supported yet: it is written in CEL
              help: what is read is `ClusterPolicy` and `Policy` of `kyverno.io/v1`, and what Gatekeeper and Kubewarden have
        "#]],
    );
    check(
        "apiVersion: v1\nkind: ConfigMap\n",
        &expect![[r#"
        invalid-value 2:7 `ConfigMap` of `v1` is no policy
          help: a policy is a `ClusterPolicy` or a `Policy` of `kyverno.io/v1`
    "#]],
    );
    check(
        "kind: ClusterPolicy\n",
        &expect![[r#"
        missing-field 1:1 the document has no `apiVersion`
    "#]],
    );
    check(
        "- a\n- b\n",
        &expect![[r#"
        invalid-value 1:1 a policy is a map, this is a list
    "#]],
    );
}

#[test]
fn fields_that_are_not_run_are_named_and_unknown_ones_corrected() {
    check(
        &rules(
            "- name: a
  match: {any: [{resources: {kinds: [Pod], namespaceselector: {}}}]}
  context: [{name: x, variable: {value: 1}}]
  preconditons: {}
  validate:
    mesage: no
    cel: {expressions: []}
- name: b
  match: {any: [{resources: {kinds: [Pod]}}]}
  mutate: {patchStrategicMerge: {}}
- name: c
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages:
    - imageReferences: ['*']
      type: Notary
      cosignOCI11: true
      attestors:
        - entries:
            - certificates: {cert: x}
            - keys: {kms: 'awskms://x'}
            - keyless: {roots: x, subject: y, issuer: z}",
        ),
        &expect![[r#"
            unknown-field 7:48 `resources` has no field `namespaceselector`
              help: did you mean `namespaceSelector`?
            unknown-field 9:7 `rule` has no field `preconditons`
              help: did you mean `preconditions`?
            unknown-field 11:9 `validate` has no field `mesage`
              help: did you mean `message`?
            not-supported-yet 12:9 `cel` of `validate` is not supported yet: it is written in CEL
            invalid-key 24:40 `cert` cannot be read: there is text outside of `BEGIN` and `END`
              help: a certificate is PEM that begins with `-----BEGIN CERTIFICATE-----`
            not-supported 25:31 a key in a key management service is not supported
              help: write the public key into `publicKeys`: `cosign public-key --key URI` prints it
            invalid-key 26:36 `roots` cannot be read: there is text outside of `BEGIN` and `END`
              help: a certificate is PEM that begins with `-----BEGIN CERTIFICATE-----`
            invalid-value 26:48 `subject` must be a text, this is a boolean
              help: put it in quotes
        "#]],
    );
}

#[test]
fn wrong_types_and_missing_fields() {
    check(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: 5, annotations: {a: true}}
spec:
  validationFailureAction: enforced
  webhookTimeoutSeconds: 31
  background: 'no'
  rules:
    - match: {}
      validate: {}
    - name: b
      match: {any: [], all: []}
      validate: {pattern: {a: []}, deny: {}}
    - name: c
      match: {any: [{}]}
    - name: d
      match: {resources: {kinds: [Pod, a/b/c/d/e]}}
      validate:
        deny:
          conditions:
            all:
              - {key: a, operator: Equlas, value: b}
              - {key: a, value: b}
",
        &expect![[r#"
            invalid-value 3:18 `name` must be a text, this is a number
              help: put it in quotes
            invalid-value 3:38 `annotations.a` must be a text, this is a boolean
              help: put it in quotes
            invalid-value 5:28 `validationFailureAction` cannot be `enforced`
              help: did you mean `Enforce`?
            invalid-value 6:26 `webhookTimeoutSeconds` must be between 1 and 30
            invalid-value 7:15 `background` must be a boolean, this is a text
            missing-field 9:7 `rule` has no `name`
            missing-field 9:14 `match` is empty
            missing-field 10:7 `validate` demands nothing: it has none of `pattern`, `anyPattern`, `deny`, `foreach`, `podSecurity`, `rego` and `wasm`
            invalid-value 12:29 `match` has more than one of `any`, `all` and a filter of its own
            invalid-value 13:36 `validate` demands one thing: it has `pattern` and `deny`
              13:18 the other one
              help: keep one of them; what else is demanded has its own rule
            missing-field 14:7 a rule does something: it has none of `validate`, `mutate`, `generate` and `verifyImages`
            invalid-value 15:21 a filter cannot be empty
            invalid-value 17:40 `a/b/c/d/e` is no kind
              help: a kind is `Kind`, `version/Kind` or `group/version/Kind`, each with `/subresource` where one is meant
            unknown-operator 22:36 there is no operator `Equlas`
              help: did you mean `Equals`?
            missing-field 23:18 `condition` has no `operator`
        "#]],
    );
}

#[test]
fn keys_are_read_at_load() {
    check(
        &rules(
            "- name: a
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages:
    - imageReferences: ['*']
      attestors:
        - count: 3
          entries:
            - keys:
                publicKeys: |-
                  -----BEGIN PUBLIC KEY-----
                  MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEthHhk+1xfHVulxWr8bRayfbPZosw
                  vMZPEj2zqb+5vNJoF1Vu4eCZ5uBw1/crBpkdXp/BWii0Amb8QlFbKf3XZQ==
                  -----END PUBLIC KEY-----
    - imageReferences: ['*']
      attestors:
        - entries:
            - keys: {publicKeys: 'k8s://a/b'}
            - keys: {publicKeys: 'nothing'}
            - keys: {publicKeys: \"-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\"}
            - keys: {}",
        ),
        &expect![[r#"
            invalid-value 11:22 `count` must be between 0 and 1
            invalid-key 23:38 the key cannot be read: there is text outside of `BEGIN` and `END`
              help: a key is PEM that begins with `-----BEGIN PUBLIC KEY-----`
            invalid-key 24:38 the key cannot be read: it is not a SubjectPublicKeyInfo
              help: a key is PEM that begins with `-----BEGIN PUBLIC KEY-----`
            missing-field 25:25 `keys` has one of `publicKeys`, `secret` and `kms`
        "#]],
    );
}

#[test]
fn an_error_in_one_policy_leaves_the_others() {
    let good = REFERENCE;
    let bad = REFERENCE.replace("- name: verify-provenance", "- nmae: verify-provenance");
    let source = Source::new("policies.yaml", format!("{bad}---\n{good}---\na: [\n"));
    let (policies, diagnostics) = load::front(&[source], &Environment::default());
    let names: Vec<String> = policies
        .iter()
        .map(|checked| checked.policy().key())
        .collect();
    assert_eq!(names, ["verify-slsa-provenance"]);
    let codes: Vec<&str> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.name())
        .collect();
    assert_eq!(codes, ["unknown-field", "invalid-yaml"]);
}

#[test]
fn exclusions_of_the_pod_security_standards() {
    check(
        &rules(
            "- name: a
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    podSecurity:
      level: baseline
      version: v1.18
      exclude:
        - controlName: Capability
        - {controlName: Capabilities}
- name: b
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    podSecurity:
      level: baseline
      exclude:
        - {controlName: Capabilities}
        - {controlName: Sysctls, images: [a]}
        - {controlName: Seccomp, restrictedField: spec.securityContext.seccompProfile.type}
        - {controlName: Seccomp, values: [Unconfined]}
        - {controlName: Volume Types}
        - {controlName: SELinux, images: [a], field: b}",
        ),
        &expect![[r#"
            invalid-value 11:20 `version` cannot be `v1.18`
              help: it is one of `v1.19` to `v1.34`, or `latest`
            invalid-value 13:28 `controlName` cannot be `Capability`
              help: did you mean `Capabilities`?
            invalid-exclusion 21:29 control `Capabilities` is about containers, and no `images` are named
              help: name the images of the containers, or `*` for all
            invalid-exclusion 22:47 control `Sysctls` is about the pod, which has no image
              help: leave `images` out
            invalid-exclusion 23:55 `restrictedField` has no `values`
              help: say which values are excused, or `*` for all
            invalid-exclusion 24:47 `values` without a `restrictedField`
              help: say of which field they are
            invalid-exclusion 25:29 level `baseline` has no control `Volume Types`
            unknown-field 26:51 `exclude` has no field `field`
        "#]],
    );
}

#[test]
fn roles_are_read_by_name_or_with_the_whole_request() {
    for expression in [
        "request.roles",
        "length(request.clusterRoles)",
        "request.\"roles\"",
        "request.{{ field }}",
        "to_string(request)",
        "request | keys(@)",
        "request",
    ] {
        assert!(super::names_roles(expression), "{expression}");
    }
    for expression in [
        "request.object.roles",
        "request.rolesOfOthers",
        "request.object.metadata.labels.request",
        "requests.roles",
        "contains('request', x)",
        "request.userInfo.username",
    ] {
        assert!(!super::names_roles(expression), "{expression}");
    }
}

#[test]
fn references_of_patterns_lead_to_texts_of_the_pattern() {
    check(
        &rules(
            r#"- name: references
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    pattern:
      metadata:
        labels: {a: "x", b: "$(./../a)", c: "$(/metadata/labels/a)-$(../a)", d: "\\$(literal) $(no blank)"}
      spec:
        =(replicas): ">$(./../limit)"
        X(limit): 3
        count: 3
        most: "$(<=./../count)"
        nowhere: "$(./../gone)"
        map: "$(/metadata/labels)"
        number: "$(./../count)"
        self: "$(.)"
        chain: "$(./../most)"
        flag: true
        operator: "$(!./../flag)"
"#,
        ),
        &expect![[r#"
            unknown-reference 13:26 the reference `$(./../limit)` leads to `/spec/limit`, which is not a text
              help: write `\$(` for a dollar and a parenthesis that refer to nothing
            unknown-reference 17:22 the reference `$(./../gone)` leads to `/spec/gone`, which the pattern has not
              help: write `\$(` for a dollar and a parenthesis that refer to nothing
            unknown-reference 18:18 the reference `$(/metadata/labels)` leads to `/metadata/labels`, which is not a text
              help: write `\$(` for a dollar and a parenthesis that refer to nothing
            unknown-reference 19:21 the reference `$(./../count)` leads to `/spec/count`, which is not a text
              help: write `\$(` for a dollar and a parenthesis that refer to nothing
            unknown-reference 20:19 the reference `$(.)` leads to `/spec/self`, which is a reference itself
              help: write `\$(` for a dollar and a parenthesis that refer to nothing
            unknown-reference 21:20 the reference `$(./../most)` leads to `/spec/most`, which is a reference itself
              help: write `\$(` for a dollar and a parenthesis that refer to nothing
            unknown-reference 23:23 the reference `$(!./../flag)` leads to `/spec/flag`, which is not a text
              help: write `\$(` for a dollar and a parenthesis that refer to nothing
        "#]],
    );
}

#[test]
fn patterns_that_nothing_matches_are_said() {
    check(
        &rules(
            r#"- name: contradictions
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    anyPattern:
      - spec:
          a: ">5 & <3"
          b: "5-3"
          c: "x & y"
          d: "!*"
          e: ">1.2.3"
          f: ">1h & <30m | 5"
          g: "5 & 6"
          h: ["> 1 & < 1"]
          i: []
          ^(j): "x"
          X(k): "null"
          k: "?*"
          =(l): "0 & !0"
"#,
        ),
        &expect![[r#"
            warning impossible-pattern 11:18 `>5 & <3` can never match
              help: `&` asks for both, `|` for one of the two
            warning impossible-pattern 12:18 `5-3` can never match
            warning impossible-pattern 13:18 `x & y` can never match
              help: `&` asks for both, `|` for one of the two
            warning impossible-pattern 14:18 `!*` can never match
            warning impossible-pattern 15:18 `>1.2.3` can never match
              help: numbers, quantities and durations are compared, as `10`, `1Gi` and `30s`; texts are not
            warning impossible-pattern 16:18 of `>1h & <30m | 5`, `>1h & <30m` can never match
              help: `&` asks for both, `|` for one of the two
            warning impossible-pattern 17:18 `5 & 6` can never match
              help: `&` asks for both, `|` for one of the two
            warning impossible-pattern 18:19 `> 1 & < 1` can never match
              help: `&` asks for both, `|` for one of the two
            warning impossible-pattern 19:18 an empty list in a pattern matches no list
              help: a list in a pattern says by its first element what all elements are like
            warning impossible-pattern 20:15 `^()` takes a list of maps; this matches nothing
            warning impossible-pattern 22:15 `k` must be there, and must not
              21:15 this forbids it
            warning impossible-pattern 23:21 `0 & !0` can never match
              help: `&` asks for both, `|` for one of the two
        "#]],
    );
}

#[test]
fn elements_that_are_never_compared_are_said() {
    check(
        &rules(
            r#"- name: lists
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    pattern:
      spec:
        a: [x, y]
        b: [{c: 1}, {d: [1, 2]}]
        e: [[1], [2, 3]]
        ^(f): [{a: 1}, {b: 1}]
        X(g): [1, 2]
"#,
        ),
        &expect![[r#"
            warning ignored-element 11:20 only the first element of a list in a pattern is compared
              help: each element of the resource is compared with the first; `|` takes one of several texts
            warning ignored-element 12:25 only the first element of a list in a pattern is compared
              help: each element of the resource is compared with the first; `|` takes one of several texts
            warning ignored-element 13:26 only the first element of a list in a pattern is compared
              help: each element of the resource is compared with the first; `|` takes one of several texts
        "#]],
    );
}

#[test]
fn texts_of_the_resource_in_patterns_are_said() {
    check(
        &rules(
            r#"- name: patterns
  match: {any: [{resources: {kinds: [ConfigMap]}}]}
  context:
    - name: later
      variable: {value: {of: "{{ mine }}"}, jmesPath: of}
    - name: mine
      variable: {jmesPath: request.object.data.mine}
    - name: ours
      variable: {value: {mine: x}, jmesPath: mine}
    - name: counted
      variable: {jmesPath: length(request.object.data.mine), default: 1}
    - name: settings
      configMap: {name: settings, namespace: default}
  validate:
    anyPattern:
      - data:
          a: "{{ request.object.data.mine }}"
          b: "team-{{ request.oldObject.data.mine || 'none' }}"
          (c): "{{ later }}"
          d: ["{{ to_lower(@) }}"]
          e: "{{ request.object.metadata.annotations.* | [0] }}"
          f: "{{ request.object.data.{{ ours }} }}"
      - data:
          a: "{{ request.namespace }}{{ request.object.metadata.namespace }}"
          b: "{{ request.object.metadata.name }}-{{ request.object.kind }}"
          c: "{{ ours }}"
          d: "{{ settings.data.mine }}"
          e: "{{ length(request.object.data.mine) }}{{ counted }}"
          f: "{{ request.object.data.a == request.object.data.b }}"
          g: "{{ request.object.data.a && 'x' || 'y' }}"
          X(h): "{{ request.object.data.mine }}"
          i: "{{ settings.data.list[?@ == request.object.data.mine] | [0] }}"
"#,
        ),
        &expect![[r#"
            warning pattern-from-resource 22:19 `{{ request.object.data.mine }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
            warning pattern-from-resource 23:24 `{{ request.oldObject.data.mine || 'none' }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
            warning pattern-from-resource 24:21 `{{ later }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
            warning pattern-from-resource 25:20 `{{ to_lower(@) }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
            warning pattern-from-resource 26:19 `{{ request.object.metadata.annotations.* | [0] }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
            warning pattern-from-resource 27:19 `{{ request.object.data.{{ ours }} }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
        "#]],
    );
}

#[test]
fn elements_are_texts_of_the_resource_where_their_list_is() {
    check(
        &rules(
            r#"- name: elements
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    foreach:
      - list: settings
        context: [{name: settings, variable: {value: [a, b]}}]
        pattern: {spec: {hostname: "{{ element }}"}}
- name: containers
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    foreach:
      - list: request.object.spec.containers
        foreach:
          - list: element.env
            pattern: {name: "{{ element0.name }}", value: "{{ element.value }}", x: "{{ elementIndex }}"}
"#,
        ),
        &expect![[r#"
            warning pattern-from-resource 20:34 `{{ element0.name }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
            warning pattern-from-resource 20:64 `{{ element.value }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
        "#]],
    );
}

#[test]
fn elements_of_patches_without_a_key_are_said() {
    check(
        &rules(
            r#"- name: pods
  match: {any: [{resources: {kinds: [Pod]}}]}
  mutate:
    patchStrategicMerge:
      spec:
        containers:
          - name: web
            ports: [{(containerPort): 80, name: a}, {containerPort: 81}, {$patch: replace}]
            volumeMounts: [{(name): v, readOnly: true}, {"{{ request.name }}": 1}]
          - (image): x
            env: [{(name): A, value: b}, {(name): C}]
          - +(image): y
            ports: [{hostPort: 80}]
        hostAliases: [{<(ip): 1.1.1.1, hostnames: [a]}, {ip: null, hostnames: [a]}]
        tolerations: [{key: a}]
- name: others
  match: {any: [{resources: {kinds: [example.com/v1/Pod, ConfigMap, Widget]}}]}
  mutate:
    patchStrategicMerge: {spec: {containers: [{image: x}]}}
- name: targets
  match: {any: [{resources: {kinds: [ConfigMap]}}]}
  mutate:
    targets: [{apiVersion: v1, kind: Service, name: s}]
    foreach:
      - list: request.object.data.ports
        patchStrategicMerge: {spec: {ports: [{(port): 80, nodePort: 1}]}}
"#,
        ),
        &expect![[r#"
            warning element-without-key 13:25 this element of `ports` has no `containerPort` or `protocol`, so that it is about none
              help: write `containerPort` or `protocol` without an anchor, in a `foreach` where its value is another for each
            warning element-without-key 14:32 this element of `volumeMounts` has no `mountPath`, so that it is about none
              help: write `mountPath` without an anchor, in a `foreach` where its value is another for each
            warning element-without-key 18:25 this element of `ports` has no `containerPort` or `protocol`, so that it is about none
              help: write `containerPort` or `protocol`
            warning element-without-key 19:61 this element of `hostAliases` has no `ip`, so that it is about none
              help: write `ip`
            warning element-without-key 31:50 this element of `ports` has no `port` or `protocol`, so that it is about none
              help: write `port` or `protocol` without an anchor, in a `foreach` where its value is another for each
        "#]],
    );
}

#[test]
fn names_that_a_rule_does_not_use_are_free() {
    let with_context = |names: &str, body: &str| {
        let entries: Vec<String> = names
            .split(' ')
            .map(|name| format!("{{name: {name}, variable: {{value: 1}}}}"))
            .collect();
        rules(&format!(
            "- name: r\n  match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n  context: [{}]\n  {body}\n",
            entries.join(", ")
        ))
    };
    let deny = r#"validate: {deny: {conditions: {any: [{key: "{{ target }}{{ element0 }}", operator: Equals, value: b}]}}}"#;
    check(
        &with_context("target element0 elementIndex1", deny),
        &expect![[""]],
    );
    check(
        &with_context("element images", deny),
        &expect![[r"
            reserved-name 8:24 the language needs this name for itself
            reserved-name 8:63 the language needs this name for itself
            unknown-variable 9:51 nothing sets the name `target`
              help: declare it in `context`, or start from `request`
            element-outside-foreach 9:63 there is no `element0` outside of `foreach`
        "]],
    );
    check(
        &with_context(
            "target element0",
            "mutate: {targets: [{apiVersion: v1, kind: Secret, name: s}], foreach: [{list: request.object.spec.containers, patchStrategicMerge: {a: b}}]}",
        ),
        &expect![[r"
            reserved-name 8:24 the language needs this name for itself
            reserved-name 8:62 the language needs this name for itself
        "]],
    );
}

#[test]
fn patterns_that_something_matches_are_not_said() {
    check(
        &rules(
            r#"- name: contradictions
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    anyPattern:
      - spec:
          a: ">3 & <5"
          b: "3-5 & !4"
          c: "x* & *y"
          d: "!x & !y"
          e: ">5s & <10s"
          f: ">=0 & <=0s"
          g: "*"
          h: ""
          i: "{{ request.namespace }} & <3"
          X(k): "?*"
          k: null
          X(l): "?*"
          =(l): "?*"
          X(m): "?*"
          m: {=(n): 1}
          X(o): ">5 & <3"
          p: "a-b"
          q: ">1Gi | <1Mi"
          r: "1!-5 & 0"
          s: ">30m & <1"
"#,
        ),
        &expect![""],
    );
}

#[test]
fn notary_has_certificates_and_no_attestations() {
    check(
        &rules(
            "
- name: a
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages:
    - imageReferences: ['*']
      type: Notary
      attestors:
        - entries:
            - keyless: {subject: y, issuer: z}
            - attestor: {entries: [{keys: {secret: {name: a, namespace: b}}}]}
      attestations:
        - type: sbom/example
          attestors: [{entries: [{keyless: {subject: y, issuer: z}}]}]",
        ),
        &expect![[r#"
            conflicting-settings 14:19 attestors of `type: Notary` have `certificates`, and nothing else
            invalid-value 14:38 `subject` must be a text, this is a boolean
              help: put it in quotes
            conflicting-settings 15:40 attestors of `type: Notary` have `certificates`, and nothing else
            not-supported 17:15 `attestations` with `type: Notary` are not supported
              help: attest with cosign, and ask for that in an entry without `type`
            invalid-value 18:58 `subject` must be a text, this is a boolean
              help: put it in quotes
        "#]],
    );
}

/// A patch that cannot be read hides nothing of what else is wrong with its rule, nor do two where one can be.
#[test]
fn an_unreadable_patch_hides_no_others() {
    let text = rules(
        r#"- name: one
  match: {any: [{resources: {kinds: [Pod]}}]}
  preconditions: {all: [{key: "{{ first }}", operator: Equals, value: 1}]}
  mutate: {patchStrategicMerg: {}}
- name: two
  match: {any: [{resources: {kinds: [Pod]}}]}
  mutate:
    patchStrategicMerge: {a: "{{ second }}"}
    patchesJson6902: |
      - {op: add, path: /a, value: 1}
      - op: ad
        path: /b
- name: three
  match: {any: [{resources: {kinds: [Pod]}}]}
  preconditions: {all: [{key: "{{ target.kind }}", operator: Equals, value: "{{ third }}"}]}
  mutate:
    targets: [{kind: Secret, name: "{{ fourth }}"}]
    foreach:
      - lists: a
        patchStrategicMerge: {a: "{{ element.a }} {{ fifth }}"}
      - list: request.object.a
        patchesJson6902: 3"#,
    );
    check(
        &text,
        &expect![[r#"
            unknown-variable 8:36 nothing sets the name `first`
              help: declare it in `context`, or start from `request`
            unknown-field 9:16 `mutate` has no field `patchStrategicMerg`
              help: did you mean `patchStrategicMerge`?
            invalid-value 13:9 one patch at a time: there is `patchStrategicMerge` and `patchesJson6902`
            unknown-variable 13:35 nothing sets the name `second`
              help: declare it in `context`, or start from `request`
            invalid-value 16:11 a JSON patch has no operation `ad`
              help: it is one of `add`, `remove`, `replace`, `move`, `copy`, `test`
            unknown-variable 20:82 nothing sets the name `third`
              help: declare it in `context`, or start from `request`
            missing-field 22:20 `targets` has no `apiVersion`
            unknown-variable 22:41 nothing sets the name `fourth`
              help: declare it in `context`, or start from `request`
            unknown-field 24:13 `foreach` has no field `lists`
              help: did you mean `list`?
            unknown-variable 25:55 nothing sets the name `fifth`
              help: declare it in `context`, or start from `request`
            invalid-value 27:30 `patchesJson6902` must be a text, this is a number
              help: put it in quotes
        "#]],
    );
}

/// An author sees everything at once: what cannot be read hides nothing of what else is wrong.
#[test]
fn errors_of_reading_hide_no_others() {
    let text = rules(
        r#"- name: one
  match: {any: [{resources: {kinds: 3}}]}
  context: [{name: known, bogus: {}}]
  preconditions: {all: [{key: "{{ first }}", operator: Equalz, value: "{{ known }}"}]}
  validate: {message: "{{ second }}", bogus: 1}
- match: {any: [{resources: {kinds: [Pod]}}]}
  context: [{variable: {value: 1}}]
  validate: {message: "{{ unsure }} {{ lenth(@) }}", pattern: {}}
- match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    foreach:
      - {list: request.object.a, deny: {conditions: 3}}
      - {list: nothing(a), pattern: {a: "{{ third }}"}}"#,
    );
    let text = text.replace("{name: example}", "{nam: example}");
    check(
        &text,
        &expect![[r#"
            unknown-field 3:12 `metadata` has no field `nam`
              help: did you mean `name`?
            invalid-value 7:41 `kinds` must be a list, this is a number
            missing-field 8:17 an entry of `context` says where its value comes from
              help: it has one of `variable`, `configMap`, `apiCall`, `globalReference`, `imageRegistry`
            unknown-field 8:31 `context` has no field `bogus`
            unknown-variable 9:36 nothing sets the name `first`
              help: declare it in `context`, or start from `request`
            unknown-operator 9:60 there is no operator `Equalz`
              help: did you mean `Equal`?
            missing-field 10:7 `validate` demands nothing: it has none of `pattern`, `anyPattern`, `deny`, `foreach`, `podSecurity`, `rego` and `wasm`
            unknown-variable 10:28 nothing sets the name `second`
              help: declare it in `context`, or start from `request`
            unknown-field 10:43 `validate` has no field `bogus`
            missing-field 11:7 `rule` has no `name`
            missing-field 12:18 `context` has no `name`
            invalid-expression 13:41 there is no function `lenth`
              help: did you mean `length`?
            warning nothing-demanded 13:67 an empty pattern demands nothing: every resource is like it
            missing-field 14:7 `rule` has no `name`
            invalid-value 17:57 `conditions` must be a map with `any` or `all`, this is a number
            invalid-expression 18:20 there is no function `nothing`
              help: `regent jp function` lists them all
            unknown-variable 18:46 nothing sets the name `third`
              help: declare it in `context`, or start from `request`
        "#]],
    );
}

#[test]
fn variables_inside_of_variables_are_looked_at_too() {
    let text = rules(
        r#"- name: one
  match: {any: [{resources: {kinds: [Pod]}}]}
  context: [{name: table, variable: {value: {a: 1}}}]
  validate:
    message: "{{ table.{{ request.object.metadata.name }} }} {{ table.{{ tabel.x }} }} {{ other.{{ lenght(request.object) }} }}"
    pattern:
      a: "{{ to_uper('{{ request.name }}') }} {{ request.object.items[{{ index }}] }} {{ {{ table.a }} }}"
      b: "{{ table.\"{{ table.{{ element }} }}\" }} {{ a{{ table.a }}.b }}""#,
    );
    check(
        &text,
        &expect![[r#"
            unknown-variable 10:75 nothing sets the name `tabel`
              help: did you mean `table`?
            unknown-variable 10:92 nothing sets the name `other`
              help: declare it in `context`, or start from `request`
            invalid-expression 10:101 there is no function `lenght`
              help: did you mean `length`?
            invalid-expression 12:15 there is no function `to_uper`
              help: did you mean `to_upper`?
            warning pattern-from-resource 12:51 `{{ request.object.items[{{ index }}] }}` brings a text of the resource into a pattern: whoever writes it chooses what matches
              help: compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`
            unknown-variable 12:75 nothing sets the name `index`
              help: declare it in `context`, or start from `request`
            element-outside-foreach 13:35 there is no `element` outside of `foreach`
        "#]],
    );
}

#[test]
fn calls_with_a_wrong_number_of_arguments_are_warned_of() {
    let text = rules(
        r#"- name: one
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    message: "{{ to_upper('a', 'b') }} {{ merge() }} {{ time_now() }} {{ not_null(request.a, request.b) }} {{ join('a') }}"
    pattern: {a: b}"#,
    );
    check(
        &text,
        &expect![[r#"
        warning invalid-expression 9:19 `to_upper` takes 1 argument, and is given 2
        warning invalid-expression 9:44 `merge` takes at least 1 argument, and is given 0
        warning invalid-expression 9:112 `join` takes 2 arguments, and is given 1
    "#]],
    );
    let long = format!("{{{{ request.{} }}}}", "a.".repeat(60));
    let text = text.replace("{{ to_upper('a', 'b') }}", &long);
    check(
        &text,
        &expect![[r#"
        invalid-expression 9:19 `request.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.…` is no expression: SyntaxError: Expected identifier, lbracket, or lbrace, at its character 129
        warning invalid-expression 9:154 `merge` takes at least 1 argument, and is given 0
        warning invalid-expression 9:222 `join` takes 2 arguments, and is given 1
    "#]],
    );
}

#[test]
fn rules_of_which_nothing_is_left_are_warned_of() {
    check(
        &rules(
            r#"- name: excluded
  match: {any: [{resources: {kinds: [Pod]}}, {resources: {kinds: [apps/v1/Deployment], names: [a]}}]}
  exclude: {any: [{resources: {kinds: [Pod, Deployment]}}]}
  validate: {deny: {}}
- name: by-wildcard
  match: {resources: {kinds: [Pod], operations: [CREATE]}}
  exclude: {resources: {kinds: ["P*"], names: ["*"]}}
  validate: {deny: {}}
- name: some-are-left
  match: {any: [{resources: {kinds: [Pod, Service]}}]}
  exclude: {any: [{resources: {kinds: [Pod]}}, {resources: {kinds: [Service], namespaces: [a]}}]}
  validate: {deny: {}}
- name: users-are-left
  match: {any: [{resources: {kinds: [Pod]}}]}
  exclude: {any: [{resources: {kinds: [Pod]}, clusterRoles: [admin]}]}
  validate: {deny: {}}"#,
        )
        .replace("  rules:", "  background: false\n  rules:"),
        &expect![[r#"
            warning unreachable-rule 9:16 everything that the rule matches is excluded again
              8:14 what is matched
            warning unreachable-rule 13:16 everything that the rule matches is excluded again
              12:14 what is matched
        "#]],
    );
    check(
        &rules(
            r#"- name: all
  match: {any: [{resources: {kinds: [Pod]}}]}
  preconditions: {all: [{key: "{{ request.name }}", operator: Equals, value: a}, {key: a, operator: AnyIn, value: [b, c]}]}
  validate: {deny: {}}
- name: any
  match: {any: [{resources: {kinds: [Pod]}}]}
  preconditions: {any: [{key: 1, operator: GreaterThan, value: 2}, {key: a, operator: Equals, value: b}]}
  validate: {deny: {}}
- name: may-hold
  match: {any: [{resources: {kinds: [Pod]}}]}
  preconditions: {any: [{key: 1, operator: GreaterThan, value: 2}, {key: "{{ request.name }}", operator: Equals, value: b}]}
  validate: {deny: {}}"#,
        ),
        &expect![[r#"
            warning unreachable-rule 8:86 the preconditions never hold: what is compared is constant
            warning unreachable-rule 12:29 the preconditions never hold: what is compared is constant
            warning constant-condition 12:72 what is compared is constant: this never holds
            warning constant-condition 16:29 what is compared is constant: this never holds
        "#]],
    );
}

#[test]
fn a_tag_alone_is_warned_of() {
    check(
        &rules(
            r#"- name: signed
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages:
    - imageReferences: ["registry.example/a:latest", "registry.example/b*", "registry.example/b:latest"]
      attestors: [{entries: [{keyless: {issuer: "https://issuer.example", subject: "builder@example.com"}}]}]"#,
        ),
        &expect![[r#"
            warning mutable-tag 9:29 only the tag `latest` is verified, and no other tag or digest of these images
              help: end it with `*`, or leave the tag out
        "#]],
    );
}

#[test]
fn an_entry_that_asks_for_nothing_is_warned_of() {
    check(
        &rules(
            r#"- name: pinned
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages:
    - imageReferences: ["registry.example/a*"]
    - imageReferences: ["registry.example/b*"]
      attestors: []
      attestations: []
    - imageReferences: ["registry.example/c*"]
      attestors: [{entries: [{keyless: {issuer: "https://issuer.example", subject: "builder@example.com"}}]}]"#,
        ),
        &expect![[r#"
            warning nothing-demanded 9:11 nothing is asked of these images: every one passes, whoever made it
              help: give `attestors`, or `attestations`
            warning nothing-demanded 10:11 nothing is asked of these images: every one passes, whoever made it
              help: give `attestors`, or `attestations`
        "#]],
    );
}

#[test]
fn kinds_that_no_object_has_are_said() {
    check(
        &rules(
            r#"- name: wrong
  match:
    any:
      - resources:
          kinds: [apps/Deployment, networking.k8s.io/Ingress, core/Pod, Pods, configmap, Deploymnet, apps/v1/statefulsets, v1/Namespaces, widgets, Pod/v1, Pod/Exec, Pods/exec, Deployment.apps]
  exclude: {any: [{resources: {kinds: [cronjob]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
- name: right
  match:
    any:
      - resources:
          kinds: ["*/*", "*/scale", "apps/*/Deployment", "*Set", pod*, v1/Pod, "*/Pod", Pod/exec, ClusterPolicy, Gateway, Route, Endpoints, example.com/v1/Pods, extensions/v1beta1/Ingress]
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}"#,
        ),
        &expect![[r#"
            warning unknown-kind 10:23 `apps/Deployment` matches nothing
              help: it is read as the sub-resource `Deployment` of a kind `apps`; did you mean `apps/*/Deployment`?
            warning unknown-kind 10:40 `networking.k8s.io/Ingress` matches nothing
              help: it is read as the sub-resource `Ingress` of a kind `networking.k8s.io`; did you mean `networking.k8s.io/*/Ingress`?
            warning unknown-kind 10:67 `core/Pod` matches nothing
              help: did you mean `v1/Pod`?
            warning unknown-kind 10:77 `Pods` matches nothing
              help: did you mean `Pod`?
            warning unknown-kind 10:83 `configmap` matches nothing
              help: did you mean `ConfigMap`?
            warning unknown-kind 10:94 `Deploymnet` matches nothing
              help: did you mean `Deployment`?
            warning unknown-kind 10:106 `apps/v1/statefulsets` matches nothing
              help: did you mean `apps/v1/StatefulSet`?
            warning unknown-kind 10:128 `v1/Namespaces` matches nothing
              help: did you mean `v1/Namespace`?
            warning unknown-kind 10:143 `widgets` matches nothing
              help: a kind is spelt as in an object's `kind`, as `Pod` is
            warning unknown-kind 10:152 `Pod/v1` matches nothing
              help: a version stands before its kind: `v1/Pod`
            warning unknown-kind 10:160 `Pod/Exec` matches nothing
              help: sub-resources are in lower case: `Pod/exec`
            warning unknown-kind 10:170 `Pods/exec` matches nothing
              help: did you mean `Pod/exec`?
            warning unknown-kind 10:181 `Deployment.apps` matches nothing
              help: did you mean `apps/*/Deployment`?
            warning unknown-kind 11:44 `cronjob` matches nothing
              help: did you mean `CronJob`?
        "#]],
    );
}

#[test]
fn exceptions_of_kinds_that_no_object_has_are_said() {
    let text = "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {name: tool, namespace: delta}\nspec:\n  match: {any: [{resources: {kinds: [Pods]}}]}\n  exceptions: [{policyName: p, ruleNames: [r]}]\n";
    let environment = Environment {
        exceptions: ExceptionsFrom::Anywhere,
        ..Environment::default()
    };
    check_in(
        &environment,
        text,
        &expect![[r#"
        warning unknown-kind 5:38 `Pods` matches nothing
          help: did you mean `Pod`?
    "#]],
    );
}

#[test]
fn expressions_without_an_object_on_delete_are_said() {
    check(
        &rules(
            r#"- name: wrong
  match: {any: [{resources: {kinds: [Pod], operations: [CREATE, DELETE]}}]}
  context: [{name: first, variable: {jmesPath: "request.object.spec.containers[0].name"}}]
  validate:
    foreach:
      - list: request.object.spec.containers
        deny: {conditions: {all: [{key: "{{ first }}", operator: Equals, value: a}]}}
- name: right
  match: {any: [{resources: {kinds: [Pod], operations: [DELETE]}}]}
  context: [{name: first, variable: {jmesPath: "(request.object || request.oldObject).spec.containers[0].name"}}]
  validate:
    foreach:
      - list: request.oldObject.spec.containers
        deny: {conditions: {all: [{key: "{{ request.object.metadata.name }}", operator: Equals, value: "{{ first }}"}]}}
- name: not-about-deletion
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    foreach:
      - list: request.object.spec.containers
        deny: {conditions: {all: [{key: "{{ element.name }}", operator: Equals, value: a}]}}"#,
        ),
        &expect![[r#"
            warning nothing-on-delete 8:52 `request.object` is nothing here on DELETE
              help: look at `request.oldObject` too: `request.object.A || request.oldObject.A`
            warning nothing-on-delete 11:19 `request.object` is nothing here on DELETE
              help: look at `request.oldObject` too: `request.object.A || request.oldObject.A`
        "#]],
    );
}

#[test]
fn attestors_that_anybody_satisfies_are_said() {
    let attestor = |keyless: &str| {
        rules(&format!(
            "- name: signed\n  match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n  verifyImages:\n    - imageReferences: [\"registry.example/*\"]\n      attestors: [{{entries: [{{keyless: {{{keyless}}}}}]}}]"
        ))
    };
    let said = |keyless: &str| {
        let source = Source::new("policy.yaml", attestor(keyless));
        let (_, diagnostics) = load::front(&[source], &Environment::default());
        let found = diagnostics
            .iter()
            .filter(|one| one.code == crate::diagnostic::Code::AnyIdentity);
        let found: Vec<_> = found
            .map(|one| (one.is_error(), one.message.clone()))
            .collect();
        found
    };
    let everyone = "the attestor is satisfied by every certificate there is";
    let workflows = "the attestor is satisfied by every workflow, of any issuer";
    let issuers = "the attestor is satisfied by the same name from any issuer";
    let known = "the attestor is satisfied by everybody that the issuer knows";
    for (keyless, error, message) in [
        ("issuer: '*', subject: '*'", true, everyone),
        ("issuerRegExp: '.*', subjectRegExp: '.+'", true, everyone),
        ("issuer: '?*', subjectRegExp: '^.*$'", true, everyone),
        (
            "issuerRegExp: '^https://', subject: 'https://*'",
            false,
            workflows,
        ),
        (
            "issuerRegExp: '.*', subject: 'https://a.example/*'",
            false,
            issuers,
        ),
        (
            "issuer: 'https://i.example', subjectRegExp: '.*'",
            false,
            known,
        ),
        (
            "issuer: 'https://i.example', subject: '*', subjectRegExp: '^https://.*@.*$'",
            false,
            known,
        ),
    ] {
        assert_eq!(said(keyless), [(error, message.to_owned())], "{keyless}");
    }
    for keyless in [
        "issuer: 'https://i.example', subject: '*', subjectRegExp: '^https://a\\.example/.*$'",
        "issuer: 'https://i.example', subject: '*@a.example'",
        "issuerRegExp: '^https://i\\.example$', subject: 'https://a.example/*'",
    ] {
        assert_eq!(said(keyless), [], "{keyless}");
    }
}

#[test]
fn keys_that_are_nearly_anchors_are_said() {
    check(
        &rules(
            r#"- name: wrong
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    pattern:
      spec:
        "=(hostNetwork": false
        "=hostPID)": false
        "x(hostIPC)": "null"
        "= (hostUsers)": true
        containers: [{"(image": "?*", "name)": "?*", "( tty )": true, "X(stdin": "null"}]
- name: wrong-patch
  match: {any: [{resources: {kinds: [Pod]}}]}
  mutate:
    patchStrategicMerge:
      metadata: {labels: {"+(x": "1", "<(y": "?*"}}
      spec: {containers: [{"(name)": "*", "+(imagePullPolicy": Always}]}
- name: right
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    pattern:
      metadata: {"=(labels)": {"f(x)": a, "xy(z)": b, "(a) b": c, "{{ request.object.metadata.name }})": d}}
      spec: {"X(hostPID)": "null", "<(hostIPC)": true, "^(containers)": [{name: a}], "(tty)": true}
- name: right-patch
  match: {any: [{resources: {kinds: [Pod]}}]}
  mutate: {patchStrategicMerge: {metadata: {labels: {"+(x)": "1", "{{ to_string(request.name) }}": "2"}}}}"#,
        ),
        &expect![[r#"
            warning malformed-anchor 11:13 `=(hostNetwork` is the name of a field here, and no anchor
              help: did you mean `=(hostNetwork)`?
            warning malformed-anchor 12:13 `=hostPID)` is the name of a field here, and no anchor
              help: did you mean `=(hostPID)`?
            warning malformed-anchor 13:13 `x(hostIPC)` is the name of a field here, and no anchor
              help: did you mean `X(hostIPC)`?
            warning malformed-anchor 14:13 `= (hostUsers)` is the name of a field here, and no anchor
              help: did you mean `=(hostUsers)`?
            warning malformed-anchor 15:27 `(image` is the name of a field here, and no anchor
              help: did you mean `(image)`?
            warning malformed-anchor 15:43 `name)` is the name of a field here, and no anchor
              help: did you mean `(name)`?
            warning malformed-anchor 15:58 `( tty )` is the name of a field here, and no anchor
              help: did you mean `(tty)`?
            warning malformed-anchor 15:75 `X(stdin` is the name of a field here, and no anchor
              help: did you mean `X(stdin)`?
            warning malformed-anchor 20:31 `+(x` is the name of a field here, and no anchor
              help: did you mean `+(x)`?
            warning malformed-anchor 20:43 `<(y` is the name of a field here, and no anchor
              help: did you mean `<(y)`?
            warning malformed-anchor 21:47 `+(imagePullPolicy` is the name of a field here, and no anchor
              help: did you mean `+(imagePullPolicy)`?
        "#]],
    );
}

#[test]
fn conditions_that_compare_nothing_of_the_request_are_said() {
    check(
        &rules(
            r#"- name: wrong
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    deny:
      conditions:
        any:
          - {key: "{ request.object.spec.hostNetwork }", operator: Equals, value: true}
          - {key: request.object.spec.hostNetwork, operator: NotEquals, value: true}
          - {key: a, operator: Equals, value: b}
          - {key: "{{ request.object.spec.size }}", operator: GreaterThan, value: 1GiB}
          - {key: "{{ request.object.spec.age }}", operator: DurationGreaterThan, value: 1day}
          - {key: "{{ request.object.spec.age }}", operator: GreaterThan, value: [1]}
- name: wrong-elements
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    foreach:
      - list: request.object.spec.containers
        deny: {conditions: {all: [{key: element.image, operator: Equals, value: "*:latest"}]}}
- name: wrong-preconditions
  match: {any: [{resources: {kinds: [Pod]}}]}
  preconditions: {all: [{key: "{request.operation}", operator: Equals, value: CREATE}]}
  validate: {pattern: {metadata: {name: a}}}
- name: wrong-empty
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {deny: {conditions: {any: []}}}
- name: right
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    deny:
      conditions:
        any:
          - {key: a, operator: NotEquals, value: b}
          - {key: "{{ request.object.spec.size }}", operator: GreaterThan, value: 1Gi}
          - {key: "{{ request.object.spec.size }}", operator: LessThan, value: "1.5"}
          - {key: "{{ request.object.spec.age }}", operator: DurationGreaterThan, value: 24h}
          - {key: "{{ request.object.spec.version }}", operator: LessThan, value: 1.24.0}
          - {key: "{{ request.object.spec.name }}", operator: Equals, value: request.example}"#,
        ),
        &expect![[r#"
            warning constant-condition 12:17 what is compared is constant: this never holds
              help: did you mean `{{ request.object.spec.hostNetwork }}`?
            warning constant-condition 13:17 what is compared is constant: this always holds
              help: did you mean `{{ request.object.spec.hostNetwork }}`?
            warning constant-condition 14:17 what is compared is constant: this never holds
            warning constant-condition 15:17 `1GiB` is no number, quantity, duration or version: this never holds
              help: quantities are written `500m`, `1Gi`, durations `30m`, `24h`
            warning constant-condition 16:17 `1day` is no duration: this never holds
              help: durations are written `90s`, `30m`, `24h`
            warning constant-condition 17:17 `[1]` is no number, quantity, duration or version: this never holds
              help: quantities are written `500m`, `1Gi`, durations `30m`, `24h`
            warning constant-condition 23:39 what is compared is constant: this never holds
              help: did you mean `{{ element.image }}`?
            warning unreachable-rule 26:29 the preconditions never hold: what is compared is constant
              help: did you mean `{{ request.operation }}`?
            warning constant-condition 30:37 `any` is empty: it never holds, and nothing is refused
        "#]],
    );
}

#[test]
fn fields_that_no_request_has_are_said() {
    check(
        &rules(
            r#"- name: wrong
  match: {any: [{resources: {kinds: [Pod]}}]}
  context: [{name: user, variable: {jmesPath: request.userinfo.username}}]
  validate:
    foreach:
      - list: request.objet.spec.containers
        deny:
          conditions:
            any:
              - {key: "{{ request.objet.spec.hostNetwork || `false` }}", operator: Equals, value: true}
              - {key: "{{ images.container.*.registry }}", operator: AnyIn, value: a}
              - {key: "{{ length(request.kind.name) }}", operator: Equals, value: 1}
              - {key: "{{ element3.name }}", operator: Equals, value: "{{ user }}"}
              - {key: "{{ element1.name || '' }}", operator: Equals, value: a}
- name: right
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    foreach:
      - list: request.object.spec.containers
        foreach:
          - list: element.ports
            deny:
              conditions:
                any:
                  - {key: "{{ images.volumes.*.registry }}", operator: AnyIn, value: a}
                  - {key: "{{ request.object.spec.objet[?request.x].name }}", operator: AnyIn, value: a}
                  - {key: "{{ request.{{ request.operation }}.name }}", operator: Equals, value: a}
                  - {key: "{{ element0.name }}", operator: Equals, value: "{{ element1.name }}"}
                  - {key: "{{ request.kind.kind }}", operator: Equals, value: "{{ elementIndex1 }}"}"#,
        ),
        &expect![[r#"
            warning unknown-variable 8:51 `request` has no field `userinfo`
              help: did you mean `request.userInfo`?
            warning unknown-variable 11:19 `request` has no field `objet`
              help: did you mean `request.object`?
            warning unknown-variable 15:28 `request` has no field `objet`
              help: did you mean `request.object`?
            warning unknown-variable 16:28 `images` has no field `container`
              help: did you mean `images.containers`?
            warning unknown-variable 17:28 `request.kind` has no field `name`
              help: `request.kind` has `group`, `version`, `kind`
            element-outside-foreach 18:28 there is no `element3`: not so many `foreach` stand in each other here
            element-outside-foreach 19:28 there is no `element1`: not so many `foreach` stand in each other here
        "#]],
    );
}

#[test]
fn lists_of_images_that_extractors_name_are_known() {
    check(
        &rules(
            r#"- name: signed
  match: {any: [{resources: {kinds: [Task]}}]}
  imageExtractors: {Task: [{path: /spec/steps/*, value: image, name: steps}]}
  preconditions: {all: [{key: "{{ images.steps.*.registry }}", operator: AnyIn, value: "{{ images.stops.*.tag }}"}]}
  verifyImages:
    - imageReferences: ["registry.example/*"]
      attestors: [{entries: [{keyless: {issuer: "https://issuer.example", subject: "builder@example.com"}}]}]"#,
        ),
        &expect![[r#"
            warning unknown-variable 9:93 `images` has no field `stops`
              help: did you mean `images.steps`?
        "#]],
    );
}

#[test]
fn the_right_name_of_break_glass_is_said() {
    check(
        "apiVersion: regent.dev/v2\nkind: BreakGlass\nmetadata: {name: a}\nspec: {}\n",
        &expect![[r#"
            invalid-value 2:7 `BreakGlass` of `regent.dev/v2` is no policy
              help: did you mean `BreakGlass` of `regent.dev/v1`?
        "#]],
    );
}

#[test]
fn what_fails_on_every_request_is_said() {
    check(
        &rules(
            r#"- name: wrong
  match: {any: [{resources: {kinds: [Pod]}}]}
  context:
    - {name: pods, apiCall: {urlPath: api/v1/pods}}
    - {name: names, variable: {value: [a]}}
    - {name: names, variable: {value: [b]}}
  validate:
    foreach:
      - list: "{{ request.object.spec.containers }}"
        deny:
          conditions:
            any:
              - {key: "{{ regex_match('(a', element.name) }}", operator: Equals, value: true}
              - {key: "{{ element.name }}", operator: AnyIn, value: "{{ names }}"}
- name: wrong-pattern
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {}}
- name: right
  match: {any: [{resources: {kinds: [Pod]}}]}
  context:
    - {name: pods, apiCall: {urlPath: "{{ request.object.metadata.annotations.path }}"}}
    - {name: names, variable: {value: [a]}}
    - {name: names, variable: {jmesPath: "names[0]"}}
  validate:
    foreach:
      - list: "{{ names }}"
        deny:
          conditions:
            any:
              - {key: "{{ regex_match('{{ names }}(', element.name) }}", operator: Equals, value: true}
              - {key: "{{ element.name }}", operator: AnyIn, value: "{{ pods }}"}"#,
        ),
        &expect![[r#"
            warning invalid-value 9:43 `urlPath` is a path: it begins with `/`
              help: write `/api/v1/pods`
            warning duplicate-context-name 11:18 `names` is there twice: this entry takes the place of the earlier one
              10:18 never looked at
            warning invalid-value 14:19 `list` is an expression itself: in braces its value is no list
              help: write `request.object.spec.containers`
            warning invalid-expression 18:28 `regex_match` is given no regular expression: error parsing regexp: missing closing ): `(a`
            warning nothing-demanded 22:27 an empty pattern demands nothing: every resource is like it
        "#]],
    );
}

#[test]
fn constraints_and_webhooks_of_what_there_is_not_are_said() {
    let module = "  module: file://module.wasm\n  mutating: false\n  settings: {}\n";
    let policy = |rules: &str| {
        format!(
            "apiVersion: policies.kubewarden.io/v1\nkind: ClusterAdmissionPolicy\nmetadata: {{name: a}}\nspec:\n{module}  rules:\n{rules}"
        )
    };
    check(
        &policy(
            r#"    - {apiGroups: [""], apiVersions: [v1], resources: [pod, Pods, Pod/exec, configmaps, pods/*], operations: [CREATE]}
    - {apiGroups: [core], apiVersions: [v1], resources: [pods], operations: [CREATE]}
    - {apiGroups: [apps], apiVersions: [apps/v1], resources: [pods, deployments, "*"], operations: [CREATE]}
    - {apiGroups: [apps/v1], apiVersions: ["*"], resources: [deploymnets], operations: [CREATE]}
    - {apiGroups: ["*"], apiVersions: ["*"], resources: [deploymnets, widgets, Widgets], operations: [CREATE]}
    - {apiGroups: [example.com], apiVersions: [v1], resources: [pods, pod, widgets], operations: [CREATE]}
    - {apiGroups: [extensions, networking.k8s.io], apiVersions: [v1], resources: [ingresses], operations: [CREATE]}
"#,
        ),
        &expect![[r#"
            warning unknown-kind 9:56 `pod` matches nothing
              help: did you mean `pods`?
            warning unknown-kind 9:61 `Pods` matches nothing
              help: did you mean `pods`?
            warning unknown-kind 9:67 `Pod/exec` matches nothing
              help: did you mean `pods/exec`?
            warning unknown-kind 10:20 `core` matches nothing
              help: the core group is written `""`
            warning unknown-kind 11:41 `apps/v1` matches nothing
              help: a version is written without its group: `v1`
            warning unknown-kind 11:63 `pods` of `apps` matches nothing
              help: `pods` are of the core group, which is written `""`
            warning unknown-kind 12:20 `apps/v1` matches nothing
              help: a group is written without a version: `apps`
            warning unknown-kind 13:58 `deploymnets` matches nothing
              help: did you mean `deployments`?
            warning unknown-kind 13:80 `Widgets` matches nothing
              help: resources are in lower case: `widgets`
        "#]],
    );
    let template = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: k8sa}\nspec:\n  crd: {spec: {names: {kind: K8sA}}}\n  targets:\n    - target: admission.k8s.gatekeeper.sh\n      rego: |\n        package a\n        violation[{\"msg\": \"no\"}] { input.review.object.metadata.labels.no }\n";
    let constraint = format!(
        "{template}---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sA\nmetadata: {{name: a}}\nspec:\n  match:\n    kinds:\n"
    );
    check(
        &format!(
            "{constraint}{}",
            r#"      - {apiGroups: [""], kinds: [Pods, pod, Pod, Deployment]}
      - {apiGroups: ["", apps], kinds: [Pod, Deployment, Job]}
      - {apiGroups: [core], kinds: [Pod]}
      - {apiGroups: ["*"], kinds: [widgets, Ingress]}
      - {apiGroups: [example.com], kinds: [Pod, Pods, Ingress]}
      - {kinds: ["*"]}
"#
        ),
        &expect![[r#"
            warning unknown-kind 18:35 `Pods` matches nothing
              help: did you mean `Pod`?
            warning unknown-kind 18:41 `pod` matches nothing
              help: did you mean `Pod`?
            warning unknown-kind 18:51 `Deployment` of `""` matches nothing
              help: `Deployment` is of the group `apps`
            warning unknown-kind 19:58 `Job` of `""`, `apps` matches nothing
              help: `Job` is of the group `batch`
            warning unknown-kind 20:37 `Pod` of `core` matches nothing
              help: the core group is written `""`
            warning unknown-kind 21:36 `widgets` matches nothing
              help: a kind is spelt as in an object's `kind`, as `Pod` is
        "#]],
    );
}

#[test]
fn kinds_of_another_group_are_said() {
    check(
        &rules(
            r#"- name: wrong
  match: {any: [{resources: {kinds: [batch/v1/Deployment, apps/v1/Pod, v1/Deployment]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}"#,
        ),
        &expect![[r#"
            warning unknown-kind 7:42 `batch/v1/Deployment` matches nothing
              help: `Deployment` is of the group `apps`
            warning unknown-kind 7:63 `apps/v1/Pod` matches nothing
              help: `Pod` is of the core group, which is written `""`
        "#]],
    );
}

#[test]
fn one_mistake_is_said_once() {
    check(
        &rules(
            r#"- nmae: a
  match: {any: {resources: {kinds: [Pod]}}}
  validate: {pattern: {a: b}}
- name: b
  match: {any: [{resources: {kinds: [Pod], namespaces: prod}}]}
  validte: {pattern: {a: b}}
- name: c
  mtch: {any: [{resources: {kinds: [Pod]}}]}
  validate: {patern: {a: b}}
- name: d
  match: {any: [{resources: {kinds: Pod}}]}
  verifyImages:
    - imageReferences: "registry.example/*"
      attestors: [{entries: [{keyless: {isuer: "https://issuer.example", subject: a@example.com}}]}]
    - imageReference: ["registry.example/*"]
      attestors: [{entry: [{keys: {publicKeys: k8s://a/b}}]}]
    - imageReferences: ["registry.example/*"]
      attestors: [{entries: [{keys: {publicKey: k8s://a/b}}, {key: {publicKeys: k8s://a/b}}]}]
- name: e
  match: {any: [{resourcs: {kinds: [Pod]}}]}
  validate: {deny: {conditions: {all: [{key: a, operater: Equals, value: b}, {kye: a, operator: Equals, value: b}]}}}
- name: f
  match: {any: [{subjects: [{kind: Grop, name: a}]}]}
  mutate: {patchStrategicMerg: {metadata: {labels: {a: b}}}}
- name: g
  match: {an: [{resources: {kinds: [Pod]}}]}
  context: [{name: v, variabel: {value: a}}, {name: w, variable: {vale: a}}, {name: x, apiCall: {urlpath: /api}}]
  validate: {pattern: {a: b}}
- name: h
  match: {resourses: {kinds: [Pod]}}
  generate: {apiVersion: v1, kind: ConfigMap, name: a, namespace: b, dta: {data: {a: b}}}"#,
        ),
        &expect![[r#"
            unknown-field 6:7 `rule` has no field `nmae`
              help: did you mean `name`?
            invalid-value 7:20 `any` must be a list, this is a map
              help: put `-` before its first field: that makes it the only entry of a list
            invalid-value 10:60 `namespaces` must be a list, this is a text
              help: write `[prod]`
            unknown-field 11:7 `rule` has no field `validte`
              help: did you mean `validate`?
            unknown-field 13:7 `rule` has no field `mtch`
              help: did you mean `match`?
            unknown-field 14:18 `validate` has no field `patern`
              help: did you mean `pattern`?
            invalid-value 16:41 `kinds` must be a list, this is a text
              help: write `[Pod]`
            invalid-value 18:28 `imageReferences` must be a list, this is a text
              help: write `["registry.example/*"]`
            unknown-field 19:45 `keyless` has no field `isuer`
              help: did you mean `issuer`?
            unknown-field 20:11 `verifyImages` has no field `imageReference`
              help: did you mean `imageReferences`?
            missing-field 21:23 `attestors` has no `entries`
            unknown-field 21:24 `attestors` has no field `entry`
            unknown-field 23:42 `keys` has no field `publicKey`
              help: did you mean `publicKeys`?
            unknown-field 23:67 `entries` has no field `key`
              help: did you mean `keys`?
            unknown-field 25:22 `match` has no field `resourcs`
              help: did you mean `resources`?
            unknown-field 26:53 `condition` has no field `operater`
              help: did you mean `operator`?
            unknown-field 26:83 `condition` has no field `kye`
              help: did you mean `key`?
            invalid-value 28:40 `kind` cannot be `Grop`
              help: did you mean `Group`?
            unknown-field 29:16 `mutate` has no field `patchStrategicMerg`
              help: did you mean `patchStrategicMerge`?
            unknown-field 31:15 `match` has no field `an`
              help: did you mean `any`?
            unknown-field 32:27 `context` has no field `variabel`
              help: did you mean `variable`?
            unknown-field 32:71 `variable` has no field `vale`
              help: did you mean `value`?
            unknown-field 32:102 `apiCall` has no field `urlpath`
              help: did you mean `urlPath`?
            unknown-field 35:15 `match` has no field `resourses`
              help: did you mean `resources`?
            unknown-field 36:74 `generate` has no field `dta`
              help: did you mean `data`?
        "#]],
    );
}

#[test]
fn what_is_missing_beside_a_mistake_is_still_said() {
    check(
        &rules(
            r#"- name: a
  match: {any: []}
  validate:
    failureAction: Enforc
    message: none
- name: b
  match: {any: [{}]}
  validate:
    failureAction: Enforce
    pattern: {a: b}
    message: two
    anyPattern: [{a: b}]
- name: c
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages: [{imageReferences: [], attestors: [{entries: []}]}]"#,
        ),
        &expect![[r#"
            missing-field 7:14 `match` is empty
            missing-field 8:7 `validate` demands nothing: it has none of `pattern`, `anyPattern`, `deny`, `foreach`, `podSecurity`, `rego` and `wasm`
            invalid-value 9:24 `failureAction` cannot be `Enforc`
              help: did you mean `Enforce`?
            invalid-value 12:21 a filter cannot be empty
            invalid-value 17:9 `validate` demands one thing: it has `pattern` and `anyPattern`
              15:9 the other one
              help: keep one of them; what else is demanded has its own rule
            missing-field 20:22 `verifyImages` has no `imageReferences`
            missing-field 20:56 `attestors` has no `entries`
        "#]],
    );
}

#[test]
fn one_mistake_of_a_break_glass_is_said_once() {
    let text = "apiVersion: regent.dev/v1\nkind: BreakGlass\nmetadata: {name: a}\nspec:\n  reason: outage\n  startAt: 2026-11-28T10:00:00Z\n  expiresAt: 2026-11-28T12:00:00Z\n  match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: Grop, name: x}]}]}\n  exceptions: [{policyName: a, ruleNames: [x]}]\n";
    let environment = Environment {
        break_glass: load::BreakGlassFor::LONGEST,
        ..Environment::default()
    };
    check_in(
        &environment,
        text,
        &expect![[r#"
        unknown-field 6:3 `spec` has no field `startAt`
          help: did you mean `startsAt`?
        invalid-value 8:63 `kind` cannot be `Grop`
          help: did you mean `Group`?
    "#]],
    );
    let started = text.replace("startAt", "startsAt");
    check_in(
        &environment,
        &started,
        &expect![[r#"
        invalid-value 8:63 `kind` cannot be `Grop`
          help: did you mean `Group`?
    "#]],
    );
}

#[test]
fn operators_and_units_that_are_misspelt_are_said() {
    let leaves = [
        "<=1GiB",
        ">500MB",
        "> = 10",
        ">10 &&<20",
        ">=10 || <5 & >8",
        "=>10",
        "!=5",
        "==latest",
        ">1d",
        "1GiB-2GiB",
        "<10 Mi",
        ">abc",
        ">5 & <3",
        "<=1Gi",
        "!latest & !master",
        "a=b | !=",
    ];
    let leaves: Vec<String> = leaves
        .iter()
        .map(|leaf| format!("        - {{spec: {{a: \"{leaf}\"}}}}"))
        .collect();
    let text = format!(
        "- name: a\n  match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n  validate:\n    anyPattern:\n{}",
        leaves.join("\n")
    );
    check(
        &rules(&text),
        &expect![[r#"
            warning impossible-pattern 10:26 `<=1GiB` can never match
              help: did you mean `<=1Gi`?
            warning impossible-pattern 11:26 `>500MB` can never match
              help: did you mean `>500M`?
            warning impossible-pattern 12:26 `> = 10` can never match
              help: did you mean `>=10`?
            warning impossible-pattern 13:26 `>10 &&<20` can never match
              help: did you mean `>10 &<20`?
            warning impossible-pattern 14:26 of `>=10 || <5 & >8`, `<5 & >8` can never match
              help: `&` asks for both, `|` for one of the two
            warning impossible-pattern 15:26 `=>` is no operator of patterns, but text
              help: did you mean `>=10`?
            warning impossible-pattern 16:26 `!=` is no operator of patterns, but text
              help: did you mean `!5`?
            warning impossible-pattern 17:26 `==` is no operator of patterns, but text
              help: did you mean `latest`?
            warning impossible-pattern 18:26 `>1d` can never match
              help: did you mean `>24h`?
            warning impossible-pattern 19:26 `1GiB-2GiB` can never match
              help: did you mean `1Gi-2Gi`?
            warning impossible-pattern 20:26 `<10 Mi` can never match
              help: did you mean `<10Mi`?
            warning impossible-pattern 21:26 `>abc` can never match
              help: numbers, quantities and durations are compared, as `10`, `1Gi` and `30s`; texts are not
            warning impossible-pattern 22:26 `>5 & <3` can never match
              help: `&` asks for both, `|` for one of the two
            warning impossible-pattern 25:26 `!=` is no operator of patterns, but text
              help: did you mean `a=b | !`?
        "#]],
    );
}

#[test]
fn a_patch_that_is_no_yaml_is_said_on_its_line() {
    check(
        &rules(
            r#"- name: a
  match: {any: [{resources: {kinds: [Pod]}}]}
  mutate:
    patchesJson6902: |-
      - op: add
        path: /metadata/labels/a
        value: b
      - op: add
        path: /metadata/labels/b
        value: [
      - op: remove"#,
        ),
        &expect![[r#"
            invalid-value 16:11 `patchesJson6902` cannot be read: this is not YAML: invalid indentation
        "#]],
    );
}
