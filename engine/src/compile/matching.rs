//! `match` and `exclude` as Rego: the rule `selected` says `match` or `nomatch`.
//!
//! Reads `input.subject`, the host's summary of the request, whose fields always have their type, so that no comparison
//! here is undefined but for what is absent.

use crate::ast::matching::{
    Combination, Filter, Filters, Kind, Requirement, Resources, Selector, SelectorOperator,
    Subject, SubjectKind,
};
use crate::ast::rego::Constraint;
use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::constraint;
use super::scope::{Scope, matches};

/// Which of the two lists of filters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Match,
    Exclude,
}

/// The rules of a module: the answer, and what it stands on.
pub(super) const SELECTED: &str = "selected";
pub(super) const MATCHED: &str = "matched";
pub(super) const EXCLUDED: &str = "excluded";

/// Whether the request is in a namespace.
pub(super) fn is_in(namespace: &str) -> Expression {
    subject("request_namespace").equals(Expression::text(namespace))
}

/// Writes `selected`; `namespace` is the one that a namespaced policy is confined to.
pub(super) fn compile(
    scope: &mut Scope,
    (includes, excludes): (&Filters, Option<&Filters>),
    constraint: Option<&Constraint>,
    namespace: Option<&str>,
) {
    filters(scope, Side::Match, includes);
    let in_scope = constraint.map(|written| constraint::compile(scope, written));
    let mut matched = vec![Statement::Holds(Expression::name(MATCHED))];
    let mut alternatives = vec![vec![Statement::Not(Expression::name(MATCHED))]];
    if let Some(namespace) = namespace {
        let own = is_in(namespace);
        matched.push(Statement::Holds(own.clone()));
        alternatives.push(vec![Statement::Not(own)]);
    }
    if let Some(in_scope) = in_scope {
        matched.push(Statement::Holds(in_scope.clone()));
        alternatives.push(vec![Statement::Not(in_scope)]);
    }
    if let Some(excludes) = excludes {
        filters(scope, Side::Exclude, excludes);
        matched.push(Statement::Not(Expression::name(EXCLUDED)));
        alternatives.push(vec![Statement::Holds(Expression::name(EXCLUDED))]);
    }
    let answer = |text: &str, body| Rule::value(SELECTED, Expression::text(text), body);
    scope.rules.push(answer("match", matched));
    for body in alternatives {
        scope.rules.push(answer("nomatch", body));
    }
}

/// Writes `selected` of an exception: where there is no user, it is not about users.
pub(super) fn compile_exception(scope: &mut Scope, includes: &Filters) {
    filters(scope, Side::Exclude, includes);
    let excluded = || Expression::name(EXCLUDED);
    let answer = |text: &str, body| Rule::value(SELECTED, Expression::text(text), vec![body]);
    scope
        .rules
        .push(answer("match", Statement::Holds(excluded())));
    scope
        .rules
        .push(answer("nomatch", Statement::Not(excluded())));
}

/// Fields of the host's summary.
pub(super) fn subject(field: &str) -> Expression {
    Expression::path(&["input", "subject", field])
}

fn filters(scope: &mut Scope, side: Side, filters: &Filters) {
    let name = match side {
        Side::Match => MATCHED,
        Side::Exclude => EXCLUDED,
    };
    let bodies: Vec<Vec<Statement>> = filters
        .filters
        .iter()
        .map(|filter| body_of(scope, side, filter))
        .collect();
    match filters.combination {
        Combination::Any => {
            for (body, filter) in bodies.into_iter().zip(&filters.filters) {
                let body = or_true(body);
                scope.rules.push(Rule::holds(name, body).at(filter.span));
            }
        }
        Combination::All => {
            let body = or_true(bodies.into_iter().flatten().collect());
            scope.rules.push(Rule::holds(name, body).at(filters.span));
        }
    }
}

/// A body needs a statement.
fn or_true(body: Vec<Statement>) -> Vec<Statement> {
    if body.is_empty() {
        vec![Statement::Holds(Expression::Bool(true))]
    } else {
        body
    }
}

fn body_of(scope: &mut Scope, side: Side, filter: &Filter) -> Vec<Statement> {
    let mut body = Vec::new();
    if let Some(resources) = &filter.resources {
        body.extend(of_resources(scope, resources));
    }
    if filter.names_users() {
        let user = of_user(scope, filter);
        // Where there is no request there is no user: a match then does not ask for one, an exclusion never excludes.
        let nobody = vec![Statement::Holds(
            subject("has_user").equals(Expression::Bool(false)),
        )];
        match side {
            Side::Match => body.extend(scope.any_of("user", &[], vec![nobody, user])),
            Side::Exclude => body.extend(user),
        }
    }
    body
}

fn of_resources(scope: &mut Scope, resources: &Resources) -> Vec<Statement> {
    let mut body = Vec::new();
    if !resources.operations.is_empty() {
        let operations = resources
            .operations
            .iter()
            .map(|operation| operation.value.name());
        body.extend(scope.matches_one(&subject("operation"), &[], operations));
    }
    if !resources.kinds.is_empty() {
        body.extend(of_kinds(scope, &resources.kinds));
    }
    if !resources.names.is_empty() {
        let names = resources.names.iter().map(|name| name.value.as_str());
        body.extend(scope.matches_one(&subject("name"), &[], names));
    }
    if !resources.namespaces.is_empty() {
        let namespaces = resources.namespaces.iter().map(|name| name.value.as_str());
        body.extend(scope.matches_one(&subject("namespace"), &[], namespaces));
    }
    for (key, value) in &resources.annotations {
        body.extend(pair(
            scope,
            &subject("annotations"),
            &key.value,
            &value.value,
        ));
    }
    if let Some(selector) = &resources.selector {
        body.extend(of_selector(scope, &subject("labels"), selector));
    }
    if let Some(selector) = &resources.namespace_selector {
        let namespace = Expression::text("Namespace");
        let other = subject("kind").compare(Operator::NotEqual, namespace);
        body.push(Statement::Holds(other));
        body.extend(of_selector(scope, &subject("namespace_labels"), selector));
    }
    body
}

