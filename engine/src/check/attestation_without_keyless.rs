//! What it checks: an attestation without attestors of its own is SLSA provenance, and its rule has a keyless attestor.
//!
//! Why: somebody must be named to have said it. Whoever can push an image can attest anything about it with a certificate
//! of his own. Provenance without attestors is believed from the builder that it names, which takes the issuer and the
//! repository of a keyless attestor of the rule; any other statement is believed from nobody.
//!
//! Example:
//!
//! ```yaml
//! - name: scanned
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestations:
//!         - type: https://slsa.dev/provenance/v1
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: scanned
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestors:
//!         - entries:
//!             - keyless: {issuer: "https://token.actions.githubusercontent.com", subject: "https://github.com/acme/*"}
//!       attestations:
//!         - type: https://slsa.dev/provenance/v1
//! ```

use crate::ast::verify_images::AttestorIdentity;
use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for (_, entry) in report.image_entries() {
        let keyless = entry
            .signers()
            .filter(|attestor| matches!(attestor.identity, AttestorIdentity::Keyless(_)))
            .count();
        let alone = entry
            .attestations
            .iter()
            .filter(|one| one.attestors.is_empty());
        for attestation in alone {
            let name = &attestation.predicate_type;
            let message = if !name.value.starts_with("https://slsa.dev/provenance/") {
                format!("nobody is named who attests `{}`", name.value)
            } else if keyless == 0 {
                "provenance without attestors, in a rule without a keyless attestor".to_owned()
            } else {
                continue;
            };
            let diagnostic = report.error(Code::AttestationWithoutKeyless, name.span, message);
            report.add(diagnostic.help("give the attestation `attestors`"));
        }
    }
}
