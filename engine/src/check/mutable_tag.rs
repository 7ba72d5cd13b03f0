//! What it checks: a rule that verifies images puts the digest in, or asks for one, and is not about the tag `latest` alone.
//!
//! Why: with `mutateDigest: false` and `verifyDigest: false` a verified image stays named by its tag, which may be another
//! image by the time that a node pulls it. `imageReferences` that end with `:latest` leave every other tag, and every
//! digest, unverified.
//!
//! Example:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       mutateDigest: false
//!       verifyDigest: false
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
//!       mutateDigest: false
//!       attestors:
//!         - entries:
//!             - keyless: {issuer: "https://issuer.example", subject: "builder@example.com"}
//! ```

use crate::diagnostic::Code;
use crate::wildcard;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for (_, entry) in report.image_entries() {
        let written = entry.mutate_digest.as_ref().filter(|mutate| !mutate.value);
        if let Some(written) = written.filter(|_| !entry.verify_digest) {
            let message = "the image may stay named by a tag, which can move after it was verified";
            let diagnostic = report.warning(Code::MutableTag, written.span, message);
            report.add(diagnostic.help("leave `mutateDigest` or `verifyDigest` out"));
        }
        let references = &entry.image_references;
        let only_latest = references.iter().find(|one| {
            let mut others = references.iter().filter(|other| other.value != one.value);
            one.value.ends_with(":latest")
                && !others.any(|other| wildcard::matches(&other.value, &one.value))
        });
        if let Some(latest) = only_latest {
            let message =
                "only the tag `latest` is verified, and no other tag or digest of these images";
            let diagnostic = report.warning(Code::MutableTag, latest.span, message);
            report.add(diagnostic.help("end it with `*`, or leave the tag out"));
        }
    }
}
