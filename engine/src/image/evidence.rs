//! What was verified about a digest: who signed which statements, and what proves when.
//!
//! Evidence is facts, never a verdict: identities, counts, log requirements and conditions are judged by each rule on
//! each request. That is why it can be cached by digest.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::predicate::{Envelope, Predicate};
use super::reference::{Digest, ImageReference};
use crate::rego::evaluate::Document;
use crate::weight;

/// All that was found about one digest and verified, and what was found and refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The image's digest; every signature and statement here is about it.
    pub digest: Digest,
    /// Identifies the trust root that it was verified under.
    pub trust_root: String,
    /// Image signatures: simple-signing payloads, and `https://sigstore.dev/cosign/sign/v1` statements.
    pub signatures: Vec<VerifiedSignature>,
    /// Attested in-toto statements, other than signatures.
    pub statements: Vec<VerifiedStatement>,
    /// What lay beside the image and did not verify; for messages only.
    pub refused: Vec<RefusedEvidence>,
    /// Whether something that may hold a statement lies beside the image and was too large to be read, so that `statements`
    /// may not be all of them.
    pub has_unread: bool,
    /// When the evidence was fetched, in seconds since 1970.
    pub fetched_at: u64,
    /// The same as programs see it; evaluation makes it once for all requests.
    pub projected: Projected,
}

impl Evidence {
    /// The bytes that it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        /// A signer with its certificate's extensions, log entries and times, once as it was verified and once as programs
        /// see it.
        const SIGNATURE: usize = 8 << 10;
        let signatures = self.signatures.iter();
        let signatures = signatures
            .map(|one| SIGNATURE + 2 * weight::of(&one.annotations) + weight::of(&one.payload));
        let statements = self.statements.iter().map(|one| {
            let envelope = one.envelope.as_ref().map_or(0, Envelope::weight);
            let annotations = 2 * weight::of(&one.annotations);
            SIGNATURE + one.predicate.weight() + annotations + envelope
        });
        signatures.chain(statements).sum::<usize>() + self.refused.len() * SIGNATURE
    }
}

/// Evidence as programs see it, once it was asked for. It says nothing more, so that all are equal.
#[derive(Clone, Default)]
pub struct Projected(OnceLock<Document>);

impl Projected {
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> Document) -> Document {
        self.0.get_or_init(make).clone()
    }
}

impl PartialEq for Projected {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Projected {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Projected")
    }
}

/// A signature over the image's digest.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedSignature {
    /// Who signed, and how it is known when.
    pub verified: Verification,
    /// What `annotations` of an attestor are compared with: `optional` of a simple-signing payload, or the annotations of the
    /// statement's subject; null where there are none.
    pub annotations: Value,
    /// The simple-signing payload, for `verify -o json`; null for a statement.
    pub payload: Value,
}

/// An in-toto statement whose subject is the image's digest.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedStatement {
    /// Who signed, and how it is known when.
    pub verified: Verification,
    /// `_type` of the statement, `https://in-toto.io/Statement/v0.1` or `/v1`.
    pub statement_type: String,
    /// `predicateType` of the statement itself, never of an annotation.
    pub predicate_type: String,
    /// The predicate.
    pub predicate: Predicate,
    /// Annotations of the statement's subject that is the image; null where there are none.
    pub annotations: Value,
    /// The DSSE envelope that it was signed in, for `verify -o json`.
    pub envelope: Option<Envelope>,
}

/// Who signed, and all that was proven about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// Who signed.
    pub signer: Signer,
    /// How the evidence was stored.
    pub format: Format,
    /// Digest of the manifest (bundle) or layer (legacy tag) that carried it.
    pub carrier: String,
    /// Verified entries of transparency logs, at most one for each log.
    pub log_entries: Vec<LogEntry>,
    /// Verified RFC 3161 timestamps, in seconds since 1970.
    pub timestamps: Vec<u64>,
}

impl Verification {
    /// The earliest moment at which it is proven to have been there, in seconds since 1970.
    pub fn time(&self) -> Option<u64> {
        let logged = self
            .log_entries
            .iter()
            .filter_map(|log| log.integrated_time);
        logged.chain(self.timestamps.iter().copied()).min()
    }

