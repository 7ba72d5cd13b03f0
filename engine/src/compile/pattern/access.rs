//! How a key of the map `x` is read. Keys of labels and annotations may be wildcards, which stand for all keys that match.

use crate::ast::pattern::{Pattern, PatternEntry};
use crate::rego::module::{Expression, Operator, Statement};
use crate::wildcard;

use super::super::scope::{Scope, matches};
use super::{Place, define};

/// How a key is read.
pub(super) enum Access {
    Key(Expression),
    /// By a function that gives the values of the keys that match, in the keys' order.
    Wildcard(String),
}

impl Access {
    /// The value, null where there is none; of a wildcard each of its values, in [`Self::every`] and [`Self::any`].
    pub(super) fn value(&self) -> Expression {
        match self {
            Self::Key(key) => Expression::call(
                "object.get",
                vec![Expression::name("x"), key.clone(), Expression::Null],
            ),
            Self::Wildcard(_) => Expression::name("value"),
        }
    }

    /// Whether there is a value.
    pub(super) fn is_there(&self) -> Expression {
        match self {
            Self::Key(key) => {
                let keys = Expression::call("object.keys", vec![Expression::name("x")]);
                key.clone().compare(Operator::In, keys)
            }
            Self::Wildcard(name) => {
                let values = Expression::call(name, vec![Expression::name("x")]);
                Expression::call("count", vec![values])
                    .compare(Operator::More, Expression::count(0))
            }
        }
    }

    /// The status where every value must be as wanted.
    pub(super) fn every(
        &self,
        scope: &mut Scope,
        pattern: &Pattern,
        status: Expression,
    ) -> Expression {
        self.of_all(scope, (pattern, "in_order"), status)
    }

    /// The status where one value is enough.
    pub(super) fn any(
        &self,
        scope: &mut Scope,
        pattern: &Pattern,
        status: Expression,
    ) -> Expression {
        self.of_all(scope, (pattern, "one_passes"), status)
    }

    /// The status that a function makes of those of all values; that none is lost is counted.
    fn of_all(
        &self,
        scope: &mut Scope,
        (pattern, function): (&Pattern, &str),
        status: Expression,
    ) -> Expression {
        let Self::Wildcard(values) = self else {
            return status;
        };
        let name = scope.fresh("values");
        let values = Expression::call(values, vec![Expression::name("x")]);
        let count = |name: &str| Expression::call("count", vec![Expression::name(name)]);
        let each = vec![Statement::Some("value".into(), Expression::name("values"))];
        let body = vec![
            Statement::Assign("values".into(), Expression::call("or_null", vec![values])),
            Statement::Assign(
                "results".into(),
                Expression::Collect(Box::new(status), each),
            ),
            Statement::Holds(count("results").equals(count("values"))),
        ];
        let result = Expression::call(function, vec![Expression::name("results")]);
        define(scope, pattern, &name, result, body);
        Expression::call(name, vec![Expression::name("x")])
    }
}

/// How the key of an entry is read.
pub(super) fn of(scope: &mut Scope, entry: &PatternEntry, place: &Place, key: &str) -> Access {
    if !(place.has_wildcard_keys() && wildcard::has_wildcard(key)) {
        return Access::Key(Expression::text(key));
    }
    let name = scope.fresh("keys");
    let mut body = vec![Statement::SomeIndexed(
        "key".into(),
        "value".into(),
        Expression::name("x"),
    )];
    body.extend(matches(&Expression::name("key"), key));
    let values = Expression::Collect(Box::new(Expression::name("value")), body);
    define(scope, &entry.value, &name, values, Vec::new());
    Access::Wildcard(name)
}
