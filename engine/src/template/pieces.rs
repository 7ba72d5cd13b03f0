//! A text taken apart into what stands for itself and what is a variable.

use crate::jmespath::{Expression, SyntaxError};
use crate::limits;

/// A piece of a text.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Stands for itself; escapes are undone.
    Literal(String),
    /// A variable whose expression is known.
    Variable {
        text: String,
        parsed: Result<Expression, SyntaxError>,
        /// The expression on DELETE, where it is another one.
        deleting: Option<Box<Result<Expression, SyntaxError>>>,
    },
    /// A variable with variables inside: these make its expression.
    Nested(Vec<Piece>),
}

impl Piece {
    /// The expression as its author wrote it; the text itself where it is none.
    pub(super) fn expression(&self) -> String {
        match self {
            Self::Literal(text) | Self::Variable { text, .. } => text.clone(),
            Self::Nested(inner) => joined(inner),
        }
    }
}

/// The expression that pieces make, with the variables in it as they were written.
pub(super) fn joined(pieces: &[Piece]) -> String {
    let written = pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Variable { .. } | Piece::Nested(_) => format!("{{{{{}}}}}", piece.expression()),
    });
    expression_of(&written.collect::<String>()).to_owned()
}

/// Takes a text apart; what begins like a variable and is none stands for itself.
pub(super) fn split(raw: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find("{{") {
        let (before, braces) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let Some((piece, after)) = variable(braces, 0) else {
            literal.push_str(before);
            literal.push('{');
            rest = braces.get(1..).unwrap_or("");
            continue;
        };
        if before.ends_with('\\') {
            // Only the braces are kept from being a variable; what is in them is text.
            literal.push_str(before);
            literal.push_str("{{");
            rest = braces.get(2..).unwrap_or("");
            continue;
        }
        literal.push_str(before);
        flush(&mut literal, &mut pieces);
        pieces.push(piece);
        rest = after;
    }
    literal.push_str(rest);
    flush(&mut literal, &mut pieces);
    pieces
}

fn flush(literal: &mut String, pieces: &mut Vec<Piece>) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.replace("\\{{", "{{")));
        literal.clear();
    }
}

/// The variable that a text begins with, and what follows it.
fn variable(text: &str, nesting: usize) -> Option<(Piece, &str)> {
    let mut rest = text.strip_prefix("{{")?;
    let mut inner: Vec<Piece> = Vec::new();
    let mut literal = String::new();
    // Whether a map of the expression's own is open, in which no other is.
    let mut in_map = false;
    loop {
        let at = rest.find(['{', '}'])?;
        let (before, brace) = rest.split_at_checked(at)?;
        literal.push_str(before);
        if let Some(after) = brace.strip_prefix('}') {
            if in_map {
                in_map = false;
                literal.push('}');
                rest = after;
                continue;
            }
            let after = after.strip_prefix('}')?;
            return Some((finish(inner, literal), after));
        }
        let nested = if nesting < limits::VARIABLE_NESTING && !before.ends_with('\\') {
            variable(brace, nesting + 1)
        } else {
            None
        };
        if let Some((piece, after)) = nested {
            if !literal.is_empty() {
                inner.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            inner.push(piece);
            rest = after;
            continue;
        }
        if in_map || !opens_map(brace) {
            return None;
        }
        in_map = true;
        literal.push('{');
        rest = brace.get(1..)?;
    }
}

/// Whether a brace that begins no variable can begin a map: one with a variable as its first key at most.
fn opens_map(brace: &str) -> bool {
    let braces = brace
        .bytes()
        .take_while(|byte| *byte == b'{')
        .take(4)
        .count();
    matches!(braces, 1 | 3)
}

fn finish(mut inner: Vec<Piece>, literal: String) -> Piece {
    if inner.is_empty() {
        return known(expression_of(&literal));
    }
    if !literal.is_empty() {
        inner.push(Piece::Literal(literal));
    }
    Piece::Nested(inner)
}

fn known(text: &str) -> Piece {
    let parsed = expression(text);
    let deleting = on_delete(text);
    let deleting = (deleting != text).then(|| Box::new(expression(&deleting)));
    Piece::Variable {
        text: text.to_owned(),
        parsed,
        deleting,
    }
}

/// An expression in which `@` is what stands in the resource where the variable does.
pub(super) fn expression(text: &str) -> Result<Expression, SyntaxError> {
    Expression::parse(text).map(Expression::naming_current)
}

/// The expression of what stands between the braces: without blanks around it, and without the hyphen of `{{-`.
pub(super) fn expression_of(between: &str) -> &str {
    let text = between.trim();
    text.strip_prefix('-').map_or(text, str::trim)
}

/// An expression as it reads when the object goes away.
pub(super) fn on_delete(expression: &str) -> String {
    expression.replace("request.object", "request.oldObject")
}

/// Calls `visit` for each expression that is known.
pub(super) fn visit<'p>(pieces: &'p [Piece], visit_one: &mut dyn FnMut(&'p Expression)) {
    for piece in pieces {
        match piece {
            Piece::Literal(_) | Piece::Variable { parsed: Err(_), .. } => {}
            Piece::Variable {
                parsed: Ok(expression),
                ..
            } => visit_one(expression),
            Piece::Nested(inner) => visit(inner, visit_one),
        }
    }
}
