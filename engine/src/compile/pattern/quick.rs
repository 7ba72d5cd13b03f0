//! The common case of a pattern: one body that holds only where the walk says `pass`, and that costs a tenth of it.
//!
//! It says less than the walk: where it does not hold, the walk judges. Only plain keys, `=()` and `X()` without
//! variables and wildcards in keys are written this way; of any other pattern there is none.

use serde_json::Value;

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode, PatternScalar};
use crate::rego::module::{Expression, Head, Operator, Rule, Statement};
use crate::scalar;

use super::super::scope::{Scope, constant};
use super::is_star;

/// Nodes of a pattern that becomes one body; regorus' bytecode has 255 registers for it, and a node takes up to eight.
const MAX_STATEMENTS: usize = 24;
/// Nested literals parse in exponential time.
const MAX_DEPTH: usize = 3;

/// The rule that holds in the common case.
pub(super) const NAME: &str = "as_wanted";

/// The common case, judged before the walk and instead of it; any of the patterns is enough.
pub(super) fn compile(scope: &mut Scope, patterns: &[Pattern]) {
    let mut found = false;
    for pattern in patterns.iter().filter(|pattern| !pattern.has_variables()) {
        let Some(body) = passes(scope, pattern) else {
            continue;
        };
        let rule = Rule::holds(NAME, body).at(pattern.span);
        scope.rules.push(if found {
            rule
        } else {
            rule.comment(
                "The common case: all is as wanted. What is not is judged by the walk below.",
            )
        });
        found = true;
    }
    if found {
        let body = vec![Statement::Holds(Expression::name(NAME))];
        scope
            .rules
            .push(Rule::value("verdict", Expression::text("pass"), body));
    }
}

/// Whether the module has it.
pub(super) fn is_there(scope: &Scope) -> bool {
    let mut rules = scope.rules.iter();
    rules.any(|rule| matches!(&rule.head, Head::Value(name, _) if name == NAME))
}

/// The body, where the pattern can be written this way.
fn passes(scope: &mut Scope, pattern: &Pattern) -> Option<Vec<Statement>> {
    let mut body = Body {
        scope,
        statements: 0,
        names: 0,
    };
    let resource = Expression::path(&["input", "resource"]);
    body.node(pattern, resource)
}

struct Body<'a> {
    scope: &'a mut Scope,
    statements: usize,
    names: usize,
}

impl Body<'_> {
    /// Statements that hold only where `value` passes.
    fn node(&mut self, pattern: &Pattern, value: Expression) -> Option<Vec<Statement>> {
        self.statements += 1;
        if self.statements > MAX_STATEMENTS {
            return None;
        }
        match &pattern.node {
            PatternNode::Scalar(scalar) => {
                let wanted = leaf(scalar)?;
                Some(vec![Statement::Holds(self.scalar(value, &wanted))])
            }
            PatternNode::Map(entries) => {
                let mut body = vec![Statement::Holds(is("is_object", &value))];
                for entry in entries {
                    body.extend(self.entry(entry, &value)?);
                }
                Some(body)
            }
            PatternNode::List(items) => {
                let mut body = vec![Statement::Holds(is("is_array", &value))];
                let first = items.first()?;
                match &first.node {
                    PatternNode::Scalar(scalar) => {
                        let wanted = leaf(scalar)?;
                        body.push(Statement::Holds(self.host(value, &wanted)));
                    }
                    PatternNode::Map(_) => {
                        self.names += 1;
                        let name = format!("element_{}", self.names);
                        let each = self.node(first, Expression::name(&name))?;
                        body.push(Statement::Every(name, value, each));
                    }
                    PatternNode::List(_) => return None,
                }
                Some(body)
            }
        }
    }

    fn entry(&mut self, entry: &PatternEntry, map: &Expression) -> Option<Vec<Statement>> {
        let key = entry
            .key
            .literal()
            .filter(|key| !key.contains(['*', '?']))?;
        match entry.anchor {
            // What is there and not null is all that `*` asks of a key without an anchor.
            None if is_star(&entry.value) => {
                let value = map.clone().field(key);
                let present = value.compare(Operator::NotEqual, Expression::Null);
                Some(vec![Statement::Holds(present)])
            }
            None => self.node(&entry.value, map.clone().field(key)),
            Some(Anchor::Equality) => {
                let absent = sample(&entry.value, 0)?;
                let value = Expression::call(
                    "object.get",
                    vec![map.clone(), Expression::text(key), absent],
                );
                match &entry.value.node {
                    // Looked at once.
                    PatternNode::Scalar(_) => self.node(&entry.value, value),
                    PatternNode::Map(_) | PatternNode::List(_) => {
                        self.names += 1;
                        let name = format!("value_{}", self.names);
                        let mut body = vec![Statement::Assign(name.clone(), value)];
                        body.extend(self.node(&entry.value, Expression::name(&name))?);
                        Some(body)
                    }
                }
            }
            Some(Anchor::Negation) => {
                let keys = Expression::call("object.keys", vec![map.clone()]);
                let there = Expression::text(key).compare(Operator::In, keys);
                Some(vec![Statement::Not(there)])
            }
            Some(Anchor::Condition | Anchor::Global | Anchor::Existence | Anchor::AddIfAbsent) => {
                None
            }
        }
    }

    /// Holds only where the value is as a leaf says.
    fn scalar(&mut self, value: Expression, wanted: &Value) -> Expression {
        match wanted {
            // What equals a leaf as it is written matches it, whatever else it says.
            Value::Bool(_) | Value::Number(_) => value.equals(constant(wanted)),
            Value::String(text) if is_plain(text) => value.equals(constant(wanted)),
            _ => self.host(value, wanted),
        }
    }

    fn host(&mut self, value: Expression, wanted: &Value) -> Expression {
        self.scope.patterns.push(wanted.clone());
        let status = Expression::call("regent.scalar", vec![value, constant(wanted)]);
        status.equals(Expression::text("pass"))
    }
}

fn is(function: &str, value: &Expression) -> Expression {
    Expression::call(function, vec![value.clone()])
}

/// Whether a text can only mean itself.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn leaf(scalar: &PatternScalar) -> Option<Value> {
    Some(match scalar {
        PatternScalar::Null => Value::Null,
        PatternScalar::Bool(flag) => Value::Bool(*flag),
        PatternScalar::Number(number) => Value::Number(number.clone()),
        PatternScalar::Text(text) => Value::String(text.literal()?.to_owned()),
    })
}

/// A constant that passes, which stands for a key that is not there.
fn sample(pattern: &Pattern, depth: usize) -> Option<Expression> {
    if depth > MAX_DEPTH {
        return None;
    }
    match &pattern.node {
        PatternNode::Scalar(scalar) => sample_leaf(&leaf(scalar)?).map(|leaf| constant(&leaf)),
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
