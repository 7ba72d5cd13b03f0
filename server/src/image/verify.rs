//! The one verifier: what was fetched about a digest becomes evidence, or a refusal with its reason.
//!
//! Each piece of evidence goes the same way, however it was stored: what it says is about this image; the signature belongs to what it
//! says; log entries are of exactly this signature, and promised or proven by a log of the trust root; timestamps are of this signature;
//! a certificate was valid at every time that these prove. It reads no clock, fetches nothing, and judges no policy.

mod body;
mod bundle;
mod certificate;
mod checkpoint;
mod dsse;
mod item;
mod legacy;
mod log_entry;
mod notary;
mod payload;
mod refusal;
mod sct;
mod signer;
mod statement;
mod timestamp;

use std::sync::Arc;

use regent_engine::image::evidence::{
    Format, RefusedEvidence, Resolution, VerifiedSignature, VerifiedStatement,
};
use regent_engine::image::predicate::{Envelope, KEPT, MAX_PREDICATE, Predicate, PredicateError};
use regent_engine::image::{Digest, Evidence, ImageReference, Projected, VerifiedImage};
use regent_engine::image::{HashAlgorithm, PublicKey};
use rustls_pki_types::pem::SectionKind;
use serde_json::Value;
use thiserror::Error;

use self::item::{Content, Item, Material};
use self::payload::Payload;
use self::signer::Trusted;
use self::statement::Statement;
use super::artifact::{Artifacts, LegacyArtifact, ManifestShape, NotaryArtifact};
use super::trust::{Hash, Key, KeyError, Moment, TrustRoot};

pub use self::refusal::Refusal;

/// sigstore-go's limits: no signer writes as many, and each costs a verification.
const MAX_ENTRIES: usize = 32;
const MAX_TIMESTAMPS: usize = 32;
/// Pieces of evidence of one image; at 0.5 to 1 ms each, verification stays below a second.
const MAX_ITEMS: usize = 512;
/// Signatures that are looked at for one image, at 0.1 to 0.2 ms: a piece has some seven, and no more than 512 pieces.
const MAX_SIGNATURES: usize = 4_096;

/// The predicate type by which cosign marks an image signature.
const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// Why nothing could be verified at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// A key that the policy names cannot be used.
    #[error("a public key of the policy cannot be used: {0}")]
    Key(KeyError),
    /// The certificate of a key that the policy names cannot be used.
    #[error("a certificate of the policy cannot be used: {0}")]
    Certificate(Refusal),
    /// A key that the policy names is to be used with a hash that is not supported.
    #[error("signatures with SHA-224 are not supported")]
    Hash,
}

/// A key that a policy names, parsed.
struct NamedKey {
    key: Key,
    hash: Hash,
    spki_sha256: String,
    /// In DER, where the key counts only while this is valid.
    certificate: Option<Vec<u8>>,
}

/// Verifies all that was fetched about `digest`.
///
/// The outcome has everything that verified, whoever signed it, and everything that did not, with the reason. It is an error only if
/// a policy's key cannot be used. `fetched_at` is the time in seconds since 1970, at which certificates of authorities that a policy
/// names must be valid where nothing proves when they were used.
pub fn verify(
    artifacts: &Artifacts,
    digest: &Digest,
    keys: &[PublicKey],
    root: &TrustRoot,
    fetched_at: u64,
) -> Result<Evidence, VerifyError> {
    let keys = keys
        .iter()
        .map(NamedKey::read)
        .collect::<Result<Vec<_>, _>>()?;
    let mut judge = Judge {
        digest,
        keys: &keys,
        root,
        left: MAX_ITEMS,
        signatures: MAX_SIGNATURES,
        kept: KEPT,
        evidence: Evidence {
            digest: digest.clone(),
            trust_root: root.id().to_owned(),
            signatures: Vec::new(),
            statements: Vec::new(),
            refused: Vec::new(),
            has_unread: artifacts.has_unread,
            fetched_at,
            projected: Projected::default(),
        },
    };
    let image = image_bytes(digest);
    for artifact in &artifacts.bundles {
        judge.judge(artifact.manifest.as_str(), Format::Bundle, || {
            bundle::read(artifact, image)
        });
    }
    judge.judge_legacy(&artifacts.signatures, legacy::read_signature);
    judge.judge_legacy(&artifacts.attestations, legacy::read_attestation);
    for artifact in &artifacts.notary {
        judge.judge_notary(artifact, artifacts.shape.as_ref());
    }
    for (carrier, reason) in &artifacts.skipped {
        judge.evidence.refused.push(RefusedEvidence {
            carrier: carrier.clone(),
            format: Format::Bundle,
            claims: String::new(),
            claimed_signer: String::new(),
            reason: refusal::one_line(reason),
        });
    }
    Ok(judge.evidence)
}

