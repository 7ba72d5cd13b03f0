//! The text of a refusal, byte for byte as Kyverno writes it: people's tooling reads it.

use std::collections::BTreeMap;

use crate::admission::AdmissionRequest;
use crate::response::{PolicyResponse, RuleResponse, RuleStatus, RuleType};
use crate::yaml_text;

/// Two line feeds, a sentence with a trailing space, and a YAML map of policy to rule to message.
///
/// That an object could not be changed is said on one line: nothing else was looked at then.
pub(super) fn message(request: &AdmissionRequest, blocking: &[&PolicyResponse]) -> String {
    if let Some(message) = blocking.iter().find_map(|policy| mutation(policy)) {
        return message;
    }
    let mut policies: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for policy in blocking {
        for rule in &policy.rules {
            if is_listed(rule.status) {
                policies
                    .entry(&policy.policy)
                    .or_default()
                    .insert(&rule.rule, &rule.message);
            }
        }
    }
    format!(
        "\n\nresource {}/{}/{} was blocked due to the following policies \n\n{}",
        request.kind.kind,
        request.namespace.as_deref().unwrap_or(""),
        name(request),
        yaml_text::nested_map(&policies)
    )
}

fn mutation(policy: &PolicyResponse) -> Option<String> {
    let failed = |rule: &&RuleResponse| {
        rule.rule_type == RuleType::Mutation && rule.status == RuleStatus::Error
    };
    let rule = policy.rules.iter().find(failed)?;
    let name = &policy.policy;
    Some(format!(
        "mutation policy {name} error: failed to apply policy {name} rules [{}: {}]",
        rule.rule, rule.message
    ))
}

/// Everything but what passed or did not apply, also the failures of rules that only audit.
fn is_listed(status: RuleStatus) -> bool {
    match status {
        RuleStatus::Pass | RuleStatus::Skip => false,
        RuleStatus::Fail | RuleStatus::Warn | RuleStatus::Error => true,
    }
}

/// The object's own name; on DELETE the old object's; the request's where the object has none.
fn name(request: &AdmissionRequest) -> &str {
    request
        .object
        .as_deref()
        .or(request.old_object.as_deref())
        .and_then(|object| object.pointer("/metadata/name"))
        .and_then(serde_json::Value::as_str)
        .unwrap_or(&request.name)
}
