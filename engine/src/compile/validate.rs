//! `validate` as Rego: the rule `verdict` says `pass`, `fail`, `skip` or `error`.

use crate::ast::pattern::Pattern;
use crate::ast::validate::Deny;
use crate::program::{Conditions, Demand, Judged};
use crate::rego::module::{Expression, Rule, Statement};

use super::scope::Scope;
use super::{condition, pattern};

pub(super) fn of_pattern(scope: &mut Scope, written: &Pattern) -> Demand {
    Demand::Pattern(pattern::compile(scope, written))
}

pub(super) fn of_any_pattern(scope: &mut Scope, written: &[Pattern]) -> Demand {
    Demand::AnyPattern(pattern::compile_any(scope, written))
}

/// The caller adds the functions of conditions.
pub(super) fn of_deny(scope: &mut Scope, deny: &Deny) -> Demand {
    let what = denied(scope, deny);
    Demand::Deny(Judged {
        what,
        slots: std::mem::take(&mut scope.slots),
    })
}

fn denied(scope: &mut Scope, deny: &Deny) -> Option<Conditions> {
    let verdict =
        |text: &str, body| Rule::value("verdict", Expression::text(text), body).at(deny.span);
    let Some(conditions) = &deny.conditions else {
        scope.rules.push(verdict("fail", Vec::new()));
        return None;
    };
    let compiled = condition::compile(scope, "denied", conditions);
    for (answer, text) in [("true", "fail"), ("false", "pass"), ("error", "error")] {
        let denied = Expression::name("denied").equals(Expression::text(answer));
        scope
            .rules
            .push(verdict(text, vec![Statement::Holds(denied)]));
    }
    scope.place(deny.span);
    Some(compiled)
}
