//! `validate` as Rego: the rule `verdict` says `pass`, `fail`, `skip` or `error`.

use crate::ast::validate::{Deny, Validate, ValidateBody};
use crate::rego::module::{Expression, Rule, Statement};

use super::scope::Scope;
use super::{condition, pattern};

/// Writes `verdict`; says whether it uses the functions of conditions.
pub(super) fn compile(scope: &mut Scope, validate: &Validate) -> bool {
    match &validate.body {
        ValidateBody::Deny(deny) => {
            of_deny(scope, deny);
            true
        }
        ValidateBody::Pattern(one) => {
            pattern::compile(scope, one);
            false
        }
        // Has its own.
        ValidateBody::PodSecurity(_) => false,
        ValidateBody::AnyPattern(several) => {
            pattern::compile_any(scope, several);
            false
        }
    }
}

fn of_deny(scope: &mut Scope, deny: &Deny) {
    let verdict =
        |text: &str, body| Rule::value("verdict", Expression::text(text), body).at(deny.span);
    let Some(conditions) = &deny.conditions else {
        scope.rules.push(verdict("fail", Vec::new()));
        return;
    };
    condition::compile(scope, "denied", conditions);
    for (answer, text) in [("true", "fail"), ("false", "pass"), ("error", "error")] {
        let denied = Expression::name("denied").equals(Expression::text(answer));
        scope
            .rules
            .push(verdict(text, vec![Statement::Holds(denied)]));
    }
}
