//! What it checks: a rule about every kind (`*`) stands alone in its list, is not evaluated in the background, and looks
//! only at what every kind has, its metadata.
//!
//! Why: a scan of every kind takes long, and no other field means the same in all kinds. Kyverno refuses such policies.
//!
//! Example:
//!
//! ```yaml
//! - name: everything-has-a-spec
//!   match: {any: [{resources: {kinds: ["*"]}}]}
//!   validate: {pattern: {spec: "?*"}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! spec:
//!   background: false
//!   rules:
//!     - name: everything-has-a-team
//!       match: {any: [{resources: {kinds: ["*"]}}]}
//!       validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use crate::ast::matching::Kind;
use crate::ast::pattern::{Pattern, PatternNode};
use crate::ast::validate::ValidateBody;
use crate::ast::{Rule, RuleBody};
use crate::diagnostic::Code;
use crate::source::Span;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    // Neither Gatekeeper nor Kubewarden has such a rule.
    if report.is_constraint() {
        return;
    }
    for rule in report.rules() {
        let filters = rule.matches.filters.iter();
        let filters = filters.chain(rule.excludes.iter().flat_map(|excludes| &excludes.filters));
        for resources in filters.filter_map(|filter| filter.resources.as_ref()) {
            let every = resources.kinds.iter().find(|kind| kind.raw == "*");
            if let Some(every) = every {
                check_rule(report, rule, every, resources.kinds.len());
            }
        }
    }
}

fn check_rule(report: &mut Report<'_>, rule: &Rule, every: &Kind, kinds: usize) {
    if kinds > 1 {
        let message = "`*` stands beside other kinds";
        let diagnostic = report.error(Code::WildcardKind, every.span, message);
        report.add(diagnostic.help("it matches every kind already"));
    }
    if report.policy.background() {
        let message = "`*` in a policy that is evaluated in the background";
        let diagnostic = report.error(Code::WildcardKind, every.span, message);
        report.add(diagnostic.help("set `spec.background: false`"));
    }
    let patterns = match &rule.body {
        RuleBody::VerifyImages(_) => {
            let message = "a rule about every kind cannot verify images";
            let diagnostic = report.error(Code::WildcardKind, every.span, message);
            report.add(diagnostic.help("name the kinds that have images"));
            return;
        }
        RuleBody::Validate(validate) => match &validate.body {
            ValidateBody::Pattern(pattern) => std::slice::from_ref(pattern),
            ValidateBody::AnyPattern(patterns) => patterns.as_slice(),
            ValidateBody::Deny(_)
            | ValidateBody::Foreach(_)
            | ValidateBody::PodSecurity(_)
            | ValidateBody::Rego(_)
            | ValidateBody::Wasm(_) => &[],
        },
        RuleBody::Mutate(_) | RuleBody::Generate(_) => &[],
    };
    if let Some(span) = patterns.iter().find_map(beside_metadata) {
        let message = "a rule about every kind looks at more than `metadata`";
        let diagnostic = report.error(Code::WildcardKind, span, message);
        report.add(diagnostic.help("name the kinds that the rule is about"));
    }
}

/// The first key of a pattern that is not `metadata`.
fn beside_metadata(pattern: &Pattern) -> Option<Span> {
    let PatternNode::Map(entries) = &pattern.node else {
        return None;
    };
    let other = entries.iter().find(|entry| entry.raw != "metadata");
    other.map(|entry| entry.span)
}
