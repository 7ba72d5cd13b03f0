//! The expression language between `{{` and `}}`: JMESPath as Kyverno's fork of it has it.
//!
//! An expression is parsed once, at load, and evaluated over JSON any number of times, from any thread.
//! What differs from the standard: an unknown key of a map is an error, unless something takes it for null (`||`, a function,
//! a comparison, a projection, a pipe); every number is a float; and there are many more functions.
//! Reads no clock, draws no random number and reaches no network: time and seed come in with [`Environment`].

pub mod functions;
mod insertion;
mod interpreter;
mod lexer;
mod parser;
mod sources;
mod tree;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;
use thiserror::Error;

pub use insertion::{Insertion, InsertionError};
use parser::Node;

/// Longest expression that is read; real ones stay below a thousand bytes.
pub const MAX_EXPRESSION: usize = 64 * 1024;
/// Deepest nesting of an expression, which bounds the stack that parsing and evaluating it take.
pub const MAX_DEPTH: usize = 128;
/// Most steps of one evaluation: a step looks at one node of the expression for one value, well below a microsecond.
pub const MAX_STEPS: u64 = 2_000_000;
/// Most bytes that the functions of one evaluation produce together: more than the 2 MiB that Kyverno allows a context.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// `@` at the root, as the name that [`Expression::naming_current`] makes of it.
pub const CURRENT: &str = "@";

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    node: Node,
    /// Whether the name [`CURRENT`] was put for `@`.
    names_current: bool,
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong, in Kyverno's words.
    pub message: String,
    /// Byte of the expression where it is.
    pub offset: usize,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpressionError {
    /// A map has no such key.
    #[error("Unknown key \"{0}\" in path")]
    NotFound(String),
    /// A function refused its arguments, or there is none of that name.
    #[error("{0}")]
    Failed(String),
    /// The evaluation grew beyond a bound.
    #[error("the expression takes too many steps or too much memory")]
    LimitExceeded,
    /// A name of the scope has no value.
    #[error(transparent)]
    Scope(#[from] ScopeError),
}

impl ExpressionError {
    /// Whether a bound is the reason.
    pub const fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::LimitExceeded | Self::Scope(ScopeError::TooLarge(_))
        )
    }
}

/// Why a name of the scope has no value, although it is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// The host has to be asked first; evaluate again when it has answered.
    #[error("a value is still to be fetched")]
    Pending,
    /// It could not be had.
    #[error("{0}")]
    Failed(String),
    /// It is larger, or takes more steps, than an evaluation may.
    #[error("{0}")]
    TooLarge(String),
    /// It is not there after all: the name is an unknown one.
    #[error("nothing stands for the name")]
    Absent,
}

/// What the names at the root of an expression stand for: `request`, `element`, `images`, the entries of a context.
pub trait Scope {
    /// The value of a name; none where there is no such name, which is an unknown key.
    fn field(&self, name: &str) -> Result<Option<Cow<'_, Value>>, ScopeError>;

    /// A field of what a name stands for, where that can be had without making all of it.
    fn within(&self, name: &str, field: &str) -> Result<Within<'_>, ScopeError> {
        let (_, _) = (name, field);
        Ok(Within::Unknown)
    }

    /// Everything as one map, for the rare expression that takes the root as a value.
    fn whole(&self) -> Result<Value, ScopeError>;
}

/// What is known of a field of a name.
#[derive(Debug)]
pub enum Within<'a> {
    /// Nothing: the name itself has to be looked up.
    Unknown,
    /// There is no such field.
    Absent,
    /// Its value.
    Found(&'a Value),
}

/// A value is a scope: its own fields are the names.
impl Scope for Value {
    fn field(&self, name: &str) -> Result<Option<Cow<'_, Value>>, ScopeError> {
        Ok(match self {
            Self::Object(fields) => fields.get(name).map(Cow::Borrowed),
            _ => Some(Cow::Owned(Self::Null)),
        })
    }

    fn whole(&self) -> Result<Value, ScopeError> {
        Ok(self.clone())
    }
}

