//! Public keys of logs, certificates and policies: one type for every algorithm that Sigstore's signers use.
//!
//! Knows nothing of what is signed, nor of when a key may be used.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Sequence};
use rustls_pki_types::pem::{self, SectionKind};
use thiserror::Error;
use x509_cert::spki::SubjectPublicKeyInfoRef;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Hash of a signature scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The hash of `data`.
    pub fn digest(self, data: &[u8]) -> Digest {
        digest::digest(self.algorithm(), data)
    }

    /// Hash by any of the names in use: Rekor's `sha256`, Sigstore's `SHA2_256`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" | "SHA2_256" => Some(Self::Sha256),
            "sha384" | "SHA2_384" => Some(Self::Sha384),
            "sha512" | "SHA2_512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    bytes
}

/// Family and size of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// RSA, 2048 to 8192 bits.
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// Why bytes are no key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// No PEM block of a public key.
    #[error("the key is not one PEM block `PUBLIC KEY`")]
    Pem,
    /// The DER does not parse.
    #[error("the key is not a SubjectPublicKeyInfo in DER")]
    Malformed,
    /// An algorithm or curve that is not supported.
    #[error("keys of the algorithm {0} are not supported")]
    Algorithm(String),
    /// The numbers are not a valid key.
    #[error("the key's numbers are not a valid key of its algorithm")]
    Numbers,
}

/// A signature does not belong to the key and the data, or the scheme is not supported for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// What is signed: bytes, or their digest where only that is known.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// The bytes.
    Bytes(&'a [u8]),
    /// Their SHA-256 digest.
    Sha256(&'a [u8; 32]),
}

/// A public key, parsed once.
#[derive(Debug, Clone)]
pub struct Key {
    kind: KeyKind,
    bits: Vec<u8>,
    parsed: ParsedPublicKey,
    spki: Vec<u8>,
    spki_sha256: [u8; 32],
}

#[derive(Sequence)]
struct RsaNumbers<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl Key {
    /// Reads a SubjectPublicKeyInfo in DER.
    pub fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::try_from(spki).map_err(malformed)?;
        let bits = info
            .subject_public_key
            .as_bytes()
            .ok_or(KeyError::Malformed)?;
        let kind = match info.algorithm.oid {
            EC => match info.algorithm.parameters_oid().map_err(malformed)? {
                P256 => KeyKind::P256,
                P384 => KeyKind::P384,
                P521 => KeyKind::P521,
                other => return Err(KeyError::Algorithm(format!("EC on curve {other}"))),
            },
            RSA => KeyKind::Rsa,
            ED25519 => KeyKind::Ed25519,
            other => return Err(KeyError::Algorithm(other.to_string())),
        };
        Self::from_bits(kind, bits, spki)
    }

    /// Reads a key as trust roots have it: SubjectPublicKeyInfo, or for RSA also the bare numbers of PKCS #1.
    pub fn from_trust_root(bytes: &[u8]) -> Result<Self, KeyError> {
        match Self::from_spki(bytes) {
            Err(KeyError::Malformed) if RsaNumbers::from_der(bytes).is_ok() => {
                Self::from_bits(KeyKind::Rsa, bytes, bytes)
            }
            other => other,
        }
    }

    /// Reads one PEM block `PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        match pem_block(pem.as_bytes()) {
            Some((SectionKind::PublicKey, bytes)) => Self::from_spki(&bytes),
            _ => Err(KeyError::Pem),
        }
    }

    fn from_bits(kind: KeyKind, bits: &[u8], spki: &[u8]) -> Result<Self, KeyError> {
        let uncompressed = |length: usize| bits.len() == length && bits.first() == Some(&4);
        let sound = match kind {
            KeyKind::P256 => uncompressed(65),
            KeyKind::P384 => uncompressed(97),
            KeyKind::P521 => uncompressed(133),
            KeyKind::Rsa => rsa_is_sound(bits),
            KeyKind::Ed25519 => bits.len() == 32,
        };
        if !sound {
            return Err(KeyError::Numbers);
        }
        let algorithm = algorithm(kind, natural(kind), Padding::Pkcs1);
        let parsed = ParsedPublicKey::new(algorithm, bits).map_err(no_numbers)?;
        Ok(Self {
            kind,
            bits: bits.to_vec(),
            parsed,
            spki: spki.to_vec(),
            spki_sha256: sha256(spki),
        })
    }

    /// Family and size.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key as it was read, in DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the key as it was read.
    pub fn spki_sha256(&self) -> &[u8; 32] {
        &self.spki_sha256
    }

    /// The public key's own bits: a point, 32 bytes of Ed25519, RSA's numbers.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The hash that signers use with a key of this kind when nobody says otherwise.
    pub fn natural_hash(&self) -> Hash {
        natural(self.kind)
    }

    /// Verifies a signature whose scheme is settled: the given hash, PKCS #1 padding for RSA.
    pub fn verify(&self, hash: Hash, data: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.verify_padded(hash, Padding::Pkcs1, Message::Bytes(data), signature)
    }

    /// Verifies a signature of a signer who may have used the key's usual hash or another of `hashes`, RSA with either padding.
    pub fn verify_any(
        &self,
        hashes: &[Hash],
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let natural = self.natural_hash();
        let others = hashes.iter().copied().filter(|hash| *hash != natural);
        let schemes = std::iter::once(natural).chain(others);
        let holds = |hash, padding| {
            self.verify_padded(hash, padding, message, signature)
                .is_ok()
        };
        let verified = match self.kind {
            KeyKind::Ed25519 => holds(natural, Padding::Pkcs1),
            KeyKind::Rsa => schemes
                .into_iter()
                .any(|hash| holds(hash, Padding::Pkcs1) || holds(hash, Padding::Pss)),
            _ => schemes.into_iter().any(|hash| holds(hash, Padding::Pkcs1)),
        };
        if verified { Ok(()) } else { Err(BadSignature) }
    }

    /// The bits of an RSA key's modulus.
    pub fn rsa_bits(&self) -> Option<usize> {
        let is_rsa = self.kind == KeyKind::Rsa;
        let numbers = is_rsa.then(|| RsaNumbers::from_der(&self.bits).ok())??;
        Some(numbers.modulus.as_bytes().len() * 8)
    }

    /// Verifies a signature as JWS and COSE have it: ECDSA as two numbers of the curve's length, by the hash of the curve;
    /// RSA with PSS padding.
    pub fn verify_jose(
        &self,
        hash: Hash,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.kind, hash) {
            (KeyKind::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_FIXED,
            (KeyKind::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_FIXED,
            (KeyKind::P521, Hash::Sha512) => &signature::ECDSA_P521_SHA512_FIXED,
            (KeyKind::Rsa, hash) => rsa(hash, Padding::Pss),
            _ => return Err(BadSignature),
        };
        UnparsedPublicKey::new(algorithm, self.bits.as_slice())
            .verify(data, signature)
            .map_err(bad_signature)
    }

    fn verify_padded(
        &self,
        hash: Hash,
        padding: Padding,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let settled = hash == natural(self.kind) && padding == Padding::Pkcs1;
        let unparsed =
            || UnparsedPublicKey::new(algorithm(self.kind, hash, padding), self.bits.as_slice());
        let outcome = match message {
            Message::Bytes(data) if settled => self.parsed.verify_sig(data, signature),
            Message::Bytes(data) => unparsed().verify(data, signature),
            Message::Sha256(bytes) => {
                if hash != Hash::Sha256 || self.kind == KeyKind::Ed25519 {
                    return Err(BadSignature);
                }
                let digest =
                    Digest::import_less_safe(bytes, &digest::SHA256).map_err(bad_signature)?;
                unparsed().verify_digest(&digest, signature)
            }
        };
        outcome.map_err(bad_signature)
    }

    /// Whether `other` is the same key, in the encoding of this one.
    pub fn is_spki(&self, other: &[u8]) -> bool {
        self.spki == other
    }
}

