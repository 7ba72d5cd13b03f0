//! What a rule says that leaves nothing of it: exclusions of all that is matched, and conditions that never hold.
//!
//! Knows only what can be told from the text alone; where it cannot be told, nothing is said.

use crate::ast::Rule;
use crate::ast::condition::{Condition, ConditionBlock, Conditions};
use crate::ast::matching::{Combination, Filter, Kind, Resources};
use crate::operator::{self, Operator};
use crate::source::Span;
use crate::wildcard;

use super::empty_match;

/// Where everything is excluded that a rule matches, unless the same filter is in both, which is an error of its own.
pub(super) fn excluding_all(rule: &Rule) -> Option<Span> {
    let excludes = rule.excludes.as_ref()?;
    let wanted = &rule.matches.filters;
    let is_excluded = |wanted: &Filter| {
        let mut filters = excludes.filters.iter();
        match excludes.combination {
            Combination::Any => filters.any(|one| covers(one, wanted)),
            Combination::All => filters.all(|one| covers(one, wanted)),
        }
    };
    let mut filters = wanted.iter();
    let all_excluded = match rule.matches.combination {
        Combination::Any => !wanted.is_empty() && filters.all(is_excluded),
        Combination::All => filters.any(is_excluded),
    };
    let both_any = (rule.matches.combination, excludes.combination);
    let said_already = both_any == (Combination::Any, Combination::Any)
        && wanted.iter().any(|one| {
            let mut filters = excludes.filters.iter();
            filters.any(|other| empty_match::is_same(one, other))
        });
    (all_excluded && !said_already).then_some(excludes.span)
}

/// Whether a filter of `exclude` is surely met by all that meets one of `match`.
fn covers(unwanted: &Filter, wanted: &Filter) -> bool {
    let names_nobody = !unwanted.names_users();
    let (Some(unwanted), Some(wanted)) = (&unwanted.resources, &wanted.resources) else {
        return false;
    };
    let operations = |resources: &Resources| -> Vec<_> {
        let operations = resources.operations.iter();
        operations.map(|operation| operation.value).collect()
    };
    let (some, all) = (operations(wanted), operations(unwanted));
    let operations_covered =
        all.is_empty() || (!some.is_empty() && some.iter().all(|one| all.contains(one)));
    let any_name = unwanted.names.is_empty() || unwanted.names.iter().any(|name| name.value == "*");
    let kinds_covered = unwanted.kinds.is_empty()
        || (!wanted.kinds.is_empty()
            && wanted.kinds.iter().all(|kind| {
                let mut kinds = unwanted.kinds.iter();
                kinds.any(|other| is_part(kind, other))
            }));
    names_nobody
        && any_name
        && operations_covered
        && kinds_covered
        && unwanted.namespaces.is_empty()
        && unwanted.annotations.is_empty()
        && unwanted.selector.is_none()
        && unwanted.namespace_selector.is_none()
}

/// Whether all of one kind are of another: they are written alike, or the other is a wildcard for it.
fn is_part(kind: &Kind, other: &Kind) -> bool {
    let fits = |part: &str, pattern: &str| {
        pattern == "*"
            || part == pattern
            || (!wildcard::has_wildcard(part) && wildcard::matches(pattern, part))
    };
    fits(&kind.group, &other.group)
        && fits(&kind.version, &other.version)
        && fits(&kind.kind, &other.kind)
        && (kind.subresource == other.subresource || other.subresource == "*")
}

/// What never holds: a condition, or a block of none.
pub(super) struct Never<'a> {
    pub(super) span: Span,
    pub(super) condition: Option<&'a Condition>,
}

impl<'a> From<&'a Condition> for Never<'a> {
    fn from(condition: &'a Condition) -> Self {
        Self {
            span: condition.span,
            condition: Some(condition),
        }
    }
}

/// The preconditions of a rule that are constant and never hold, so that none of the others matters.
pub(super) fn never(rule: &Rule) -> Vec<Never<'_>> {
    let Some(conditions) = &rule.preconditions else {
        return Vec::new();
    };
    match conditions {
        Conditions::List(conditions) => one_fails(conditions).into_iter().collect(),
        Conditions::Block(block) => block_fails(block).into_iter().collect(),
        Conditions::Blocks(blocks) => blocks.iter().filter_map(block_fails).take(1).collect(),
    }
}

fn block_fails(block: &ConditionBlock) -> Option<Never<'_>> {
    let all = block.all.as_deref().unwrap_or_default();
    let none_of_any = block.any.as_deref().and_then(|any| {
        let fails = any.iter().all(|one| holds(one) == Some(false));
        // An empty `any` never holds either.
        let empty = Never {
            span: block.span,
            condition: None,
        };
        fails.then(|| any.first().map_or(empty, Never::from))
    });
    one_fails(all).or(none_of_any)
}

fn one_fails(all: &[Condition]) -> Option<Never<'_>> {
    let mut all = all.iter();
    let failing = all.find(|one| holds(one) == Some(false));
    failing.map(Never::from)
}

/// Whether a condition holds, where it is constant; one in the wrong case is told by another check.
pub(super) fn holds(condition: &Condition) -> Option<bool> {
    let name = &condition.operator.value;
    let operator = Operator::parse(name.operator.name()).filter(|_| name.exact)?;
    let (key, value) = (condition.key.constant()?, condition.value.constant()?);
    operator::evaluate(operator, &key, &value).ok()
}
