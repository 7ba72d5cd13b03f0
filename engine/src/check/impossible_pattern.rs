//! What it checks: a pattern can match something: its comparisons do not contradict each other, a key that must be there is
//! not one that must not, a list has an element, `^()` stands before a list of maps, and operators and units are spelt as
//! they are.
//!
//! Why: whatever the resource, such a pattern does not match, so that the rule refuses everything that it is about, or, below
//! an anchor, skips everything. `!=5` is whatever is not the text `=5`, which is everything: `!5` is meant. Only what is
//! certain is said: nothing of texts with variables.
//!
//! Example:
//!
//! ```yaml
//! - name: replicas
//!   match: {any: [{resources: {kinds: [Deployment]}}]}
//!   validate: {pattern: {spec: {replicas: ">5 & <3"}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: replicas
//!   match: {any: [{resources: {kinds: [Deployment]}}]}
//!   validate: {pattern: {spec: {replicas: ">5 | <3"}}}
//! ```

use serde_json::{Map, Value};

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode, PatternScalar};
use crate::ast::template::Text;
use crate::diagnostic::{Code, Diagnostic};
use crate::pattern;
use crate::scalar::{self, TextPattern};

use super::{Report, for_each_pattern, misspelt};

/// What `<` and `>` are for.
const NUMBERS: &str =
    "numbers, quantities and durations are compared, as `10`, `1Gi` and `30s`; texts are not";

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_pattern(rule, &mut |pattern| of_node(report, pattern, &mut found));
    }
    for diagnostic in found {
        report.add(diagnostic);
    }
}

fn of_node(report: &Report<'_>, pattern: &Pattern, found: &mut Vec<Diagnostic>) {
    match &pattern.node {
        PatternNode::Map(entries) => {
            for entry in entries {
                of_entry(report, entry, entries, found);
            }
        }
        PatternNode::List(items) => {
            if items.is_empty() {
                let message = "an empty list in a pattern matches no list";
                let diagnostic = report.warning(Code::ImpossiblePattern, pattern.span, message);
                found.push(diagnostic.help(
                    "a list in a pattern says by its first element what all elements are like",
                ));
            }
            for item in items {
                of_node(report, item, found);
            }
        }
        PatternNode::Scalar(PatternScalar::Text(text)) => of_text(report, text, found),
        PatternNode::Scalar(
            PatternScalar::Null | PatternScalar::Bool(_) | PatternScalar::Number(_),
        ) => {}
    }
}

fn of_entry(
    report: &Report<'_>,
    entry: &PatternEntry,
    beside: &[PatternEntry],
    found: &mut Vec<Diagnostic>,
) {
    match entry.anchor {
        // What stands below it is never looked at.
        Some(Anchor::Negation) => {
            let contrary = |other: &&PatternEntry| {
                other.anchor.is_none() && other.key.raw == entry.key.raw && needs_its_key(other)
            };
            if let Some(other) = beside.iter().find(contrary) {
                let message = format!("`{}` must be there, and must not", other.key.raw);
                let diagnostic = report.warning(Code::ImpossiblePattern, other.span, message);
                found.push(diagnostic.label(entry.span, "this forbids it"));
            }
            return;
        }
        Some(Anchor::Existence) if !is_list_of_maps(&entry.value) => {
            let message = "`^()` takes a list of maps; this matches nothing";
            found.push(report.warning(Code::ImpossiblePattern, entry.span, message));
        }
        _ => {}
    }
    of_node(report, &entry.value, found);
}

fn is_list_of_maps(pattern: &Pattern) -> bool {
    let is_map = |item: &Pattern| matches!(item.node, PatternNode::Map(_));
    matches!(&pattern.node, PatternNode::List(items) if items.iter().all(is_map))
}

/// Whether an entry without an anchor fails where its key is missing.
fn needs_its_key(entry: &PatternEntry) -> bool {
    let Some(key) = entry.key.literal() else {
        return false;
    };
    let value = match &entry.value.node {
        PatternNode::Map(entries) if entries.iter().all(|one| one.anchor.is_none()) => {
            Value::Object(Map::new())
        }
        PatternNode::Map(_) => return false,
        PatternNode::List(_) => Value::Array(vec!["*".into()]),
        PatternNode::Scalar(PatternScalar::Null) => Value::Null,
        PatternNode::Scalar(PatternScalar::Bool(flag)) => (*flag).into(),
        PatternNode::Scalar(PatternScalar::Number(number)) => Value::Number(number.clone()),
        PatternNode::Scalar(PatternScalar::Text(text)) => match text.literal() {
            Some(text) => text.into(),
            None => return false,
        },
    };
    let pattern = Value::Object(Map::from_iter([(key.to_owned(), value)]));
    pattern::walk(&pattern, &Value::Object(Map::new())).is_err()
}

fn of_text(report: &Report<'_>, text: &Text, found: &mut Vec<Diagnostic>) {
    let Some(literal) = text.literal() else {
        return;
    };
    let parsed = TextPattern::parse(literal);
    let impossible = parsed.impossible().len();
    if impossible == 0 {
        if let Some(foreign) = misspelt::foreign_operator(literal) {
            let message = format!("`{foreign}` is no operator of patterns, but text");
            let diagnostic = report.warning(Code::ImpossiblePattern, text.span, message);
            found.push(match misspelt::meant(literal) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic,
            });
        }
        return;
    }
    let message = if impossible == parsed.alternatives.len() {
        format!("`{literal}` can never match")
    } else {
        let parts = literal.split('|').zip(&parsed.alternatives);
        let never = |atoms: &[scalar::Atom]| {
            let known = parsed.impossible();
            known.iter().any(|one| std::ptr::eq(*one, atoms))
        };
        let parts = parts.filter(|(_, atoms)| never(atoms));
        let parts: Vec<String> = parts
            .map(|(part, _)| format!("`{}`", part.trim()))
            .collect();
        format!("of `{literal}`, {} can never match", parts.join(" and "))
    };
    let diagnostic = report.warning(Code::ImpossiblePattern, text.span, message);
    let help = misspelt::meant(literal).map(|meant| format!("did you mean `{meant}`?"));
    let why = if literal.contains('&') {
        Some("`&` asks for both, `|` for one of the two".to_owned())
    } else {
        literal
            .trim_start()
            .starts_with(['<', '>'])
            .then(|| NUMBERS.to_owned())
    };
    found.push(Diagnostic {
        help: help.or(why),
        ..diagnostic
    });
}
