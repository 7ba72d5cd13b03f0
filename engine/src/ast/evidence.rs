//! What a policy's annotations ask of all its evidence, beside what its attestors ask.

use super::Policy;

/// The annotation that turns off that a v0.2 statement answers for SLSA provenance v1, and the other way round.
pub const SLSA_VERSION_FALLBACK: &str = "regent.dev/slsa-version-fallback";
/// The annotation that says in how many logs a signature must be.
pub const LOG_ENTRIES: &str = "regent.dev/log-entries";
/// The annotation that asks for inclusion proofs of log entries.
pub const INCLUSION_PROOF: &str = "regent.dev/inclusion-proof";
/// The annotation that asks for a timestamp.
pub const SIGNED_TIMESTAMP: &str = "regent.dev/signed-timestamp";
/// The annotation that says which of several attestations must satisfy the conditions.
pub const ATTESTATIONS: &str = "regent.dev/attestations";
/// The annotation that names a trust root, by the URL of a log or of an authority.
pub const TRUST_ROOT: &str = "regent.dev/trust-root";

/// All annotations that mean something here.
pub const ANNOTATIONS: [&str; 6] = [
    SLSA_VERSION_FALLBACK,
    LOG_ENTRIES,
    INCLUSION_PROOF,
    SIGNED_TIMESTAMP,
    ATTESTATIONS,
    TRUST_ROOT,
];

/// What all signatures need, beside what their attestors ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Entries in as many different logs, where an attestor asks for any.
    pub logs: usize,
    /// Only entries with an inclusion proof count.
    pub inclusion_proof: bool,
    /// A timestamp of an authority that is trusted.
    pub timestamp: bool,
}

/// Which of several statements must satisfy an attestation's demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// All of them.
    #[default]
    All,
    /// One of them.
    Any,
    /// The latest, by the time that is proven for it, and all that have none.
    Latest,
}

impl Policy {
    /// Whether a verified v0.2 statement may answer for SLSA provenance v1, and the other way round.
    pub fn slsa_version_fallback(&self) -> bool {
        self.evidence_annotation(SLSA_VERSION_FALLBACK) != Some("false")
    }

    /// What all signatures need.
    pub fn proof(&self) -> Proof {
        let required = |name| self.evidence_annotation(name) == Some("required");
        let logs = self.evidence_annotation(LOG_ENTRIES);
        Proof {
            // What is no number was refused when it was read.
            logs: logs.and_then(|logs| logs.parse().ok()).unwrap_or(1),
            inclusion_proof: required(INCLUSION_PROOF),
            timestamp: required(SIGNED_TIMESTAMP),
        }
    }

    /// Which of several statements must satisfy an attestation's demands.
    pub fn choice(&self) -> Choice {
        match self.evidence_annotation(ATTESTATIONS) {
            Some("any") => Choice::Any,
            Some("latest") => Choice::Latest,
            _ => Choice::All,
        }
    }

    fn evidence_annotation(&self, name: &str) -> Option<&str> {
        let annotation = self.annotations.get(name);
        annotation.map(|annotation| annotation.value.as_str())
    }
}
