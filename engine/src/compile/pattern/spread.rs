//! A plain pattern spread out: what must hold of the values at each of some places of the resource.
//!
//! Rules that are judged together mostly look at the same places, and so the values at a place are found once for all.
//! Says the same as the body of [`super::plain`], which was made of the pattern before.

use serde_json::Value;

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode};
use crate::program::together::{Pass, Place, Shape, Step};
use crate::rego::module::{Expression, Operator, Statement};

use super::super::scope::constant;
use super::is_star;
use super::plain::{get, is_needed, leaf, plain_key, sample};

/// What a pattern demands; none where that cannot be spread.
pub(super) fn spread(pattern: &Pattern) -> Option<Pass> {
    let mut pass = Pass::default();
    let resource = Expression::path(&["input", "resource"]);
    let PatternNode::Map(entries) = &pattern.node else {
        return None;
    };
    one(&mut pass, entries, &resource)?;
    Some(pass)
}

/// The keys of the one map that an expression stands for.
fn one(pass: &mut Pass, entries: &[PatternEntry], map: &Expression) -> Option<()> {
    // Keys that must be there, lists apart, come first: only in a map there are any.
    let is_list = |entry: &PatternEntry| matches!(entry.value.node, PatternNode::List(_));
    let telling = |entry: &&PatternEntry| is_needed(entry) && !is_list(entry);
    let (first, others): (Vec<_>, Vec<_>) = entries.iter().partition(telling);
    if first.is_empty() {
        let is_map = Expression::call("is_object", vec![map.clone()]);
        pass.statements.push(Statement::Holds(is_map));
    }
    for entry in first.into_iter().chain(others) {
        let key = plain_key(entry)?;
        if let Some(statement) = of_leaf(entry, key, map) {
            pass.statements.push(statement);
            continue;
        }
        let needed = entry.anchor.is_none();
        match &entry.value.node {
            PatternNode::Map(below) if needed => one(pass, below, &map.clone().field(key))?,
            _ => {
                let place = Place {
                    base: map.clone(),
                    steps: vec![step(&entry.value, key, needed)?],
                };
                many(pass, &entry.value, &place)?;
            }
        }
    }
    Some(())
}

/// The values at a place, each of which the pattern must hold for.
fn many(pass: &mut Pass, pattern: &Pattern, place: &Place) -> Option<()> {
    match &pattern.node {
        PatternNode::Map(entries) => {
            let mut leaves = Vec::new();
            for entry in entries {
                let key = plain_key(entry)?;
                if let Some(statement) = of_leaf(entry, key, &value()) {
                    leaves.push(statement);
                    continue;
                }
                let below = step(&entry.value, key, entry.anchor.is_none())?;
                many(pass, &entry.value, &place.then(below))?;
            }
            // That they are maps is said by their place.
            if !leaves.is_empty() || entries.is_empty() {
                pass.each.push((place.clone(), or_true(leaves)));
            }
        }
        PatternNode::List(items) => {
            let first = items.first()?;
            match &first.node {
                PatternNode::Scalar(scalar) => {
                    let each = Statement::Holds(is_as(value(), &leaf(scalar)?));
                    pass.each.push((place.clone(), vec![each]));
                }
                PatternNode::Map(_) => many(pass, first, &place.then(Step::Items))?,
                PatternNode::List(_) => return None,
            }
        }
        PatternNode::Scalar(_) => return None,
    }
    Some(())
}

/// What a key demands, where it is no map and no list.
fn of_leaf(entry: &PatternEntry, key: &str, map: &Expression) -> Option<Statement> {
    let key_value = || map.clone().field(key);
    if entry.anchor == Some(Anchor::Negation) {
        // Nothing that the input holds is a set.
        let nothing = || Expression::Set(Vec::new());
        return Some(Statement::Holds(get(map, key, nothing()).equals(nothing())));
    }
    let PatternNode::Scalar(scalar) = &entry.value.node else {
        return None;
    };
    let wanted = leaf(scalar)?;
    let holds = match entry.anchor {
        None if is_star(&entry.value) => key_value().compare(Operator::NotEqual, Expression::Null),
        None if is_needed(entry) => is_as(key_value(), &wanted),
        None => is_as(get(map, key, Expression::Null), &wanted),
        Some(Anchor::Equality) => is_as(get(map, key, sample(&entry.value, 0)?), &wanted),
        Some(_) => return None,
    };
    Some(Statement::Holds(holds))
}

/// The step to a key's value, which is a map or a list.
fn step(pattern: &Pattern, key: &str, needed: bool) -> Option<Step> {
    let shape = match &pattern.node {
        PatternNode::Map(_) => Shape::Map,
        PatternNode::List(_) => Shape::List,
        PatternNode::Scalar(_) => return None,
    };
    Some(Step::Key {
        key: key.to_owned(),
        needed,
        shape,
    })
}

/// The value at a place, in the statements about it.
fn value() -> Expression {
    Expression::name(Place::VALUE)
}

fn is_as(value: Expression, wanted: &Value) -> Expression {
    let status = Expression::call("regent.scalar", vec![value, constant(wanted)]);
    status.equals(Expression::text("pass"))
}

fn or_true(statements: Vec<Statement>) -> Vec<Statement> {
    if statements.is_empty() {
        vec![Statement::Holds(Expression::Bool(true))]
    } else {
        statements
    }
}
