//! What each attestor and each attestation of an entry saw, for whoever wants to know all of it.

use super::{Walk, field};
use crate::ast::verify_images::{AttestorIdentity, AttestorSet};
use crate::response::Finding;

impl Walk<'_> {
    /// All of them, in the order of the policy.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, set) in self.entry.attestors.iter().enumerate() {
            self.of_set(set, &format!("attestors[{index}]"), &mut findings);
        }
        for (index, attestation) in self.entry.attestations.iter().enumerate() {
            let views = self.program.views.iter().zip(self.used).enumerate();
            let views = views.filter(|(_, (view, _))| view.attestation == index);
            let leaves = attestation.attestors.iter().flat_map(AttestorSet::leaves);
            let mut leaves = leaves.map(|attestor| {
                let (field, index) = (field(attestor), attestor.index);
                (format!(".entries[{index}].{field}"), attestor.span)
            });
            for (number, (_, used)) in views {
                let leaf = leaves.next();
                let (by, span) = leaf.unwrap_or_else(|| (String::new(), attestation.span));
                let kind = &attestation.predicate_type.value;
                findings.push(Finding {
                    span,
                    place: format!("attestations[{index}]{by} ({kind})"),
                    statements: used.len(),
                    reason: self.unanswered(attestation, (number, used)),
                });
            }
        }
        findings
    }

    fn of_set(&self, set: &AttestorSet, place: &str, findings: &mut Vec<Finding>) {
        for attestor in &set.entries {
            let place = format!("{place}.entries[{}].{}", attestor.index, field(attestor));
            if let AttestorIdentity::Nested(inner) = &attestor.identity {
                findings.push(Finding {
                    span: attestor.span,
                    place: place.clone(),
                    statements: 0,
                    reason: self.unsatisfied(inner, &place),
                });
                self.of_set(inner, &place, findings);
            } else {
                findings.push(Finding {
                    span: attestor.span,
                    place,
                    statements: 0,
                    reason: self.unsigned(attestor),
                });
            }
        }
    }
}
