//! Values with variables in them, ready to be resolved: their expressions are parsed once, at load.
//!
//! By Kyverno's rules with one difference: **what a variable resolves to is data.** Kyverno looks for variables in the result
//! again, so that whoever writes a label can have `{{ }}` evaluated; here a result is never searched, and `{{-` changes nothing.
//! A variable that the author wrote inside of a variable is part of the outer expression's text, here as there; but its value
//! stays within the token that it was put into ([`Insertion`]).

mod address;
mod here;
mod patch;
mod pieces;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Number, Value};
use thiserror::Error;

use crate::ast::template as ast;
use crate::go_format::within_text;
use crate::jmespath::{
    Environment, Expression, ExpressionError, Insertion, InsertionError, MAX_BYTES, Scope,
    ScopeError, SyntaxError,
};
use crate::source::Span;

use address::Address;
use here::evaluate;
use pieces::Piece;

/// A tree of values that may hold variables.
#[derive(Debug, Clone)]
pub struct Template {
    node: Node,
    /// The value, where it holds no variable.
    constant: Option<Value>,
}

/// A text that may hold variables.
#[derive(Debug, Clone)]
pub struct Text {
    raw: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<(String, Text, Node)>),
}

/// What a template is resolved with.
#[derive(Clone, Copy)]
pub struct Resolution<'a> {
    /// What its variables see.
    pub scope: &'a dyn Scope,
    /// Time and seed.
    pub environment: &'a Environment,
    /// Whether the object goes away, so that `request.object` means `request.oldObject`.
    pub deletion: Deletion,
    /// Names of the scope, from the root, that stand where the template stands: what `{{@}}` means at its top.
    pub here: &'a [&'a str],
}

/// Whether the request deletes the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It does.
    Delete,
    /// It does not.
    Keep,
}

/// Why a template has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A variable has none.
    #[error("failed to resolve {variable} at path {path}: {cause}")]
    Variable {
        /// The expression.
        variable: String,
        /// Where in the template, as `/a/0/b`; empty at its top.
        path: String,
        /// Why.
        cause: Cause,
    },
    /// A key resolved to something else than a text.
    #[error("expected string after substituting variables in key \"{0}\"")]
    KeyIsNoText(String),
    /// A key that the author did not write as such says how a patch is merged.
    #[error(
        "the key \"{0}\" came from a variable, and looks like an anchor or a directive of the patch"
    )]
    KeyIsNoData(String),
    /// The result grew beyond what is kept.
    #[error("the substituted text is longer than {MAX_BYTES} bytes")]
    TooLong,
}

/// Why a variable has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// It is no expression.
    #[error("incorrect query {query}: {error}")]
    Syntax {
        /// The expression.
        query: String,
        /// What is wrong with it.
        error: SyntaxError,
    },
    /// There is nothing between the braces.
    #[error("invalid query (nil)")]
    Empty,
    /// A value cannot be part of the expression.
    #[error(transparent)]
    Insertion(InsertionError),
    /// A value cannot be part of the address.
    #[error("{0}")]
    Address(String),
    /// What its names stand for could not be had.
    #[error(transparent)]
    Scope(ScopeError),
    /// The evaluation failed.
    #[error("JMESPath query failed: {0}")]
    Evaluation(ExpressionError),
}

impl TemplateError {
    /// Whether a map lacks a key that was asked for, which some callers take for null.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Variable {
                cause: Cause::Evaluation(ExpressionError::NotFound(_)),
                ..
            }
        )
    }

    /// Whether a bound is the reason.
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::TooLong => true,
            Self::Variable { cause, .. } => match cause {
                Cause::Scope(ScopeError::TooLarge(_)) => true,
                Cause::Evaluation(error) => error.is_too_large(),
                Cause::Syntax { .. }
                | Cause::Empty
                | Cause::Insertion(_)
                | Cause::Address(_)
                | Cause::Scope(_) => false,
            },
            Self::KeyIsNoText(_) | Self::KeyIsNoData(_) => false,
        }
    }

    /// Whether the host has to be asked before there can be a value.
    pub fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::Variable {
                cause: Cause::Scope(ScopeError::Pending),
                ..
            }
        )
    }
}

impl From<ExpressionError> for Cause {
    fn from(error: ExpressionError) -> Self {
        match error {
            ExpressionError::Scope(error) => Self::Scope(error),
            other => Self::Evaluation(other),
        }
    }
}

impl fmt::Debug for Resolution<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scope: _,
            environment,
            deletion,
            here,
        } = self;
        formatter
            .debug_struct("Resolution")
            .field("environment", environment)
            .field("deletion", deletion)
            .field("here", here)
            .finish_non_exhaustive()
    }
}

