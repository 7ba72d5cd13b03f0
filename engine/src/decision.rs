//! Responses become one decision.
//!
//! The only place where an allow is constructed. Knows nothing of how rules were evaluated.

#![deny(clippy::wildcard_enum_match_arm)]

mod break_glass;
mod denial;

use crate::admission::AdmissionRequest;
use crate::response::{
    FailureAction, FailurePolicy, PatchOperation, PolicyResponse, RuleResponse, RuleStatus,
    RuleType,
};

/// The answer to an admission request.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The request may go on.
    Allow {
        /// Changes to the object, in order.
        patch: Vec<PatchOperation>,
        /// What the user is told.
        warnings: Vec<String>,
        /// What the API server's audit log is told: what let the request in although it is refused.
        audit: Vec<(&'static str, String)>,
    },
    /// The request is refused.
    Deny {
        /// Why, in the shape that Kyverno gives it.
        message: String,
    },
}

/// Decides a request by the responses of all policies that were asked.
///
/// A failing rule whose action is Enforce denies. An error denies unless the policy's failure policy is Ignore; the
/// error of a rule that only audits denies where another rule of its policy enforces, as in Kyverno, and is a warning
/// otherwise. What a `BreakGlass` lets in refuses nothing, and is said.
pub fn decide(request: &AdmissionRequest, responses: &[PolicyResponse]) -> Decision {
    let blocking: Vec<&PolicyResponse> = responses.iter().filter(|policy| blocks(policy)).collect();
    if !blocking.is_empty() {
        return Decision::Deny {
            message: denial::message(request, &blocking),
        };
    }
    // INVARIANT: the only construction of an allow; every rule was looked at by `blocks`, exhaustively by its status.
    Decision::Allow {
        patch: patches(responses),
        warnings: responses
            .iter()
            .flat_map(|policy| warnings(policy, request.dry_run).chain(of_modules(policy)))
            .collect(),
        audit: break_glass::audit(responses),
    }
}

/// All changes in the order in which they were made: images are found in the object that the other rules left behind.
fn patches(responses: &[PolicyResponse]) -> Vec<PatchOperation> {
    let rules = || responses.iter().flat_map(|policy| &policy.rules);
    let mutates = |rule: &&RuleResponse| rule.rule_type == RuleType::Mutation;
    let first = rules().filter(mutates);
    let then = rules().filter(|rule| !mutates(rule));
    first
        .chain(then)
        .flat_map(|rule| rule.patches.iter().cloned())
        .collect()
}

/// Whether any rule of a policy refuses the request.
fn blocks(policy: &PolicyResponse) -> bool {
    policy.rules.iter().any(|rule| rule_blocks(policy, rule))
}

fn rule_blocks(policy: &PolicyResponse, rule: &RuleResponse) -> bool {
    if rule.let_in.is_some() {
        return false;
    }
    match rule.status {
        RuleStatus::Pass | RuleStatus::Skip | RuleStatus::Warn => false,
        RuleStatus::Fail => match rule.failure_action {
            FailureAction::Enforce => true,
            FailureAction::Audit => false,
        },
        RuleStatus::Error => match policy.failure_policy {
            FailurePolicy::Fail => enforces(policy),
            FailurePolicy::Ignore => false,
        },
    }
}

/// Whether any rule that answered is enforced.
fn enforces(policy: &PolicyResponse) -> bool {
    policy
        .rules
        .iter()
        .any(|rule| rule.failure_action == FailureAction::Enforce)
}

/// What the user is told about rules that did not refuse.
fn warnings(policy: &PolicyResponse, dry_run: bool) -> impl Iterator<Item = String> + '_ {
    let others = policy.rules.iter().filter(|rule| rule.let_in.is_none());
    let let_in = policy.rules.iter();
    let let_in = let_in.filter_map(move |rule| break_glass::warning(policy, rule, dry_run));
    let said = others.filter_map(|rule| match rule.status {
        RuleStatus::Pass => {
            let noted = rule.images.iter().any(|image| image.note.is_some());
            noted.then(|| warning(policy, rule))
        }
        RuleStatus::Skip => None,
        // An error that was let through is said in any case: nobody else would notice that the rule is not in force.
        RuleStatus::Error => Some(warning(policy, rule)),
        RuleStatus::Fail | RuleStatus::Warn => policy.emit_warning.then(|| warning(policy, rule)),
    });
    let_in.chain(said)
}

/// What modules want the user to be told, whatever became of their rules.
fn of_modules(policy: &PolicyResponse) -> impl Iterator<Item = String> + '_ {
    policy.rules.iter().flat_map(|rule| {
        let details = rule.details.as_ref();
        let warnings = details.map_or(&[][..], |details| details.warnings.as_slice());
        let name = |text: &String| format!("policy {}.{}: {text}", policy.policy, rule.rule);
        warnings.iter().map(name).collect::<Vec<_>>()
    })
}

fn warning(policy: &PolicyResponse, rule: &RuleResponse) -> String {
    format!("policy {}.{}: {}", policy.policy, rule.rule, rule.message)
}

#[cfg(test)]
mod tests;
