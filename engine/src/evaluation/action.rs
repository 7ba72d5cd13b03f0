//! What a failure of a rule means for a request: the overrides of rule and policy, by namespace.

use std::collections::BTreeMap;

use crate::ast::{FailureActionOverride, matching::Selector, matching::SelectorOperator};
use crate::program::{Policy, Rule};
use crate::response::FailureAction;
use crate::wildcard;

use super::rule::Context;

impl Context<'_> {
    /// What a failure means here: the first override of the rule, the rule, of the policy, the policy that says.
    pub(super) fn failure_action(
        &self,
        policy: &Policy,
        rule: &Rule,
        labels: Option<&BTreeMap<String, String>>,
    ) -> FailureAction {
        let Some(ast) = policy.rule_ast(rule) else {
            return FailureAction::Enforce;
        };
        let actions = policy.ast.failure_action(ast);
        let namespace = self.request.namespace.as_deref().unwrap_or("");
        let of = |overrides: &[FailureActionOverride]| {
            let found = overrides
                .iter()
                .find(|one| is_about(one, namespace, labels));
            found.map(|one| one.action.value)
        };
        of(actions.rule_overrides)
            .or(actions.rule)
            .or_else(|| of(actions.policy_overrides))
            .unwrap_or(actions.policy)
    }
}

/// What a failure means where the namespace is not known: the strictest that is written.
pub(super) fn strictest_action(policy: &Policy, rule: &Rule) -> FailureAction {
    let Some(ast) = policy.rule_ast(rule) else {
        return FailureAction::Enforce;
    };
    let actions = policy.ast.failure_action(ast);
    let mut overrides = actions
        .rule_overrides
        .iter()
        .chain(actions.policy_overrides);
    let enforced = overrides.any(|one| one.action.value == FailureAction::Enforce);
    if enforced {
        FailureAction::Enforce
    } else {
        actions.rule.unwrap_or(actions.policy)
    }
}

fn is_about(
    one: &FailureActionOverride,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    let mut names = one.namespaces.iter();
    let by_name =
        one.namespaces.is_empty() || names.any(|name| wildcard::matches(&name.value, namespace));
    by_name
        && one
            .namespace_selector
            .as_ref()
            .is_none_or(|selector| labels.is_some_and(|labels| selects(selector, labels)))
}

/// Whether a selector is about labels.
fn selects(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    let by_labels = selector.match_labels.iter().all(|(key, value)| {
        labels.iter().any(|(name, text)| {
            wildcard::matches(&key.value, name) && wildcard::matches(&value.value, text)
        })
    });
    by_labels
        && selector.match_expressions.iter().all(|requirement| {
            let label = labels.get(&requirement.key.value);
            let among = label
                .is_some_and(|label| requirement.values.iter().any(|value| value.value == *label));
            match requirement.operator {
                SelectorOperator::In => among,
                SelectorOperator::NotIn => !among,
                SelectorOperator::Exists => label.is_some(),
                SelectorOperator::DoesNotExist => label.is_none(),
            }
        })
}
