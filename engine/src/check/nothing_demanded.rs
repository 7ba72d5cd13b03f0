//! What it checks: an entry of `verifyImages` asks for a signature or an attestation.
//!
//! Why: without `attestors` and `attestations` every image passes. Its digest is put in, which is all that such an entry is
//! good for: nobody has to have signed anything.
//!
//! Example:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestors: []
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestors:
//!         - entries:
//!             - keyless: {issuer: "https://issuer.example", subject: "builder@example.com"}
//! ```

use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for (_, entry) in report.image_entries() {
        if !entry.asks_for_nothing || entry.validate.is_some() {
            continue;
        }
        let message = "nothing is asked of these images: every one passes, whoever made it";
        let diagnostic = report.warning(Code::NothingDemanded, entry.span, message);
        report.add(diagnostic.help("give `attestors`, or `attestations`"));
    }
}
