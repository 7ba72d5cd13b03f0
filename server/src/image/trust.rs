//! Trust roots: the logs, certificate authorities and timestamp authorities that evidence is verified against.
//!
//! Everything is parsed once, here; a [`TrustRoot`] is immutable. Knows nothing of evidence, and fetches nothing.

mod authority;
mod by_policy;
mod chains;
mod key;
mod log;
mod public;
mod roots;
mod timestamp_authority;
mod window;

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

pub(super) use authority::validity;
pub use authority::{CertificateAuthority, Issuer, Usage};
pub use chains::{Chain, ChainId, ChainRules, Chains};
pub(super) use key::pem_block;
pub use key::{BadSignature, Hash, Key, KeyError, KeyKind, Message, sha256};
pub use log::Log;
pub use public::{PUBLIC_SIGSTORE, PUBLIC_SIGSTORE_DATE, public_sigstore};
pub use roots::TrustRoots;
pub use timestamp_authority::{NamedStamper, NotIssued, TimestampAuthority, issued, only_stamps};
pub use window::{Moment, Window};

/// Why a text is no trust root.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustRootError {
    /// It is no `trusted_root.json`.
    #[error("the trust root is not a `trusted_root.json`: {0}")]
    Json(String),
    /// One of its parts is malformed.
    #[error("the trust root's {part} is malformed: {reason}")]
    Part {
        /// Which, by its URL.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two logs have one id: which key counts would depend on their order.
    #[error("the trust root names the log id `{0}` twice")]
    DuplicateLog(String),
    /// A part that a policy names instead.
    #[error("`{part}` of the policy cannot be used: {reason}")]
    Policy {
        /// The policy's field.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing can be verified with it.
    #[error(
        "the trust root has no log, no certificate authority and no timestamp authority that can be used"
    )]
    Empty,
}

/// A trust root, parsed.
#[derive(Debug, Clone)]
pub struct TrustRoot {
    id: String,
    logs: Vec<Log>,
    certificate_logs: Vec<Log>,
    certificate_authorities: Vec<CertificateAuthority>,
    timestamp_authorities: Vec<TimestampAuthority>,
    /// Certificates (DER) of signers of the Notary Project, or above them, that a policy names.
    trust_store: Vec<Vec<u8>>,
    ignored: Vec<String>,
    /// What was verified under it.
    chains: Chains,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    tlogs: Vec<log::Written>,
    #[serde(default)]
    ctlogs: Vec<log::Written>,
    #[serde(default)]
    certificate_authorities: Vec<authority::Written>,
    #[serde(default)]
    timestamp_authorities: Vec<authority::Written>,
}

impl TrustRoot {
    /// Reads a `trusted_root.json`.
    ///
    /// A log or authority whose algorithm is not supported is left out and noted in [`TrustRoot::ignored`]: a new kind of key must
    /// not take the others away. What is malformed is an error.
    pub fn parse(json: &str) -> Result<Self, TrustRootError> {
        let not_json = |error: serde_json::Error| TrustRootError::Json(error.to_string());
        let written: Written = serde_json::from_str(json).map_err(not_json)?;
        let value: serde_json::Value = serde_json::from_str(json).map_err(not_json)?;
        let mut ignored = Vec::new();
        let logs = log::read_all(&written.tlogs, &mut ignored)?;
        let certificate_logs = log::read_all(&written.ctlogs, &mut ignored)?;
        let mut certificate_authorities = Vec::new();
        for authority in &written.certificate_authorities {
            certificate_authorities.push(CertificateAuthority::read(
                authority,
                "certificate authority",
            )?);
        }
        let mut timestamp_authorities = Vec::new();
        for authority in &written.timestamp_authorities {
            timestamp_authorities.extend(TimestampAuthority::read(authority, &mut ignored)?);
        }
        if logs.is_empty() && certificate_authorities.is_empty() && timestamp_authorities.is_empty()
        {
            return Err(TrustRootError::Empty);
        }
        let mut canonical = String::new();
        write_canonical(&value, &mut canonical);
        Ok(Self {
            id: hex::encode(sha256(canonical.as_bytes())),
            logs,
            certificate_logs,
            certificate_authorities,
            timestamp_authorities,
            trust_store: Vec::new(),
            ignored,
            chains: Chains::default(),
        })
    }

    /// SHA-256 of the content in canonical form: the same content has the same id, however it is written.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The transparency logs of signatures.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The transparency log with this id.
    pub fn log(&self, id: &[u8]) -> Option<&Log> {
        self.logs.iter().find(|log| log.id() == id)
    }

    /// The transparency log with this id, or, of which a policy names the key, with this id under the name `origin`.
    pub fn log_named(&self, id: &[u8], origin: Option<&str>) -> Option<Cow<'_, Log>> {
        let known = self.log(id).map(Cow::Borrowed);
        known.or_else(|| {
            let mut logs = self.logs.iter();
            logs.find_map(|log| log.renamed(id, origin?))
                .map(Cow::Owned)
        })
    }

    /// The logs of certificates.
    pub fn certificate_logs(&self) -> &[Log] {
        &self.certificate_logs
    }

    /// The authorities that issue signing certificates.
    pub fn certificate_authorities(&self) -> &[CertificateAuthority] {
        &self.certificate_authorities
    }

    /// Whether the authorities that issue signing certificates are a policy's own.
    pub fn has_own_authorities(&self) -> bool {
        let mut authorities = self.certificate_authorities.iter();
        authorities.any(|authority| authority.usage() == Usage::Own)
    }

    /// Certificates (DER) of which one must be in the chain of a signature of the Notary Project.
    pub fn trust_store(&self) -> &[Vec<u8>] {
        &self.trust_store
    }

    /// Chains that were verified under it.
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    /// The authorities that sign timestamps.
    pub fn timestamp_authorities(&self) -> &[TimestampAuthority] {
        &self.timestamp_authorities
    }

    /// Parts that were left out because their algorithm is not supported, one line each.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The URLs of its logs of signatures and of its authorities, by which policies name it.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        let logs = self.logs.iter().map(Log::url);
        let authorities = self.certificate_authorities.iter();
        let stamps = self.timestamp_authorities.iter();
        logs.chain(authorities.map(CertificateAuthority::uri))
            .chain(stamps.map(TimestampAuthority::uri))
            .filter(|url| !url.is_empty())
    }

    /// Whether a log of signatures or an authority has this URL; scheme and host in any case, with or without a slash at the end.
    pub fn has_url(&self, url: &str) -> bool {
        // Mostly it is written as the trust root has it.
        if self.urls().any(|own| own == url) {
            return true;
        }
        let wanted = normal_url(url);
        self.urls().any(|own| normal_url(own) == wanted)
    }
}

/// Lower-case scheme and host, no slash at the end.
fn normal_url(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, format!("/{path}")),
        None => (rest, String::new()),
    };
    format!(
        "{}://{}{path}",
        scheme.to_ascii_lowercase(),
        host.to_ascii_lowercase()
    )
}

/// JSON with sorted names and no spaces, so that layout does not count.
fn write_canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, field)) in names.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(field, out);
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

#[cfg(test)]
mod tests;
