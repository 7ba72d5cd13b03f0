//! What it checks: a setting is not given in its old place and in its new one; the same holds for a name and its plural.
//!
//! Why: which of them counts would be a guess.
//!
//! Example:
//!
//! ```yaml
//! spec:
//!   failurePolicy: Fail
//!   webhookConfiguration: {failurePolicy: Ignore}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! spec:
//!   webhookConfiguration: {failurePolicy: Ignore}
//! ```

use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let settings = &report.policy.settings;
    let failure_policy = settings.failure_policy.as_ref().map(|old| old.span);
    let new_failure_policy = settings.webhook_failure_policy.as_ref().map(|new| new.span);
    let timeout = settings
        .webhook_timeout_seconds
        .as_ref()
        .map(|old| old.span);
    let new_timeout = settings.webhook_configuration_timeout_seconds.as_ref();
    let new_timeout = new_timeout.map(|new| new.span);
    for (name, old, new) in [
        ("failurePolicy", failure_policy, new_failure_policy),
        ("webhookTimeoutSeconds", timeout, new_timeout),
    ] {
        if let (Some(old), Some(new)) = (old, new) {
            let message = format!("`{name}` is also set in `webhookConfiguration`");
            let diagnostic = report
                .error(Code::ConflictingSettings, old, message)
                .label(new, "set here too")
                .help(format!("remove the deprecated `spec.{name}`"));
            report.add(diagnostic);
        }
    }
}
