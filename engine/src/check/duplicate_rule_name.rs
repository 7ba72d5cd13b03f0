//! What it checks: the rules of a policy have different names.
//!
//! Why: answers, reports, tests and exceptions name a rule by its policy and its name.
//!
//! Example:
//!
//! ```yaml
//! - name: labels
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! - name: labels
//!   match: {any: [{resources: {kinds: [Service]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: pod-labels
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! - name: service-labels
//!   match: {any: [{resources: {kinds: [Service]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use std::collections::BTreeMap;

use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let mut seen = BTreeMap::new();
    // A rule without a name is another error.
    let named = report.rules().filter(|rule| !rule.name.value.is_empty());
    for rule in named {
        if let Some(first) = seen.insert(rule.name.value.as_str(), rule.name.span) {
            let message = format!("the policy has the rule `{}` twice", rule.name.value);
            let diagnostic = report.error(Code::DuplicateRuleName, rule.name.span, message);
            report.add(diagnostic.label(first, "the first"));
        }
    }
}
