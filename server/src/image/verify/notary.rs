//! Signatures of the Notary Project: who signed an image's manifest, by a certificate whose chain the policy trusts.
//!
//! Both envelopes become one form, and are judged the same way and strictly: what is marked critical must be understood, the
//! algorithm must be the key's, the chain must be one for signing code and hold a certificate of the policy's trust store,
//! and what has an end must not have reached it. Revocation lists are not asked: nothing here asks anybody.

mod chain;
mod cose;
mod jws;

use regent_engine::image::Digest;
use regent_engine::image::evidence::{Format, Signer, Verification, VerifiedSignature};
use serde::Deserialize;
use serde_json::Value;

use super::certificate::Leaf;
use super::refusal::{Refusal, one_line};
use super::timestamp;
use crate::image::artifact::{ManifestShape, NotaryArtifact};
use crate::image::oci::essence;
use crate::image::trust::{Hash, Key, KeyKind, Moment, TrustRoot};

/// Media type of what is signed.
const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";
/// Names of the headers that this specification adds.
const SCHEME: &str = "io.cncf.notary.signingScheme";
const EXPIRY: &str = "io.cncf.notary.expiry";
const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";
/// Certificates of one chain.
const MAX_CHAIN: usize = 10;

/// An envelope, read and not yet believed.
#[derive(Debug)]
struct Envelope {
    /// What the signature covers.
    signed: Vec<u8>,
    signature: Vec<u8>,
    algorithm: Algorithm,
    /// In DER, the signer's first.
    chain: Vec<Vec<u8>>,
    payload: Vec<u8>,
    headers: Headers,
    /// An RFC 3161 token over the signature.
    token: Option<Vec<u8>>,
}

/// What the signature covers beside the payload.
#[derive(Debug, Default)]
struct Headers {
    content_type: String,
    scheme: String,
    /// Names that whoever reads it must understand.
    critical: Vec<String>,
    /// In seconds since 1970.
    expiry: Option<u64>,
    signing_time: Option<u64>,
    authentic_time: Option<u64>,
}

/// The algorithms that the specification has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

/// Who says when it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// Nobody but a timestamp.
    X509,
    /// The signer, who is an authority for it.
    SigningAuthority(u64),
}

/// Verifies one signature of an image whose manifest has `shape`.
///
/// `claimed` is set to the signer that the certificate names as soon as it can be read.
pub(super) fn verify(
    artifact: &NotaryArtifact,
    (digest, shape): (&Digest, &ManifestShape),
    (root, now): (&TrustRoot, Moment),
    claimed: &mut String,
) -> Result<VerifiedSignature, Refusal> {
    let envelope = match essence(&artifact.media_type) {
        jws::MEDIA_TYPE => jws::read(&artifact.bytes)?,
        cose::MEDIA_TYPE => cose::read(&artifact.bytes)?,
        other => return Err(Refusal::MediaType(one_line(other))),
    };
    let scheme = envelope.headers.check()?;
    let annotations = subject(&envelope.payload, digest, shape)?;
    let Some(der) = envelope.chain.first() else {
        return Err(Refusal::Missing("certificate"));
    };
    let leaf = Leaf::read(der)?;
    *claimed = leaf.named();
    envelope.algorithm.check(leaf.key())?;
    let hash = envelope.algorithm.hash();
    leaf.key()
        .verify_jose(hash, &envelope.signed, &envelope.signature)
        .map_err(|_bad| Refusal::Signature)?;
    if let Some(end) = envelope.headers.expiry.filter(|end| now.seconds > *end) {
        return Err(Refusal::SignatureExpired(end));
    }
    let tokens: Vec<Vec<u8>> = envelope.token.into_iter().collect();
    let stamps = timestamp::verify(&tokens, &envelope.signature, None, root)?;
    let times = match scheme {
        // Until an authority proves when it was signed, it was signed when it is looked at.
        Scheme::X509 if stamps.is_empty() => vec![now],
        Scheme::X509 => stamps.clone(),
        // A signer's own word narrows what counts, and never widens it.
        Scheme::SigningAuthority(said) => vec![Moment::at(said), now],
    };
    chain::check(&envelope.chain, &times, root.chains())?;
    let trusted = root.trust_store();
    if !envelope.chain.iter().any(|one| trusted.contains(one)) {
        return Err(Refusal::NotTrusted);
    }
    Ok(VerifiedSignature {
        verified: Verification {
            signer: Signer::Certificate(leaf.into_identity()),
            format: Format::Notary,
            carrier: artifact.manifest.to_string(),
            log_entries: Vec::new(),
            timestamps: stamps.iter().map(|moment| moment.seconds).collect(),
        },
        annotations,
        payload: serde_json::from_slice(&envelope.payload).unwrap_or(Value::Null),
    })
}

