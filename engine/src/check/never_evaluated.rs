//! What it checks: a policy is evaluated somewhere, and one that does more than validate is evaluated at admission.
//!
//! Why: with `admission: false` a policy answers no request, and with `background: false` no scan either. Images are
//! verified and patched at admission only.
//!
//! Example:
//!
//! ```yaml
//! spec:
//!   admission: false
//!   background: false
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! spec:
//!   background: false
//! ```

use crate::ast::RuleBody;
use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let policy = report.policy;
    let Some(admission) = policy
        .settings
        .admission
        .as_ref()
        .filter(|admission| !admission.value)
    else {
        return;
    };
    if !policy.background() {
        let message = "the policy is evaluated neither at admission nor in the background";
        let diagnostic = report.error(Code::NeverEvaluated, admission.span, message);
        report.add(diagnostic);
    }
    let other = report.rules().find_map(|rule| match &rule.body {
        RuleBody::Validate(_) => None,
        RuleBody::VerifyImages(_) => Some((rule, "images are verified", "verifies images")),
        RuleBody::Mutate(_) => Some((rule, "resources are changed", "changes resources")),
        RuleBody::Generate(_) => Some((rule, "resources are generated", "generates resources")),
    });
    if let Some((rule, what, does)) = other {
        let message = format!("{what} at admission only");
        let diagnostic = report
            .error(Code::NeverEvaluated, admission.span, message)
            .label(rule.name.span, format!("this rule {does}"));
        report.add(diagnostic);
    }
}
