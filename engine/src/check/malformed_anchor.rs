//! What it checks: a key of a pattern or of a strategic merge patch that begins or ends as an anchor is one: `(name)`,
//! `=(name)`, `X(name)`, `^(name)`, `<(name)` or `+(name)`.
//!
//! Why: what is not written exactly so is the name of a field that no object has. Such a pattern refuses everything, and such
//! a patch puts a field of that name into the object.
//!
//! Example:
//!
//! ```yaml
//! - name: host-network
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate: {pattern: {spec: {"=(hostNetwork": false}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: host-network
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate: {pattern: {spec: {"=(hostNetwork)": false}}}
//! ```

use crate::ast::pattern::{Anchor, Pattern, PatternNode};
use crate::ast::template::{Template, TemplateValue};
use crate::diagnostic::Code;
use crate::source::Span;
use crate::suggest::MOST;

use super::{Report, for_each_merge, for_each_pattern};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_pattern(rule, &mut |pattern| in_pattern(pattern, &mut found));
        for_each_merge(rule, &mut |patch| in_patch(patch, &mut found));
    }
    for Malformed { span, raw, meant } in found.into_iter().take(MOST) {
        let message = format!("`{raw}` is the name of a field here, and no anchor");
        let diagnostic = report.warning(Code::MalformedAnchor, span, message);
        report.add(diagnostic.help(format!("did you mean `{meant}`?")));
    }
}

/// A key that is no anchor, and the anchor that is likely meant.
struct Malformed {
    span: Span,
    raw: String,
    meant: String,
}

fn in_pattern(pattern: &Pattern, found: &mut Vec<Malformed>) {
    match &pattern.node {
        PatternNode::Map(entries) => {
            for entry in entries {
                of_key(&entry.raw, entry.span, found);
                in_pattern(&entry.value, found);
            }
        }
        PatternNode::List(items) => {
            for item in items {
                in_pattern(item, found);
            }
        }
        PatternNode::Scalar(_) => {}
    }
}

fn in_patch(patch: &Template, found: &mut Vec<Malformed>) {
    match &patch.value {
        TemplateValue::Map(entries) => {
            for (key, value) in entries {
                of_key(&key.raw, key.span, found);
                in_patch(value, found);
            }
        }
        TemplateValue::List(items) => {
            for item in items {
                in_patch(item, found);
            }
        }
        TemplateValue::Null
        | TemplateValue::Bool(_)
        | TemplateValue::Number(_)
        | TemplateValue::Text(_) => {}
    }
}

fn of_key(raw: &str, span: Span, found: &mut Vec<Malformed>) {
    if let Some(meant) = meant(raw) {
        found.push(Malformed {
            span,
            raw: raw.to_owned(),
            meant,
        });
    }
}

/// The anchor that is meant by a key which is none; nothing of keys with variables, whose brackets are theirs.
fn meant(raw: &str) -> Option<String> {
    if raw.contains("{{") {
        return None;
    }
    let (anchor, inner) = Anchor::split(raw);
    if anchor.is_some() && inner == inner.trim() {
        return None;
    }
    let key = raw.trim();
    let (prefix, rest) = prefix(key);
    let (opened, rest) = match rest.trim_start().strip_prefix('(') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (closed, name) = match rest.strip_suffix(')') {
        Some(name) => (true, name.trim()),
        None => (false, rest.trim()),
    };
    // Brackets further inside are part of a name that somebody chose.
    let is_name = !name.is_empty() && !name.contains(['(', ')']);
    // A letter without a bracket behind it is the first of a name.
    let (prefix, name) = if !opened && prefix == "X" {
        ("", key.strip_suffix(')').unwrap_or(key).trim())
    } else {
        (prefix, name)
    };
    (is_name && (opened || closed)).then(|| format!("{prefix}({name})"))
}

/// What stands before the bracket of an anchor, as it ought to be written, and the rest of the key.
fn prefix(key: &str) -> (&'static str, &str) {
    const WRITTEN: [(char, &str); 6] = [
        ('+', "+"),
        ('=', "="),
        ('^', "^"),
        ('<', "<"),
        ('X', "X"),
        ('x', "X"),
    ];
    let found = WRITTEN
        .iter()
        .find_map(|(letter, prefix)| Some((*prefix, key.strip_prefix(*letter)?)));
    found.unwrap_or(("", key))
}
