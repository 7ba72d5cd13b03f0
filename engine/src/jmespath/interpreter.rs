//! The tree of an expression on a value.

mod parts;

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::functions::{Argument, Arguments};
use super::parser::{Call, Comparison, Node, Slice};
use crate::fuel;

use super::{Environment, ExpressionError, MAX_BYTES, MAX_STEPS, Scope, Within};
use crate::go_format::{as_float, deep_equal};
use parts::Seen;

/// What a step takes, in units of fuel.
const STEP: u64 = 50;

/// The value of an expression in a scope.
pub(super) fn evaluate<'v>(
    node: &'v Node,
    scope: &'v dyn Scope,
    environment: &'v Environment,
) -> Result<Cow<'v, Value>, ExpressionError> {
    let evaluator = Evaluator {
        scope,
        environment,
        steps: Cell::new(0),
        bytes: Cell::new(0),
        draws: Cell::new(0),
    };
    evaluator.run(node, Current::Root)
}

/// One evaluation: what it may look at, and what it has used up.
pub(super) struct Evaluator<'s> {
    scope: &'s dyn Scope,
    pub(super) environment: &'s Environment,
    steps: Cell<u64>,
    bytes: Cell<usize>,
    /// How often `random` has drawn.
    pub(super) draws: Cell<u64>,
}

/// What `@` stands for.
#[derive(Clone, Copy)]
pub(super) enum Current<'v> {
    /// The scope, whose fields are looked up one by one.
    Root,
    Value(&'v Value),
}

type Outcome<'v> = Result<Cow<'v, Value>, ExpressionError>;

const NULL: Cow<'static, Value> = Cow::Owned(Value::Null);

