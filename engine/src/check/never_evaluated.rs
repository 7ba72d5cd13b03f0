//! What it checks: a policy is evaluated somewhere, and one that verifies images is evaluated at admission.
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
    let verifies = report
        .rules()
        .find(|rule| matches!(rule.body, RuleBody::VerifyImages(_)));
    if let Some(rule) = verifies {
        let message = "images are verified at admission only";
        let diagnostic = report
            .error(Code::NeverEvaluated, admission.span, message)
            .label(rule.name.span, "this rule verifies images");
        report.add(diagnostic);
    }
}
