//! What it checks: what stands between `{{` and `}}`, and in `jmesPath` and `foreach.list`, is JMESPath, and the functions
//! that it calls exist; a call with more or fewer arguments than a function takes, and a constant regular expression that does
//! not compile, are only warned of.
//!
//! Why: an expression that cannot be read fails on every request that reaches it; a call with the wrong
//! number of arguments or a wrong regular expression does too, which Kyverno finds no sooner.
//!
//! Example:
//!
//! ```yaml
//! - name: few-containers
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         all:
//!           - key: "{{ length(request.object.spec.containers[) }}"
//!             operator: GreaterThan
//!             value: 3
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: few-containers
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         all:
//!           - key: "{{ length(request.object.spec.containers) }}"
//!             operator: GreaterThan
//!             value: 3
//! ```

use std::sync::Arc;

use crate::ast::template::Text;
use crate::diagnostic::{Code, Diagnostic};
use crate::jmespath::{Expression, functions};
use crate::source::{Source, Span};
use crate::suggest;

use super::expressions::{self, all_variables, is_unknown_part};
use super::{Report, for_each_expression_text, for_each_text};

/// Longer expressions are cut in messages.
const SHOWN: usize = 60;

/// What is wrong with an expression.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Problem {
    /// It is none.
    Syntax(String),
    /// It calls what there is not.
    NoFunction(String),
    /// It calls what refuses so many arguments.
    WrongCount(String),
    /// It has a regular expression that is none.
    BadRegex(String),
}

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_text(rule, &mut |_, text| in_text(text, &mut found));
        for_each_expression_text(rule, &mut |text| {
            if let Some(literal) = text.literal() {
                written(literal.trim(), text.span, &mut found);
            }
        });
    }
    let source = &report.policy.source;
    report.diagnostics.extend(diagnostics(source, found));
}

/// What is found as diagnostics, each once.
pub(super) fn diagnostics(
    source: &Arc<Source>,
    mut found: Vec<(Span, Problem)>,
) -> Vec<Diagnostic> {
    found.sort();
    found.dedup();
    let code = Code::InvalidExpression;
    let said = found.into_iter().map(|(span, problem)| match problem {
        Problem::Syntax(message) => Diagnostic::error(code, source, span, message),
        Problem::NoFunction(name) => {
            let message = format!("there is no function `{name}`");
            let made = Diagnostic::error(code, source, span, message);
            match suggest::nearest(&name, functions::names()) {
                Some(nearest) => made.help(format!("did you mean `{nearest}`?")),
                None => made.help("`regent jp function` lists them all"),
            }
        }
        // It fails only where it is reached.
        Problem::WrongCount(message) | Problem::BadRegex(message) => {
            Diagnostic::warning(code, source, span, message)
        }
    });
    said.collect()
}

/// What is wrong with the expressions of a text.
pub(super) fn in_text(text: &Text, found: &mut Vec<(Span, Problem)>) {
    for variable in all_variables(text) {
        if variable.expression.contains("{{") {
            // Whether it is an expression is only known once the variables inside of it are.
            if let Some((parsed, _)) = expressions::parsed(variable) {
                calls(&parsed, variable.span, found);
            }
        } else if variable.expression != "@" {
            written(&variable.expression, variable.span, found);
        }
    }
}

fn written(text: &str, span: Span, found: &mut Vec<(Span, Problem)>) {
    match Expression::parse(text) {
        Err(error) => {
            let before = text.char_indices().filter(|(at, _)| *at < error.offset);
            let place = before.count() + 1;
            let (shown, reason) = (shortened(text), error.message);
            let message = format!("`{shown}` is no expression: {reason}, at its character {place}");
            found.push((span, Problem::Syntax(message)));
        }
        Ok(parsed) => calls(&parsed, span, found),
    }
}

fn calls(expression: &Expression, span: Span, found: &mut Vec<(Span, Problem)>) {
    for (function, error) in expression.bad_regexes() {
        // What stands for variables inside of it is no part of what it will be.
        if !is_unknown_part(&error) {
            let message = format!("`{function}` is given no regular expression: {error}");
            found.push((span, Problem::BadRegex(message)));
        }
    }
    for (name, given) in expression.calls() {
        if is_unknown_part(name) {
            continue;
        }
        if !functions::exists(name) {
            found.push((span, Problem::NoFunction(name.to_owned())));
        } else if let Some(wanted) = functions::refused_count(name, given) {
            let message = format!("`{name}` takes {wanted}, and is given {given}");
            found.push((span, Problem::WrongCount(message)));
        }
    }
}

/// The beginning of a text, and that it goes on.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
