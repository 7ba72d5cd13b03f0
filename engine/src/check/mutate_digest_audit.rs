//! What it checks: `mutateDigest: true` stands in rules that enforce only.
//!
//! Why: a rule that audits changes nothing; Kyverno refuses it too. Where `mutateDigest` is not written, it follows the
//! action.
//!
//! Example:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       failureAction: Audit
//!       mutateDigest: true
//!       attestors:
//!         - entries:
//!             - keyless: {issuer: "https://issuer.example", subject: "builder@example.com"}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       failureAction: Audit
//!       attestors:
//!         - entries:
//!             - keyless: {issuer: "https://issuer.example", subject: "builder@example.com"}
//! ```

use crate::diagnostic::Code;
use crate::response::FailureAction;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let of_policy = report.policy.settings.validation_failure_action.as_ref();
    let of_policy = of_policy.map_or(FailureAction::Audit, |action| action.value);
    for (_, entry) in report.image_entries() {
        let action = entry
            .failure_action
            .as_ref()
            .map_or(of_policy, |action| action.value);
        let written = entry.mutate_digest.as_ref().filter(|mutate| mutate.value);
        if let Some(written) = written.filter(|_| action == FailureAction::Audit) {
            let message = "`mutateDigest: true` in a rule that only audits";
            let diagnostic = report.error(Code::MutateDigestAudit, written.span, message);
            report
                .add(diagnostic.help("set `failureAction: Enforce`, or leave `mutateDigest` out"));
        }
    }
}
