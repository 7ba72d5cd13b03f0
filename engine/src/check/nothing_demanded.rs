//! What it checks: an entry of `verifyImages` asks for a signature or an attestation, and a pattern has a field.
//!
//! Why: without `attestors` and `attestations` every image passes. Its digest is put in, which is all that such an entry is
//! good for: nobody has to have signed anything. The pattern `{}` is what every resource is like.
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

use crate::ast::pattern::PatternNode;
use crate::diagnostic::Code;

use super::{Report, for_each_pattern};

pub(super) fn check(report: &mut Report<'_>) {
    for (_, entry) in report.image_entries() {
        if !entry.asks_for_nothing || entry.validate.is_some() {
            continue;
        }
        let message = "nothing is asked of these images: every one passes, whoever made it";
        let diagnostic = report.warning(Code::NothingDemanded, entry.span, message);
        report.add(diagnostic.help("give `attestors`, or `attestations`"));
    }
    let mut empty = Vec::new();
    for rule in report.rules() {
        for_each_pattern(rule, &mut |pattern| {
            if matches!(&pattern.node, PatternNode::Map(entries) if entries.is_empty()) {
                empty.push(pattern.span);
            }
        });
    }
    for span in empty {
        let message = "an empty pattern demands nothing: every resource is like it";
        report.add(report.warning(Code::NothingDemanded, span, message));
    }
}
