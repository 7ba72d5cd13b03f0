//! Tests of several cases: `test_x[name]` has a value for each case that passed, and a rule beside it says which were begun.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Expr, Literal, LiteralStmt, Rule, Span};

use super::find::Key;
use super::{Ended, Kind, Test, edit};
use crate::rego::foreign::walk;

/// A case of a test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Case {
    /// Whether it, or one of those within it, failed.
    pub failed: bool,
    /// The cases within it, by name.
    pub cases: BTreeMap<String, Case>,
}

/// The rule that says which cases were begun: the keys, after those expressions of the test that they come from. It stands
/// at the end of the module, on lines that no place of the test is on.
pub(super) fn collector(rule: &Rule, keys: &[Key<'_>], name: &str, is_v1: bool) -> Option<String> {
    let Rule::Spec { bodies, .. } = rule else {
        return None;
    };
    let statements = bodies.first().map_or(&[][..], |body| &body.query.stmts);
    let mut wanted = BTreeSet::new();
    let mut shown = Vec::new();
    for key in keys {
        match key {
            Key::Field(name) => shown.push(format!("{:?}", name.text())),
            Key::Index(index) => {
                shown.push(between(index.span(), index.span())?);
                wanted.extend(variables(index));
            }
        }
    }
    let mut end = 0;
    for name in &wanted {
        let first = statements
            .iter()
            .position(|statement| mentions(statement, name));
        end = end.max(first.map_or(0, |first| first + 1));
    }
    let used = statements.get(..end)?;
    let body = match (used.first(), used.last()) {
        (Some(first), Some(last)) => between(&first.span, &last.span)?,
        _ => "true".to_owned(),
    };
    let shown = shown.join(", ");
    Some(if is_v1 {
        format!("\n{name} contains [{shown}] if {{\n{body}\n}}\n")
    } else {
        format!("\n{name}[[{shown}]] {{\n{body}\n}}\n")
    })
}

/// The variables of an expression.
pub(super) fn variables(expression: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    walk::of_expression_and_below(expression, &mut |expression| {
        if let Expr::Var { span, .. } = expression {
            names.insert(span.text().to_owned());
        }
    });
    names
}

/// Whether a statement has a variable; to declare it is not enough.
fn mentions(statement: &LiteralStmt, name: &str) -> bool {
    if matches!(statement.literal, Literal::SomeVars { .. }) {
        return false;
    }
    let mut found = false;
    walk::of_statement(statement, &mut |expression| {
        found |= matches!(expression, Expr::Var { span, .. } if span.text() == name);
    });
    found
}

fn between(first: &Span, last: &Span) -> Option<String> {
    let text = first.source.contents();
    let range = edit::whole(first).0..edit::whole(last).1;
    text.get(range).map(ToOwned::to_owned)
}

/// How a test ended that has a value, and its cases.
pub(super) fn ended(test: &Test, value: &Value, cases: &mut BTreeMap<String, Case>) -> Ended {
    if !matches!(test.kind, Kind::Cases(_)) {
        return ended_as(*value == Value::Bool(true));
    }
    let passed = match value {
        Value::Undefined => true,
        Value::Object(_) => {
            *cases = of_value(value);
            !cases.values().any(|case| case.failed)
        }
        _ => false,
    };
    ended_as(passed)
}

const fn ended_as(passed: bool) -> Ended {
    if passed { Ended::Passed } else { Ended::Failed }
}

fn of_value(value: &Value) -> BTreeMap<String, Case> {
    let Value::Object(fields) = value else {
        return BTreeMap::new();
    };
    let of_field = |value: &Value| {
        if let Value::Object(_) = value {
            let cases = of_value(value);
            let failed = cases.values().any(|case| case.failed);
            return Case { failed, cases };
        }
        Case {
            failed: *value != Value::Bool(true),
            cases: BTreeMap::new(),
        }
    };
    let named = fields.iter();
    named
        .map(|(key, value)| (text(key), of_field(value)))
        .collect()
}

/// Adds the cases that were begun and have no value: they failed.
pub(super) fn with_begun(ended: Ended, begun: &Value, cases: &mut BTreeMap<String, Case>) -> Ended {
    let Value::Set(paths) = begun else {
        return ended;
    };
    let mut failed = false;
    for path in paths.iter() {
        if let Value::Array(keys) = path {
            let keys: Vec<String> = keys.iter().map(text).collect();
            failed |= begin(&keys, cases);
        }
    }
    if failed { Ended::Failed } else { ended }
}

/// Says whether a case that was begun failed.
fn begin(path: &[String], cases: &mut BTreeMap<String, Case>) -> bool {
    let Some((name, rest)) = path.split_first() else {
        return false;
    };
    let is_known = cases.contains_key(name);
    let case = cases.entry(name.clone()).or_default();
    if rest.is_empty() {
        case.failed |= !is_known;
    } else {
        case.failed |= begin(rest, &mut case.cases);
    }
    case.failed
}

/// What a case is called: a text as it is, anything else as JSON.
fn text(key: &Value) -> String {
    match key {
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}
