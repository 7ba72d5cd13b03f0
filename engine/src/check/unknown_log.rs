//! What it checks: `rekor.url` is the URL of a log of a trust root that is loaded.
//!
//! Why: the URL names the Sigstore instance whose certificates and logs count. Evidence is checked offline against its
//! trust root; without one nothing can be verified, and every image is refused: the policy stays in force, and its rule is
//! an error.
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
//!             - keyless:
//!                 issuer: https://issuer.example
//!                 subject: builder@example.com
//!                 rekor: {url: "https://rekor.internal.example"}
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
//!                 issuer: https://issuer.example
//!                 subject: builder@example.com
//!                 rekor: {url: "https://rekor.sigstore.dev"}
//! ```

use crate::diagnostic::{Code, Fault};

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let Some(known) = &report.environment.log_urls else {
        return;
    };
    let same = |left: &str, right: &str| left.trim_end_matches('/') == right.trim_end_matches('/');
    let attestors = report
        .image_entries()
        .flat_map(|(_, entry)| entry.all_attestors());
    for url in attestors.filter_map(|attestor| attestor.rekor.url.as_ref()) {
        if known.iter().any(|known| same(known, &url.value)) {
            continue;
        }
        let message = format!("no trust root has a log at `{}`", url.value);
        let help = if known.is_empty() {
            "load the trust root of that instance".to_owned()
        } else {
            format!(
                "load its trust root; those that are loaded have {}",
                known.join(", ")
            )
        };
        let diagnostic = report.error(Code::UnknownLog, url.span, message);
        // Trust roots change while policies are in force: one that was left out for that would refuse nothing any more.
        report.add(diagnostic.help(help).fault(Fault::TrustRoots));
    }
}
