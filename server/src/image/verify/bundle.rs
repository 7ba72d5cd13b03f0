//! Sigstore bundles 0.1 to 0.3, in the JSON of their protocol buffers.

use regent_engine::image::evidence::Format;
use serde::Deserialize;
use x509_cert::Certificate;

use super::dsse::{self, Envelope};
use super::item::{Content, Demands, Enclosed, Entry, Item, MAX_ENCLOSED, Material, Proof, base64};
use super::refusal::{Refusal, one_line};
use super::{MAX_ENTRIES, MAX_TIMESTAMPS};
use crate::image::artifact::BundleArtifact;
use crate::image::bounded_der::{self, DerError, MAX_CERTIFICATE};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    media_type: String,
    verification_material: WrittenMaterial,
    #[serde(default)]
    dsse_envelope: Option<dsse::Written>,
    #[serde(default)]
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMaterial {
    #[serde(default)]
    certificate: Option<RawBytes>,
    #[serde(default)]
    x509_certificate_chain: Option<Chain>,
    #[serde(default)]
    public_key: Option<Hint>,
    #[serde(default)]
    tlog_entries: Vec<WrittenEntry>,
    #[serde(default)]
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
struct Chain {
    #[serde(default)]
    certificates: Vec<RawBytes>,
}

#[derive(Deserialize)]
struct Hint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    #[serde(default)]
    message_digest: Option<MessageDigest>,
    signature: String,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    signed_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenEntry {
    // Protocol buffers leave out what is zero.
    #[serde(default)]
    log_index: Number,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(default)]
    integrated_time: Option<Number>,
    #[serde(default)]
    inclusion_promise: Option<Promise>,
    #[serde(default)]
    inclusion_proof: Option<WrittenProof>,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Deserialize)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenProof {
    #[serde(default)]
    log_index: Number,
    root_hash: String,
    #[serde(default)]
    tree_size: Number,
    #[serde(default)]
    hashes: Vec<String>,
    #[serde(default)]
    checkpoint: Option<Checkpoint>,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

/// A 64-bit number, which protocol buffers write as text and some signers as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Plain(u64),
}

impl Default for Number {
    fn default() -> Self {
        Self::Plain(0)
    }
}

impl Number {
    fn read(&self) -> Result<u64, Refusal> {
        match self {
            Self::Plain(number) => Ok(*number),
            Self::Text(text) => text
                .parse()
                .map_err(|error| Refusal::malformed("number of a log entry", &error)),
        }
    }
}

/// Reads a bundle about the image with this digest.
pub(super) fn read(artifact: &BundleArtifact, image: [u8; 32]) -> Result<Item<'_>, Refusal> {
    let written: Written = serde_json::from_slice(&artifact.bytes)
        .map_err(|error| Refusal::malformed("bundle", &error))?;
    let demands = demands(&written.media_type)?;
    let material = written.verification_material;
    if material.tlog_entries.len() > MAX_ENTRIES {
        return Err(Refusal::TooMany {
            what: "log entries",
            limit: MAX_ENTRIES,
        });
    }
    let timestamps = material.timestamp_verification_data.unwrap_or_default();
    if timestamps.rfc3161_timestamps.len() > MAX_TIMESTAMPS {
        return Err(Refusal::TooMany {
            what: "timestamps",
            limit: MAX_TIMESTAMPS,
        });
    }
    let (signer, enclosed) = read_material(
        has_chains(&written.media_type),
        material.certificate,
        material.x509_certificate_chain,
        material.public_key,
    )?;
    let entries = material.tlog_entries.iter().map(read_entry);
    let tokens = timestamps.rfc3161_timestamps.iter();
    let tokens = tokens.map(|token| base64("timestamp", &token.signed_timestamp));
    let (content, signature) =
        read_content(written.dsse_envelope, written.message_signature, image)?;
    Ok(Item {
        carrier: artifact.manifest.as_str(),
        format: Format::Bundle,
        content,
        signature,
        material: signer,
        enclosed,
        entries: entries.collect::<Result<_, _>>()?,
        demands,
        tokens: tokens.collect::<Result<_, _>>()?,
        stamped: None,
    })
}

fn demands(media_type: &str) -> Result<Demands, Refusal> {
    match media_type {
        "application/vnd.dev.sigstore.bundle+json;version=0.1" => Ok(Demands::Promise),
        "application/vnd.dev.sigstore.bundle+json;version=0.2"
        | "application/vnd.dev.sigstore.bundle+json;version=0.3"
        | "application/vnd.dev.sigstore.bundle.v0.3+json" => Ok(Demands::Proof),
        other => Err(Refusal::MediaType(one_line(other))),
    }
}

/// Whether bundles of this version have chains; since 0.3 they have one certificate.
fn has_chains(media_type: &str) -> bool {
    media_type.ends_with(";version=0.1") || media_type.ends_with(";version=0.2")
}

