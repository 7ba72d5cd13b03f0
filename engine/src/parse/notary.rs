//! `type: Notary`: what its attestors may say, and that they are trust stores.

use crate::ast::verify_images::{
    Attestor, AttestorIdentity, AttestorSet, Ctlog, Rekor, VerifyImages,
};
use crate::diagnostic::Code;

use super::fields::Reader;

/// Reads an entry once more by the words of the Notary Project: all certificates that an attestor names are its trust
/// store, and logs are nothing that such a signature could be in.
pub(super) fn read(reader: &mut Reader<'_>, entry: &mut VerifyImages) {
    for attestation in &entry.attestations {
        let message = "`attestations` with `type: Notary` are not supported";
        let made = reader.error(Code::NotSupported, attestation.span, message);
        made.set_help("attest with cosign, and ask for that in an entry without `type`");
    }
    for set in &mut entry.attestors {
        read_set(reader, set);
    }
}

fn read_set(reader: &mut Reader<'_>, set: &mut AttestorSet) {
    for attestor in &mut set.entries {
        match &mut attestor.identity {
            AttestorIdentity::Nested(inner) => read_set(reader, inner),
            AttestorIdentity::Certificates(_) => as_trust_store(reader, attestor),
            AttestorIdentity::Keyless(_)
            | AttestorIdentity::Key(_)
            | AttestorIdentity::RemoteKey(_) => {
                let message = "attestors of `type: Notary` have `certificates`, and nothing else";
                reader.error(Code::ConflictingSettings, attestor.span, message);
            }
        }
    }
}

fn as_trust_store(reader: &mut Reader<'_>, attestor: &mut Attestor) {
    let logs = [
        attestor.rekor.url.is_some(),
        attestor.rekor.public_key.is_some(),
        attestor.ctlog.public_keys.is_some(),
    ];
    if logs.contains(&true) {
        let message = "signatures of `type: Notary` are in no log: `rekor` and `ctlog.pubkey` cannot be asked for";
        reader.error(Code::ConflictingSettings, attestor.span, message);
    }
    let AttestorIdentity::Certificates(one) = &mut attestor.identity else {
        return;
    };
    let parts = [one.certificate.take(), one.authorities.take()];
    one.authorities = Some(parts.into_iter().flatten().collect());
    one.key = None;
    attestor.rekor = Rekor {
        ignore_tlog: true,
        ..Rekor::default()
    };
    attestor.ctlog = Ctlog {
        ignore_sct: true,
        public_keys: None,
        timestamp_chain: attestor.ctlog.timestamp_chain.take(),
    };
}
