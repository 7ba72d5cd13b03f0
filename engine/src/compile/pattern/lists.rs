//! Lists of a pattern: every element by the one map, all by the one scalar, or list by list.

use crate::ast::pattern::{Pattern, PatternNode};
use crate::rego::module::{Expression, Operator, Statement};

use super::super::scope::Scope;
use super::{Check, Place, define, is_array, node};

pub(super) fn list(
    scope: &mut Scope,
    pattern: &Pattern,
    items: &[Pattern],
    place: &Place,
) -> Check {
    let name = scope.fresh("list");
    define(
        scope,
        pattern,
        &name,
        Expression::text("fail"),
        vec![Statement::Not(is_array())],
    );
    match items.first().map(|first| &first.node) {
        None => define(
            scope,
            pattern,
            &name,
            Expression::text("fail"),
            vec![Statement::Holds(is_array())],
        ),
        Some(PatternNode::Map(_) | PatternNode::Scalar(_)) => {
            let first = items.first().unwrap_or(pattern);
            let check = node(scope, first, &place.item(0));
            let is_map = matches!(first.node, PatternNode::Map(_));
            let (status, body) = if is_map {
                every_element(&check)
            } else {
                let status = check.applied(Expression::name("x"));
                (status, vec![Statement::Holds(is_array())])
            };
            define(scope, pattern, &name, status, body);
        }
        Some(PatternNode::List(_)) => by_index(scope, pattern, items, (place, &name)),
    }
    Check::Function(name)
}

/// Every element is judged by the one map; that none is lost is counted.
fn every_element(check: &Check) -> (Expression, Vec<Statement>) {
    let each = Expression::Collect(
        Box::new(check.applied(Expression::name("element"))),
        vec![Statement::Some("element".into(), Expression::name("x"))],
    );
    let count = |name: &str| Expression::call("count", vec![Expression::name(name)]);
    let body = vec![
        Statement::Holds(is_array()),
        Statement::Assign("results".into(), each),
        Statement::Holds(count("results").equals(count("x"))),
    ];
    (
        Expression::call("each", vec![Expression::name("results")]),
        body,
    )
}

fn by_index(
    scope: &mut Scope,
    pattern: &Pattern,
    items: &[Pattern],
    (place, name): (&Place, &str),
) {
    let length = Expression::call("count", vec![Expression::name("x")]);
    let enough = length.compare(Operator::AtLeast, Expression::count(items.len()));
    let mut results = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let check = node(scope, item, &place.item(index));
        let element = Expression::Index(
            Box::new(Expression::name("x")),
            Box::new(Expression::count(index)),
        );
        results.push(check.applied(element));
    }
    let status = Expression::call("each", vec![Expression::Array(results)]);
    let short = vec![Statement::Holds(is_array()), Statement::Not(enough.clone())];
    define(scope, pattern, name, Expression::text("broken"), short);
    let long = vec![Statement::Holds(is_array()), Statement::Holds(enough)];
    define(scope, pattern, name, status, long);
}
