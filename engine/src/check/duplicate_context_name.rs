//! What it checks: no two entries of one `context` have the same name, unless the later one is made from the earlier one.
//!
//! Why: the later entry takes the name, and the earlier one is never looked at.
//!
//! Example:
//!
//! ```yaml
//! - name: known-team
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   context:
//!     - {name: teams, variable: {value: [a, b]}}
//!     - {name: teams, variable: {value: [c]}}
//!   validate:
//!     deny:
//!       conditions:
//!         all: [{key: "{{ request.object.metadata.labels.team }}", operator: AnyNotIn, value: "{{ teams }}"}]
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: known-team
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   context:
//!     - {name: teams, variable: {value: [a, b, c]}}
//!   validate:
//!     deny:
//!       conditions:
//!         all: [{key: "{{ request.object.metadata.labels.team }}", operator: AnyNotIn, value: "{{ teams }}"}]
//! ```

use std::collections::BTreeMap;

use crate::ast::context::ContextEntry;
use crate::diagnostic::{Code, Diagnostic};

use super::expressions::names;
use super::{Report, for_each_context_list};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        for_each_context_list(rule, &mut |entries| in_list(report, entries, &mut found));
    }
    for diagnostic in found {
        report.add(diagnostic);
    }
}

fn in_list(report: &Report<'_>, entries: &[ContextEntry], found: &mut Vec<Diagnostic>) {
    let mut known: BTreeMap<&str, (usize, &ContextEntry)> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let name = entry.name.value.as_str();
        let earlier = known.insert(name, (at, entry));
        // A name that could not be read is another error, and stands where its entry does.
        let (Some((before, earlier)), false) = (earlier, entry.name.span == entry.span) else {
            continue;
        };
        let mut between = entries.iter().skip(before + 1).take(at - before);
        if !between.any(|one| is_named_by(one, name)) {
            let message =
                format!("`{name}` is there twice: this entry takes the place of the earlier one");
            let diagnostic = report.warning(Code::DuplicateContextName, entry.name.span, message);
            found.push(diagnostic.label(earlier.name.span, "never looked at"));
        }
    }
}

/// Whether an entry is made from what has the name before it.
fn is_named_by(entry: &ContextEntry, name: &str) -> bool {
    let mut found = false;
    entry.for_each_text(&mut |text| found |= names(&text.raw, name));
    found
}
