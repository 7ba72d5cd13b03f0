//! Patterns of plain keys, `=()` and `X()`: one body that holds where the resource is as wanted, and else it is not.
//!
//! Nothing in such a pattern skips and nothing of it can be broken, so that there are two answers only, and no walk is
//! needed. Patterns with variables, with other anchors, with wildcards in keys, with a key twice, or with lists of lists are
//! not plain.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode, PatternScalar};
use crate::rego::module::{Expression, Operator, Rule, Statement};
use crate::scalar;

use super::super::scope::Scope;
use super::{is_star, spread};

/// Nodes of a pattern in one body; regorus' bytecode has 255 registers for it, and a node takes up to eight.
const MAX_NODES: usize = 24;
/// From so many nodes on, what stands below a key is worth a function of its own where the body is full.
const MANY_NODES: usize = 8;
/// Nested literals parse in exponential time.
const MAX_DEPTH: usize = 3;

/// The rule that holds where the resource is as wanted.
pub(super) const NAME: &str = "as_wanted";

/// Writes `as_wanted` for the plain ones of the patterns; whether there are others.
pub(super) fn compile(scope: &mut Scope, patterns: &[Pattern]) -> Found {
    let mut found = Found::All;
    let mut any = false;
    for pattern in patterns {
        let rules = scope.rules.len();
        let compared = scope.patterns.len();
        let body = (!pattern.has_variables())
            .then(|| Body::new(scope).node(pattern, Expression::path(&["input", "resource"])))
            .flatten();
        let Some(body) = body else {
            // What was written for a part of it is of no use.
            scope.rules.truncate(rules);
            scope.patterns.truncate(compared);
            found = Found::Some;
            continue;
        };
        any = true;
        scope.passes.extend(spread::spread(pattern));
        scope.rules.push(Rule::holds(NAME, body).at(pattern.span));
    }
    scope.has_plain = any;
    if any { found } else { Found::None }
}

/// Which of some patterns are plain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    None,
    Some,
    All,
}

struct Body<'a> {
    scope: &'a mut Scope,
    nodes: usize,
    names: usize,
}

impl<'a> Body<'a> {
    fn new(scope: &'a mut Scope) -> Self {
        Self {
            scope,
            nodes: 0,
            names: 0,
        }
    }

    /// Statements that hold only where `value` passes.
    fn node(&mut self, pattern: &Pattern, value: Expression) -> Option<Vec<Statement>> {
        self.nodes += 1;
        match &pattern.node {
            PatternNode::Scalar(scalar) => {
                let wanted = leaf(scalar)?;
                Some(vec![Statement::Holds(self.host(value, &wanted))])
            }
            PatternNode::Map(entries) => self.map(pattern, entries, &value),
            PatternNode::List(items) => {
                let mut body = vec![Statement::Holds(is("is_array", &value))];
                let first = items.first()?;
                match &first.node {
                    PatternNode::Scalar(scalar) => {
                        let wanted = leaf(scalar)?;
                        body.push(Statement::Holds(self.host(value, &wanted)));
                    }
                    PatternNode::Map(_) => {
                        let name = self.name("element");
                        let each = self.node(first, Expression::name(&name))?;
                        body.push(Statement::Every(name, value, each));
                    }
                    PatternNode::List(_) => return None,
                }
                Some(body)
            }
        }
    }