impl Headers {
    /// The scheme, where all that must be there is, and all that must be understood is.
    fn check(&self) -> Result<Scheme, Refusal> {
        let refused = |what: String| Err(Refusal::Malformed("signature envelope", what));
        if self.content_type != PAYLOAD {
            let found = one_line(&self.content_type);
            return refused(format!("its content type is `{found}`, not `{PAYLOAD}`"));
        }
        let known = [SCHEME, EXPIRY, AUTHENTIC_TIME];
        for (index, name) in self.critical.iter().enumerate() {
            let there = match name.as_str() {
                EXPIRY => self.expiry.is_some(),
                AUTHENTIC_TIME => self.authentic_time.is_some(),
                _ => true,
            };
            if !known.contains(&name.as_str()) || !there {
                let name = one_line(name);
                return refused(format!("the critical header `{name}` is not understood"));
            }
            if self
                .critical
                .iter()
                .skip(index + 1)
                .any(|other| other == name)
            {
                return refused(format!("the header `{name}` is critical twice"));
            }
        }
        let must = [
            (SCHEME, true),
            (EXPIRY, self.expiry.is_some()),
            (AUTHENTIC_TIME, self.authentic_time.is_some()),
        ];
        for (name, is_there) in must {
            if is_there && !self.critical.iter().any(|one| one == name) {
                return refused(format!("the header `{name}` is not marked as critical"));
            }
        }
        match (self.scheme.as_str(), self.signing_time, self.authentic_time) {
            ("notary.x509", _, None) => Ok(Scheme::X509),
            ("notary.x509.signingAuthority", None, Some(time)) => {
                Ok(Scheme::SigningAuthority(time))
            }
            ("notary.x509" | "notary.x509.signingAuthority", _, _) => {
                refused("it has not the signing time that belongs to its scheme".to_owned())
            }
            (other, _, _) => refused(format!(
                "its signing scheme `{}` is not known",
                one_line(other)
            )),
        }
    }
}

impl Algorithm {
    fn hash(self) -> Hash {
        match self {
            Self::Ps256 | Self::Es256 => Hash::Sha256,
            Self::Ps384 | Self::Es384 => Hash::Sha384,
            Self::Ps512 | Self::Es512 => Hash::Sha512,
        }
    }

    /// Whether it is the one that belongs to a key: there is one for each kind and size.
    fn check(self, key: &Key) -> Result<(), Refusal> {
        let wanted = match (key.kind(), key.rsa_bits()) {
            (KeyKind::P256, _) => Some(Self::Es256),
            (KeyKind::P384, _) => Some(Self::Es384),
            (KeyKind::P521, _) => Some(Self::Es512),
            (KeyKind::Rsa, Some(2048)) => Some(Self::Ps256),
            (KeyKind::Rsa, Some(3072)) => Some(Self::Ps384),
            (KeyKind::Rsa, Some(4096)) => Some(Self::Ps512),
            (KeyKind::Rsa | KeyKind::Ed25519, _) => None,
        };
        if wanted == Some(self) {
            return Ok(());
        }
        let what = "its algorithm is not the one that belongs to the certificate's key";
        Err(Refusal::Malformed("signature envelope", what.to_owned()))
    }
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "targetArtifact")]
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: Value,
}

/// The annotations of what was signed, which must be the image's manifest in all that describes it.
fn subject(payload: &[u8], digest: &Digest, shape: &ManifestShape) -> Result<Value, Refusal> {
    let payload: Payload =
        serde_json::from_slice(payload).map_err(|error| Refusal::malformed("payload", &error))?;
    let target = payload.target;
    if target.digest != digest.as_str() {
        return Err(Refusal::OtherSubject(one_line(&target.digest)));
    }
    if target.size != shape.size || target.media_type != shape.media_type {
        let of = format!("{} of {} bytes", one_line(&target.media_type), target.size);
        return Err(Refusal::OtherSubject(of));
    }
    Ok(target.annotations)
}