impl<'s> Evaluator<'s> {
    /// Counts bytes that are about to be made.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), ExpressionError> {
        let total = self.bytes.get().saturating_add(bytes);
        self.bytes.set(total);
        if total > MAX_BYTES {
            Err(ExpressionError::LimitExceeded)
        } else {
            Ok(())
        }
    }

    /// Whether so many bytes more would still be allowed, without counting them.
    pub(super) fn fits(&self, bytes: usize) -> Result<(), ExpressionError> {
        if self.bytes.get().saturating_add(bytes) > MAX_BYTES {
            Err(ExpressionError::LimitExceeded)
        } else {
            Ok(())
        }
    }

    fn step(&self) -> Result<(), ExpressionError> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps > MAX_STEPS || !fuel::spend(STEP) {
            Err(ExpressionError::LimitExceeded)
        } else {
            Ok(())
        }
    }

    /// A node on a value that lives no longer than this call needs it.
    pub(super) fn run_owned(&self, node: &Node, value: &Value) -> Result<Value, ExpressionError> {
        let result = self.run(node, Current::Value(value))?;
        self.own(result)
    }

    /// Takes a value out of what it borrows from, at the price of its size.
    fn own(&self, value: Cow<'_, Value>) -> Result<Value, ExpressionError> {
        if let Cow::Borrowed(value) = &value {
            self.charge(size(value))?;
        }
        Ok(value.into_owned())
    }

    pub(super) fn run<'v>(&self, node: &'v Node, current: Current<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        if node.gives_parts() {
            let seen = self.see(node, current)?;
            return self.whole(seen);
        }
        self.step()?;
        match node {
            Node::Current => match current {
                Current::Root => Ok(Cow::Owned(self.scope.whole()?)),
                Current::Value(value) => Ok(Cow::Borrowed(value)),
            },
            Node::Field(name) => self.field(name, current),
            Node::Literal(value) => Ok(Cow::Borrowed(value)),
            Node::Comparison(comparison, pair) => self.compare(*comparison, pair, current),
            Node::Or(pair) => {
                let [left, right] = &**pair;
                let left = null_if_unknown(self.run(left, current))?;
                if is_true(&left) {
                    Ok(left)
                } else {
                    null_if_unknown(self.run(right, current))
                }
            }
            Node::And(pair) => {
                let [left, right] = &**pair;
                let left = null_if_unknown(self.run(left, current))?;
                if is_true(&left) {
                    self.run(right, current)
                } else {
                    Ok(left)
                }
            }
            Node::Not(inner) => {
                let inner = null_if_unknown(self.run(inner, current))?;
                Ok(Cow::Owned(Value::Bool(!is_true(&inner))))
            }
            Node::Call(call) => self.call(call, current),
            Node::Reference(_) => Err(ExpressionError::Failed(
                "an expression reference stands where a value is wanted".to_owned(),
            )),
            Node::Index(_) | Node::Slice(_) => match current {
                Current::Value(Value::Array(items)) => self.element(node, items),
                _ => Ok(NULL),
            },
            Node::ValueProjection(pair) => {
                let [left, right] = &**pair;
                let left = null_if_failed(self.run(left, current))?;
                self.each_value(&left, right)
            }
            Node::Map(entries) => self.select(entries, current),
            // These give parts, which was asked above.
            Node::Then(_)
            | Node::Pipe(_)
            | Node::Projection(_)
            | Node::FilterProjection(_)
            | Node::Flatten(_)
            | Node::List(_) => Err(ExpressionError::LimitExceeded),
        }
    }

    /// The same, where parts of other values need not be copied.
    fn see<'v>(&self, node: &'v Node, current: Current<'v>) -> Result<Seen<'v>, ExpressionError>
    where
        's: 'v,
    {
        if !node.gives_parts() {
            return self.run(node, current).map(Seen::Value);
        }
        self.step()?;
        match node {
            Node::Then(pair) => self.dot(pair, current),
            Node::Pipe(pair) => {
                let [left, right] = &**pair;
                if let (Node::Current, Current::Root) = (left, current) {
                    return null_if_unknown(self.see(right, current));
                }
                let left = null_if_unknown(self.see(left, current))?;
                null_if_unknown(self.then(left, right))
            }
            Node::Projection(pair) => {
                let [left, right] = &**pair;
                let left = null_if_unknown(self.see(left, current))?;
                self.each(left, right)
            }
            Node::FilterProjection(parts) => {
                let [left, condition, right] = &**parts;
                let left = null_if_failed(self.see(left, current))?;
                self.filter(left, condition, right)
            }
            Node::Flatten(left) => {
                let left = null_if_failed(self.see(left, current))?;
                self.flatten(left)
            }
            Node::List(items) => self.list(items, current),
            other => self.run(other, current).map(Seen::Value),
        }
    }

    /// `left.right`.
    fn dot<'v>(
        &self,
        pair: &'v [Node; 2],
        current: Current<'v>,
    ) -> Result<Seen<'v>, ExpressionError>
    where
        's: 'v,
    {
        let [left, right] = pair;
        match (left, right, current) {
            // `@.name` need not make the whole root.
            (Node::Current, _, Current::Root) => return self.see(right, current),
            // Nor need `request.object` make the whole request.
            (Node::Field(name), Node::Field(field), Current::Root) => {
                match self.scope.within(name, field)? {
                    Within::Found(value) => return Ok(Seen::Value(Cow::Borrowed(value))),
                    Within::Absent => return Err(ExpressionError::NotFound(field.clone())),
                    Within::Unknown => {}
                }
            }
            _ => {}
        }
        let left = self.see(left, current)?;
        self.then(left, right)
    }

    fn field<'v>(&self, name: &'v str, current: Current<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        let unknown = || ExpressionError::NotFound(name.to_owned());
        match current {
            Current::Root => self.scope.field(name)?.ok_or_else(unknown),
            Current::Value(Value::Object(fields)) => {
                fields.get(name).map(Cow::Borrowed).ok_or_else(unknown)
            }
            Current::Value(_) => Ok(NULL),
        }
    }

    /// A node on what another one gave.
    fn then<'v>(&self, left: Seen<'v>, right: &'v Node) -> Result<Seen<'v>, ExpressionError>
    where
        's: 'v,
    {
        match (left, right) {
            (Seen::Value(Cow::Borrowed(left)), _) => self.see(right, Current::Value(left)),
            // What is owned is taken apart rather than copied.
            (Seen::Value(Cow::Owned(Value::Object(mut fields))), Node::Field(name)) => {
                self.step()?;
                let field = fields.remove(name);
                let field = field.ok_or_else(|| ExpressionError::NotFound(name.clone()))?;
                Ok(Seen::Value(Cow::Owned(field)))
            }
            (Seen::Value(Cow::Owned(left)), _) => {
                Ok(Seen::Value(Cow::Owned(self.run_owned(right, &left)?)))
            }
            (list @ Seen::List(_), _) => self.on_list(list, right),
        }
    }

    fn compare<'v>(
        &self,
        comparison: Comparison,
        pair: &'v [Node; 2],
        current: Current<'v>,
    ) -> Outcome<'v>
    where
        's: 'v,
    {
        let [left, right] = pair;
        let left = null_if_unknown(self.run(left, current))?;
        let right = null_if_unknown(self.run(right, current))?;
        let ordered = |holds: fn(f64, f64) -> bool| match (&*left, &*right) {
            (Value::Number(left), Value::Number(right)) => {
                Value::Bool(holds(as_float(left), as_float(right)))
            }
            _ => Value::Null,
        };
        Ok(Cow::Owned(match comparison {
            Comparison::Equal => Value::Bool(deep_equal(&left, &right)),
            Comparison::NotEqual => Value::Bool(!deep_equal(&left, &right)),
            Comparison::Less => ordered(|left, right| left < right),
            Comparison::LessOrEqual => ordered(|left, right| left <= right),
            Comparison::Greater => ordered(|left, right| left > right),
            Comparison::GreaterOrEqual => ordered(|left, right| left >= right),
        }))
    }

    fn call<'v>(&self, call: &'v Call, current: Current<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(match argument {
                Node::Reference(node) => Argument::Reference(node),
                _ => Argument::Value(null_if_unknown(self.run(argument, current))?),
            });
        }
        let Some(function) = call.function else {
            return Err(ExpressionError::Failed(format!(
                "unknown function: {}",
                call.name
            )));
        };
        function.check(&arguments)?;
        function.spend(&arguments)?;
        let arguments = Arguments {
            evaluator: self,
            values: &arguments,
            regex: call.regex.as_ref(),
        };
        (function.call)(&arguments).map(Cow::Owned)
    }

    fn element<'v>(&self, node: &Node, items: &'v [Value]) -> Outcome<'v> {
        match node {
            Node::Index(index) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *index < 0 {
                    index.saturating_add(length)
                } else {
                    *index
                };
                let item = usize::try_from(at).ok().and_then(|at| items.get(at));
                Ok(item.map_or(NULL, Cow::Borrowed))
            }
            Node::Slice(part) => {
                let items = slice(items, *part)?;
                self.charge(items.iter().map(|item| size(item)).sum())?;
                Ok(Cow::Owned(Value::Array(
                    items.into_iter().cloned().collect(),
                )))
            }
            _ => Ok(NULL),
        }
    }

    fn collect(
        &self,
        node: &Node,
        item: &Value,
        results: &mut Vec<Value>,
    ) -> Result<(), ExpressionError> {
        let result = null_if_unknown(self.run(node, Current::Value(item)))?;
        if !result.is_null() {
            results.push(self.own(result)?);
        }
        Ok(())
    }

    /// A node on each value of a map, and, as in Kyverno's fork, on null as many times before.
    fn each_value<'v>(&self, map: &Value, right: &Node) -> Outcome<'v> {
        let Value::Object(fields) = map else {
            return Ok(NULL);
        };
        let mut results = Vec::new();
        for _ in fields {
            self.collect(right, &Value::Null, &mut results)?;
        }
        for value in fields.values() {
            self.collect(right, value, &mut results)?;
        }
        Ok(Cow::Owned(Value::Array(results)))
    }

    /// `{a: b}`, which is null on null.
    fn select<'v>(&self, entries: &'v [(String, Node)], current: Current<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        if let Current::Value(Value::Null) = current {
            return Ok(NULL);
        }
        let mut fields = Map::new();
        for (name, node) in entries {
            let part = null_if_unknown(self.run(node, current))?;
            fields.insert(name.clone(), self.own(part)?);
        }
        Ok(Cow::Owned(Value::Object(fields)))
    }
}

