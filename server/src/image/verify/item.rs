//! A piece of evidence in one form, however it was stored; nothing of it is believed yet.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regent_engine::image::evidence::Format;

use rustls_pki_types::pem::{PemObject, SectionKind};

use super::dsse::Envelope;
use super::refusal::Refusal;
use crate::image::bounded_der::{self, MAX_CERTIFICATE};
use crate::image::trust::{Message, pem_block};

/// A piece of evidence.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Digest of the manifest or layer.
    pub(super) carrier: &'a str,
    /// How it was stored.
    pub(super) format: Format,
    /// What was signed.
    pub(super) content: Content<'a>,
    /// The signature.
    pub(super) signature: Vec<u8>,
    /// Who claims to have signed.
    pub(super) material: Material,
    /// Certificates that came along with the signer's.
    pub(super) enclosed: Enclosed<'a>,
    /// Entries of transparency logs.
    pub(super) entries: Vec<Entry>,
    /// What the format demands of each entry.
    pub(super) demands: Demands,
    /// RFC 3161 tokens.
    pub(super) tokens: Vec<Vec<u8>>,
    /// Bytes that a token may cover instead of the signature: cosign 2 stamped the envelope of a legacy attestation.
    pub(super) stamped: Option<&'a [u8]>,
}

/// What was signed.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// A simple-signing payload.
    Payload(&'a [u8]),
    /// A DSSE envelope, and its own bytes where they are known.
    Envelope(Envelope, Option<&'a [u8]>),
    /// The image's manifest itself, of which only the digest is at hand.
    Manifest([u8; 32]),
}

impl Item<'_> {
    /// How many signatures may have to be looked at for it, with so many keys of a policy.
    pub(super) fn signatures(&self, keys: usize) -> usize {
        let own = match &self.material {
            // Its own, and those of the certificates above it and of the log of certificates.
            Material::Certificate(_) => 4,
            // Each key with two hashes.
            Material::Key(_) => 2 * keys,
        };
        // Promise, proof and time of an entry; token and certificates of a timestamp.
        own + 3 * (self.entries.len() + self.tokens.len())
    }
}

impl Content<'_> {
    /// The message that the signature covers, computed into `space` where it is not at hand.
    pub(super) fn message<'s>(&'s self, space: &'s mut Vec<u8>) -> Message<'s> {
        match self {
            Self::Payload(bytes) => Message::Bytes(bytes),
            Self::Envelope(envelope, _) => {
                *space = envelope.signed_bytes();
                Message::Bytes(space)
            }
            Self::Manifest(digest) => Message::Sha256(digest),
        }
    }
}

/// Who claims to have signed.
#[derive(Debug)]
pub(super) enum Material {
    /// A certificate in DER.
    Certificate(Vec<u8>),
    /// A key that is not enclosed, with the hint that is; not authenticated.
    Key(String),
}

/// Certificates that evidence brings along, decoded only where they count: under authorities that a policy names.
#[derive(Debug)]
pub(super) enum Enclosed<'a> {
    /// As PEM.
    Pem(&'a str),
    /// In DER.
    Der(Vec<Vec<u8>>),
    /// In DER, where the format has no place for them: cosign writes them all the same for authorities that are not Sigstore's.
    Misplaced(Vec<Vec<u8>>),
}

/// As many as cosign takes.
pub(super) const MAX_ENCLOSED: usize = 10;

impl Enclosed<'_> {
    /// None.
    pub(super) const fn nothing() -> Self {
        Self::Der(Vec::new())
    }

    /// The certificates in DER.
    pub(super) fn certificates(&self) -> Result<Vec<Vec<u8>>, Refusal> {
        let certificates = match self {
            Self::Der(certificates) | Self::Misplaced(certificates) => certificates.clone(),
            Self::Pem(text) => {
                let blocks = <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes());
                let blocks: Result<Vec<_>, _> = blocks.take(MAX_ENCLOSED + 1).collect();
                let blocks = blocks.map_err(|error| Refusal::malformed("chain", &error))?;
                let certificates = blocks.into_iter();
                certificates
                    .filter(|(kind, _)| *kind == SectionKind::Certificate)
                    .map(|(_, der)| der)
                    .collect()
            }
        };
        if certificates.len() > MAX_ENCLOSED {
            return Err(Refusal::TooMany {
                what: "certificates beside the signer's",
                limit: MAX_ENCLOSED,
            });
        }
        for certificate in &certificates {
            bounded_der::check(certificate, MAX_CERTIFICATE)
                .map_err(|bound| Refusal::malformed("chain", &bound))?;
        }
        Ok(certificates)
    }
}

/// What a format demands of each log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demands {
    /// A signed entry timestamp: legacy tags, bundles 0.1.
    Promise,
    /// An inclusion proof: bundles since 0.2.
    Proof,
}

/// An entry of a transparency log.
#[derive(Debug)]
pub(super) struct Entry {
    /// The log's id.
    pub(super) log_id: Vec<u8>,
    /// Index in the log.
    pub(super) index: u64,
    /// Kind and version, where the entry says so beside its body.
    pub(super) kind: Option<String>,
    /// Time of integration.
    pub(super) integrated_time: Option<u64>,
    /// Signed entry timestamp.
    pub(super) promise: Option<Vec<u8>>,
    /// Inclusion proof.
    pub(super) proof: Option<Proof>,
    /// The logged body.
    pub(super) body: Vec<u8>,
}

/// An inclusion proof with its checkpoint.
#[derive(Debug)]
pub(super) struct Proof {
    /// Index in the tree.
    pub(super) index: u64,
    /// Root of the tree.
    pub(super) root: [u8; 32],
    /// Size of the tree.
    pub(super) size: u64,
    /// The path.
    pub(super) hashes: Vec<[u8; 32]>,
    /// The signed tree head.
    pub(super) checkpoint: String,
}

/// Decodes standard base64.
pub(super) fn base64(what: &'static str, text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD
        .decode(text)
        .map_err(|error| Refusal::malformed(what, &error))
}

/// Takes the bytes of one PEM block of a kind.
pub(super) fn pem(what: &'static str, text: &[u8], kind: SectionKind) -> Result<Vec<u8>, Refusal> {
    match pem_block(text) {
        Some((found, bytes)) if found == kind => Ok(bytes),
        _ => Err(Refusal::Malformed(
            what,
            "exactly one PEM block of it is expected".to_owned(),
        )),
    }
}