    /// When it was signed, as far as nobody but the signer can have that look later: where a certificate is valid for a
    /// short time only, the beginning of that time. Whoever has a signature may log or stamp it again, and what another
    /// signer wrote is proven only since then; so of keys and of certificates that last nothing is known.
    pub fn signed_at(&self) -> Option<u64> {
        match &self.signer {
            Signer::Certificate(certificate) => {
                let (start, end) = certificate.validity;
                (end.saturating_sub(start) <= SHORT).then_some(start)
            }
            Signer::Key { .. } => None,
        }
    }
}

/// The longest that certificates for one signature are valid, in seconds: Fulcio's are for ten minutes.
const SHORT: u64 = 3600;

/// How evidence is stored in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A Sigstore bundle, found by the referrers API or its fallback tag.
    Bundle,
    /// cosign's `.sig` or `.att` tag.
    LegacyTag,
    /// A signature of the Notary Project, found by referrers.
    Notary,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq)]
pub enum Signer {
    /// A short-lived certificate of a certificate authority of the trust root, valid at a proven time.
    Certificate(CertificateIdentity),
    /// The holder of a key that a policy names.
    Key {
        /// SHA-256 of the key's SubjectPublicKeyInfo in hexadecimal, as in [`super::PublicKey`].
        spki_sha256: String,
    },
}

/// What a certificate says of its holder.
#[derive(Debug, Clone, PartialEq)]
pub struct CertificateIdentity {
    /// OpenID Connect issuer: extension 1.3.6.1.4.1.57264.1.8, else .1.1.
    pub issuer: String,
    /// Subject alternative names: URIs, e-mail addresses, and Fulcio's other names, as text.
    pub subjects: Vec<String>,
    /// Fulcio's extensions by dotted object identifier, as text.
    pub extensions: BTreeMap<String, String>,
    /// Whether an embedded signed certificate timestamp of a certificate log of the trust root was verified.
    pub sct_verified: bool,
    /// The start and end of validity in seconds since 1970.
    pub validity: (u64, u64),
}

/// A verified entry of a transparency log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The log's id in hexadecimal.
    pub log_id: String,
    /// The log's `baseUrl` in the trust root.
    pub log_url: String,
    /// SHA-256 of the log's key (SubjectPublicKeyInfo) in hexadecimal, which `rekor.pubkey` is compared with.
    pub log_key: String,
    /// Kind and version, as in `hashedrekord 0.0.1`.
    pub kind: String,
    /// Index in the log.
    pub log_index: u64,
    /// Time of integration in seconds since 1970; none for Rekor v2, which does not state one.
    pub integrated_time: Option<u64>,
    /// Whether an inclusion proof and its checkpoint were verified.
    pub inclusion_proof: bool,
    /// Whether a signed entry timestamp was verified.
    pub promise: bool,
}

/// Something that lay beside the image and did not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEvidence {
    /// Digest of the manifest or layer.
    pub carrier: String,
    /// How it was stored.
    pub format: Format,
    /// What it claims to be, where that could be read: `signature`, or a predicate type.
    pub claims: String,
    /// Who claims to have signed it, where that could be read; not proven.
    pub claimed_signer: String,
    /// Why it was refused, one line.
    pub reason: String,
}

/// An image whose evidence was fetched by digest and verified.
///
/// Only this can be patched into a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedImage {
    reference: ImageReference,
    evidence: Arc<Evidence>,
    resolution: Resolution,
}

/// Where the digest of a reference came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The reference itself names it.
    Reference,
    /// The registry was asked during this request, or as long ago as the operator lets its answer be taken again.
    Registry,
    /// The registry could not be reached; it said so this many seconds ago.
    Remembered {
        /// Age of the answer in seconds.
        age: u64,
    },
}

impl VerifiedImage {
    /// States that `evidence` was verified for the digest that `reference` stands for.
    // INVARIANT: `regent_server::image::verify` is the only caller outside of tests; it checked signatures over the digest.
    pub fn assertion(
        reference: ImageReference,
        evidence: Arc<Evidence>,
        resolution: Resolution,
    ) -> Self {
        Self {
            reference,
            evidence,
            resolution,
        }
    }

    /// The reference as the object has it.
    pub fn reference(&self) -> &ImageReference {
        &self.reference
    }

    /// The digest that was verified.
    pub fn digest(&self) -> &Digest {
        &self.evidence.digest
    }

    /// What was verified.
    pub fn evidence(&self) -> &Arc<Evidence> {
        &self.evidence
    }

    /// Where the digest came from.
    pub fn resolution(&self) -> Resolution {
        self.resolution
    }
}