    fn map(
        &mut self,
        pattern: &Pattern,
        entries: &[PatternEntry],
        map: &Expression,
    ) -> Option<Vec<Statement>> {
        // A key with two demands cannot be stood for by what satisfies one.
        let keys: BTreeSet<&str> = entries.iter().filter_map(plain_key).collect();
        if keys.len() < entries.len() {
            return None;
        }
        // Keys that must be there come first: only in a map there are any.
        let (must, may): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_needed(entry));
        let mut body = Vec::new();
        if must.is_empty() {
            body.push(Statement::Holds(is("is_object", map)));
        }
        let entries: Vec<&PatternEntry> = must.into_iter().chain(may).collect();
        body.extend(self.entries(pattern, &entries, map)?);
        Some(body)
    }

    /// Statements of keys; what is too much for one body stands in functions.
    fn entries(
        &mut self,
        pattern: &Pattern,
        entries: &[&PatternEntry],
        map: &Expression,
    ) -> Option<Vec<Statement>> {
        let mut body = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let nodes = nodes(&entry.value);
            if self.nodes + nodes.min(MANY_NODES) > MAX_NODES {
                let rest = entries.get(index..)?;
                let write = |inner: &mut Body<'_>, map| inner.entries(pattern, rest, &map);
                body.push(self.function(pattern, map.clone(), write)?);
                break;
            }
            body.extend(self.entry(entry, map, self.nodes + nodes > MAX_NODES)?);
        }
        Some(body)
    }

    /// A function of a body of its own, called with a value.
    fn function(
        &mut self,
        pattern: &Pattern,
        value: Expression,
        write: impl FnOnce(&mut Body<'_>, Expression) -> Option<Vec<Statement>>,
    ) -> Option<Statement> {
        self.nodes += 1;
        let name = self.scope.fresh("wanted");
        let body = write(&mut Body::new(self.scope), Expression::name("x"))?;
        let function = Rule::function(&name, &["x"], Expression::Bool(true), body);
        self.scope.rules.push(function.at(pattern.span));
        Some(Statement::Holds(Expression::call(name, vec![value])))
    }

    /// What stands below a key, in a function where that is wanted.
    fn below(
        &mut self,
        pattern: &Pattern,
        value: Expression,
        apart: bool,
    ) -> Option<Vec<Statement>> {
        if apart {
            let called = self.function(pattern, value, |inner, value| inner.node(pattern, value));
            return Some(vec![called?]);
        }
        self.node(pattern, value)
    }

    fn entry(
        &mut self,
        entry: &PatternEntry,
        map: &Expression,
        apart: bool,
    ) -> Option<Vec<Statement>> {
        let key = plain_key(entry)?;
        match entry.anchor {
            // What is there and not null is all that `*` asks of a key without an anchor.
            None if is_star(&entry.value) => {
                self.nodes += 1;
                let value = map.clone().field(key);
                let present = value.compare(Operator::NotEqual, Expression::Null);
                Some(vec![Statement::Holds(present)])
            }
            None if is_needed(entry) => self.below(&entry.value, map.clone().field(key), apart),
            // What is not there counts as null.
            None => self.below(&entry.value, get(map, key, Expression::Null), apart),
            Some(Anchor::Equality) => {
                let value = get(map, key, sample(&entry.value, 0)?);
                // Looked at once.
                if apart || matches!(entry.value.node, PatternNode::Scalar(_)) {
                    return self.below(&entry.value, value, apart);
                }
                let name = self.name("value");
                let mut body = vec![Statement::Assign(name.clone(), value)];
                body.extend(self.node(&entry.value, Expression::name(&name))?);
                Some(body)
            }
            Some(Anchor::Negation) => {
                self.nodes += 1;
                let keys = Expression::call("object.keys", vec![map.clone()]);
                let there = Expression::text(key).compare(Operator::In, keys);
                Some(vec![Statement::Not(there)])
            }
            Some(Anchor::Condition | Anchor::Global | Anchor::Existence | Anchor::AddIfAbsent) => {
                None
            }
        }
    }

    fn host(&mut self, value: Expression, wanted: &Value) -> Expression {
        self.scope.patterns.push(wanted.clone());
        let status = Expression::call("regent.scalar", vec![value, Expression::constant(wanted)]);
        status.equals(Expression::text("pass"))
    }

    /// A name for a value, which no other of the body has.
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}_{}", self.names)
    }
}

fn is(function: &str, value: &Expression) -> Expression {
    Expression::call(function, vec![value.clone()])
}

/// The value of a key, or what stands for one that is not there.
pub(super) fn get(map: &Expression, key: &str, absent: Expression) -> Expression {
    Expression::call(
        "object.get",
        vec![map.clone(), Expression::text(key), absent],
    )
}

pub(super) fn plain_key(entry: &PatternEntry) -> Option<&str> {
    let key = entry.key.literal();
    key.filter(|key| !key.contains(['*', '?']))
}

/// Whether a map without the key does not pass: it has no anchor, and null is not what is wanted.
pub(super) fn is_needed(entry: &PatternEntry) -> bool {
    let wants_null = match &entry.value.node {
        PatternNode::Scalar(scalar) if !is_star(&entry.value) => leaf(scalar)
            .is_some_and(|wanted| scalar::matches(&scalar::Pattern::parse(&wanted), &Value::Null)),
        _ => false,
    };
    entry.anchor.is_none() && !wants_null
}

fn nodes(pattern: &Pattern) -> usize {
    1 + match &pattern.node {
        PatternNode::Scalar(_) => 0,
        PatternNode::Map(entries) => entries.iter().map(|entry| nodes(&entry.value)).sum(),
        PatternNode::List(items) => items.iter().map(nodes).sum(),
    }
}

pub(super) fn leaf(scalar: &PatternScalar) -> Option<Value> {
    Some(match scalar {
        PatternScalar::Null => Value::Null,
        PatternScalar::Bool(flag) => Value::Bool(*flag),
        PatternScalar::Number(number) => Value::Number(number.clone()),
        PatternScalar::Text(text) => Value::String(text.literal()?.to_owned()),
    })
}

/// A constant that passes, which stands for a key that is not there.
pub(super) fn sample(pattern: &Pattern, depth: usize) -> Option<Expression> {
    if depth > MAX_DEPTH {
        return None;
    }
    match &pattern.node {
        PatternNode::Scalar(scalar) => {
            sample_leaf(&leaf(scalar)?).map(|leaf| Expression::constant(&leaf))
        }
        // Nothing in a list is nothing that fails.
        PatternNode::List(items) => (!items.is_empty()).then(|| Expression::Array(Vec::new())),
        PatternNode::Map(entries) => {
            let mut fields = Vec::new();
            for entry in entries {
                match entry.anchor {
                    None => fields.push((
                        entry.key.literal()?.to_owned(),
                        sample(&entry.value, depth + 1)?,
                    )),
                    Some(Anchor::Equality | Anchor::Negation) => {}
                    Some(_) => return None,
                }
            }
            Some(Expression::Object(fields))
        }
    }
}

fn sample_leaf(wanted: &Value) -> Option<Value> {
    let pattern = scalar::Pattern::parse(wanted);
    let candidates = match wanted {
        Value::String(text) => {
            let mut candidates = vec![Value::from("x")];
            candidates.extend(text.split('|').map(|part| Value::from(part.trim())));
            candidates.extend([Value::from(0), Value::from(1)]);
            candidates
        }
        other => vec![other.clone()],
    };
    candidates
        .into_iter()
        .find(|candidate| scalar::matches(&pattern, candidate))
}

#[cfg(test)]
mod tests;
