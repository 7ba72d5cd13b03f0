//! What it checks: a rule can be about something: the filters of `match.all` have a kind in common, `exclude` leaves some of
//! what is matched, a pattern is compared on some operation other than DELETE, and constant preconditions can hold.
//!
//! Why: such a rule answers nothing, on no request, and a test of it passes because nothing matches.
//!
//! Example:
//!
//! ```yaml
//! - name: team
//!   match: {all: [{resources: {kinds: [Pod]}}, {resources: {kinds: [Service]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: team
//!   match: {any: [{resources: {kinds: [Pod]}}, {resources: {kinds: [Service]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use crate::admission::Operation;
use crate::ast::matching::{Combination, Kind, Resources};
use crate::ast::validate::ValidateBody;
use crate::ast::{Rule, RuleBody};
use crate::diagnostic::Code;
use crate::wildcard;

use super::{Report, constant_condition, dead};

pub(super) fn check(report: &mut Report<'_>) {
    for rule in report.rules() {
        let span = rule.matches.span;
        if rule.matches.combination == Combination::All && have_no_kind_in_common(rule) {
            let message = "no kind is one of all of these filters";
            let diagnostic = report.warning(Code::UnreachableRule, span, message);
            report.add(diagnostic.help("`match.any` takes one filter for enough"));
        }
        if let Some(excluding) = dead::excluding_all(rule) {
            let message = "everything that the rule matches is excluded again";
            let diagnostic = report.warning(Code::UnreachableRule, excluding, message);
            report.add(diagnostic.label(span, "what is matched"));
        }
        for never in dead::never(rule) {
            let message = "the preconditions never hold: what is compared is constant";
            let diagnostic = report.warning(Code::UnreachableRule, never.span, message);
            let meant = never.condition.and_then(constant_condition::meant);
            report.add(constant_condition::with_help(diagnostic, meant));
        }
        if has_pattern(rule) && is_for_deletion_only(rule) {
            let message = "a pattern is not compared with what is deleted";
            let diagnostic = report.warning(Code::UnreachableRule, span, message);
            report.add(diagnostic.help("use `deny` with conditions on `request.oldObject`"));
        }
    }
}

fn resources(rule: &Rule) -> impl Iterator<Item = &Resources> {
    let filters = rule.matches.filters.iter();
    filters.filter_map(|filter| filter.resources.as_ref())
}

/// Whether two filters name kinds, without wildcards, of which none is the same.
fn have_no_kind_in_common(rule: &Rule) -> bool {
    let literal = |kind: &Kind| !wildcard::has_wildcard(&kind.kind);
    let lists: Vec<&[Kind]> = resources(rule)
        .map(|resources| resources.kinds.as_slice())
        .filter(|kinds| !kinds.is_empty() && kinds.iter().all(literal))
        .collect();
    let disjoint = |left: &[Kind], right: &[Kind]| {
        left.iter()
            .all(|one| right.iter().all(|other| one.kind != other.kind))
    };
    let mut rest = lists.as_slice();
    while let Some((first, others)) = rest.split_first() {
        if others.iter().any(|other| disjoint(first, other)) {
            return true;
        }
        rest = others;
    }
    false
}

fn has_pattern(rule: &Rule) -> bool {
    match &rule.body {
        RuleBody::Validate(validate) => matches!(
            validate.body,
            ValidateBody::Pattern(_) | ValidateBody::AnyPattern(_)
        ),
        RuleBody::Mutate(_) | RuleBody::Generate(_) | RuleBody::VerifyImages(_) => false,
    }
}

fn is_for_deletion_only(rule: &Rule) -> bool {
    let only = |resources: &Resources| {
        let mut operations = resources.operations.iter();
        !resources.operations.is_empty()
            && operations.all(|operation| operation.value == Operation::Delete)
    };
    resources(rule).count() == rule.matches.filters.len() && resources(rule).all(only)
}