fn read_content<'a>(
    envelope: Option<dsse::Written>,
    message: Option<MessageSignature>,
    image: [u8; 32],
) -> Result<(Content<'a>, Vec<u8>), Refusal> {
    match (envelope, message) {
        (Some(envelope), None) => {
            let envelope = Envelope::read(&envelope)?;
            let signature = envelope.signature.clone();
            Ok((Content::Envelope(envelope, None), signature))
        }
        (None, Some(message)) => {
            if let Some(digest) = message.message_digest {
                let bytes = base64("message digest", &digest.digest)?;
                if digest.algorithm != "SHA2_256" || bytes != image {
                    let other = format!("{}:{}", digest.algorithm, hex::encode(bytes));
                    return Err(Refusal::OtherSubject(one_line(&other)));
                }
            }
            let signature = base64("signature", &message.signature)?;
            Ok((Content::Manifest(image), signature))
        }
        _ => Err(Refusal::Missing("signed content, or two")),
    }
}

fn read_material(
    has_chains: bool,
    certificate: Option<RawBytes>,
    chain: Option<Chain>,
    key: Option<Hint>,
) -> Result<(Material, Enclosed<'static>), Refusal> {
    match (certificate, chain, key) {
        (Some(certificate), None, None) => {
            let leaf = base64("certificate", &certificate.raw_bytes)?;
            Ok((Material::Certificate(leaf), Enclosed::nothing()))
        }
        (None, Some(chain), None) => {
            // The leaf comes first; what it is issued by at last has to come from the trust root, or from the policy: a root in
            // a bundle is an attempt.
            if chain.certificates.len() > MAX_ENCLOSED + 1 {
                return Err(Refusal::TooMany {
                    what: "certificates beside the signer's",
                    limit: MAX_ENCLOSED,
                });
            }
            let certificates = chain.certificates.iter();
            let certificates = certificates.map(|c| base64("certificate", &c.raw_bytes));
            let mut certificates = certificates.collect::<Result<Vec<_>, _>>()?.into_iter();
            let leaf = certificates.next();
            let above: Vec<Vec<u8>> = certificates.collect();
            for certificate in &above {
                if is_root(certificate)? {
                    return Err(Refusal::RootEnclosed);
                }
            }
            let leaf = leaf.ok_or(Refusal::Missing("certificate"))?;
            let enclosed = if has_chains {
                Enclosed::Der(above)
            } else {
                Enclosed::Misplaced(above)
            };
            Ok((Material::Certificate(leaf), enclosed))
        }
        (None, None, Some(key)) => Ok((Material::Key(key.hint), Enclosed::nothing())),
        _ => Err(Refusal::Missing("certificate or key, or several")),
    }
}

/// Whether a certificate names itself as its issuer.
fn is_root(certificate: &[u8]) -> Result<bool, Refusal> {
    match bounded_der::read::<Certificate>(certificate, MAX_CERTIFICATE) {
        Ok(read) => Ok(read.tbs_certificate.issuer == read.tbs_certificate.subject),
        // It stands behind nothing.
        Err(DerError::Malformed(_)) => Ok(false),
        Err(DerError::Bound(bound)) => Err(Refusal::Certificate(bound.to_string())),
    }
}

fn read_entry(written: &WrittenEntry) -> Result<Entry, Refusal> {
    let time = match &written.integrated_time {
        None => None,
        Some(number) => Some(number.read()?).filter(|time| *time != 0),
    };
    let promise = written.inclusion_promise.as_ref();
    let promise = promise.map(|p| base64("signed entry timestamp", &p.signed_entry_timestamp));
    Ok(Entry {
        log_id: base64("log id", &written.log_id.key_id)?,
        index: written.log_index.read()?,
        kind: Some(format!(
            "{} {}",
            written.kind_version.kind, written.kind_version.version
        )),
        integrated_time: time,
        promise: promise.transpose()?,
        proof: written
            .inclusion_proof
            .as_ref()
            .map(read_proof)
            .transpose()?,
        body: base64("log entry's body", &written.canonicalized_body)?,
    })
}

fn read_proof(written: &WrittenProof) -> Result<Proof, Refusal> {
    let hash = |text: &String| {
        let bytes = base64("inclusion proof", text)?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|error| Refusal::malformed("inclusion proof", &error))
    };
    let checkpoint = written.checkpoint.as_ref();
    Ok(Proof {
        index: written.log_index.read()?,
        root: hash(&written.root_hash)?,
        size: written.tree_size.read()?,
        hashes: written.hashes.iter().map(hash).collect::<Result<_, _>>()?,
        checkpoint: checkpoint
            .map(|checkpoint| checkpoint.envelope.clone())
            .ok_or(Refusal::Missing("checkpoint"))?,
    })
}