/// The one PEM block of `text`, its lines of any length; nothing where there is none, or more than one.
pub(crate) fn pem_block(mut text: &[u8]) -> Option<(SectionKind, Vec<u8>)> {
    let block = pem::from_buf(&mut text).ok()??;
    matches!(pem::from_buf(&mut text), Ok(None)).then_some(block)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    Pkcs1,
    Pss,
}

// The libraries' errors say no more than that it failed.
fn malformed<E>(_: E) -> KeyError {
    KeyError::Malformed
}

fn no_numbers<E>(_: E) -> KeyError {
    KeyError::Numbers
}

fn bad_signature<E>(_: E) -> BadSignature {
    BadSignature
}

fn natural(kind: KeyKind) -> Hash {
    match kind {
        KeyKind::P384 => Hash::Sha384,
        KeyKind::P521 => Hash::Sha512,
        KeyKind::P256 | KeyKind::Rsa | KeyKind::Ed25519 => Hash::Sha256,
    }
}

fn rsa_is_sound(bits: &[u8]) -> bool {
    let Ok(numbers) = RsaNumbers::from_der(bits) else {
        return false;
    };
    let length = numbers.modulus.as_bytes().len();
    (256..=1024).contains(&length) && numbers.exponent.as_bytes().len() <= 8
}

fn algorithm(kind: KeyKind, hash: Hash, padding: Padding) -> &'static dyn VerificationAlgorithm {
    match (kind, hash) {
        (KeyKind::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyKind::P256, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyKind::P256, Hash::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
        (KeyKind::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyKind::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        (KeyKind::P384, Hash::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
        (KeyKind::P521, Hash::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
        (KeyKind::P521, Hash::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
        (KeyKind::P521, Hash::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
        (KeyKind::Ed25519, _) => &signature::ED25519,
        (KeyKind::Rsa, hash) => rsa(hash, padding),
    }
}

fn rsa(hash: Hash, padding: Padding) -> &'static dyn VerificationAlgorithm {
    match (padding, hash) {
        (Padding::Pkcs1, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (Padding::Pkcs1, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (Padding::Pkcs1, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (Padding::Pss, Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        (Padding::Pss, Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        (Padding::Pss, Hash::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
    }
}

#[cfg(test)]
mod tests;
