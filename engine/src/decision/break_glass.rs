//! What is said of a request that a `BreakGlass` lets in.

use crate::response::{LetIn, PolicyResponse, RuleResponse};

/// The key of the API server's audit annotations; the server puts the webhook's name before it.
const ANNOTATION: &str = "break-glass";

/// What the user is told of a rule that refuses what is let in.
pub(super) fn warning(
    policy: &PolicyResponse,
    rule: &RuleResponse,
    dry_run: bool,
) -> Option<String> {
    let one = rule.let_in.as_ref()?;
    let (LetIn { name, .. }, until) = (&**one, &one.expires_at);
    let recorded = if dry_run {
        "a dry run is not recorded"
    } else {
        "this is recorded"
    };
    Some(format!(
        "policy {}.{}: let in by break-glass {name} until {until}, {recorded}: {}",
        policy.policy, rule.rule, rule.message
    ))
}

/// What the audit log is told: each rule that refuses, and what lets the request in.
pub(super) fn audit(responses: &[PolicyResponse]) -> Vec<(&'static str, String)> {
    let said = responses.iter().flat_map(|policy| {
        let rules = policy.rules.iter();
        rules.filter_map(|rule| {
            let one = rule.let_in.as_ref()?;
            let ticket = one.ticket.as_ref();
            let ticket = ticket.map_or_else(String::new, |ticket| format!(" ({ticket})"));
            let key = policy.key();
            Some(format!("{}{ticket}: {key}/{}", one.name, rule.rule))
        })
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() {
        return Vec::new();
    }
    vec![(ANNOTATION, said.join("; "))]
}
