//! What it checks: a list in a pattern has one element, unless its elements are lists.
//!
//! Why: by its first element a list says what all elements of the resource's list are like; what stands behind it is never
//! looked at, in Kyverno as here.
//! Below `^()` each element counts.
//!
//! Example:
//!
//! ```yaml
//! - name: drop
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     pattern: {spec: {containers: [{securityContext: {capabilities: {drop: [NET_RAW, ALL]}}}]}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: drop
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     pattern: {spec: {containers: [{securityContext: {capabilities: {drop: ["NET_RAW | ALL"]}}}]}}
//! ```

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode};
use crate::diagnostic::Code;
use crate::source::Span;

use super::{Report, for_each_pattern};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_pattern(rule, &mut |pattern| ignored(pattern, &mut found));
    }
    for span in found {
        let message = "only the first element of a list in a pattern is compared";
        let diagnostic = report.warning(Code::IgnoredElement, span, message);
        report.add(diagnostic.help(
            "each element of the resource is compared with the first; `|` takes one of several texts",
        ));
    }
}

fn ignored(pattern: &Pattern, found: &mut Vec<Span>) {
    match &pattern.node {
        PatternNode::Map(entries) => {
            for entry in entries {
                below(entry, found);
            }
        }
        PatternNode::List(items) => {
            let Some((first, others)) = items.split_first() else {
                return;
            };
            ignored(first, found);
            if let (false, Some(second)) = (is_list(first), others.first()) {
                found.push(second.span);
                return;
            }
            for item in others {
                ignored(item, found);
            }
        }
        PatternNode::Scalar(_) => {}
    }
}

fn below(entry: &PatternEntry, found: &mut Vec<Span>) {
    match (entry.anchor, &entry.value.node) {
        (Some(Anchor::Negation), _) => {}
        (Some(Anchor::Existence), PatternNode::List(items)) => {
            for item in items {
                ignored(item, found);
            }
        }
        _ => ignored(&entry.value, found),
    }
}

fn is_list(pattern: &Pattern) -> bool {
    matches!(pattern.node, PatternNode::List(_))
}
