//! Expressions of variables for the checks that look into them; knows nothing of what is wrong with them.

use std::borrow::Cow;

use crate::ast::template::{Text, Variable};
use crate::jmespath::Expression;

/// What stands for a variable inside of an expression: a name that nobody writes, or a number, where only that can stand.
const STAND_INS: [&str; 2] = ["RegentUnknownPart", "0"];

/// The variables of a text, and those inside of them.
pub(super) fn all_variables(text: &Text) -> Vec<&Variable> {
    let mut all = Vec::new();
    let mut left: Vec<&Variable> = text.variables().collect();
    left.reverse();
    while let Some(variable) = left.pop() {
        left.extend(&variable.inner);
        all.push(variable);
    }
    all
}

/// The expression of a variable and its text, where it is one; what stands for variables inside of it is told by
/// [`is_unknown_part`].
pub(super) fn parsed(variable: &Variable) -> Option<(Expression, Cow<'_, str>)> {
    let written = &variable.expression;
    if variable.inner.is_empty() {
        let parsed = Expression::parse(written).ok()?;
        return Some((parsed, Cow::Borrowed(written)));
    }
    STAND_INS.iter().find_map(|stand_in| {
        let text = replaced(variable, stand_in);
        let parsed = Expression::parse(&text).ok()?;
        Some((parsed, Cow::Owned(text)))
    })
}

/// Whether a name, or part of it, is only known when variables inside of the expression are.
pub(super) fn is_unknown_part(name: &str) -> bool {
    let [name_stand_in, _] = STAND_INS;
    name.contains(name_stand_in)
}

/// The expression with the same text for each variable inside of it.
fn replaced(variable: &Variable, stand_in: &str) -> String {
    let mut text = String::new();
    let mut rest = variable.expression.as_str();
    for inner in &variable.inner {
        let Some((before, after)) = rest.split_once(&inner.written) else {
            break;
        };
        text.push_str(before);
        text.push_str(stand_in);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Whether an expression names `name` as a whole word that is no field of something else.
pub(super) fn names(expression: &str, name: &str) -> bool {
    expression.match_indices(name).any(|(at, _)| {
        let before = expression.get(..at).and_then(|text| text.chars().last());
        let after = expression
            .get(at + name.len()..)
            .and_then(|text| text.chars().next());
        let word = |character: char| character.is_alphanumeric() || character == '_';
        !before.is_some_and(|before| before == '.' || word(before)) && !after.is_some_and(word)
    })
}