/// Whether a key that a policy names can be used; the reason where it cannot.
pub fn check_key(key: &PublicKey) -> Result<(), VerifyError> {
    NamedKey::read(key).map(|_| ())
}

/// States that `evidence` was verified for what `reference` resolved to; nothing where the reference names another digest.
pub fn verified_image(
    reference: ImageReference,
    evidence: Arc<Evidence>,
    resolution: Resolution,
) -> Option<VerifiedImage> {
    if reference
        .digest
        .as_ref()
        .is_some_and(|own| *own != evidence.digest)
    {
        return None;
    }
    // INVARIANT: the only caller. Evidence is made by `verify`, above, for exactly the digest that it carries.
    Some(VerifiedImage::assertion(reference, evidence, resolution))
}

impl NamedKey {
    fn read(named: &PublicKey) -> Result<Self, VerifyError> {
        let key = Key::from_pem(&named.pem).map_err(VerifyError::Key)?;
        let hash = match named.hash {
            HashAlgorithm::Sha224 => return Err(VerifyError::Hash),
            HashAlgorithm::Sha256 => Hash::Sha256,
            HashAlgorithm::Sha384 => Hash::Sha384,
            HashAlgorithm::Sha512 => Hash::Sha512,
        };
        let certificate = named.certificate.as_ref().map(|text| {
            item::pem("certificate", text.as_bytes(), SectionKind::Certificate)
                .map_err(VerifyError::Certificate)
        });
        Ok(Self {
            certificate: certificate.transpose()?,
            spki_sha256: hex::encode(key.spki_sha256()),
            key,
            hash,
        })
    }
}

/// The digest's 32 bytes.
fn image_bytes(digest: &Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    // INVARIANT: a `Digest` has 64 hexadecimal digits; if it had not, no evidence would be about it.
    match hex::decode_to_slice(digest.hex(), &mut bytes) {
        Ok(()) => bytes,
        Err(_) => [0; 32],
    }
}

struct Judge<'a> {
    digest: &'a Digest,
    keys: &'a [NamedKey],
    root: &'a TrustRoot,
    left: usize,
    /// How many more may be looked at.
    signatures: usize,
    /// How much of predicates is kept as it is read.
    kept: usize,
    evidence: Evidence,
}

