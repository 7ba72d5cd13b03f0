//! `verify` of a module in a registry.

use crate::ast::module_verify::{ModuleVerify, in_registry};
use crate::ast::verify_images::{AttestorIdentity, EvidenceType, VerifyImages};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::Reader;
use super::{attestor, notary, verify_images};

/// Who must have signed; `module` says what.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    module: Option<&Spanned<String>>,
) -> Option<Box<ModuleVerify>> {
    let mut fields = reader.fields(node, "verify")?;
    let evidence_type = verify_images::evidence_type(reader, &mut fields);
    let attestors = fields.take("attestors");
    let attestors = attestors.map_or(Some(Vec::new()), |node| attestor::sets(reader, node));
    let items = fields.items(reader, "attestations");
    let attestations: Vec<_> = items
        .iter()
        .map(|item| verify_images::attestation(reader, item))
        .collect();
    let attestations: Option<Vec<_>> = attestations.into_iter().collect();
    let repository = fields.text(reader, "repository");
    fields.finish(reader, &[]);
    let mut entry = VerifyImages {
        span: node.span,
        image_references: vec![Spanned::new("*".to_owned(), node.span)],
        skip_image_references: Vec::new(),
        evidence_type,
        failure_action: None,
        attestors: attestors?,
        attestations: attestations?,
        asks_for_nothing: false,
        repository,
        pull_secrets: Vec::new(),
        mutate_digest: None,
        verify_digest: true,
        required: true,
        validate: None,
    };
    if entry.attestors.is_empty() && entry.attestations.is_empty() {
        let message = "`verify` has no `attestors`: nobody would have to have signed";
        reader.error(Code::MissingField, node.span, message);
        return None;
    }
    if module.is_none_or(|module| in_registry(&module.value).is_none()) {
        let message = "nothing lies beside a file that says who signed it";
        let made = reader.error(Code::ConflictingSettings, node.span, message);
        made.set_help("`verify` is for a module in a registry; `digest` says what a file must be");
        return None;
    }
    refuse(reader, &entry)?;
    if matches!(&entry.evidence_type, Some(one) if one.value == EvidenceType::Notary) {
        notary::read(reader, &mut entry);
    }
    Some(Box::new(ModuleVerify {
        entry,
        written: node.to_json().to_string(),
    }))
}

/// Refuses what asks for more than a registry: a module is verified while policies are loaded, and not for a request.
fn refuse(reader: &mut Reader<'_>, entry: &VerifyImages) -> Option<()> {
    let secret = entry.all_attestors().find_map(|one| match &one.identity {
        AttestorIdentity::RemoteKey(key) => Some(key.span),
        AttestorIdentity::Key(_)
        | AttestorIdentity::Keyless(_)
        | AttestorIdentity::Certificates(_)
        | AttestorIdentity::Nested(_) => None,
    });
    if let Some(span) = secret {
        let message = "a key of a module's signer is not read from a Secret";
        let made = reader.error(Code::NotSupported, span, message);
        made.set_help("write the key into the policy, as PEM");
        return None;
    }
    let conditions = entry.attestations.iter();
    let mut conditions = conditions.filter(|one| one.conditions.is_some());
    if let Some(attestation) = conditions.next() {
        let message = "`conditions` of a module's attestation are not supported";
        let made = reader.error(Code::NotSupported, attestation.span, message);
        made.set_help("`slsa` says what provenance must say, and `attestors` who must say it");
        return None;
    }
    Some(())
}
