//! Tokens → the tree that is evaluated, by the precedences of the language.

use std::collections::BTreeSet;

use serde_json::Value;

use super::functions::{self, Function};
use super::lexer::{Kind, Token};
use super::{MAX_DEPTH, SyntaxError};
use crate::go_regex::{self, RegexError};

/// A node of an expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// `@`, or nothing at all.
    Current,
    Field(String),
    Index(i64),
    Slice(Slice),
    Literal(Value),
    /// The right one on what the left one gives; an unknown key on the left is one of the whole.
    Then(Box<[Node; 2]>),
    /// The same, where an unknown key on the left is null.
    Pipe(Box<[Node; 2]>),
    Comparison(Comparison, Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    And(Box<[Node; 2]>),
    Not(Box<Node>),
    /// The right one on each element of the list that the left one gives.
    Projection(Box<[Node; 2]>),
    /// The right one on each value of the map that the left one gives.
    ValueProjection(Box<[Node; 2]>),
    /// Left, condition, right.
    FilterProjection(Box<[Node; 3]>),
    Flatten(Box<Node>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Call(Box<Call>),
    /// `&`, which only functions take.
    Reference(Box<Node>),
}

/// A call of a function.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    /// None where there is none of that name, which is an error when it is called.
    pub(super) function: Option<&'static Function>,
    pub(super) arguments: Vec<Node>,
    /// The first argument compiled, where it is a constant and the function takes a regular expression.
    pub(super) regex: Option<Result<regex::Regex, RegexError>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// `[start:stop:step]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) stop: Option<i64>,
    pub(super) step: Option<i64>,
}

