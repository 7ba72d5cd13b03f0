//! `podSecurity` as Rego.
//!
//! What a control forbids is a fact about a pod, which the host puts into `input.pod_security`: whether the pod could be
//! read, the violations of the level that the rule does not exclude, and those of them that remain when exceptions have
//! excused theirs. What follows from it is here.

use crate::ast::pod_security::PodSecurity;
use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::scope::Scope;

/// Writes `verdict`.
pub(super) fn compile(scope: &mut Scope, written: &PodSecurity) {
    let input = |field: &str| Expression::path(&["input", "pod_security", field]);
    let read = |read: bool| Statement::Holds(input("read").equals(Expression::Bool(read)));
    let violated = Rule::contains(
        "violated",
        Expression::path(&["violation", "control"]),
        vec![Statement::Some("violation".to_owned(), input("remaining"))],
    );
    let mut violated = violated.at(written.level.span);
    for exclusion in &written.exclude {
        violated = violated.comment(format!("excluded: {}", exclusion.control.value.name));
    }
    scope.rules.push(violated);
    let count = |of| Expression::call("count", vec![of]);
    let none = |of| Statement::Holds(count(of).equals(Expression::count(0)));
    let some = |of| Statement::Holds(count(of).compare(Operator::More, Expression::count(0)));
    let violated = || Expression::name("violated");
    let verdicts = [
        ("pass", vec![read(true), none(input("violations"))]),
        (
            "skip",
            vec![read(true), some(input("violations")), none(violated())],
        ),
        ("fail", vec![read(true), some(violated())]),
        ("error", vec![read(false)]),
    ];
    for (text, body) in verdicts {
        let rule = Rule::value("verdict", Expression::text(text), body);
        scope.rules.push(rule.at(written.span));
    }
}