/// A place in a template, as deep as the walk has come.
#[derive(Clone, Copy)]
enum Place<'p> {
    Top,
    Key(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl Template {
    /// Whether it holds no variable.
    pub fn is_constant(&self) -> bool {
        self.constant.is_some()
    }

    /// Parses the expressions of what an author wrote, with what is wrong with them; a wrong one fails when it is reached, too.
    pub fn compile(written: &ast::Template) -> (Self, Vec<(Span, SyntaxError)>) {
        let mut errors = Vec::new();
        let node = compile_node(written, &mut errors);
        let constant = constant(&node);
        (Self { node, constant }, errors)
    }

    /// The value.
    pub fn resolve(&self, with: &Resolution<'_>) -> Result<Cow<'_, Value>, TemplateError> {
        match &self.constant {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => resolve_node(&self.node, with, &Place::Top).map(Cow::Owned),
        }
    }

    /// Calls `visit` for each expression that is known beforehand.
    pub fn for_each_expression<'t>(&'t self, visit: &mut dyn FnMut(&'t Expression)) {
        visit_node(&self.node, visit);
    }
}

impl Text {
    /// Parses the expressions of a text, as [`Template::compile`] does.
    pub fn compile(written: &ast::Text) -> (Self, Vec<(Span, SyntaxError)>) {
        let mut errors = Vec::new();
        let text = compile_text(written, &mut errors);
        (text, errors)
    }

    /// The value: of any type where the text is one variable and nothing else.
    pub fn resolve(&self, with: &Resolution<'_>) -> Result<Value, TemplateError> {
        resolve_text(self, with, &Place::Top)
    }

    /// The text as an expression, in which each value stays within the token that it is put into.
    pub fn resolve_expression(&self, with: &Resolution<'_>) -> Result<String, TemplateError> {
        expression_text(&self.pieces, with, &Place::Top, Deletion::Keep)
    }

    /// The text as a path or a URL, in which each value stays within the part that it is put into.
    pub fn resolve_address(&self, with: &Resolution<'_>) -> Result<String, TemplateError> {
        let mut whole = Address::default();
        for piece in &self.pieces {
            if let Piece::Literal(text) = piece {
                whole.written(text);
                continue;
            }
            let value = resolve_piece(piece, with, &Place::Top)?;
            whole.value(&value).map_err(|refusal| {
                let text = piece.expression();
                failed(text, &Place::Top, Cause::Address(refusal))
            })?;
        }
        Ok(whole.into_text())
    }

    /// The text as it was written, variables and escapes included.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The text itself, if it holds no variable.
    pub fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

fn compile_node(written: &ast::Template, errors: &mut Vec<(Span, SyntaxError)>) -> Node {
    match &written.value {
        ast::TemplateValue::Null => Node::Null,
        ast::TemplateValue::Bool(flag) => Node::Bool(*flag),
        ast::TemplateValue::Number(number) => Node::Number(number.clone()),
        ast::TemplateValue::Text(text) => Node::Text(compile_text(text, errors)),
        ast::TemplateValue::List(items) => Node::List(
            items
                .iter()
                .map(|item| compile_node(item, errors))
                .collect(),
        ),
        ast::TemplateValue::Map(entries) => Node::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    (
                        key.raw.clone(),
                        compile_text(key, errors),
                        compile_node(value, errors),
                    )
                })
                .collect(),
        ),
    }
}

fn compile_text(written: &ast::Text, errors: &mut Vec<(Span, SyntaxError)>) -> Text {
    let pieces = pieces::split(&written.raw);
    let known = written.variables().map(|variable| variable.span);
    let places = known.chain(std::iter::repeat(written.span));
    let variables = pieces
        .iter()
        .filter(|piece| !matches!(piece, Piece::Literal(_)));
    for (variable, span) in variables.zip(places) {
        if let Piece::Variable {
            parsed: Err(error), ..
        } = variable
        {
            errors.push((span, error.clone()));
        }
    }
    Text {
        raw: written.raw.clone(),
        pieces,
    }
}

/// The value of what holds no variable.
fn constant(node: &Node) -> Option<Value> {
    Some(match node {
        Node::Null => Value::Null,
        Node::Bool(flag) => Value::Bool(*flag),
        Node::Number(number) => Value::Number(number.clone()),
        Node::Text(text) => Value::String(text.literal()?.to_owned()),
        Node::List(items) => Value::Array(items.iter().map(constant).collect::<Option<_>>()?),
        Node::Map(entries) => {
            let entry = |(_, key, value): &(String, Text, Node)| {
                Some((key.literal()?.to_owned(), constant(value)?))
            };
            Value::Object(entries.iter().map(entry).collect::<Option<_>>()?)
        }
    })
}

fn visit_node<'t>(node: &'t Node, visit: &mut dyn FnMut(&'t Expression)) {
    match node {
        Node::Null | Node::Bool(_) | Node::Number(_) => {}
        Node::Text(text) => pieces::visit(&text.pieces, visit),
        Node::List(items) => items.iter().for_each(|item| visit_node(item, visit)),
        Node::Map(entries) => {
            for (_, key, value) in entries {
                pieces::visit(&key.pieces, visit);
                visit_node(value, visit);
            }
        }
    }
}

