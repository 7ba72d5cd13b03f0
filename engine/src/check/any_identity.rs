//! What it checks: a keyless attestor says who: the issuer, and the subject or a certificate extension.
//!
//! Why: anybody gets a certificate of a public certificate authority for his own name. An attestor without a subject is
//! satisfied by everybody who can log in with the issuer, and one that says nothing at all by everybody: that is an error.
//! `*` and `?*` say nothing, and neither do regular expressions such as `.*`, `.+` and `^https?://.*` for a subject.
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
use crate::go_regex;
use crate::source::Spanned;
use crate::wildcard;

use super::Report;

/// Issuers that have nothing in common but that they are some; what lets all of them through lets any through.
const ISSUERS: [&str; 3] = [
    "https://a.example",
    "https://other-issuer.invalid/realms/9",
    "https://x.test:8443/Q_w",
];

/// The same of identities of workflows.
const WORKFLOWS: [&str; 3] = [
    "https://a.example/o/r/.github/workflows/w.yml@refs/heads/m",
    "https://git.invalid:8443/Zz9/q//.gitlab-ci.yml@refs/tags/v1",
    "https://x.test/K_k/other/ci.yaml@refs/pull/7/merge",
];

/// And of people.
const PEOPLE: [&str; 2] = ["q7@mail.invalid", "First.Last+tag@a.example"];

pub(super) fn check(report: &mut Report<'_>) {
    // Whom authorities of the policy's own issue certificates to, they know.
    for keyless in report.keyless().filter(|one| one.roots.is_none()) {
        let issuers = [keyless.issuer.as_ref(), keyless.issuer_regexp.as_ref()];
        let subjects = [keyless.subject.as_ref(), keyless.subject_regexp.as_ref()];
        let any_issuer = is_any(issuers, &ISSUERS);
        let any_workflow = is_any(subjects, &WORKFLOWS) && keyless.extensions.is_empty();
        let diagnostic = match (any_issuer, any_workflow) {
            (false, false) => continue,
            (true, true) if is_any(subjects, &PEOPLE) => report.error(
                Code::AnyIdentity,
                keyless.span,
                "the attestor is satisfied by every certificate there is",
            ),
            (true, true) => report.warning(
                Code::AnyIdentity,
                keyless.span,
                "the attestor is satisfied by every workflow, of any issuer",
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

/// Whether a name with wildcards and a regular expression, either of which may be missing, let all of some texts through.
fn is_any([name, regexp]: [Option<&Spanned<String>>; 2], texts: &[&str]) -> bool {
    let all = |matches: &dyn Fn(&str) -> bool| texts.iter().all(|text| matches(text));
    let any_name = name.is_none_or(|name| all(&|text| wildcard::matches(&name.value, text)));
    any_name
        && regexp.is_none_or(|regexp| {
            // One that does not compile is an error of its own.
            go_regex::compile_for_rego(&regexp.value)
                .is_ok_and(|regexp| all(&|text| regexp.is_match(text)))
        })
}
