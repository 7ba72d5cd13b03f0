//! What it checks: `match`, `exclude`, image references and attestors hold no variables.
//!
//! Why: they decide whether and against whom a rule is judged before there is anything to put into a variable; in Kyverno
//! too they are compared as written, so that the rule would silently match nothing.
//!
//! Example:
//!
//! ```yaml
//! - name: own-namespace
//!   match: {any: [{resources: {kinds: [Pod], namespaces: ["{{ request.object.metadata.labels.team }}"]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: own-namespace
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   preconditions:
//!     all:
//!       - key: "{{ request.namespace }}"
//!         operator: Equals
//!         value: "{{ request.object.metadata.labels.team || '' }}"
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use crate::ast::matching::{Filter, Selector};
use crate::ast::verify_images::{AttestorIdentity, VerifyImages};
use crate::diagnostic::Code;
use crate::source::{Span, Spanned};

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        let filters = rule.matches.filters.iter();
        for filter in filters.chain(rule.excludes.iter().flat_map(|excludes| &excludes.filters)) {
            in_filter(filter, &mut found);
        }
    }
    let selectors = report
        .policy
        .settings
        .validation_failure_action_overrides
        .iter();
    for one in selectors {
        found.extend(variables(&one.namespaces));
        in_selector(one.namespace_selector.as_ref(), &mut found);
    }
    for (_, entry) in report.image_entries() {
        in_entry(entry, &mut found);
    }
    for span in found {
        let diagnostic = report.error(
            Code::VariableNotAllowed,
            span,
            "a variable where none can be",
        );
        report.add(diagnostic.help("compare in `preconditions`, which can hold variables"));
    }
}

fn variables<'a>(
    texts: impl IntoIterator<Item = &'a Spanned<String>>,
) -> impl Iterator<Item = Span> {
    let texts = texts.into_iter();
    texts
        .filter(|text| text.value.contains("{{"))
        .map(|text| text.span)
}

fn in_filter(filter: &Filter, found: &mut Vec<Span>) {
    found.extend(variables(&filter.roles));
    found.extend(variables(&filter.cluster_roles));
    for subject in &filter.subjects {
        found.extend(variables([&subject.name]));
        found.extend(variables(&subject.namespace));
    }
    let Some(resources) = &filter.resources else {
        return;
    };
    let kinds = resources
        .kinds
        .iter()
        .filter(|kind| kind.raw.contains("{{"));
    found.extend(kinds.map(|kind| kind.span));
    found.extend(variables(&resources.names));
    found.extend(variables(&resources.namespaces));
    for (key, value) in &resources.annotations {
        found.extend(variables([key, value]));
    }
    in_selector(resources.selector.as_ref(), found);
    in_selector(resources.namespace_selector.as_ref(), found);
}

fn in_selector(selector: Option<&Selector>, found: &mut Vec<Span>) {
    let Some(selector) = selector else { return };
    for (key, value) in &selector.match_labels {
        found.extend(variables([key, value]));
    }
    for requirement in &selector.match_expressions {
        found.extend(variables([&requirement.key]));
        found.extend(variables(&requirement.values));
    }
}

fn in_entry(entry: &VerifyImages, found: &mut Vec<Span>) {
    found.extend(variables(&entry.image_references));
    found.extend(variables(&entry.skip_image_references));
    found.extend(variables(&entry.repository));
    for attestation in &entry.attestations {
        found.extend(variables([&attestation.predicate_type]));
        found.extend(variables(&attestation.name));
    }
    for attestor in entry.all_attestors() {
        found.extend(variables(&attestor.repository));
        found.extend(variables(&attestor.rekor.url));
        for (key, value) in &attestor.annotations {
            found.extend(variables([key, value]));
        }
        if let AttestorIdentity::Keyless(keyless) = &attestor.identity {
            found.extend(variables(&keyless.issuer));
            found.extend(variables(&keyless.issuer_regexp));
            found.extend(variables(&keyless.subject));
            found.extend(variables(&keyless.subject_regexp));
            let extensions = keyless.extensions.iter();
            found.extend(variables(extensions.map(|extension| &extension.value)));
        }
    }
}
