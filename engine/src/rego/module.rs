//! The subset of Rego that is generated, as types: what bytecode and interpreter were seen to agree on.
//!
//! Left out on purpose, because regorus' bytecode gets it wrong without saying so (`with`, function defaults, more than
//! eight arguments, references as heads), or because it cannot be read (deep literals).

mod parts;
mod rename;

use serde_json::{Number, Value};

use crate::source::Span;

/// One module: a package and its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// The package's path below `data`.
    pub package: Vec<String>,
    /// What stands above it.
    pub comments: Vec<String>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// One definition of a rule or a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Lines above it.
    pub comments: Vec<String>,
    /// What of the policy it was made from.
    pub span: Option<Span>,
    /// What it defines.
    pub head: Head,
    /// When.
    pub body: Vec<Statement>,
}

/// What a rule defines.
#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    /// `name contains element`.
    Contains(String, Expression),
    /// `name := value`; `name` alone where the value is true.
    Value(String, Expression),
    /// `name(arguments) := value`.
    Function(String, Vec<String>, Expression),
}

/// One line of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// It must hold.
    Holds(Expression),
    /// It must not hold; undefined counts as not holding, so what stands here must be total.
    Not(Expression),
    /// `name := value`.
    Assign(String, Expression),
    /// `some name in collection`.
    Some(String, Expression),
    /// `some index, name in collection`.
    SomeIndexed(String, String, Expression),
    /// `every name in collection { … }`.
    Every(String, Expression, Vec<Statement>),
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A variable, a rule, or `input`.
    Name(String),
    /// A field of a value.
    Field(Box<Expression>, String),
    /// An element by a computed key.
    Index(Box<Expression>, Box<Expression>),
    /// A call; dots in the name are part of it.
    Call(String, Vec<Expression>),
    /// `left operator right`.
    Binary(Box<Expression>, Operator, Box<Expression>),
    /// `[…]`.
    Array(Vec<Expression>),
    /// `{…}`; never empty, since `{}` is an object.
    Set(Vec<Expression>),
    /// `{key: value, …}`.
    Object(Vec<(String, Expression)>),
    /// `[value | body]`.
    Collect(Box<Expression>, Vec<Statement>),
}

/// What stands between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `>=`.
    AtLeast,
    /// `>`.
    More,
    /// `in`.
    In,
    /// `-`.
    Without,
}

impl Operator {
    /// As it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::AtLeast => ">=",
            Self::More => ">",
            Self::In => "in",
            Self::Without => "-",
        }
    }
}

impl Expression {
    /// A name with fields below it, as `input.request.object`.
    pub fn path(fields: &[&str]) -> Self {
        let mut fields = fields.iter();
        let first = Self::name(fields.next().copied().unwrap_or("input"));
        fields.fold(first, |base, field| base.field(*field))
    }

    /// A variable, a rule, or `input`.
    pub fn name(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A field of this.
    #[must_use]
    pub fn field(self, name: impl Into<String>) -> Self {
        Self::Field(Box::new(self), name.into())
    }

    /// A field of this, or null where there is none.
    #[must_use]
    pub fn get(self, name: impl Into<String>) -> Self {
        Self::call("object.get", vec![self, Self::text(name), Self::Null])
    }

    /// A call.
    pub fn call(name: impl Into<String>, arguments: Vec<Self>) -> Self {
        Self::Call(name.into(), arguments)
    }

    /// `self operator other`.
    #[must_use]
    pub fn compare(self, operator: Operator, other: Self) -> Self {
        Self::Binary(Box::new(self), operator, Box::new(other))
    }

    /// `self == other`.
    #[must_use]
    pub fn equals(self, other: Self) -> Self {
        self.compare(Operator::Equal, other)
    }

    /// A set of texts.
    pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Set(texts.into_iter().map(Self::text).collect())
    }

    /// A constant.
    pub fn constant(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::Array(items.iter().map(Self::constant).collect()),
            Value::Object(fields) => Self::Object(
                fields
                    .iter()
                    .map(|(name, field)| (name.clone(), Self::constant(field)))
                    .collect(),
            ),
        }
    }

    /// A count.
    pub fn count(number: usize) -> Self {
        Self::Number(number.into())
    }
}

impl Rule {
    /// `name if { body }`.
    pub fn holds(name: impl Into<String>, body: Vec<Statement>) -> Self {
        Self::value(name, Expression::Bool(true), body)
    }

    /// `name := value if { body }`.
    pub fn value(name: impl Into<String>, value: Expression, body: Vec<Statement>) -> Self {
        Self::of(Head::Value(name.into(), value), body)
    }

    /// `name contains element if { body }`.
    pub fn contains(name: impl Into<String>, element: Expression, body: Vec<Statement>) -> Self {
        Self::of(Head::Contains(name.into(), element), body)
    }

    /// `name(arguments) := value if { body }`.
    pub fn function(
        name: impl Into<String>,
        arguments: &[&str],
        value: Expression,
        body: Vec<Statement>,
    ) -> Self {
        let arguments = arguments.iter().map(|name| (*name).to_owned()).collect();
        Self::of(Head::Function(name.into(), arguments, value), body)
    }

    /// The same without what is for people.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self::of(self.head.clone(), self.body.clone())
    }

    fn of(head: Head, body: Vec<Statement>) -> Self {
        Self {
            comments: Vec::new(),
            span: None,
            head,
            body,
        }
    }

    /// The same with the place that it was made from.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same with a line above it.
    #[must_use]
    pub fn comment(mut self, line: impl Into<String>) -> Self {
        self.comments.push(line.into());
        self
    }
}