fn resolve_node(
    node: &Node,
    with: &Resolution<'_>,
    place: &Place<'_>,
) -> Result<Value, TemplateError> {
    Ok(match node {
        Node::Null => Value::Null,
        Node::Bool(flag) => Value::Bool(*flag),
        Node::Number(number) => Value::Number(number.clone()),
        Node::Text(text) => resolve_text(text, with, place)?,
        Node::List(items) => {
            let items = items.iter().enumerate();
            Value::Array(
                items
                    .map(|(index, item)| resolve_node(item, with, &Place::Item(place, index)))
                    .collect::<Result<_, _>>()?,
            )
        }
        Node::Map(entries) => {
            let mut fields = Map::new();
            for (raw, key, value) in entries {
                let name = match resolve_text(key, with, place)? {
                    Value::String(name) => name,
                    // A key that resolves to nothing stays as it was written.
                    Value::Null => raw.clone(),
                    _ => return Err(TemplateError::KeyIsNoText(raw.clone())),
                };
                fields.insert(name, resolve_node(value, with, &Place::Key(place, raw))?);
            }
            Value::Object(fields)
        }
    })
}

fn resolve_text(
    text: &Text,
    with: &Resolution<'_>,
    place: &Place<'_>,
) -> Result<Value, TemplateError> {
    if let [Piece::Literal(literal)] = text.pieces.as_slice() {
        return Ok(Value::String(literal.clone()));
    }
    if let [variable @ (Piece::Variable { .. } | Piece::Nested(_))] = text.pieces.as_slice() {
        return resolve_piece(variable, with, place).map(Cow::into_owned);
    }
    join(&text.pieces, with, place).map(Value::String)
}

/// The pieces as one text: strings as they are, everything else as JSON.
fn join(
    pieces: &[Piece],
    with: &Resolution<'_>,
    place: &Place<'_>,
) -> Result<String, TemplateError> {
    let mut whole = String::new();
    for piece in pieces {
        whole.push_str(&within_text(resolve_piece(piece, with, place)?.as_ref()));
        if whole.len() > MAX_BYTES {
            return Err(TemplateError::TooLong);
        }
    }
    Ok(whole)
}

/// The pieces as the text of one expression, in which what the author wrote means the old object on DELETE, where asked for;
/// what is in a value never does.
fn expression_text(
    pieces: &[Piece],
    with: &Resolution<'_>,
    place: &Place<'_>,
    deletion: Deletion,
) -> Result<String, TemplateError> {
    let mut whole = Insertion::default();
    for piece in pieces {
        let added = match (piece, deletion) {
            (Piece::Literal(text), Deletion::Delete) => whole.written(&pieces::on_delete(text)),
            (Piece::Literal(text), Deletion::Keep) => whole.written(text),
            (Piece::Variable { .. } | Piece::Nested(_), _) => {
                let value = resolve_piece(piece, with, place)?;
                whole.value(&value)
            }
        };
        added.map_err(|error| failed(pieces::joined(pieces), place, Cause::Insertion(error)))?;
        if whole.text().len() > MAX_BYTES {
            return Err(TemplateError::TooLong);
        }
    }
    Ok(whole.text().to_owned())
}

fn resolve_piece<'p>(
    piece: &'p Piece,
    with: &Resolution<'p>,
    place: &Place<'_>,
) -> Result<Cow<'p, Value>, TemplateError> {
    match piece {
        Piece::Literal(text) => Ok(Cow::Owned(Value::String(text.clone()))),
        Piece::Variable {
            parsed,
            deleting,
            text,
        } => {
            let expression = match (with.deletion, deleting) {
                (Deletion::Delete, Some(deleting)) => &**deleting,
                _ => parsed,
            };
            let found = match expression {
                Ok(expression) => evaluate(expression, with, place),
                Err(_) if text.is_empty() => Err(Cause::Empty),
                Err(error) => Err(Cause::Syntax {
                    query: text.clone(),
                    error: error.clone(),
                }),
            };
            found.map_err(|cause| {
                let variable = if with.deletion == Deletion::Delete {
                    pieces::on_delete(text)
                } else {
                    text.clone()
                };
                failed(variable, place, cause)
            })
        }
        Piece::Nested(inner) => {
            let text = expression_text(inner, with, place, with.deletion)?;
            let text = pieces::expression_of(&text).to_owned();
            let expression = match pieces::expression(&text) {
                Ok(expression) => expression,
                Err(error) => {
                    let cause = Cause::Syntax {
                        query: text.clone(),
                        error,
                    };
                    return Err(failed(text, place, cause));
                }
            };
            let value = evaluate(&expression, with, place).map(Cow::into_owned);
            value
                .map(Cow::Owned)
                .map_err(|cause| failed(text, place, cause))
        }
    }
}

fn failed(variable: String, place: &Place<'_>, cause: Cause) -> TemplateError {
    let mut path = String::new();
    write_path(place, &mut path);
    TemplateError::Variable {
        variable,
        path,
        cause,
    }
}

fn write_path(place: &Place<'_>, path: &mut String) {
    match place {
        Place::Top => {}
        Place::Key(parent, key) => {
            write_path(parent, path);
            path.push('/');
            path.push_str(&key.replace('/', "\\/"));
        }
        Place::Item(parent, index) => {
            write_path(parent, path);
            path.push('/');
            path.push_str(&index.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
