//! Lists of parts of other values, which are not copied before somebody wants such a list as a value.
//!
//! Most expressions about lists go on to filter them, and keep little or nothing.

use std::borrow::Cow;

use serde_json::Value;

use super::{Current, Evaluator, NULL, Outcome, is_true, null_if_unknown};
use crate::jmespath::ExpressionError;
use crate::jmespath::parser::Node;

/// A value, or a list of parts of others that becomes a value of its own only where one is wanted.
pub(super) enum Seen<'v> {
    Value(Cow<'v, Value>),
    List(Vec<Cow<'v, Value>>),
}

/// About how many bytes a part takes in such a list.
const PART: usize = 24;

impl<'v> From<Cow<'v, Value>> for Seen<'v> {
    fn from(value: Cow<'v, Value>) -> Self {
        Self::Value(value)
    }
}

impl<'v> Seen<'v> {
    /// The elements, if it is a list.
    fn into_parts(self) -> Option<Vec<Cow<'v, Value>>> {
        match self {
            Self::List(parts) => Some(parts),
            Self::Value(Cow::Borrowed(Value::Array(items))) => {
                Some(items.iter().map(Cow::Borrowed).collect())
            }
            Self::Value(Cow::Owned(Value::Array(items))) => {
                Some(items.into_iter().map(Cow::Owned).collect())
            }
            Self::Value(_) => None,
        }
    }
}

impl<'s> Evaluator<'s> {
    /// A value of its own of parts, at the price of its size.
    pub(super) fn whole<'v>(&self, seen: Seen<'v>) -> Outcome<'v> {
        match seen {
            Seen::Value(value) => Ok(value),
            Seen::List(parts) => {
                let parts = parts.into_iter().map(|part| self.own(part));
                Ok(Cow::Owned(Value::Array(parts.collect::<Result<_, _>>()?)))
            }
        }
    }

    /// A node on a list of parts.
    pub(super) fn on_list<'v>(
        &self,
        list: Seen<'v>,
        right: &'v Node,
    ) -> Result<Seen<'v>, ExpressionError>
    where
        's: 'v,
    {
        self.step()?;
        match right {
            Node::Current => return Ok(list),
            Node::Projection(pair) => match &**pair {
                [Node::Current, right] => return self.each(list, right),
                [Node::Flatten(inner), right] if matches!(**inner, Node::Current) => {
                    let flat = self.flatten(list)?;
                    return self.each(flat, right);
                }
                _ => {}
            },
            Node::FilterProjection(parts) => {
                if let [Node::Current, condition, right] = &**parts {
                    return self.filter(list, condition, right);
                }
            }
            _ => {}
        }
        let list = self.whole(list)?;
        Ok(Seen::Value(Cow::Owned(self.run_owned(right, &list)?)))
    }

    /// A node on each element; elements for which it gives null are left out.
    pub(super) fn each<'v>(
        &self,
        list: Seen<'v>,
        right: &'v Node,
    ) -> Result<Seen<'v>, ExpressionError>
    where
        's: 'v,
    {
        let Some(parts) = list.into_parts() else {
            return Ok(NULL.into());
        };
        let mut results = Vec::with_capacity(parts.len());
        for part in parts {
            self.keep(right, part, &mut results)?;
        }
        Ok(Seen::List(results))
    }

    /// Keeps what a node gives on an element, if that is not null.
    fn keep<'v>(
        &self,
        node: &'v Node,
        part: Cow<'v, Value>,
        results: &mut Vec<Cow<'v, Value>>,
    ) -> Result<(), ExpressionError>
    where
        's: 'v,
    {
        let result = match part {
            Cow::Borrowed(value) => null_if_unknown(self.run(node, Current::Value(value)))?,
            Cow::Owned(value) if matches!(node, Node::Current) => Cow::Owned(value),
            Cow::Owned(value) => {
                let result = self.run_owned(node, &value).map(Cow::Owned);
                null_if_unknown(result)?
            }
        };
        if !result.is_null() {
            self.charge(PART)?;
            results.push(result);
        }
        Ok(())
    }

    pub(super) fn filter<'v>(
        &self,
        list: Seen<'v>,
        condition: &'v Node,
        right: &'v Node,
    ) -> Result<Seen<'v>, ExpressionError>
    where
        's: 'v,
    {
        let Some(parts) = list.into_parts() else {
            return Ok(NULL.into());
        };
        let mut results = Vec::new();
        for part in parts {
            let holds = null_if_unknown(self.run(condition, Current::Value(&part)))?;
            if is_true(&holds) {
                drop(holds);
                self.keep(right, part, &mut results)?;
            }
        }
        Ok(Seen::List(results))
    }

    pub(super) fn flatten<'v>(&self, list: Seen<'v>) -> Result<Seen<'v>, ExpressionError> {
        let Some(parts) = list.into_parts() else {
            return Ok(NULL.into());
        };
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Cow::Borrowed(Value::Array(inner)) => flat.extend(inner.iter().map(Cow::Borrowed)),
                Cow::Owned(Value::Array(inner)) => flat.extend(inner.into_iter().map(Cow::Owned)),
                other => flat.push(other),
            }
        }
        self.charge(flat.len().saturating_mul(PART))?;
        Ok(Seen::List(flat))
    }

    /// `[a, b]`, which is null on null.
    pub(super) fn list<'v>(
        &self,
        items: &'v [Node],
        current: Current<'v>,
    ) -> Result<Seen<'v>, ExpressionError>
    where
        's: 'v,
    {
        if let Current::Value(Value::Null) = current {
            return Ok(NULL.into());
        }
        self.charge(items.len().saturating_mul(PART))?;
        let part = |node: &'v Node| null_if_unknown(self.run(node, current));
        Ok(Seen::List(
            items.iter().map(part).collect::<Result<_, _>>()?,
        ))
    }
}

impl Node {
    /// Whether its value may be a list of parts of other values.
    pub(super) const fn gives_parts(&self) -> bool {
        matches!(
            self,
            Self::Then(_)
                | Self::Pipe(_)
                | Self::Projection(_)
                | Self::FilterProjection(_)
                | Self::Flatten(_)
                | Self::List(_)
        )
    }
}
