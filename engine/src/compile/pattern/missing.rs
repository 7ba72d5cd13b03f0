//! Whether keys of anchors are missing from a resource: then what fails is an error of the rule.

use serde_json::Value;

use crate::ast::pattern::{Anchor, Pattern, PatternNode};
use crate::rego::module::{Expression, Rule};

use super::Scope;

/// An expression that holds where keys are missing; none where the pattern has no such keys. `value` is the pattern with
/// its variables resolved, where it has some.
pub(super) fn compile(
    scope: &mut Scope,
    pattern: &Pattern,
    value: Option<Expression>,
) -> Option<Expression> {
    if !has_anchors(pattern) {
        return None;
    }
    let pattern = match (value, pattern.template().constant()) {
        (Some(value), _) => value,
        (None, Some(constant)) => named(scope, &constant),
        (None, None) => return None,
    };
    let resource = Expression::path(&["input", "resource"]);
    Some(Expression::call(
        "regent.keys_missing",
        vec![resource, pattern],
    ))
}

fn has_anchors(pattern: &Pattern) -> bool {
    match &pattern.node {
        PatternNode::Map(entries) => entries.iter().any(|entry| {
            matches!(entry.anchor, Some(Anchor::Condition | Anchor::Existence))
                || has_anchors(&entry.value)
        }),
        PatternNode::List(items) => items.iter().any(has_anchors),
        PatternNode::Scalar(_) => false,
    }
}

/// A constant with a rule for each of its maps and lists: deep literals take long to read, for people too.
fn named(scope: &mut Scope, value: &Value) -> Expression {
    let expression = match value {
        Value::Object(fields) => Expression::Object(
            fields
                .iter()
                .map(|(name, field)| (name.clone(), named(scope, field)))
                .collect(),
        ),
        Value::Array(items) => {
            Expression::Array(items.iter().map(|item| named(scope, item)).collect())
        }
        other => return Expression::constant(other),
    };
    let name = scope.fresh("written");
    scope.rules.push(Rule::value(&name, expression, Vec::new()));
    Expression::name(name)
}
