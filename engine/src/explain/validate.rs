//! What is said of a `validate` rule, in Kyverno's shapes.

use crate::ast::RuleBody;
use crate::evaluation::Values;
use crate::program::{Policy, Rule};
use crate::response::RuleStatus;

/// The message of an answer.
pub(crate) fn message(policy: &Policy, rule: &Rule, status: RuleStatus, values: &Values) -> String {
    let Some(ast) = policy.rule_ast(rule) else {
        return String::new();
    };
    let name = &ast.name.value;
    let RuleBody::Validate(validate) = &ast.body else {
        return String::new();
    };
    let message = validate
        .message
        .as_ref()
        .map(|message| message.raw.as_str());
    match status {
        RuleStatus::Pass => format!("validation rule '{name}' passed."),
        RuleStatus::Error => format!("failed to check deny conditions: {}", values.first_error()),
        _ => message.map_or_else(
            || format!("validation error: rule {name} failed"),
            str::to_owned,
        ),
    }
}