fn of_kinds(scope: &mut Scope, kinds: &[Kind]) -> Vec<Statement> {
    let simple = kinds.iter().all(|kind| {
        kind.group == "*"
            && kind.version == "*"
            && kind.subresource.is_empty()
            && !kind.kind.contains(['*', '?'])
    });
    if simple {
        let names = kinds.iter().map(|kind| kind.kind.as_str());
        let mut body = scope.matches_one(&subject("kind"), &[], names);
        body.extend(of_subresource(""));
        return body;
    }
    let alternatives = kinds
        .iter()
        .map(|kind| {
            let mut body = matches(&subject("group"), &kind.group);
            body.extend(matches(&subject("version"), &kind.version));
            body.extend(matches(&subject("kind"), &kind.kind));
            body.extend(of_subresource(&kind.subresource));
            body
        })
        .collect();
    scope.any_of("kind", &[], alternatives)
}

/// The resource itself counts with the ephemeral containers of a Pod, which the host says.
fn of_subresource(pattern: &str) -> Vec<Statement> {
    if pattern.is_empty() {
        vec![Statement::Holds(
            subject("is_whole").equals(Expression::Bool(true)),
        )]
    } else {
        matches(&subject("subresource"), pattern)
    }
}

/// A key and a value, both wildcards, somewhere in a map of texts.
fn pair(scope: &mut Scope, map: &Expression, key: &str, value: &str) -> Vec<Statement> {
    if key.contains(['*', '?']) {
        let name = scope.fresh("pair");
        let mut body = vec![Statement::SomeIndexed(
            "key".into(),
            "value".into(),
            map.clone(),
        )];
        body.extend(matches(&Expression::name("key"), key));
        body.extend(matches(&Expression::name("value"), value));
        scope.rules.push(Rule::holds(&name, body));
        return vec![Statement::Holds(Expression::name(name))];
    }
    let field = map.clone().field(key);
    let mut body = matches(&field, value);
    if body.is_empty() {
        body.push(Statement::Holds(Expression::call("is_string", vec![field])));
    }
    body
}

pub(super) fn of_selector(
    scope: &mut Scope,
    labels: &Expression,
    selector: &Selector,
) -> Vec<Statement> {
    let mut body = Vec::new();
    for (key, value) in &selector.match_labels {
        body.extend(pair(scope, labels, &key.value, &value.value));
    }
    for requirement in &selector.match_expressions {
        body.push(of_requirement(labels, requirement));
    }
    body
}

fn of_requirement(labels: &Expression, requirement: &Requirement) -> Statement {
    // What is negated must have a value: engines differ on `not` over what is undefined.
    let label = labels.clone().get(requirement.key.value.as_str());
    let values = || Expression::texts(requirement.values.iter().map(|value| value.value.as_str()));
    let present = || Expression::call("is_string", vec![label.clone()]);
    match requirement.operator {
        SelectorOperator::In => Statement::Holds(label.clone().compare(Operator::In, values())),
        SelectorOperator::NotIn => Statement::Not(label.clone().compare(Operator::In, values())),
        SelectorOperator::Exists => Statement::Holds(present()),
        SelectorOperator::DoesNotExist => Statement::Not(present()),
    }
}

/// All kinds of user conditions that are given must hold; of each, one entry is enough.
fn of_user(scope: &mut Scope, filter: &Filter) -> Vec<Statement> {
    let mut body = vec![Statement::Holds(
        subject("has_user").equals(Expression::Bool(true)),
    )];
    if !filter.subjects.is_empty() {
        let alternatives = filter
            .subjects
            .iter()
            .map(|one| of_subject(scope, one))
            .collect();
        body.extend(scope.any_of("subject", &[], alternatives));
    }
    for (field, roles) in [
        ("roles", &filter.roles),
        ("cluster_roles", &filter.cluster_roles),
    ] {
        if !roles.is_empty() {
            let name = scope.fresh(field);
            let wanted = roles.iter().map(|role| Expression::text(&role.value));
            let wanted = Expression::Set(wanted.collect());
            // No wildcards, other than in the names of users.
            let is_wanted = Expression::name("role").compare(Operator::In, wanted);
            let some = vec![
                Statement::Some("role".into(), subject(field)),
                Statement::Holds(is_wanted),
            ];
            scope.rules.push(Rule::holds(&name, some));
            body.push(Statement::Holds(Expression::name(name)));
        }
    }
    body
}

fn of_subject(scope: &mut Scope, one: &Subject) -> Vec<Statement> {
    match one.kind {
        SubjectKind::User => some_match(&subject("user"), &one.name.value),
        SubjectKind::ServiceAccount => {
            let namespace = one
                .namespace
                .as_ref()
                .map_or("", |namespace| namespace.value.as_str());
            let name = format!("system:serviceaccount:{namespace}:{}", one.name.value);
            some_match(&subject("user"), &name)
        }
        SubjectKind::Group => {
            let name = scope.fresh("group");
            let mut body = vec![Statement::Some("group".into(), subject("groups"))];
            body.extend(matches(&Expression::name("group"), &one.name.value));
            scope.rules.push(Rule::holds(&name, body));
            vec![Statement::Holds(Expression::name(name))]
        }
    }
}

fn some_match(value: &Expression, pattern: &str) -> Vec<Statement> {
    or_true(matches(value, pattern))
}
