//! Whom a policy itself trusts, in place of parts of the trust root.

/// Certificates and keys, as PEM, that count for evidence instead of those of the trust root.
///
/// Where a part is there, it alone counts for its kind; where it is not, the trust root's does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PolicyTrust {
    /// Authorities whose certificates signers may have; one or more `CERTIFICATE`.
    pub authorities: Option<String>,
    /// Keys of logs of certificates; one or more `PUBLIC KEY`.
    pub certificate_logs: Option<String>,
    /// Keys of logs of signatures; one or more `PUBLIC KEY`.
    pub logs: Option<String>,
    /// The chain of a timestamp authority: the one that signs, and those above it; `CERTIFICATE`.
    pub timestamp_authority: Option<String>,
    /// Certificates of which one must be in the chain of a signature of the Notary Project; such signatures are looked for
    /// where it is there, and nothing else is then; one or more `CERTIFICATE`.
    pub trust_store: Option<String>,
}

impl PolicyTrust {
    /// Whether the trust root's parts all count.
    pub fn is_empty(&self) -> bool {
        let Self {
            authorities,
            certificate_logs,
            logs,
            timestamp_authority,
            trust_store,
        } = self;
        let parts = [
            authorities,
            certificate_logs,
            logs,
            timestamp_authority,
            trust_store,
        ];
        parts.into_iter().all(Option::is_none)
    }
}