/// Unknown keys become null where the language swallows them.
pub(super) fn null_if_unknown<'v, T: From<Cow<'v, Value>>>(
    outcome: Result<T, ExpressionError>,
) -> Result<T, ExpressionError> {
    match outcome {
        Err(ExpressionError::NotFound(_)) => Ok(NULL.into()),
        other => other,
    }
}

/// Filters, flattening and the values of a map swallow every error to their left that is the expression's own.
fn null_if_failed<'v, T: From<Cow<'v, Value>>>(
    outcome: Result<T, ExpressionError>,
) -> Result<T, ExpressionError> {
    match outcome {
        Err(ExpressionError::NotFound(_) | ExpressionError::Failed(_)) => Ok(NULL.into()),
        other => other,
    }
}

/// Everything but null, false and what is empty.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// About how many bytes a value takes.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 24,
        Value::String(text) => 24 + text.len(),
        Value::Array(items) => 24 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => {
            24 + fields
                .iter()
                .map(|(name, value)| 24 + name.len() + size(value))
                .sum::<usize>()
        }
    }
}

/// `[start:stop:step]` with Python's meaning.
fn slice(items: &[Value], part: Slice) -> Result<Vec<&Value>, ExpressionError> {
    let step = part.step.unwrap_or(1);
    if step == 0 {
        return Err(ExpressionError::Failed(
            "Invalid slice, step cannot be 0".to_owned(),
        ));
    }
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let cap = |at: i64| {
        let at = if at < 0 {
            at.saturating_add(length)
        } else {
            at
        };
        if step < 0 {
            at.clamp(-1, length - 1)
        } else {
            at.clamp(0, length)
        }
    };
    let start = part
        .start
        .map_or(if step < 0 { length - 1 } else { 0 }, cap);
    let end = part.stop.map_or(if step < 0 { -1 } else { length }, cap);
    let mut taken = Vec::new();
    let mut at = start;
    while if step > 0 { at < end } else { at > end } {
        taken.extend(usize::try_from(at).ok().and_then(|at| items.get(at)));
        at = at.saturating_add(step);
    }
    Ok(taken)
}
