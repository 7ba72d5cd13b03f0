//! `verifyImages`, up to the attestors.

use crate::ast::verify_images::{Attestation, EvidenceType, ImageValidate, VerifyImages};
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::yaml::Node;

use super::condition::{self, Blocks};
use super::fields::{Fields, Reader};
use super::{attestor, notary, policy, registry_credentials, slsa, template, validate};

/// Kyverno's fields that this version does not run.
const UNSUPPORTED: [&str; 1] = ["verifiedAnnotations"];

/// Each is asked for by itself, and a program has 255 registers for what it is asked for.
const MOST_ATTESTATIONS: usize = 200;

/// Says that there are more attestations than one program can be asked for.
fn refuse_too_many(reader: &mut Reader<'_>, attestations: &[Node]) {
    if let Some(item) = attestations.get(MOST_ATTESTATIONS) {
        let message = format!("an entry has more than {MOST_ATTESTATIONS} attestations");
        let made = reader.error(Code::InvalidValue, item.span, message);
        made.set_help("put the others into another entry of `verifyImages`");
    }
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<VerifyImages> {
    let mut fields = reader.fields(node, "verifyImages")?;
    let image_references = image_references(reader, &mut fields);
    let evidence_type = evidence_type(reader, &mut fields);
    let failure_action = fields.choice(reader, "failureAction", &policy::FAILURE_ACTIONS);
    let attestors = fields.take("attestors");
    let attestors = attestors.map_or(Some(Vec::new()), |node| attestor::sets(reader, node));
    let named = attestor::DEPRECATED
        .iter()
        .find_map(|name| Some((*name, fields.peek(name)?)));
    let (is_named, before) = (named.is_some(), reader.errors());
    let deprecated = attestor::deprecated(reader, &mut fields);
    let attestors: Option<Vec<_>> =
        attestors.map(|sets| sets.into_iter().chain(deprecated).collect());
    let items = fields.items(reader, "attestations");
    // What could not be read has been said.
    let is_readable = reader.errors() == before;
    let asks_nobody = attestors.as_ref().is_some_and(Vec::is_empty) && items.is_empty();
    if let Some((name, node)) = named.filter(|_| is_readable && asks_nobody) {
        let message = format!("`{name}` is empty: nobody is named, and every image would pass");
        let made = reader.error(Code::InvalidValue, node.span, message);
        made.set_help("give `attestors`, or leave it out where only digests are to be put in");
    }
    refuse_too_many(reader, items);
    let attestations: Vec<_> = items.iter().map(|item| attestation(reader, item)).collect();
    // What it says may name an attestation that could not be read.
    let all_read = attestations.iter().all(Option::is_some);
    let asks_for_nothing = !is_named && asks_nobody;
    let mut entry = VerifyImages {
        span: node.span,
        image_references,
        skip_image_references: fields.texts(reader, "skipImageReferences"),
        evidence_type,
        failure_action,
        // One that could not be read must not look like one that was not asked for.
        attestors: attestors.unwrap_or_default(),
        attestations: attestations.into_iter().flatten().collect(),
        asks_for_nothing,
        repository: fields.text(reader, "repository"),
        pull_secrets: registry_credentials::read(reader, &mut fields),
        mutate_digest: fields.flag(reader, "mutateDigest"),
        verify_digest: flag_or_true(reader, &mut fields, "verifyDigest"),
        required: flag_or_true(reader, &mut fields, "required"),
        validate: fields
            .take("validate")
            .and_then(|node| image_validate(reader, node))
            .filter(|_| all_read),
    };
    // The cache holds evidence and no verdicts, so that there is nothing to turn off.
    let use_cache = fields.take("useCache");
    use_cache.and_then(|node| reader.flag(node, "useCache"));
    // Both ways of storing evidence are looked at anyway.
    let referrers = fields.take("cosignOCI11");
    referrers.and_then(|node| reader.flag(node, "cosignOCI11"));
    fields.finish(reader, &UNSUPPORTED);
    if matches!(&entry.evidence_type, Some(one) if one.value == EvidenceType::Notary) {
        notary::read(reader, &mut entry);
    }
    Some(entry)
}

/// The images that it is about, under either name.
fn image_references(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Vec<Spanned<String>> {
    let before = reader.errors();
    let mut references = fields.texts(reader, "imageReferences");
    references.extend(fields.text(reader, "image"));
    // What could not be read has been said.
    if references.is_empty() && reader.errors() == before {
        let message = "`verifyImages` has no `imageReferences`";
        reader.error(Code::MissingField, fields.span, message);
        fields.unless_misspelt(reader, &["imageReferences", "image"]);
    }
    references
}

fn flag_or_true(reader: &mut Reader<'_>, fields: &mut Fields<'_>, name: &'static str) -> bool {
    let written = fields.flag(reader, name);
    written.is_none_or(|flag| flag.value)
}

pub(super) fn evidence_type(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
) -> Option<Spanned<EvidenceType>> {
    let node = fields.take("type")?;
    let types = [
        ("Cosign", EvidenceType::Cosign),
        ("SigstoreBundle", EvidenceType::SigstoreBundle),
        ("Notary", EvidenceType::Notary),
    ];
    reader.choice(node, "type", &types)
}

fn image_validate(reader: &mut Reader<'_>, node: &Node) -> Option<ImageValidate> {
    let mut fields = reader.fields(node, "verifyImages.validate")?;
    let message = fields.text(reader, "message");
    let message = message.map(|text| template::text(reader, &text.value, text.span));
    let deny = fields.require(reader, "deny");
    fields.finish(reader, &[]);
    Some(ImageValidate {
        span: node.span,
        message,
        deny: validate::read_deny(reader, deny?)?,
    })
}

pub(super) fn attestation(reader: &mut Reader<'_>, node: &Node) -> Option<Attestation> {
    let mut fields = reader.fields(node, "attestations")?;
    let name = fields.text(reader, "name");
    let written = fields.text(reader, "type");
    let deprecated = fields.text(reader, "predicateType");
    if let (Some(written), Some(deprecated)) = (&written, &deprecated)
        && written.value != deprecated.value
    {
        let message = "`type` and the deprecated `predicateType` differ";
        reader.error(Code::ConflictingSettings, deprecated.span, message);
    }
    let predicate_type = written.or(deprecated);
    if predicate_type
        .as_ref()
        .is_none_or(|one| one.value.is_empty())
    {
        reader.error(
            Code::MissingField,
            node.span,
            "`attestations` has no `type`",
        );
        fields.unless_misspelt(reader, &["type", "predicateType"]);
    }
    let attestors = fields.take("attestors");
    let attestors = attestors.map_or(Some(Vec::new()), |node| attestor::sets(reader, node));
    let conditions = fields.take("conditions");
    let conditions =
        conditions.map(|node| condition::read(reader, node, "conditions", Blocks::Allowed));
    let slsa = fields.take("slsa");
    let slsa = slsa.map(|node| slsa::read(reader, node, predicate_type.as_ref()));
    fields.finish(reader, &[]);
    Some(Attestation {
        span: node.span,
        name,
        predicate_type: predicate_type?,
        attestors: attestors?,
        conditions: conditions.map_or(Some(None), |read| read.map(Some))?,
        slsa: slsa.map_or(Some(None), |read| read.map(Some))?,
    })
}
