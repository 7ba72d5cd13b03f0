//! What an evaluation asks of its host, and what the host answers.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::image::{ImageReference, VerifiedImage};

/// Names a need within one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NeedId(pub usize);

/// Something from outside of the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    /// The labels of a namespace.
    NamespaceLabels {
        /// Its name.
        namespace: String,
    },
    /// The verified evidence of an image.
    Image(ImageNeed),
}

/// Asks for the verified evidence of one image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageNeed {
    /// The image; resolved by the host where it has no digest.
    pub image: ImageReference,
    /// Where evidence lies, as `registry/path`; beside the image where none is given.
    pub repository: Option<String>,
    /// URL of a log: the trust root that has a log with that URL is the one to verify under; the host's default where none is given.
    pub rekor_url: Option<String>,
    /// Keys that a policy names; what they signed is evidence too.
    pub keys: Vec<PublicKey>,
}

/// A public key that a policy names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey {
    /// The key as PEM, `BEGIN PUBLIC KEY`; one key.
    pub pem: String,
    /// SHA-256 of the SubjectPublicKeyInfo in DER, in hexadecimal.
    pub spki_sha256: String,
    /// Hash of the signature scheme.
    pub hash: HashAlgorithm,
}

/// Hash of a signature scheme, `signatureAlgorithm` in Kyverno's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-224.
    Sha224,
    /// SHA-256, the default.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// An answer.
#[derive(Debug, Clone)]
pub enum Fact {
    /// To [`Need::NamespaceLabels`].
    NamespaceLabels(Result<BTreeMap<String, String>, FactError>),
    /// To [`Need::Image`].
    Image(Result<VerifiedImage, FactError>),
}

/// Why there is no answer; each becomes `RuleStatus::Error`, with the message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactError {
    /// The host has no such source, or it could not be reached; trying again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// The deadline of the request came first.
    #[error("{0}")]
    Timeout(String),
    /// What was asked for does not exist: an unknown image, an unknown namespace.
    #[error("{0}")]
    NotFound(String),
    /// What came back is malformed, too large, or not what its digest says.
    #[error("{0}")]
    Malformed(String),
    /// Access was refused.
    #[error("{0}")]
    Unauthorized(String),
}
