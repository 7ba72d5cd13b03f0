//! Annotations of ours on a policy: none is passed over, because each changes what is asked for.

use std::collections::BTreeMap;

use crate::ast::Rule;
use crate::ast::evidence::{
    ANNOTATIONS, ATTESTATIONS, INCLUSION_PROOF, LOG_ENTRIES, SIGNED_TIMESTAMP,
    SLSA_VERSION_FALLBACK, TRUST_ROOT,
};
use crate::ast::verify_images::{Attestor, AttestorIdentity, AttestorSet};
use crate::diagnostic::Code;
use crate::source::{Span, Spanned};

use super::fields::{Reader, one_line};
use crate::suggest;

/// What annotations of ours begin with.
const PREFIX: &str = "regent.dev/";

/// Logs that can be asked for at once.
const MAX_LOGS: usize = 8;

/// Says what is wrong with annotations of ours.
pub(super) fn check(
    reader: &mut Reader<'_>,
    span: Span,
    annotations: &BTreeMap<String, Spanned<String>>,
) {
    for (name, value) in annotations {
        if !name.starts_with(PREFIX) {
            continue;
        }
        let wanted = match name.as_str() {
            SLSA_VERSION_FALLBACK => one_of(&value.value, &["true", "false"]),
            INCLUSION_PROOF | SIGNED_TIMESTAMP => one_of(&value.value, &["required"]),
            ATTESTATIONS => one_of(&value.value, &["all", "any", "latest"]),
            LOG_ENTRIES => match value.value.parse() {
                Ok(1..=MAX_LOGS) => None,
                _ => Some(format!("a number from 1 to {MAX_LOGS}")),
            },
            TRUST_ROOT if value.value.contains("://") => None,
            TRUST_ROOT => Some("a URL of the trust root's".to_owned()),
            _ => {
                let message = format!("there is no annotation `{}`", one_line(name));
                let made = reader.error(Code::UnknownField, span, message);
                if let Some(known) = suggest::nearest(name, ANNOTATIONS) {
                    made.set_help(format!("did you mean `{known}`?"));
                }
                None
            }
        };
        if let Some(wanted) = wanted {
            let message = format!("`{name}` must be {wanted}");
            reader.error(Code::InvalidValue, value.span, message);
        }
    }
}

/// What a value must be, where it is not.
fn one_of(value: &str, words: &[&str]) -> Option<String> {
    let known = words.contains(&value);
    (!known).then(|| {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        words.join(" or ")
    })
}

/// Has the trust root that an annotation names count for every attestor that names none itself.
pub(super) fn spread(annotations: &BTreeMap<String, Spanned<String>>, rules: &mut [Rule]) {
    let Some(url) = annotations.get(TRUST_ROOT) else {
        return;
    };
    for rule in rules {
        for entry in rule.image_demands_mut() {
            let attestations = entry.attestations.iter_mut();
            let of_attestations = attestations.flat_map(|one| &mut one.attestors);
            for set in entry.attestors.iter_mut().chain(of_attestations) {
                spread_over(url, set);
            }
        }
    }
}

fn spread_over(url: &Spanned<String>, set: &mut AttestorSet) {
    for Attestor {
        identity, rekor, ..
    } in &mut set.entries
    {
        if let AttestorIdentity::Nested(set) = identity {
            spread_over(url, set);
        } else {
            rekor.url.get_or_insert_with(|| url.clone());
        }
    }
}
