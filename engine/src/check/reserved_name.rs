//! What it checks: the `name` of an attestation or of an entry of `context` is no name that the language has for itself, and a plain word.
//!
//! Why: under its name it is a variable; one called `request` would hide the request.
//! `target` is a name of the language only in rules with `mutate.targets`, and `element0` and its kin in those with `foreach`.
//!
//! Example:
//!
//! ```yaml
//! - name: scanned
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestations:
//!         - name: request
//!           type: https://cyclonedx.org/bom
//!           attestors:
//!             - entries:
//!                 - keyless: {issuer: "https://issuer.example", subject: "scanner@example.com"}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: scanned
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestations:
//!         - name: bom
//!           type: https://cyclonedx.org/bom
//!           attestors:
//!             - entries:
//!                 - keyless: {issuer: "https://issuer.example", subject: "scanner@example.com"}
//! ```

use crate::ast::mutate::MutateBody;
use crate::ast::validate::ValidateBody;
use crate::ast::{Rule, RuleBody};
use crate::diagnostic::Code;

use super::{Report, for_each_context};

/// Names that the language sets itself.
pub(super) const RESERVED: [&str; 9] = [
    "request",
    "serviceAccountName",
    "serviceAccountNamespace",
    "element",
    "elementIndex",
    "images",
    "image",
    "target",
    "@",
];

pub(super) fn check(report: &mut Report<'_>) {
    let mut names = Vec::new();
    for rule in report.rules() {
        for_each_context(rule, &mut |entry| {
            // A name that could not be read, which is another error, stands where its entry does.
            if entry.name.span != entry.span && !is_free(rule, &entry.name.value) {
                names.push(&entry.name);
            }
        });
    }
    for (_, entry) in report.image_entries() {
        let attestations = entry.attestations.iter();
        names.extend(attestations.filter_map(|attestation| attestation.name.as_ref()));
    }
    for name in names {
        let word = name
            .value
            .chars()
            .all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-'));
        let problem = if RESERVED.contains(&name.value.as_str()) || is_element(&name.value) {
            "the language needs this name for itself"
        } else if name.value.is_empty() || !word {
            "a name is one word of letters, digits, `-` and `_`"
        } else {
            continue;
        };
        let diagnostic = report.error(Code::ReservedName, name.span, problem);
        report.add(diagnostic);
    }
}

/// Whether the language sets a name in other rules than this one only.
fn is_free(rule: &Rule, name: &str) -> bool {
    match &rule.body {
        _ if name == "target" => {
            !matches!(&rule.body, RuleBody::Mutate(mutate) if !mutate.targets.is_empty())
        }
        _ if matches!(name, "element" | "elementIndex") || !is_element(name) => false,
        RuleBody::Validate(validate) => !matches!(validate.body, ValidateBody::Foreach(_)),
        RuleBody::Mutate(mutate) => !matches!(mutate.body, MutateBody::Foreach(_)),
        RuleBody::Generate(generate) => generate.body.blocks().is_empty(),
        RuleBody::VerifyImages(_) => true,
    }
}

/// Whether it is a name that so many `foreach` in each other set: the outermost sets `element0`.
pub(super) fn is_element_of(name: &str, levels: usize) -> bool {
    let level = name.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    is_element(name) && (level.is_empty() || level.parse().is_ok_and(|level: usize| level < levels))
}

/// `element0`, `elementIndex0` and so on, which nested `foreach` sets.
pub(super) fn is_element(name: &str) -> bool {
    let rest = name
        .strip_prefix("elementIndex")
        .or(name.strip_prefix("element"));
    rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}
