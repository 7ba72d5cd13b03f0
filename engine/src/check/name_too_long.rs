//! What it checks: names of policies and rules have at most 63 characters.
//!
//! Why: reports carry them in labels, which Kubernetes limits, and Kyverno refuses longer ones.
//!
//! Example:
//!
//! ```yaml
//! - name: require-that-every-pod-in-every-namespace-has-a-team-label-and-a-cost-centre
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: require-team-label
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use crate::diagnostic::Code;

use super::Report;

const MAX: usize = 63;

pub(super) fn check(report: &mut Report<'_>) {
    let policy = [("policy", &report.policy.name)];
    let rules = report.rules().map(|rule| ("rule", &rule.name));
    if report.is_constraint() {
        return;
    }
    for (what, name) in policy.into_iter().chain(rules) {
        let length = name.value.chars().count();
        if length > MAX {
            let message = format!("the name of the {what} has {length} characters");
            let diagnostic = report.error(Code::NameTooLong, name.span, message);
            report.add(diagnostic.help(format!("a name has at most {MAX}")));
        }
    }
}
