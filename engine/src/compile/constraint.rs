//! What a constraint of Gatekeeper or a policy of Kubewarden asks of a request, beyond kinds, names and labels: the rule
//! `in_scope`.

use crate::ast::rego::{Constraint, Scope as Where, WebhookRule};
use crate::rego::module::{Expression, Operator, Rule, Statement};
use crate::source::Spanned;

use super::matching::{of_selector, subject};
use super::scope::{Scope, matches};

/// The name of the rule.
const IN_SCOPE: &str = "in_scope";

/// Writes `in_scope`, and says its name.
pub(super) fn compile(scope: &mut Scope, written: &Constraint) -> Expression {
    let mut body = vec![Statement::Holds(Expression::Bool(true))];
    if let Some(wanted) = &written.scope {
        body.extend(of_scope(scope, wanted.value));
    }
    if let Some(namespaces) = &written.namespaces {
        // What is in no namespace is not left out by one.
        let among = scope.matches_one(&subject("namespace"), &[], words(namespaces));
        body.extend(scope.any_of("namespaces", &[], vec![vec![in_none()], among]));
    }
    if !written.excluded_namespaces.is_empty() {
        let among = words(&written.excluded_namespaces);
        let mut left_out = scope.matches_one(&subject("namespace"), &[], among);
        left_out.push(Statement::Not(in_no_namespace()));
        let name = scope.fresh("excluded_namespace");
        scope.rules.push(Rule::holds(&name, left_out));
        body.push(Statement::Not(Expression::name(name)));
    }
    if let Some(selector) = &written.namespace_selector {
        let mut own = of_selector(scope, &subject("labels"), selector);
        own.push(is_namespace(true));
        let mut others = of_selector(scope, &subject("namespace_labels"), selector);
        others.extend([is_namespace(false), Statement::Not(in_no_namespace())]);
        let alternatives = vec![vec![in_none()], own, others];
        body.extend(scope.any_of("selected_namespace", &[], alternatives));
    }
    if !written.rules.is_empty() {
        let alternatives = written.rules.iter();
        let alternatives = alternatives.map(|rule| of_rule(scope, rule)).collect();
        body.extend(scope.any_of("webhook_rule", &[], alternatives));
    }
    scope.rules.push(Rule::holds(IN_SCOPE, body));
    Expression::name(IN_SCOPE)
}

/// An entry of a webhook's `rules`, as the API server reads it.
fn of_rule(scope: &mut Scope, rule: &WebhookRule) -> Vec<Statement> {
    let mut body = Vec::new();
    let mut one_of = |field: &str, words: Vec<&str>| {
        if !words.is_empty() {
            body.extend(scope.matches_one(&subject(field), &[], words));
        }
    };
    one_of("resource_group", words(&rule.groups).collect());
    one_of("resource_version", words(&rule.versions).collect());
    let operations = rule.operations.iter();
    one_of("operation", operations.map(|one| one.name()).collect());
    if let Some(wanted) = rule.scope {
        body.extend(of_scope(scope, wanted));
    }
    let resources = rule.resources.iter();
    let resources = resources.map(|(resource, subresource)| {
        let mut both = matches(&subject("resource"), &resource.value);
        both.extend(matches(&subject("subresource"), subresource));
        both
    });
    let resources: Vec<_> = resources.collect();
    if !resources.is_empty() {
        body.extend(scope.any_of("webhook_resource", &[], resources));
    }
    body
}

fn of_scope(scope: &mut Scope, wanted: Where) -> Vec<Statement> {
    match wanted {
        Where::Cluster => {
            let alternatives = vec![vec![is_namespace(true)], vec![in_none()]];
            scope.any_of("cluster", &[], alternatives)
        }
        Where::Namespaced => vec![is_namespace(false), Statement::Not(in_no_namespace())],
    }
}

/// A Namespace counts as one of its own name.
fn in_no_namespace() -> Expression {
    subject("namespace").equals(Expression::text(""))
}

fn in_none() -> Statement {
    Statement::Holds(in_no_namespace())
}

fn is_namespace(wanted: bool) -> Statement {
    let operator = if wanted {
        Operator::Equal
    } else {
        Operator::NotEqual
    };
    Statement::Holds(subject("kind").compare(operator, Expression::text("Namespace")))
}

fn words(written: &[Spanned<String>]) -> impl Iterator<Item = &str> {
    written.iter().map(|one| one.value.as_str())
}
