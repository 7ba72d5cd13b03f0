//! Keys that policies name.

/// A public key that a policy names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey {
    /// The key as PEM, `BEGIN PUBLIC KEY`; one key.
    pub pem: String,
    /// SHA-256 of the SubjectPublicKeyInfo in DER, in hexadecimal.
    pub spki_sha256: String,
    /// Hash of the signature scheme.
    pub hash: HashAlgorithm,
    /// The certificate of the key as PEM, where the key counts only while that is valid under the authorities that the
    /// policy names.
    pub certificate: Option<String>,
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
