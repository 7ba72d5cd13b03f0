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

/// A rule with some entries, of which a message asks for the last.
fn entries(count: usize, entry: impl Fn(usize) -> String, order: &str) -> (RuleStatus, String) {
    let entries: Vec<String> = (0..count)
        .map(|index| format!("    - {{name: e{index}, variable: {{{}}}}}\n", entry(index)))
        .collect();
    let text = format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: p}}
spec:
  rules:
  - name: r
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    context:
{}    preconditions: {{all: [{order}]}}
    validate: {{failureAction: Enforce, message: m, deny: {{}}}}
",
        entries.concat()
    );
    let judged = evaluate(&set(&text), &pod("nginx"), Phase::Validate, &no_facts).1;
    judged.into_iter().next().expect("one rule")
}

fn asks(index: usize) -> String {
    format!("{{key: '{{{{ type(e{index}) }}}}', operator: NotEquals, value: x}}")
}

#[test]
fn a_chain_of_entries_is_bounded() {
    let after = |index: usize| match index.checked_sub(1) {
        None => "value: a".to_owned(),
        Some(before) => format!("jmesPath: e{before}"),
    };
    assert_eq!(entries(64, after, &asks(63)).0, RuleStatus::Fail);
    let (status, message) = entries(5_000, after, &asks(4_999));
    assert_eq!(status, RuleStatus::Error, "{message}");
    let reason = "the context entry e4935 is needed by more than 64 others, each for the next";
    assert!(message.contains(reason), "{message}");
    // One after the other they are no chain.
    let in_order: Vec<String> = (0..200).map(asks).collect();
    assert_eq!(
        entries(200, after, &in_order.join(", ")).0,
        RuleStatus::Fail
    );
}

#[test]
fn what_entries_build_on_each_other_is_only_so_deep() {
    let nested = |index: usize| match index.checked_sub(1) {
        None => "value: {a: b}".to_owned(),
        Some(before) => format!("jmesPath: \"{{a: {{a: {{a: e{before}}}}}}}\""),
    };
    let in_order = |count: usize| (0..count).map(asks).collect::<Vec<_>>().join(", ");
    assert_eq!(entries(86, nested, &in_order(86)).0, RuleStatus::Fail);
    let (status, message) = entries(100, nested, &in_order(100));
    assert_eq!(status, RuleStatus::Error, "{message}");
    let reason = "the context entry e86 is deeper than 256 levels";
    assert!(message.contains(reason), "{message}");
}
