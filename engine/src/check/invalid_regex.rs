//! What it checks: `issuerRegExp` and `subjectRegExp` compile.
//!
//! Why: an attestor that cannot be compared is never satisfied. The syntax is RE2's: no look-around, no back-references.
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
//!             - keyless: {issuer: "https://issuer.example", subjectRegExp: "^https://git.example/(?!evil/).*$"}
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
//!             - keyless: {issuer: "https://issuer.example", subjectRegExp: "^https://git.example/good/.*$"}
//! ```

use crate::diagnostic::Code;
use crate::go_regex;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for keyless in report.keyless() {
        for pattern in [&keyless.issuer_regexp, &keyless.subject_regexp]
            .into_iter()
            .flatten()
        {
            if go_regex::compile_for_rego(&pattern.value).is_err() {
                let message = format!(
                    "the regular expression `{}` does not compile",
                    pattern.value
                );
                let diagnostic = report.error(Code::InvalidRegex, pattern.span, message);
                report.add(
                    diagnostic.help("the syntax is RE2's, without look-around and back-references"),
                );
            }
        }
    }
}
