//! What it checks: the attestor of an attestation is one workflow, not several by a wildcard.
//!
//! Why: who has attestors is taken at their word. With `https://github.com/acme/*` any workflow of the organisation can
//! write by hand that the hardened builder built an image.
//!
//! Example:
//!
//! ```yaml
//! - name: built
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestations:
//!         - type: https://slsa.dev/provenance/v1
//!           attestors:
//!             - entries:
//!                 - keyless:
//!                     issuer: https://token.actions.githubusercontent.com
//!                     subject: https://github.com/acme/*
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: built
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestations:
//!         - type: https://slsa.dev/provenance/v1
//!           attestors:
//!             - entries:
//!                 - keyless:
//!                     issuer: https://token.actions.githubusercontent.com
//!                     subject: https://github.com/acme/builder/.github/workflows/build.yml@refs/tags/*
//! ```

use crate::ast::verify_images::{AttestorIdentity, AttestorSet, Keyless};
use crate::diagnostic::Code;
use crate::source::Span;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for (_, entry) in report.image_entries() {
        let sets = entry
            .attestations
            .iter()
            .flat_map(|attestation| &attestation.attestors);
        for attestor in sets.flat_map(AttestorSet::leaves) {
            let AttestorIdentity::Keyless(keyless) = &attestor.identity else {
                continue;
            };
            if let Some(span) = several(keyless) {
                let message = "the attestation may be written by any of several workflows";
                let diagnostic = report.warning(Code::WildcardAttestor, span, message);
                report.add(
                    diagnostic
                        .help("name the workflow that attests; a wildcard after its `@` is fine"),
                );
            }
        }
    }
}

/// Where an identity leaves open which workflow it is. What stands after `@` is only its version.
fn several(keyless: &Keyless) -> Option<Span> {
    let workflow = |text: &str| text.split('@').next().unwrap_or("").to_owned();
    let wildcard = keyless.subject.as_ref();
    let wildcard = wildcard.filter(|subject| workflow(&subject.value).contains(['*', '?']));
    let regexp = keyless.subject_regexp.as_ref();
    let regexp = regexp.filter(|subject| {
        let workflow = workflow(&subject.value);
        [".*", ".+", "[^"]
            .iter()
            .any(|open| workflow.contains(open))
    });
    wildcard.or(regexp).map(|subject| subject.span)
}
