//! The tree of an expression on a value.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::functions::{Argument, Arguments};
use super::parser::{Call, Comparison, Node, Slice};
use super::{Environment, ExpressionError, MAX_BYTES, MAX_STEPS, Scope};
use crate::go_format::{as_float, deep_equal};

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
        if steps > MAX_STEPS {
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
        self.step()?;
        match node {
            Node::Current => match current {
                Current::Root => Ok(Cow::Owned(self.scope.whole()?)),
                Current::Value(value) => Ok(Cow::Borrowed(value)),
            },
            Node::Field(name) => self.field(name, current),
            Node::Literal(value) => Ok(Cow::Borrowed(value)),
            Node::Then(pair) => {
                let [left, right] = &**pair;
                let left = match (left, current) {
                    // `@.name` need not make the whole root.
                    (Node::Current, Current::Root) => return self.run(right, current),
                    _ => self.run(left, current)?,
                };
                self.then(left, right)
            }
            Node::Pipe(pair) => {
                let [left, right] = &**pair;
                if let (Node::Current, Current::Root) = (left, current) {
                    return null_if_unknown(self.run(right, current));
                }
                let left = null_if_unknown(self.run(left, current))?;
                null_if_unknown(self.then(left, right))
            }
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
            Node::Index(_)
            | Node::Slice(_)
            | Node::Projection(_)
            | Node::ValueProjection(_)
            | Node::FilterProjection(_)
            | Node::Flatten(_) => self.project(node, current),
            Node::List(_) | Node::Map(_) => self.select(node, current),
        }
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
    fn then<'v>(&self, left: Cow<'v, Value>, right: &'v Node) -> Outcome<'v>
    where
        's: 'v,
    {
        match (left, right) {
            (Cow::Borrowed(left), _) => self.run(right, Current::Value(left)),
            // What is owned is taken apart rather than copied.
            (Cow::Owned(Value::Object(mut fields)), Node::Field(name)) => {
                self.step()?;
                fields
                    .remove(name)
                    .map(Cow::Owned)
                    .ok_or_else(|| ExpressionError::NotFound(name.clone()))
            }
            (Cow::Owned(left), _) => self.run_owned(right, &left).map(Cow::Owned),
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
        let arguments = Arguments {
            evaluator: self,
            values: &arguments,
            regex: call.regex.as_ref(),
        };
        (function.call)(&arguments).map(Cow::Owned)
    }

    /// What looks into lists, and into the values of maps.
    fn project<'v>(&self, node: &'v Node, current: Current<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        match node {
            Node::Projection(pair) => {
                let [left, right] = &**pair;
                let left = null_if_unknown(self.run(left, current))?;
                self.each(left, right)
            }
            Node::FilterProjection(parts) => {
                let [left, condition, right] = &**parts;
                let left = null_if_failed(self.run(left, current))?;
                self.filter(&left, condition, right)
            }
            Node::ValueProjection(pair) => {
                let [left, right] = &**pair;
                let left = null_if_failed(self.run(left, current))?;
                self.each_value(&left, right)
            }
            Node::Flatten(left) => {
                let left = null_if_failed(self.run(left, current))?;
                self.flatten(left)
            }
            _ => match current {
                Current::Value(Value::Array(items)) => self.element(node, items),
                _ => Ok(NULL),
            },
        }
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

    /// A node on each element; elements for which it gives null are left out.
    fn each<'v>(&self, list: Cow<'v, Value>, right: &Node) -> Outcome<'v> {
        if !list.is_array() {
            return Ok(NULL);
        }
        if matches!(right, Node::Current)
            && let Cow::Owned(Value::Array(mut items)) = list
        {
            items.retain(|item| !item.is_null());
            return Ok(Cow::Owned(Value::Array(items)));
        }
        let mut results = Vec::new();
        for item in list.as_array().into_iter().flatten() {
            self.collect(right, item, &mut results)?;
        }
        Ok(Cow::Owned(Value::Array(results)))
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

    fn filter<'v>(&self, list: &Value, condition: &Node, right: &Node) -> Outcome<'v> {
        let Value::Array(items) = list else {
            return Ok(NULL);
        };
        let mut results = Vec::new();
        for item in items {
            let holds = null_if_unknown(self.run(condition, Current::Value(item)))?;
            if is_true(&holds) {
                self.collect(right, item, &mut results)?;
            }
        }
        Ok(Cow::Owned(Value::Array(results)))
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

    fn flatten<'v>(&self, list: Cow<'v, Value>) -> Outcome<'v> {
        if !list.is_array() {
            return Ok(NULL);
        }
        let Value::Array(items) = self.own(list)? else {
            return Ok(NULL);
        };
        let mut flat = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Value::Array(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Ok(Cow::Owned(Value::Array(flat)))
    }

    /// `[a, b]` and `{a: b}`, which are null on null.
    fn select<'v>(&self, node: &'v Node, current: Current<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        if let Current::Value(Value::Null) = current {
            return Ok(NULL);
        }
        let part = |node: &'v Node| self.own(null_if_unknown(self.run(node, current))?);
        Ok(Cow::Owned(match node {
            Node::List(items) => Value::Array(items.iter().map(part).collect::<Result<_, _>>()?),
            Node::Map(entries) => {
                let mut fields = Map::new();
                for (name, node) in entries {
                    fields.insert(name.clone(), part(node)?);
                }
                Value::Object(fields)
            }
            _ => Value::Null,
        }))
    }
}

/// Unknown keys become null where the language swallows them.
pub(super) fn null_if_unknown(outcome: Outcome<'_>) -> Outcome<'_> {
    match outcome {
        Err(ExpressionError::NotFound(_)) => Ok(NULL),
        other => other,
    }
}

/// Filters, flattening and the values of a map swallow every error to their left that is the expression's own.
fn null_if_failed(outcome: Outcome<'_>) -> Outcome<'_> {
    match outcome {
        Err(ExpressionError::NotFound(_) | ExpressionError::Failed(_)) => Ok(NULL),
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
