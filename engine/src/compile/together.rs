//! What of a rule can be judged together with others: its match as bodies of `about`, its demand as bodies of `pass`.
//!
//! These say less than the rule's own module, never more: what they leave open is asked there. Left out are rules that
//! need the host on the way, since what it is asked for depends on what was said before.

mod conditions;

use std::sync::Arc;

use crate::ast::{self, RuleBody, validate::ValidateBody};
use crate::program::together::{Demand, Pass, Selection, Slot, Together};
use crate::program::{self, Body};
use crate::rego::module::{Expression, Head, Operator, Statement};
use crate::template::Template;

use super::matching;
use super::scope::Scope;
use conditions::Wanted;

/// Of `match` and `exclude`, which the scope holds and nothing else.
pub(super) fn selection(scope: &Scope, namespace: Option<&str>) -> Selection {
    let mut always = Vec::new();
    if let Some(namespace) = namespace {
        always.push(Statement::Holds(matching::is_in(namespace)));
    }
    let mut selection = Selection::default();
    for rule in &scope.rules {
        match &rule.head {
            Head::Value(name, _) if name == matching::SELECTED => {}
            Head::Value(name, _) if name == matching::MATCHED => {
                selection.bodies.push(rule.body.clone());
            }
            Head::Value(name, _) => {
                if name == matching::EXCLUDED && always.len() == usize::from(namespace.is_some()) {
                    always.push(Statement::Not(Expression::name(matching::EXCLUDED)));
                }
                selection.rules.push(rule.bare());
            }
            Head::Contains(..) | Head::Function(..) => selection.rules.push(rule.bare()),
        }
    }
    for body in &mut selection.bodies {
        body.extend(always.iter().cloned());
    }
    selection
}

/// What of a rule can be judged together; `body` is what its own demand was compiled to.
pub(super) fn compile(
    rule: &ast::Rule,
    scope: &Scope,
    selection: Selection,
    preconditions: Option<&program::Conditions>,
    body: &Body,
) -> Together {
    let mut together = Together {
        selection: Some(selection),
        demand: None,
    };
    // What a context holds, the host may have to be asked for.
    if !rule.context.is_empty() {
        return together;
    }
    let mut slots = Slots::default();
    let applies = match (&rule.preconditions, preconditions) {
        (Some(written), Some(compiled)) => {
            conditions::compile(&mut slots, (written, compiled), Wanted::True)
        }
        _ => Some(Vec::new()),
    };
    let (Some(applies), RuleBody::Validate(validate), Body::Validate(compiled)) =
        (applies, &rule.body, body)
    else {
        return together;
    };
    let mut fails = Vec::new();
    let passes = match (&validate.body, &compiled.demand) {
        (ValidateBody::Pattern(_) | ValidateBody::AnyPattern(_), _) => scope.passes.clone(),
        (ValidateBody::Deny(deny), program::Demand::Deny(judged)) => {
            let both = deny.conditions.as_ref().zip(judged.what.as_ref());
            let mut surely =
                |wanted| both.and_then(|both| conditions::compile(&mut slots, both, wanted));
            let pass = |statements| Pass {
                statements,
                each: Vec::new(),
            };
            fails.extend(surely(Wanted::True));
            surely(Wanted::False).map(pass).into_iter().collect()
        }
        _ => Vec::new(),
    };
    if !passes.is_empty() {
        together.demand = Some(Demand {
            applies,
            passes,
            patterns: scope.patterns.clone(),
            slots: slots.0,
            fails,
            exact: scope.exact,
        });
    }
    together
}

/// Values that the host computes.
#[derive(Default)]
struct Slots(Vec<Slot>);

impl Slots {
    /// The name that stands for a value.
    fn add(&mut self, written: &ast::template::Template, template: &Arc<Template>) -> Expression {
        let key = match &written.value {
            ast::template::TemplateValue::Text(text) => text.raw.clone(),
            // With their places, so that these are never taken for each other.
            other => format!("{other:?}"),
        };
        self.0.push(Slot {
            key,
            template: Arc::clone(template),
        });
        Expression::name(program::together::slot(self.0.len() - 1))
    }
}

/// `text in list`.
fn within(text: &str, list: &str) -> Expression {
    Expression::text(text).compare(Operator::In, Expression::name(list))
}