impl Judge<'_> {
    fn judge_legacy<'i>(
        &mut self,
        artifacts: &'i [LegacyArtifact],
        read: impl Fn(&'i LegacyArtifact) -> Result<Item<'i>, Refusal>,
    ) {
        for artifact in artifacts {
            self.judge(artifact.layer.as_str(), Format::LegacyTag, || {
                read(artifact)
            });
        }
    }

    /// A signature of the Notary Project, of an image whose manifest has a shape.
    fn judge_notary(&mut self, artifact: &NotaryArtifact, shape: Option<&ManifestShape>) {
        let carrier = artifact.manifest.as_str();
        self.judge_with(carrier, Format::Notary, |judge, refused| {
            "signature".clone_into(&mut refused.claims);
            let shape = shape.ok_or(Refusal::Missing("manifest"))?;
            let by = (judge.root, Moment::at(judge.evidence.fetched_at));
            let claimed = &mut refused.claimed_signer;
            let signature = notary::verify(artifact, (judge.digest, shape), by, claimed)?;
            judge.evidence.signatures.push(signature);
            Ok(())
        });
    }

    fn judge<'i>(
        &mut self,
        carrier: &str,
        format: Format,
        read: impl FnOnce() -> Result<Item<'i>, Refusal>,
    ) {
        self.judge_with(carrier, format, |judge, refused| {
            read().and_then(|item| judge.accept(&item, refused))
        });
    }

    /// Takes a piece in, or notes why not.
    fn judge_with(
        &mut self,
        carrier: &str,
        format: Format,
        accept: impl FnOnce(&mut Self, &mut RefusedEvidence) -> Result<(), Refusal>,
    ) {
        let mut refused = RefusedEvidence {
            carrier: carrier.to_owned(),
            format,
            claims: String::new(),
            claimed_signer: String::new(),
            reason: String::new(),
        };
        let outcome = if self.left == 0 {
            Err(Refusal::TooMany {
                what: "pieces of evidence for one image",
                limit: MAX_ITEMS,
            })
        } else {
            self.left -= 1;
            accept(self, &mut refused)
        };
        if let Err(reason) = outcome {
            refused.reason = reason.to_string();
            self.evidence.refused.push(refused);
        }
    }

    /// Takes an item in, or says why not; what it claims is noted on the way.
    fn accept(&mut self, item: &Item<'_>, refused: &mut RefusedEvidence) -> Result<(), Refusal> {
        claims(&item.content).clone_into(&mut refused.claims);
        if let Material::Key(hint) = &item.material {
            refused.claimed_signer = match hint.as_str() {
                "" => "a key".to_owned(),
                hint => refusal::one_line(&format!("the key {hint}")),
            };
        }
        let signatures = item.signatures(self.keys.len());
        let left = self.signatures.checked_sub(signatures);
        self.signatures = left.ok_or(Refusal::TooMany {
            what: "signatures to look at for one image",
            limit: MAX_SIGNATURES,
        })?;
        let said = Said::read(&item.content, self.digest);
        if let (Content::Envelope(..), Err(Refusal::TooLarge { .. })) = (&item.content, &said) {
            self.evidence.has_unread = true;
        }
        let said = said?;
        let trusted = Trusted {
            keys: self.keys,
            root: self.root,
            now: Moment::at(self.evidence.fetched_at),
        };
        let verified = signer::verify(item, &trusted, &mut refused.claimed_signer)?;
        match said {
            Said::Signature {
                annotations,
                payload,
            } => self.evidence.signatures.push(VerifiedSignature {
                verified,
                annotations,
                payload,
            }),
            Said::Statement(statement, envelope) => {
                let predicate = self.predicate(&envelope)?;
                self.evidence.statements.push(VerifiedStatement {
                    verified,
                    statement_type: statement.kind,
                    predicate_type: statement.predicate_type,
                    predicate,
                    annotations: statement.annotations,
                    envelope: Some(envelope),
                });
            }
        }
        Ok(())
    }

    /// What a statement says, as far as it can be judged; one that cannot be is evidence all the same.
    fn predicate(&mut self, envelope: &Envelope) -> Result<Predicate, Refusal> {
        Predicate::of_statement(&envelope.payload, &mut self.kept).map_err(|error| match error {
            PredicateError::Malformed(error) => Refusal::malformed("statement", &error),
            PredicateError::TooLarge => {
                self.evidence.has_unread = true;
                Refusal::TooLarge {
                    what: "predicate",
                    limit: MAX_PREDICATE,
                }
            }
        })
    }
}

/// What an item says of the image.
enum Said {
    /// That somebody signed it.
    Signature { annotations: Value, payload: Value },
    /// A statement, and what it was signed in.
    Statement(Statement, Envelope),
}

impl Said {
    /// Reads the content; it must be about the image.
    fn read(content: &Content<'_>, digest: &Digest) -> Result<Self, Refusal> {
        match content {
            Content::Payload(bytes) => {
                let payload = Payload::read(bytes, digest.as_str())?;
                Ok(Self::Signature {
                    annotations: payload.optional,
                    payload: payload.whole,
                })
            }
            Content::Envelope(envelope, _) => {
                let statement = Statement::read(&envelope.payload, digest.hex())?;
                if statement.predicate_type == COSIGN_SIGN {
                    return Ok(Self::Signature {
                        annotations: statement.annotations,
                        payload: Value::Null,
                    });
                }
                Ok(Self::Statement(statement, envelope.kept()))
            }
            Content::Manifest(_) => Ok(Self::Signature {
                annotations: Value::Null,
                payload: Value::Null,
            }),
        }
    }
}

/// What an item claims to be, for messages.
fn claims(content: &Content<'_>) -> String {
    match content {
        Content::Payload(_) | Content::Manifest(_) => "signature".to_owned(),
        Content::Envelope(envelope, _) => match statement::claimed_type(&envelope.payload) {
            Some(kind) if kind == COSIGN_SIGN => "signature".to_owned(),
            Some(kind) => kind,
            None => String::new(),
        },
    }
}
