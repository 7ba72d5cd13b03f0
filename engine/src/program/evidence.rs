//! Where the evidence of an image comes from, and by whom it may be signed.

use crate::ast::verify_images::{
    self as ast, Attestor, AttestorIdentity, EvidenceType, KeyPlace, SignatureHash, VerifyImages,
};
use crate::image::{HashAlgorithm, PolicyTrust, PublicKey};

/// Statements that are judged by the conditions of one attestation.
#[derive(Debug, Clone)]
pub struct View {
    /// The attestation's index.
    pub attestation: usize,
    /// Which sources its statements come from.
    pub sources: Vec<usize>,
}

/// Where evidence comes from, and by whose keys it may be signed.
#[derive(Debug, Clone, Default)]
pub struct EvidenceSource {
    /// `repository`, where it is not the image's.
    pub repository: Option<String>,
    /// `rekor.url`, which names the trust root.
    pub rekor_url: Option<String>,
    /// Secrets that show registries who asks, as `NAME` or `NAMESPACE/NAME`: the same for all sources of an entry.
    pub pull_secrets: Vec<String>,
    /// Keys that the policy names.
    pub keys: Vec<PublicKey>,
    /// Keys that are asked for, by their index in [`super::ImageEntry::remote_keys`].
    pub remote_keys: Vec<usize>,
    /// Whom the policy trusts instead of parts of the trust root.
    pub trust: PolicyTrust,
}

impl EvidenceSource {
    /// Where the evidence of an attestor comes from, without keys.
    pub fn of(entry: &VerifyImages, attestor: &Attestor) -> Self {
        let repository = attestor.repository.as_ref().or(entry.repository.as_ref());
        let (authorities, certified) = match &attestor.identity {
            AttestorIdentity::Keyless(keyless) => (keyless.roots.clone(), true),
            AttestorIdentity::Certificates(one) => (one.authorities.clone(), one.key.is_none()),
            AttestorIdentity::Key(_)
            | AttestorIdentity::RemoteKey(_)
            | AttestorIdentity::Nested(_) => (None, false),
        };
        let certificate_logs = attestor.ctlog.public_keys.clone();
        let is_notary =
            matches!(&entry.evidence_type, Some(one) if one.value == EvidenceType::Notary);
        let (authorities, trust_store) = if is_notary {
            (None, authorities)
        } else {
            (authorities, None)
        };
        Self {
            repository: repository.map(|text| text.value.clone()),
            rekor_url: attestor.rekor.url.as_ref().map(|text| text.value.clone()),
            pull_secrets: entry.pull_secrets.clone(),
            keys: Vec::new(),
            remote_keys: Vec::new(),
            trust: PolicyTrust {
                authorities,
                certificate_logs: certificate_logs.filter(|_| certified),
                logs: attestor
                    .rekor
                    .public_key
                    .as_ref()
                    .map(|key| key.pem.clone()),
                timestamp_authority: attestor.ctlog.timestamp_chain.clone(),
                trust_store,
            },
        }
    }

    /// Whether both stand for the same evidence, whoever signed it.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.repository == other.repository
            && self.rekor_url == other.rekor_url
            && self.trust == other.trust
    }

    /// Adds a key, once.
    pub fn add_key(&mut self, key: &ast::PublicKey) {
        let key = PublicKey {
            pem: key.pem.clone(),
            spki_sha256: key.spki_sha256.clone(),
            hash: hash_algorithm(key.hash),
            certificate: key.certificate.clone(),
        };
        if !self.keys.contains(&key) {
            self.keys.push(key);
            self.keys.sort();
        }
    }
}

fn hash_algorithm(hash: SignatureHash) -> HashAlgorithm {
    match hash {
        SignatureHash::Sha224 => HashAlgorithm::Sha224,
        SignatureHash::Sha256 => HashAlgorithm::Sha256,
        SignatureHash::Sha384 => HashAlgorithm::Sha384,
        SignatureHash::Sha512 => HashAlgorithm::Sha512,
    }
}

/// A key that is asked for when an image is verified: `input.keys` has them in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteKey {
    /// Where it lies.
    pub place: KeyPlace,
    /// Hash of the signature scheme.
    pub hash: HashAlgorithm,
}

impl RemoteKey {
    /// Of what was written.
    pub fn of(written: &ast::RemoteKey) -> Self {
        Self {
            place: written.place.clone(),
            hash: hash_algorithm(written.hash),
        }
    }
}
