//! Whether keys of anchors are missing from a resource: then what fails is an error of the rule.

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode};
use crate::rego::module::{Expression, Operator, Rule, Statement};

use super::Scope;
use super::key_text;

/// Writes `missing`, which holds where a key of `()` or `^()` was met nowhere; false where the pattern has none.
pub(super) fn compile(scope: &mut Scope, pattern: &Pattern) -> bool {
    let mut found = Vec::new();
    collect_anchors(pattern, &mut Vec::new(), &mut found);
    let mut keys: Vec<&str> = found.iter().map(|(entry, _)| entry.raw.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in &keys {
        let met = scope.fresh("met");
        let present = scope.fresh("has");
        for (entry, steps) in found.iter().filter(|(entry, _)| entry.raw == *key) {
            let (mut body, last) = path(steps);
            body.push(Statement::Holds(Expression::call(
                "is_object",
                vec![last.clone()],
            )));
            scope
                .rules
                .push(Rule::holds(&met, body.clone()).at(entry.span));
            let keys = Expression::call("object.keys", vec![last]);
            let there = Expression::text(key_text(entry)).compare(Operator::In, keys);
            body.push(Statement::Holds(there));
            scope.rules.push(Rule::holds(&present, body).at(entry.span));
        }
        let body = vec![
            Statement::Holds(Expression::name(met)),
            Statement::Not(Expression::name(present)),
        ];
        scope.rules.push(Rule::holds("missing", body));
    }
    !keys.is_empty()
}

/// A step from a node of the pattern to one below it.
#[derive(Debug, Clone)]
enum Step {
    Field(String),
    Element,
}

fn collect_anchors<'a>(
    pattern: &'a Pattern,
    steps: &mut Vec<Step>,
    found: &mut Vec<(&'a PatternEntry, Vec<Step>)>,
) {
    match &pattern.node {
        PatternNode::Scalar(_) => {}
        PatternNode::Map(entries) => {
            for entry in entries {
                if matches!(entry.anchor, Some(Anchor::Condition | Anchor::Existence)) {
                    found.push((entry, steps.clone()));
                }
                steps.push(Step::Field(key_text(entry)));
                collect_anchors(&entry.value, steps, found);
                steps.pop();
            }
        }
        PatternNode::List(items) => {
            steps.push(Step::Element);
            for item in items {
                collect_anchors(item, steps, found);
            }
            steps.pop();
        }
    }
}

fn path(steps: &[Step]) -> (Vec<Statement>, Expression) {
    let mut body = Vec::new();
    let mut value = Expression::path(&["input", "resource"]);
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Field(name) => value = value.field(name.as_str()),
            Step::Element => {
                let element = format!("element_{index}");
                body.push(Statement::Some(element.clone(), value));
                value = Expression::name(element);
            }
        }
    }
    (body, value)
}
