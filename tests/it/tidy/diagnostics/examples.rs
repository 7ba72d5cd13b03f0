//! Examples of the codes that no check of its own says: parsers and the compiler do.

use regent_engine::diagnostic::Code;

/// What is shown of a code.
pub(super) struct Example {
    pub(super) code: Code,
    /// Why it is said.
    pub(super) why: &'static str,
    pub(super) bad: &'static str,
    pub(super) good: &'static str,
}

/// Codes that no policy's text alone causes, with what to do.
pub(super) const NO_EXAMPLE: [(Code, &str); 3] = [
    (
        Code::UnreadableFile,
        "See that the file is there, that Regent may read it, and that it is UTF-8; the message has the reason.",
    ),
    (
        Code::UnusableModule,
        "The message says which limit or which step it was; `regent wasm inspect` shows the module's interface and digest.",
    ),
    (
        Code::InternalError,
        "Report it with the policy; until then the policy is not in force, as with any other error.",
    ),
];

pub(super) const EXAMPLES: [Example; 12] = [
    Example {
        code: Code::InvalidYaml,
        why: "Kubernetes reads YAML strictly: a key that stands twice, a tab that indents, an anchor that refers to itself and a text that is not UTF-8 are errors too.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
    },
    Example {
        code: Code::UnknownField,
        why: "A field that nobody reads would be a rule that does not do what it seems to.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kind: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
    },
    Example {
        code: Code::InvalidValue,
        why: "Nothing is guessed from a value of another type.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: Pod}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
    },
    Example {
        code: Code::MissingField,
        why: "A rule without it could not be evaluated.",
        bad: r#"- name: a-rule
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
    },
    Example {
        code: Code::NotSupported,
        why: "It is named instead of skipped, so that nothing that a policy demands is left out in silence.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {manifests: {attestors: [{entries: [{keys: {publicKeys: "k8s://platform/key"}}]}]}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
    },
    Example {
        code: Code::NotSupportedYet,
        why: "That are `cel`, `celPreconditions` and `matchConditions`, and the kinds of `policies.kyverno.io` and of `admissionregistration.k8s.io`; rows of tests that are about them are counted as errors, `Not supported`.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {cel: {expressions: [{expression: "has(object.metadata.labels)"}]}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {"?*": "?*"}}}}
"#,
    },
    Example {
        code: Code::UnknownOperator,
        why: "A condition is one of the operators that [the language](policy-language.md) lists.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {deny: {conditions: {all: [{key: "{{ request.object.spec.hostNetwork || `false` }}", operator: Is, value: true}]}}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {deny: {conditions: {all: [{key: "{{ request.object.spec.hostNetwork || `false` }}", operator: Equals, value: true}]}}}
"#,
    },
    Example {
        code: Code::InvalidKey,
        why: "Keys are PEM, one block or several, of ECDSA on P-256, P-384 or P-521, of RSA, or of Ed25519.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages:
  - imageReferences: ["ghcr.io/your-org/*"]
    attestors:
    - entries:
      - keys:
          publicKeys: |-
              cosign.pub
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  verifyImages:
  - imageReferences: ["ghcr.io/your-org/*"]
    attestors:
    - entries:
      - keys:
          publicKeys: |-
              -----BEGIN PUBLIC KEY-----
              MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElIIs9Qu+7o/vMeALkJiHkbTAZcjv
              5AAXYY8K0EXnL8AXzqP4G1GB00x/OfNOwU90ALkcPR4ATH+0zxt/0kBOLw==
              -----END PUBLIC KEY-----
"#,
    },
    Example {
        code: Code::InvalidRego,
        why: "[Rules in Rego](rego-modules.md) says what a module can use; what it calls and nobody has is found when it is loaded.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    rego:
      source: |
        package labels

        violation contains "no team" if not input.review.object.metadata.labels.team(1)
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    rego:
      source: |
        package labels

        violation contains "no team" if not input.review.object.metadata.labels.team
"#,
    },
    Example {
        code: Code::DuplicatePolicy,
        why: "A cluster holds one of a name; which one counts would depend on the order of files.",
        bad: r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labels}
spec:
  rules:
    - name: a-rule
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {pattern: {metadata: {labels: {team: "?*"}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labels}
spec:
  rules:
    - name: a-rule
      match: {any: [{resources: {kinds: [Service]}}]}
      validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
        good: r#"apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labels}
spec:
  rules:
    - name: a-rule
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {pattern: {metadata: {labels: {team: "?*"}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: service-labels}
spec:
  rules:
    - name: a-rule
      match: {any: [{resources: {kinds: [Service]}}]}
      validate: {pattern: {metadata: {labels: {team: "?*"}}}}
"#,
    },
    Example {
        code: Code::UnknownReference,
        why: "`$(…)` takes the text at another place of the same pattern, by a path from where it stands or from the root.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*", owner: "$(./../group)"}}}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {pattern: {metadata: {labels: {team: "?*", owner: "$(./../team)"}}}}
"#,
    },
    Example {
        code: Code::ElementOutsideForeach,
        why: "`element` is what a `foreach` is at; elsewhere nothing sets it.",
        bad: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate: {deny: {conditions: {any: [{key: "{{ element.image }}", operator: Equals, value: "*:latest"}]}}}
"#,
        good: r#"- name: a-rule
  match: {any: [{resources: {kinds: [Pod]}}]}
  validate:
    foreach:
    - list: request.object.spec.containers
      deny: {conditions: {any: [{key: "{{ element.image }}", operator: Equals, value: "*:latest"}]}}
"#,
    },
];
