//! How large the values of contexts may become together.

use super::*;
use crate::limits::ContextSize;

/// Two entries of ten bytes each, of which an expression reads some, and one of each element.
fn rules(key: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: p}}
spec:
  validationFailureAction: Enforce
  rules:
  - name: whole
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    context:
    - {{name: first, variable: {{value: abcdefgh}}}}
    - {{name: second, variable: {{jmesPath: \"'ijklmnop'\"}}}}
    validate:
      message: m
      deny: {{conditions: {{any: [{{key: \"{key}\", operator: Equals, value: x}}]}}}}
  - name: each
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    context: [{{name: first, variable: {{value: abcdefgh}}}}]
    validate:
      message: m
      foreach:
      - list: \"['{{{{ first }}}}', 'b', 'c']\"
        context: [{{name: own, variable: {{value: '12345678'}}}}]
        deny: {{conditions: {{any: [{{key: '{{{{ element }}}}{{{{ own }}}}', operator: Equals, value: x}}]}}}}
"
    )
}

fn judged(most: usize, key: &str) -> Vec<(RuleStatus, String)> {
    let environment = Environment {
        context_size: ContextSize(most),
        ..Environment::default()
    };
    let loaded = load(&[Source::new("p.yaml", rules(key))], &environment);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    evaluate(&loaded.policies, &pod("nginx"), Phase::Validate, &no_facts).1
}

fn statuses(most: usize, key: &str) -> Vec<RuleStatus> {
    let judged = judged(most, key);
    judged.into_iter().map(|(status, _)| status).collect()
}

#[test]
fn what_is_larger_is_refused_and_what_nobody_asks_for_does_not_count() {
    use RuleStatus::{Fail, Pass};
    let (one, both) = ("{{ first }}", "{{ first }}{{ second }}");
    assert_eq!(statuses(20, both), [Pass, Pass]);
    // What an element has is gone with it: three of them fit where one does.
    assert_eq!(statuses(19, one), [Pass, Fail]);
    assert_eq!(statuses(10, both), [Fail, Fail]);
    assert_eq!(statuses(9, one), [Fail, Fail]);
    let said = &judged(19, both)[0].1;
    let reason = "with the context entry second the context is larger than 19 bytes";
    assert!(said.contains(reason), "{said}");
}
