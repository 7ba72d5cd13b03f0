//! What it checks: what stands between `{{` and `}}`, and in `jmesPath` and `foreach.list`, is JMESPath, and the functions
//! that it calls exist.
//!
//! Why: an expression that cannot be read fails on every request that reaches it.
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

use crate::ast::template::Text;
use crate::diagnostic::Code;
use crate::jmespath::{Expression, functions};
use crate::source::Span;

use super::{Report, for_each_expression_text, for_each_text};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_text(rule, &mut |_, text| in_text(text, &mut found));
        for_each_expression_text(rule, &mut |text| {
            if let Some(literal) = text.literal() {
                expression(literal.trim(), text.span, &mut found);
            }
        });
    }
    found.sort();
    found.dedup();
    for (span, message) in found {
        let diagnostic = report.error(Code::InvalidExpression, span, message);
        report.add(diagnostic);
    }
}

/// What is wrong with the expressions of a text.
pub(super) fn in_text(text: &Text, found: &mut Vec<(Span, String)>) {
    for variable in text.variables() {
        // One with variables inside is only known once these are.
        if !variable.expression.contains("{{") && variable.expression != "@" {
            expression(&variable.expression, variable.span, found);
        }
    }
}

fn expression(text: &str, span: Span, found: &mut Vec<(Span, String)>) {
    match Expression::parse(text) {
        Err(error) => {
            let place = text
                .char_indices()
                .filter(|(at, _)| *at < error.offset)
                .count()
                + 1;
            found.push((
                span,
                format!(
                    "`{text}` is no expression: {}, at its character {place}",
                    error.message
                ),
            ));
        }
        Ok(parsed) => {
            for name in parsed.function_names() {
                if !functions::exists(name) {
                    found.push((span, format!("there is no function `{name}`")));
                }
            }
        }
    }
}
