//! cosign's `.sig` and `.att` tags: layers whose annotations hold certificate, log entry and timestamp.

use regent_engine::image::evidence::Format;
use rustls_pki_types::pem::SectionKind;
use serde::Deserialize;

use super::dsse::{self, Envelope};
use super::item::{Content, Demands, Enclosed, Entry, Item, Material, base64, pem};
use super::refusal::Refusal;
use crate::image::artifact::LegacyArtifact;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const BUNDLE: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenBundle {
    signed_entry_timestamp: String,
    payload: WrittenEntry,
}

#[derive(Deserialize)]
struct WrittenEntry {
    body: String,
    #[serde(rename = "integratedTime")]
    integrated_time: u64,
    #[serde(rename = "logIndex")]
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
struct WrittenTimestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    token: String,
}

/// Reads a layer of the `.sig` tag.
pub(super) fn read_signature(artifact: &LegacyArtifact) -> Result<Item<'_>, Refusal> {
    let signature = annotation(artifact, SIGNATURE).ok_or(Refusal::Missing("signature"))?;
    let signature = base64("signature", signature)?;
    let content = Content::Payload(&artifact.bytes);
    read(artifact, content, signature, None)
}

/// Reads a layer of the `.att` tag.
pub(super) fn read_attestation(artifact: &LegacyArtifact) -> Result<Item<'_>, Refusal> {
    let written: dsse::Written = serde_json::from_slice(&artifact.bytes)
        .map_err(|error| Refusal::malformed("envelope", &error))?;
    let envelope = Envelope::read(&written)?;
    let signature = envelope.signature.clone();
    let content = Content::Envelope(envelope, Some(&artifact.bytes));
    read(artifact, content, signature, Some(&artifact.bytes))
}

fn read<'a>(
    artifact: &'a LegacyArtifact,
    content: Content<'a>,
    signature: Vec<u8>,
    stamped: Option<&'a [u8]>,
) -> Result<Item<'a>, Refusal> {
    let material = match annotation(artifact, CERTIFICATE) {
        Some(text) => Material::Certificate(pem(
            "certificate",
            text.as_bytes(),
            SectionKind::Certificate,
        )?),
        None => Material::Key(String::new()),
    };
    let entry = annotation(artifact, BUNDLE).map(read_entry).transpose()?;
    let token = annotation(artifact, TIMESTAMP)
        .map(read_token)
        .transpose()?;
    Ok(Item {
        carrier: artifact.layer.as_str(),
        format: Format::LegacyTag,
        content,
        signature,
        material,
        enclosed: annotation(artifact, CHAIN).map_or(Enclosed::nothing(), Enclosed::Pem),
        entries: entry.into_iter().collect(),
        demands: Demands::Promise,
        tokens: token.into_iter().collect(),
        stamped,
    })
}

/// An annotation; cosign writes empty ones where it has nothing to say.
fn annotation<'a>(artifact: &'a LegacyArtifact, name: &str) -> Option<&'a str> {
    let text = artifact.annotations.get(name)?.as_str();
    (!text.is_empty()).then_some(text)
}

fn read_entry(text: &str) -> Result<Entry, Refusal> {
    let written: WrittenBundle = serde_json::from_str(text)
        .map_err(|error| Refusal::malformed("annotation with the log entry", &error))?;
    let promise = base64("signed entry timestamp", &written.signed_entry_timestamp)?;
    let entry = written.payload;
    Ok(Entry {
        log_id: hex::decode(&entry.log_id).map_err(|e| Refusal::malformed("log id", &e))?,
        index: entry.log_index,
        kind: None,
        integrated_time: Some(entry.integrated_time),
        promise: Some(promise),
        proof: None,
        body: base64("log entry's body", &entry.body)?,
    })
}

fn read_token(text: &str) -> Result<Vec<u8>, Refusal> {
    let written: WrittenTimestamp = serde_json::from_str(text)
        .map_err(|error| Refusal::malformed("annotation with the timestamp", &error))?;
    base64("timestamp", &written.token)
}
