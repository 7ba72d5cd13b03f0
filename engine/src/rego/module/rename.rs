//! Other names for what a text stands on, so that parts of several modules can stand in one.

use super::{Expression, Head, Rule, Statement};

/// What stands for a name; none where it stays. A function is renamed where it is a name that stands for it.
type Names<'a> = &'a dyn Fn(&str) -> Option<Expression>;

impl Rule {
    /// The same with other names, that of its head included.
    #[must_use]
    pub fn renamed(&self, names: Names<'_>) -> Self {
        let head = match &self.head {
            Head::Contains(name, element) => {
                Head::Contains(of_function(name, names), element.renamed(names))
            }
            Head::Value(name, value) => Head::Value(of_function(name, names), value.renamed(names)),
            Head::Function(name, arguments, value) => Head::Function(
                of_function(name, names),
                arguments.clone(),
                value.renamed(names),
            ),
        };
        Self {
            head,
            body: Statement::all_renamed(&self.body, names),
            ..self.clone()
        }
    }

    /// The name that it defines.
    pub fn name(&self) -> &str {
        match &self.head {
            Head::Contains(name, _) | Head::Value(name, _) | Head::Function(name, ..) => name,
        }
    }
}

impl Statement {
    /// The same statements with other names.
    pub fn all_renamed(body: &[Self], names: Names<'_>) -> Vec<Self> {
        body.iter()
            .map(|statement| statement.renamed(names))
            .collect()
    }

    fn renamed(&self, names: Names<'_>) -> Self {
        match self {
            Self::Holds(value) => Self::Holds(value.renamed(names)),
            Self::Not(value) => Self::Not(value.renamed(names)),
            Self::Assign(name, value) => Self::Assign(name.clone(), value.renamed(names)),
            Self::Some(name, of) => Self::Some(name.clone(), of.renamed(names)),
            Self::SomeIndexed(index, name, of) => {
                Self::SomeIndexed(index.clone(), name.clone(), of.renamed(names))
            }
            Self::Every(name, of, body) => Self::Every(
                name.clone(),
                of.renamed(names),
                Self::all_renamed(body, names),
            ),
        }
    }
}

impl Expression {
    fn renamed(&self, names: Names<'_>) -> Self {
        let all = |values: &[Self]| values.iter().map(|value| value.renamed(names)).collect();
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => self.clone(),
            Self::Name(name) => names(name).unwrap_or_else(|| self.clone()),
            Self::Field(base, name) => Self::Field(Box::new(base.renamed(names)), name.clone()),
            Self::Index(base, key) => {
                Self::Index(Box::new(base.renamed(names)), Box::new(key.renamed(names)))
            }
            Self::Call(name, arguments) => Self::Call(of_function(name, names), all(arguments)),
            Self::Binary(left, operator, right) => Self::Binary(
                Box::new(left.renamed(names)),
                *operator,
                Box::new(right.renamed(names)),
            ),
            Self::Array(values) => Self::Array(all(values)),
            Self::Set(values) => Self::Set(all(values)),
            Self::Object(fields) => {
                let field = |(name, value): &(String, Self)| (name.clone(), value.renamed(names));
                Self::Object(fields.iter().map(field).collect())
            }
            Self::Collect(value, body) => Self::Collect(
                Box::new(value.renamed(names)),
                Statement::all_renamed(body, names),
            ),
        }
    }
}

fn of_function(name: &str, names: Names<'_>) -> String {
    match names(name) {
        Some(Expression::Name(other)) => other,
        _ => name.to_owned(),
    }
}
