//! What it checks: no filter of `exclude.any` is one of the filters of `match.any`.
//!
//! Why: what that filter is about is matched and excluded again, so the filter says nothing, and most likely one of the two
//! was meant otherwise. Kyverno refuses such policies.
//!
//! Example:
//!
//! ```yaml
//! - name: team
//!   match: {any: [{resources: {kinds: [Pod]}}, {resources: {kinds: [Service]}}]}
//!   exclude: {any: [{resources: {kinds: [Service]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: team
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use crate::ast::matching::{Combination, Filter, Filters, Resources, Selector};
use crate::diagnostic::Code;
use crate::source::Spanned;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for rule in report.rules() {
        let Some(excludes) = &rule.excludes else {
            continue;
        };
        let (Some(wanted), Some(unwanted)) = (any(&rule.matches), any(excludes)) else {
            continue;
        };
        let same = |filter: &&Filter| unwanted.iter().any(|other| is_same(filter, other));
        for filter in wanted.iter().filter(same) {
            let other = unwanted.iter().find(|other| is_same(filter, other));
            let message = "the filter is excluded again";
            let diagnostic = report.error(Code::EmptyMatch, filter.span, message);
            let diagnostic = diagnostic.help("leave it out of `match`, or out of `exclude`");
            report.add(match other {
                Some(other) => diagnostic.label(other.span, "here"),
                None => diagnostic,
            });
        }
    }
}

/// The filters of which one is enough.
fn any(filters: &Filters) -> Option<&[Filter]> {
    (filters.combination == Combination::Any).then_some(&filters.filters)
}

/// Whether two filters say the same, wherever they were written.
pub(super) fn is_same(left: &Filter, right: &Filter) -> bool {
    let subjects = |filter: &Filter| -> Vec<_> {
        let subjects = filter.subjects.iter();
        let parts = subjects.map(|subject| {
            let namespace = subject.namespace.as_ref();
            let namespace = namespace.map(|namespace| namespace.value.clone());
            (subject.kind, subject.name.value.clone(), namespace)
        });
        parts.collect()
    };
    let same_resources = match (&left.resources, &right.resources) {
        (Some(left), Some(right)) => are_same(left, right),
        (None, None) => true,
        _ => false,
    };
    same_resources
        && subjects(left) == subjects(right)
        && values(&left.roles) == values(&right.roles)
        && values(&left.cluster_roles) == values(&right.cluster_roles)
}

fn are_same(left: &Resources, right: &Resources) -> bool {
    let kinds = |resources: &Resources| -> Vec<String> {
        let kinds = resources.kinds.iter();
        kinds.map(|kind| kind.raw.clone()).collect()
    };
    kinds(left) == kinds(right)
        && values(&left.names) == values(&right.names)
        && values(&left.namespaces) == values(&right.namespaces)
        && values(&left.operations) == values(&right.operations)
        && pairs(&left.annotations) == pairs(&right.annotations)
        && selector(left.selector.as_ref()) == selector(right.selector.as_ref())
        && selector(left.namespace_selector.as_ref()) == selector(right.namespace_selector.as_ref())
}

fn values<T>(spanned: &[Spanned<T>]) -> Vec<&T> {
    spanned.iter().map(|one| &one.value).collect()
}

fn pairs(written: &[(Spanned<String>, Spanned<String>)]) -> Vec<(&str, &str)> {
    let pairs = written.iter();
    pairs
        .map(|(key, value)| (key.value.as_str(), value.value.as_str()))
        .collect()
}

/// What a selector says, in a form that can be compared.
fn selector(selector: Option<&Selector>) -> Option<Vec<String>> {
    let selector = selector?;
    let labels = pairs(&selector.match_labels);
    let requirements = selector.match_expressions.iter().map(|requirement| {
        format!(
            "{:?} {:?} {:?}",
            requirement.key.value,
            requirement.operator,
            values(&requirement.values)
        )
    });
    Some(
        std::iter::once(format!("{labels:?}"))
            .chain(requirements)
            .collect(),
    )
}
