//! A trust root in which a policy's own authorities and keys stand for some of the parts.

use regent_engine::image::PolicyTrust;
use rustls_pki_types::pem::{PemObject, SectionKind};

use super::key::{Key, sha256};
use super::{
    CertificateAuthority, Chains, Log, TimestampAuthority, TrustRoot, TrustRootError, authority,
};

/// Keys that a policy may name for one kind of log.
const MAX_KEYS: usize = 16;

impl TrustRoot {
    /// This trust root with the parts that a policy names in place of its own; evidence under it has an id of its own.
    pub fn with_policy(&self, policy: &PolicyTrust) -> Result<Self, TrustRootError> {
        let mut root = self.clone();
        // What was verified under others says nothing of these.
        root.chains = Chains::default();
        let bad = |part| move |reason| TrustRootError::Policy { part, reason };
        if let Some(pem) = &policy.authorities {
            let authority = CertificateAuthority::of_policy(pem).map_err(bad("roots"))?;
            root.certificate_authorities = vec![authority];
        }
        if let Some(pem) = &policy.certificate_logs {
            let part = "ctlog.pubkey";
            root.certificate_logs = logs(pem, part, &self.certificate_logs).map_err(bad(part))?;
        }
        if let Some(pem) = &policy.logs {
            let part = "rekor.pubkey";
            root.logs = logs(pem, part, &self.logs).map_err(bad(part))?;
        }
        if let Some(pem) = &policy.timestamp_authority {
            let authority = TimestampAuthority::of_policy(pem).map_err(bad("tsaCertChain"))?;
            root.timestamp_authorities = vec![authority];
        }
        if let Some(pem) = &policy.trust_store {
            root.trust_store = authority::certificates(pem).map_err(bad("certificates"))?;
        }
        root.id = id(&self.id, policy);
        Ok(root)
    }
}

/// The logs with these keys: those of the trust root, with what it says of them, where it has them.
fn logs(pem: &str, part: &str, known: &[Log]) -> Result<Vec<Log>, String> {
    let mut logs = Vec::new();
    let blocks = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes());
    for block in blocks.take(MAX_KEYS + 1) {
        let (SectionKind::PublicKey, der) = block.map_err(|error| error.to_string())? else {
            return Err("it has PEM of something else than a public key".to_owned());
        };
        let key = Key::from_spki(&der).map_err(|error| error.to_string())?;
        let same = |log: &&Log| log.key().spki_sha256() == key.spki_sha256();
        let before = logs.len();
        logs.extend(known.iter().filter(same).cloned());
        if logs.len() == before {
            logs.push(Log::of_key(key, part));
        }
    }
    if logs.is_empty() || logs.len() > MAX_KEYS {
        return Err(format!("1 to {MAX_KEYS} keys are accepted"));
    }
    Ok(logs)
}

/// Another id for each other trust; every part is told apart by its length.
fn id(base: &str, policy: &PolicyTrust) -> String {
    let parts = [
        &policy.authorities,
        &policy.certificate_logs,
        &policy.logs,
        &policy.timestamp_authority,
        &policy.trust_store,
    ];
    let text = parts.iter().fold(base.to_owned(), |text, part| {
        let part = part.as_deref().unwrap_or("");
        format!("{text} {} {part}", part.len())
    });
    hex::encode(sha256(text.as_bytes()))
}