/// What the engine cannot know of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    /// Seconds since 1970 in UTC.
    pub seconds: i64,
    /// Nanoseconds beyond them.
    pub nanoseconds: u32,
    /// From which `random` draws: the same seed gives the same texts.
    pub seed: u64,
}

impl Environment {
    /// A fixed time, in seconds since 1970 in UTC; what is drawn is the same each time.
    pub const fn at(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
            seed: seconds.unsigned_abs(),
        }
    }

    /// The time in nanoseconds since 1970; the last that there is where that is later.
    pub fn nanoseconds_since_1970(&self) -> i64 {
        let seconds = self.seconds.saturating_mul(1_000_000_000);
        seconds.saturating_add(i64::from(self.nanoseconds))
    }
}

impl Expression {
    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        if text.len() > MAX_EXPRESSION {
            return Err(SyntaxError {
                message: format!(
                    "SyntaxError: the expression is longer than {MAX_EXPRESSION} bytes"
                ),
                offset: MAX_EXPRESSION,
            });
        }
        let tokens = lexer::tokenize(text)?;
        let node = parser::parse(&tokens)?;
        Ok(Self {
            text: text.to_owned(),
            node,
            names_current: false,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The expression with `@` at its root as the name [`CURRENT`], which a scope can give a meaning of its own.
    ///
    /// Where it stands for an element, in a filter or after a pipe, it stays what it is.
    #[must_use]
    pub fn naming_current(mut self) -> Self {
        self.names_current = self.node.name_current(CURRENT);
        self
    }

    /// Whether there was an `@` of which [`Expression::naming_current`] made a name.
    pub const fn names_current(&self) -> bool {
        self.names_current
    }

    /// The value of the expression in a scope.
    pub fn evaluate<'v>(
        &'v self,
        scope: &'v dyn Scope,
        environment: &'v Environment,
    ) -> Result<Cow<'v, Value>, ExpressionError> {
        interpreter::evaluate(&self.node, scope, environment)
    }

    /// The names that it may look up at the root of its scope; `None` among them where it takes the root as a whole.
    pub fn root_names(&self) -> BTreeSet<Option<&str>> {
        let mut names = BTreeSet::new();
        self.node.collect_root_names(&mut names);
        names
    }

    /// Of each value that its own is, holds or is made from, the fields that lead to it from the root, as far as they are
    /// fields; what it only compares or counts is left out.
    pub fn sources(&self) -> Vec<Vec<&str>> {
        let mut sources = Vec::new();
        self.node.collect_sources(&mut sources);
        sources
    }

    /// The fields that lead from the root, of each place where it looks something up there, as far as they are fields.
    pub fn paths(&self) -> Vec<Vec<&str>> {
        let mut paths = Vec::new();
        self.node.collect_root_paths(&mut paths);
        paths
    }

    /// The constant regular expressions that do not compile, each with the function that is given it, and why.
    pub fn bad_regexes(&self) -> Vec<(&str, String)> {
        let mut bad = Vec::new();
        self.node.collect_bad_regexes(&mut bad);
        bad
    }

    /// The functions that it calls, known or not, in order of writing, each with how many arguments it is given.
    pub fn calls(&self) -> Vec<(&str, usize)> {
        let mut calls = Vec::new();
        self.node.collect_calls(&mut calls);
        calls
    }

    /// The tree that it was parsed to, a node a line, as `jp parse` prints it.
    pub fn tree(&self) -> String {
        tree::print(&self.node)
    }

    /// The fields from the root down if the expression is nothing but a path, such as `request.object.metadata.name`.
    pub fn path(&self) -> Option<Vec<&str>> {
        let mut path = Vec::new();
        self.node.collect_path(&mut path).then_some(path)
    }
}

#[cfg(test)]
mod tests;
