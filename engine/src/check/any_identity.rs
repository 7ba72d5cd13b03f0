//! What it checks: a keyless attestor says who: the issuer, and the subject or a certificate extension.
//!
//! Why: anybody gets a certificate of a public certificate authority for his own name. An attestor without a subject is
//! satisfied by everybody who can log in with the issuer, and one that says nothing at all by everybody: that is an error.
//!
//! Example:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestors:
//!         - entries:
//!             - keyless: {rekor: {url: "https://rekor.sigstore.dev"}}
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
//!             - keyless:
//!                 issuer: https://token.actions.githubusercontent.com
//!                 subject: https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main
//!                 rekor: {url: "https://rekor.sigstore.dev"}
//! ```

use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    // Whom authorities of the policy's own issue certificates to, they know.
    for keyless in report.keyless().filter(|one| one.roots.is_none()) {
        let anything = |text: &Option<crate::source::Spanned<String>>| {
            text.as_ref().is_none_or(|text| text.value == "*")
        };
        let any_issuer = anything(&keyless.issuer) && keyless.issuer_regexp.is_none();
        let any_subject = anything(&keyless.subject)
            && keyless.subject_regexp.is_none()
            && keyless.extensions.is_empty();
        let diagnostic = match (any_issuer, any_subject) {
            (false, false) => continue,
            (true, true) => report.error(
                Code::AnyIdentity,
                keyless.span,
                "the attestor is satisfied by every certificate there is",
            ),
            (true, false) => report.warning(
                Code::AnyIdentity,
                keyless.span,
                "the attestor is satisfied by the same name from any issuer",
            ),
            (false, true) => report.warning(
                Code::AnyIdentity,
                keyless.span,
                "the attestor is satisfied by everybody that the issuer knows",
            ),
        };
        report.add(diagnostic.help("give `issuer` and `subject`"));
    }
}
