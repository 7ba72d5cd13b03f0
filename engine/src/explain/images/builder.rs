//! Why provenance without attestors is not believed from the builder that it names.

use crate::ast::verify_images::{AttestorIdentity, Keyless};
use crate::evaluation::builder_id;
use crate::image::evidence::{CertificateIdentity, Signer, VerifiedStatement};

use super::{Walk, identity, is_issuer, is_subject, listed, other_extension, unproven};

/// Who may call builders.
type Callers<'a> = [&'a Keyless];

impl Walk<'_> {
    /// Why a statement is not believed.
    pub(super) fn not_from_builder(&self, statement: &VerifiedStatement) -> String {
        let Some(builder) = builder_id(statement) else {
            return "the provenance names no builder".to_owned();
        };
        let Signer::Certificate(certificate) = &statement.verified.signer else {
            return format!(
                "provenance of builder {builder} is signed by a key, and no attestor of the attestation names it"
            );
        };
        let signers = self.entry.signers();
        let callers: Vec<_> = signers
            .filter_map(|attestor| match &attestor.identity {
                AttestorIdentity::Keyless(keyless) => Some(keyless),
                AttestorIdentity::Key(_)
                | AttestorIdentity::RemoteKey(_)
                | AttestorIdentity::Certificates(_)
                | AttestorIdentity::Nested(_) => None,
            })
            .collect();
        if callers.is_empty() {
            return "the attestation has no attestors, and no keyless attestor of the image says who may call a builder".to_owned();
        }
        let issued = callers
            .iter()
            .any(|one| is_issuer(one, &certificate.issuer));
        if !issued {
            return format!(
                "provenance is signed by an identity of issuer {}",
                certificate.issuer
            );
        }
        let mut subjects = certificate.subjects.iter();
        if !subjects.any(|subject| *subject == builder) {
            let signer = listed(&certificate.subjects);
            return format!("provenance names builder {builder}, but is signed by {signer}");
        }
        otherwise_called(&callers, &builder, (statement, certificate))
    }
}

/// What is wrong with the call of a builder that signed itself.
fn otherwise_called(
    callers: &Callers<'_>,
    builder: &str,
    (statement, certificate): (&VerifiedStatement, &CertificateIdentity),
) -> String {
    let claim = |oid: &str| certificate.extensions.get(oid).map(String::as_str);
    let caller = claim("1.3.6.1.4.1.57264.1.12").or_else(|| claim("1.3.6.1.4.1.57264.1.18"));
    let oldest = claim("1.3.6.1.4.1.57264.1.5").map(|path| format!("https://github.com/{path}"));
    let Some(caller) = caller.map(str::to_owned).or(oldest) else {
        return format!("the certificate of builder {builder} does not say who called it");
    };
    let named = || callers.iter().filter(|one| is_subject(one, &caller));
    if named().next().is_none() {
        let wanted: Vec<String> = callers.iter().map(|one| identity(one)).collect();
        let wanted = wanted.join(" or ");
        return format!("builder {builder} was called by {caller}, wanted {wanted}");
    }
    let other = |keyless: &Keyless| {
        let of_caller = keyless.extensions.iter().filter(|one| one.is_of_caller());
        other_extension(of_caller, certificate)
    };
    let others: Option<Vec<String>> = named().map(|one| other(one)).collect();
    if let Some(other) = others.and_then(|others| others.into_iter().next()) {
        return format!("builder {builder} was called otherwise than is asked for: {other}");
    }
    let reason = unproven(&statement.verified);
    format!("provenance of builder {builder} lacks proof: {reason}")
}
