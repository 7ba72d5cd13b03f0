//! What is said of a `podSecurity` rule, in Kyverno's shapes.

use crate::ast::RuleBody;
use crate::ast::validate::ValidateBody;
use crate::evaluation::Found;
use crate::pod_security::listed;
use crate::program::{Policy, Rule};
use crate::response::RuleStatus;

/// The message of an answer.
pub(crate) fn message(
    policy: &Policy,
    rule: &Rule,
    (status, exceptions): (RuleStatus, &[String]),
    found: &Found,
) -> String {
    let Some(ast) = policy.rule_ast(rule) else {
        return String::new();
    };
    let name = &ast.name.value;
    let (level, version) = match &ast.body {
        RuleBody::Validate(validate) => match &validate.body {
            ValidateBody::PodSecurity(demand) => (demand.level.value.name(), demand.version_text()),
            _ => ("", ""),
        },
        RuleBody::VerifyImages(_) | RuleBody::Mutate(_) | RuleBody::Generate(_) => ("", ""),
    };
    match (status, found.unreadable()) {
        (RuleStatus::Pass, _) => format!("Validation rule '{name}' passed."),
        (RuleStatus::Skip, _) => {
            format!(
                "rule is skipped due to policy exceptions {}",
                exceptions.join(", ")
            )
        }
        (_, Some(reason)) => format!("Error while getting new resource: {reason}"),
        (_, None) => {
            let violations = listed(&found.remaining, &found.kind);
            format!(
                r#"Validation rule '{name}' failed. It violates PodSecurity "{level}:{version}": {violations}"#
            )
        }
    }
}
