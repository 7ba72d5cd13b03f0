//! `podSecurity` as Rego.
//!
//! What a control forbids is a fact about a pod, which the host puts into `input.pod_security`: whether the pod could be
//! read, and the violations of the level that no exclusion excuses. What follows from it is here.

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
        vec![Statement::Some("violation".to_owned(), input("violations"))],
    );
    let mut violated = violated.at(written.level.span);
    for exclusion in &written.exclude {
        violated = violated.comment(format!("excluded: {}", exclusion.control.value.name));
    }
    scope.rules.push(violated);
    let count = || Expression::call("count", vec![Expression::name("violated")]);
    let verdict =
        |text: &str, body| Rule::value("verdict", Expression::text(text), body).at(written.span);
    let none = Statement::Holds(count().equals(Expression::count(0)));
    let some = Statement::Holds(count().compare(Operator::More, Expression::count(0)));
    scope.rules.push(verdict("pass", vec![read(true), none]));
    scope.rules.push(verdict("fail", vec![read(true), some]));
    scope.rules.push(verdict("error", vec![read(false)]));
}