/// Parses the tokens of an expression.
pub(super) fn parse(tokens: &[Token]) -> Result<Node, SyntaxError> {
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let node = parser.expression(0)?;
    if !matches!(parser.current(), Kind::End) {
        let found = parser.current().name();
        return Err(parser.error(&format!(
            "Unexpected token at the end of the expression: {found}"
        )));
    }
    if !node.is_within(MAX_DEPTH) {
        return Err(parser.too_deep());
    }
    Ok(node)
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

/// How tightly the right side of a projection binds.
const STAR: u8 = 20;
const FLATTEN: u8 = 9;
const FILTER: u8 = 21;
const DOT: u8 = 40;
const NOT: u8 = 45;
/// Below this a token ends a projection.
const PROJECTION_END: u8 = 10;

impl<'t> Parser<'t> {
    fn peek(&self, ahead: usize) -> &'t Kind {
        self.tokens
            .get(self.at + ahead)
            .map_or(&Kind::End, |token| &token.kind)
    }

    fn current(&self) -> &'t Kind {
        self.peek(0)
    }

    fn advance(&mut self) -> &'t Kind {
        let kind = self.current();
        self.at += 1;
        kind
    }

    fn error(&self, message: &str) -> SyntaxError {
        self.error_at(self.at, message)
    }

    fn error_at(&self, at: usize, message: &str) -> SyntaxError {
        let offset = self
            .tokens
            .get(at)
            .or_else(|| self.tokens.last())
            .map_or(0, |token| token.offset);
        SyntaxError {
            message: format!("SyntaxError: {message}"),
            offset,
        }
    }

    fn too_deep(&self) -> SyntaxError {
        self.error(&format!(
            "the expression is nested deeper than {MAX_DEPTH} levels"
        ))
    }

    fn expect(&mut self, wanted: &Kind) -> Result<(), SyntaxError> {
        if self.current() == wanted {
            self.at += 1;
            return Ok(());
        }
        let message = format!(
            "Expected {}, received: {}",
            wanted.name(),
            self.current().name()
        );
        Err(self.error(&message))
    }

    fn expression(&mut self, binding_power: u8) -> Result<Node, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let mut left = self.prefix()?;
        while binding_power < self.current().binding_power() {
            left = self.infix(left)?;
            // Checked link by link: a tree of any height could not even be dropped without a stack as deep.
            if !left.is_within(MAX_DEPTH) {
                return Err(self.too_deep());
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Node, SyntaxError> {
        let at = self.at;
        match self.advance() {
            Kind::Json(value) => Ok(Node::Literal(value.clone())),
            Kind::Raw(text) => Ok(Node::Literal(Value::String(text.clone()))),
            Kind::Unquoted(name) => Ok(Node::Field(name.clone())),
            Kind::Quoted(name) => {
                if matches!(self.current(), Kind::LeftParenthesis) {
                    return Err(self.error_at(at, "Can't have quoted identifier as function Name."));
                }
                Ok(Node::Field(name.clone()))
            }
            Kind::Star => {
                let right = match self.current() {
                    Kind::RightBracket => Node::Current,
                    _ => self.projected(STAR)?,
                };
                Ok(Node::ValueProjection(Box::new([Node::Current, right])))
            }
            Kind::Filter => self.filter(Node::Current),
            Kind::LeftBrace => self.map(),
            Kind::Flatten => self.flatten(Node::Current),
            Kind::LeftBracket => match (self.current(), self.peek(1)) {
                (Kind::Number(_) | Kind::Colon, _) => self.index(None),
                (Kind::Star, Kind::RightBracket) => {
                    self.at += 2;
                    let right = self.projected(STAR)?;
                    Ok(Node::Projection(Box::new([Node::Current, right])))
                }
                _ => self.list(),
            },
            Kind::Current => Ok(Node::Current),
            Kind::Reference => Ok(Node::Reference(Box::new(self.expression(0)?))),
            Kind::Not => Ok(Node::Not(Box::new(self.expression(NOT)?))),
            Kind::LeftParenthesis => {
                let inner = self.expression(0)?;
                self.expect(&Kind::RightParenthesis)?;
                Ok(inner)
            }
            Kind::End => Err(self.error_at(at, "Incomplete expression")),
            other => Err(self.error_at(at, &format!("Invalid token: {}", other.name()))),
        }
    }

    fn infix(&mut self, left: Node) -> Result<Node, SyntaxError> {
        let at = self.at;
        let kind = self.advance();
        let comparison = match kind {
            Kind::Dot => return self.dot(left),
            Kind::Pipe => {
                return Ok(Node::Pipe(Box::new([
                    left,
                    self.expression(kind.binding_power())?,
                ])));
            }
            Kind::Or => {
                return Ok(Node::Or(Box::new([
                    left,
                    self.expression(kind.binding_power())?,
                ])));
            }
            Kind::And => {
                return Ok(Node::And(Box::new([
                    left,
                    self.expression(kind.binding_power())?,
                ])));
            }
            Kind::LeftParenthesis => return self.call(at, left),
            Kind::Filter => return self.filter(left),
            Kind::Flatten => return self.flatten(left),
            Kind::LeftBracket => return self.bracket(left),
            Kind::Equal => Comparison::Equal,
            Kind::NotEqual => Comparison::NotEqual,
            Kind::Less => Comparison::Less,
            Kind::LessOrEqual => Comparison::LessOrEqual,
            Kind::Greater => Comparison::Greater,
            Kind::GreaterOrEqual => Comparison::GreaterOrEqual,
            other => return Err(self.error_at(at, &format!("Unexpected token: {}", other.name()))),
        };
        let right = self.expression(kind.binding_power())?;
        Ok(Node::Comparison(comparison, Box::new([left, right])))
    }

    fn dot(&mut self, left: Node) -> Result<Node, SyntaxError> {
        if !matches!(self.current(), Kind::Star) {
            let right = self.after_dot(DOT)?;
            return Ok(Node::Then(Box::new([left, right])));
        }
        self.at += 1;
        let right = self.projected(DOT)?;
        Ok(Node::ValueProjection(Box::new([left, right])))
    }

    fn after_dot(&mut self, binding_power: u8) -> Result<Node, SyntaxError> {
        match self.current() {
            Kind::Quoted(_) | Kind::Unquoted(_) | Kind::Star => self.expression(binding_power),
            Kind::LeftBracket => {
                self.at += 1;
                self.list()
            }
            Kind::LeftBrace => {
                self.at += 1;
                self.map()
            }
            _ => Err(self.error("Expected identifier, lbracket, or lbrace")),
        }
    }

    /// The right side of a projection.
    fn projected(&mut self, binding_power: u8) -> Result<Node, SyntaxError> {
        match self.current() {
            kind if kind.binding_power() < PROJECTION_END => Ok(Node::Current),
            Kind::LeftBracket | Kind::Filter => self.expression(binding_power),
            Kind::Dot => {
                self.at += 1;
                self.after_dot(binding_power)
            }
            _ => Err(self.error("Error")),
        }
    }

    fn flatten(&mut self, left: Node) -> Result<Node, SyntaxError> {
        let right = self.projected(FLATTEN)?;
        Ok(Node::Projection(Box::new([
            Node::Flatten(Box::new(left)),
            right,
        ])))
    }

    fn filter(&mut self, left: Node) -> Result<Node, SyntaxError> {
        let condition = self.expression(0)?;
        self.expect(&Kind::RightBracket)?;
        let right = match self.current() {
            Kind::Flatten => Node::Current,
            _ => self.projected(FILTER)?,
        };
        Ok(Node::FilterProjection(Box::new([left, condition, right])))
    }

    fn bracket(&mut self, left: Node) -> Result<Node, SyntaxError> {
        if matches!(self.current(), Kind::Number(_) | Kind::Colon) {
            return self.index(Some(left));
        }
        self.expect(&Kind::Star)?;
        self.expect(&Kind::RightBracket)?;
        let right = self.projected(STAR)?;
        Ok(Node::Projection(Box::new([left, right])))
    }

    /// `[n]` or `[a:b:c]` behind its bracket; a slice is a projection.
    fn index(&mut self, left: Option<Node>) -> Result<Node, SyntaxError> {
        let apply = |node: Node| match left {
            Some(left) => Node::Then(Box::new([left, node])),
            None => node,
        };
        if !matches!(
            (self.current(), self.peek(1)),
            (Kind::Colon, _) | (_, Kind::Colon)
        ) {
            let index = self.number()?;
            self.expect(&Kind::RightBracket)?;
            return Ok(apply(Node::Index(index)));
        }
        let slice = apply(Node::Slice(self.slice()?));
        let right = self.projected(STAR)?;
        Ok(Node::Projection(Box::new([slice, right])))
    }

    fn slice(&mut self) -> Result<Slice, SyntaxError> {
        let mut slice = Slice::default();
        let mut part = 0;
        while part < 3 {
            match self.current() {
                Kind::RightBracket => break,
                Kind::Colon => {
                    part += 1;
                    self.at += 1;
                }
                Kind::Number(_) => {
                    let number = Some(self.number()?);
                    match part {
                        0 => slice.start = number,
                        1 => slice.stop = number,
                        _ => slice.step = number,
                    }
                }
                other => {
                    return Err(self.error(&format!(
                        "Expected tColon or tNumber, received: {}",
                        other.name()
                    )));
                }
            }
        }
        self.expect(&Kind::RightBracket)?;
        Ok(slice)
    }

    fn number(&mut self) -> Result<i64, SyntaxError> {
        let at = self.at;
        let Kind::Number(text) = self.advance() else {
            return Err(self.error_at(at, "Expected tNumber"));
        };
        text.parse()
            .map_err(|error| self.error_at(at, &format!("`{text}` is no index: {error}")))
    }

    fn list(&mut self) -> Result<Node, SyntaxError> {
        let mut items = Vec::new();
        loop {
            items.push(self.expression(0)?);
            if matches!(self.current(), Kind::RightBracket) {
                self.at += 1;
                return Ok(Node::List(items));
            }
            self.expect(&Kind::Comma)?;
        }
    }

    fn map(&mut self) -> Result<Node, SyntaxError> {
        let mut entries = Vec::new();
        loop {
            let (Kind::Unquoted(name) | Kind::Quoted(name)) = self.current() else {
                return Err(self.error("Expected tQuotedIdentifier or tUnquotedIdentifier"));
            };
            self.at += 1;
            self.expect(&Kind::Colon)?;
            entries.push((name.clone(), self.expression(0)?));
            match self.current() {
                Kind::Comma => self.at += 1,
                Kind::RightBrace => {
                    self.at += 1;
                    return Ok(Node::Map(entries));
                }
                // Kyverno's parser takes entries without a comma between them, too.
                _ => {}
            }
        }
    }

    /// The arguments behind `(`; commas between them may be missing, as in Kyverno's parser.
    fn call(&mut self, at: usize, callee: Node) -> Result<Node, SyntaxError> {
        let (Node::Field(name) | Node::Literal(Value::String(name))) = callee else {
            return Err(self.error_at(at, "only a name can be called"));
        };
        let mut arguments = Vec::new();
        while !matches!(self.current(), Kind::RightParenthesis) {
            arguments.push(self.expression(0)?);
            if matches!(self.current(), Kind::Comma) {
                self.at += 1;
            }
        }
        self.expect(&Kind::RightParenthesis)?;
        let function = functions::named(&name);
        let regex = match arguments.first() {
            Some(Node::Literal(Value::String(pattern)))
                if function.is_some_and(|function| function.takes_regex) =>
            {
                Some(go_regex::compile(pattern))
            }
            _ => None,
        };
        Ok(Node::Call(Box::new(Call {
            name,
            function,
            arguments,
            regex,
        })))
    }
}

impl Node {
    /// What it is made of.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Current | Self::Field(_) | Self::Index(_) | Self::Slice(_) | Self::Literal(_) => {
                Box::new(std::iter::empty())
            }
            Self::Then(pair)
            | Self::Pipe(pair)
            | Self::Projection(pair)
            | Self::ValueProjection(pair)
            | Self::Comparison(_, pair)
            | Self::Or(pair)
            | Self::And(pair) => Box::new(pair.iter()),
            Self::FilterProjection(parts) => Box::new(parts.iter()),
            Self::Not(node) | Self::Flatten(node) | Self::Reference(node) => {
                Box::new(std::iter::once(&**node))
            }
            Self::List(items) => Box::new(items.iter()),
            Self::Map(entries) => Box::new(entries.iter().map(|(_, node)| node)),
            Self::Call(call) => Box::new(call.arguments.iter()),
        }
    }

    /// Whether the tree is at most so high; goes no deeper than that to find out.
    fn is_within(&self, levels: usize) -> bool {
        let Some(below) = levels.checked_sub(1) else {
            return false;
        };
        self.children().all(|child| child.is_within(below))
    }

    /// The names looked up while the root is the current value.
    pub(super) fn collect_root_names<'n>(&'n self, names: &mut BTreeSet<Option<&'n str>>) {
        match self {
            Self::Current => {
                names.insert(None);
            }
            Self::Field(name) => {
                names.insert(Some(name));
            }
            // A reference is applied to elements; `@` in it is theirs.
            Self::Index(_) | Self::Slice(_) | Self::Literal(_) | Self::Reference(_) => {}
            Self::Then(pair)
            | Self::Pipe(pair)
            | Self::Projection(pair)
            | Self::ValueProjection(pair) => {
                let [left, right] = &**pair;
                left.collect_root_names(names);
                right.collect_if_current(left, names);
            }
            Self::FilterProjection(parts) => {
                let [left, _, _] = &**parts;
                left.collect_root_names(names);
            }
            Self::Comparison(_, pair) | Self::Or(pair) | Self::And(pair) => {
                pair.iter().for_each(|node| node.collect_root_names(names));
            }
            Self::Not(node) | Self::Flatten(node) => node.collect_root_names(names),
            Self::List(items) => items.iter().for_each(|node| node.collect_root_names(names)),
            Self::Map(entries) => entries
                .iter()
                .for_each(|(_, node)| node.collect_root_names(names)),
            Self::Call(call) => call
                .arguments
                .iter()
                .for_each(|node| node.collect_root_names(names)),
        }
    }

    /// Puts a name for `@` where that is the root; says whether it is anywhere.
    pub(super) fn name_current(&mut self, name: &str) -> bool {
        let any = |found: bool, node: &mut Self| node.name_current(name) || found;
        match self {
            Self::Current => {
                *self = Self::Field(name.to_owned());
                true
            }
            Self::Field(_)
            | Self::Index(_)
            | Self::Slice(_)
            | Self::Literal(_)
            | Self::Reference(_) => false,
            // What follows is about what comes before it.
            Self::Then(pair)
            | Self::Pipe(pair)
            | Self::Projection(pair)
            | Self::ValueProjection(pair) => {
                let [left, _] = &mut **pair;
                left.name_current(name)
            }
            Self::FilterProjection(parts) => {
                let [left, _, _] = &mut **parts;
                left.name_current(name)
            }
            Self::Comparison(_, pair) | Self::Or(pair) | Self::And(pair) => {
                pair.iter_mut().fold(false, any)
            }
            Self::Not(node) | Self::Flatten(node) => node.name_current(name),
            Self::List(items) => items.iter_mut().fold(false, any),
            Self::Map(entries) => entries.iter_mut().map(|(_, node)| node).fold(false, any),
            Self::Call(call) => call.arguments.iter_mut().fold(false, any),
        }
    }

    /// `@.name` looks a name up at the root, too.
    fn collect_if_current<'n>(&'n self, left: &Self, names: &mut BTreeSet<Option<&'n str>>) {
        if matches!(left, Self::Current) {
            self.collect_root_names(names);
        }
    }

    /// The names of all functions called, each with how many arguments it is given.
    pub(super) fn collect_calls<'n>(&'n self, calls: &mut Vec<(&'n str, usize)>) {
        if let Self::Call(call) = self {
            calls.push((&call.name, call.arguments.len()));
        }
        self.children().for_each(|child| child.collect_calls(calls));
    }

    /// The regular expressions that do not compile, each with the function that it is given.
    pub(super) fn collect_bad_regexes<'n>(&'n self, bad: &mut Vec<(&'n str, String)>) {
        if let Self::Call(call) = self
            && let Some(Err(error)) = &call.regex
        {
            bad.push((&call.name, error.to_string()));
        }
        self.children()
            .for_each(|child| child.collect_bad_regexes(bad));
    }

    /// Whether it is nothing but fields, which are appended.
    pub(super) fn collect_path<'n>(&'n self, path: &mut Vec<&'n str>) -> bool {
        match self {
            Self::Field(name) => {
                path.push(name);
                true
            }
            Self::Then(pair) => pair.iter().all(|node| node.collect_path(path)),
            _ => false,
        }
    }
}
