//! What all parts of a rule's module share: its rules so far, names for helper rules, and what the host must compute.

use std::sync::Arc;

use serde_json::Value;

use crate::program::together::Pass;
use crate::rego::module::{Expression, Operator, Rule, Statement};
use crate::source::Span;
use crate::template::Template;
use crate::wildcard;

/// A module on its way.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Its rules.
    pub(super) rules: Vec<Rule>,
    /// Templates with variables, whose values are `input.values` in this order.
    pub(super) slots: Vec<Arc<Template>>,
    /// Constant scalars that values are compared with.
    pub(super) patterns: Vec<Value>,
    /// What holds only where the resource passes: any of it is enough.
    pub(super) passes: Vec<Pass>,
    /// Whether there is a rule that holds only where the resource passes.
    pub(super) has_plain: bool,
    /// Whether what holds for none of those bodies fails.
    pub(super) exact: bool,
    names: usize,
}

impl Scope {
    /// A name that no other rule has.
    pub(super) fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}_{}", self.names)
    }

    /// Says where the rules so far come from, where they do not say it themselves.
    pub(super) fn place(&mut self, span: Span) {
        for rule in &mut self.rules {
            rule.span.get_or_insert(span);
        }
    }

    /// Statements that hold where one of the alternatives does; `arguments` are the variables that these use.
    pub(super) fn any_of(
        &mut self,
        prefix: &str,
        arguments: &[&str],
        mut alternatives: Vec<Vec<Statement>>,
    ) -> Vec<Statement> {
        if alternatives.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        if alternatives.len() == 1 {
            return alternatives.pop().unwrap_or_default();
        }
        let name = self.fresh(prefix);
        for body in alternatives {
            self.rules.push(if arguments.is_empty() {
                Rule::holds(&name, body)
            } else {
                Rule::function(&name, arguments, Expression::Bool(true), body)
            });
        }
        let call = if arguments.is_empty() {
            Expression::name(name)
        } else {
            let arguments = arguments.iter().map(|name| Expression::name(*name));
            Expression::call(name, arguments.collect())
        };
        vec![Statement::Holds(call)]
    }

    /// Statements that hold where a text matches one of the wildcards.
    pub(super) fn matches_one<'a>(
        &mut self,
        value: &Expression,
        arguments: &[&str],
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Statement> {
        let patterns: Vec<&str> = patterns.into_iter().collect();
        let constant = patterns.iter().all(|text| !wildcard::has_wildcard(text));
        if constant && patterns.len() > 1 {
            let set = Expression::texts(patterns);
            return vec![Statement::Holds(value.clone().compare(Operator::In, set))];
        }
        let alternatives = patterns
            .into_iter()
            .map(|pattern| matches(value, pattern))
            .collect();
        self.any_of("one_of", arguments, alternatives)
    }

    /// A slot for the value of a template, as `{"ok": true, "value": …}` or `{"ok": false}`.
    pub(super) fn slot(&mut self, template: &Arc<Template>) -> usize {
        self.slots.push(Arc::clone(template));
        self.slots.len() - 1
    }
}

/// Statements that hold where a text matches a wildcard; none where every text does.
pub(super) fn matches(value: &Expression, pattern: &str) -> Vec<Statement> {
    if !wildcard::has_wildcard(pattern) {
        return vec![Statement::Holds(
            value.clone().equals(Expression::text(pattern)),
        )];
    }
    if pattern.bytes().all(|byte| byte == b'*') {
        return Vec::new();
    }
    let call = |name: &str, text: &str| {
        let arguments = vec![value.clone(), Expression::text(text)];
        vec![Statement::Holds(Expression::call(name, arguments))]
    };
    let plain = |text: &str| !wildcard::has_wildcard(text);
    let (start, end) = (pattern.strip_suffix('*'), pattern.strip_prefix('*'));
    let both = start.and_then(|text| text.strip_prefix('*'));
    match (start, end, both) {
        (_, _, Some(text)) if plain(text) => call("contains", text),
        (Some(text), _, _) if plain(text) => call("startswith", text),
        (_, Some(text), _) if plain(text) => call("endswith", text),
        _ => {
            let arguments = vec![Expression::text(as_regex(pattern)), value.clone()];
            vec![Statement::Holds(Expression::call("regex.match", arguments))]
        }
    }
}

/// A wildcard as a regular expression, which any Rego engine has: `*` is any text, `?` one character.
fn as_regex(pattern: &str) -> String {
    let mut expression = String::from("^(?s:");
    for character in pattern.chars() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push_str(")$");
    expression
}
