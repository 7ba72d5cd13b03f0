//! `verifyImages`: whose signatures and which statements an image needs.
//!
//! Keys and names are read at load (`PublicKey`, `Extension`); nothing here holds variables but conditions and messages.

use std::collections::BTreeMap;

use crate::response::FailureAction;
use crate::source::{Span, Spanned};

use super::condition::Conditions;
use super::template::Text;
use super::validate::Deny;

/// Predicate types of SLSA provenance, and the name under which either can answer for the other.
pub const SLSA_V1: &str = "https://slsa.dev/provenance/v1";
/// The older one.
pub const SLSA_V02: &str = "https://slsa.dev/provenance/v0.2";

/// An entry of `verifyImages`.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyImages {
    /// Where it was written.
    pub span: Span,
    /// `imageReferences`; wildcards, one is enough. Never empty.
    pub image_references: Vec<Spanned<String>>,
    /// `skipImageReferences`; wildcards, one is enough.
    pub skip_image_references: Vec<Spanned<String>>,
    /// `type`; either format is accepted where it was not written.
    pub evidence_type: Option<Spanned<EvidenceType>>,
    /// `failureAction`.
    pub failure_action: Option<Spanned<FailureAction>>,
    /// `attestors`: all of the sets must be satisfied.
    pub attestors: Vec<AttestorSet>,
    /// `attestations`: all of them must be there.
    pub attestations: Vec<Attestation>,
    /// Whether neither was written: what was, and could not be read, is missing above as well.
    pub asks_for_nothing: bool,
    /// `repository`: where the evidence lies, if not beside the image.
    pub repository: Option<Spanned<String>>,
    /// `imageRegistryCredentials.secrets`: Secrets that show registries who asks.
    pub pull_secrets: Vec<String>,
    /// `mutateDigest`, as written.
    pub mutate_digest: Option<Spanned<bool>>,
    /// `verifyDigest`; true where it was not written.
    pub verify_digest: bool,
    /// `required`; true where it was not written.
    pub required: bool,
    /// `validate`: judged after the attestations.
    pub validate: Option<ImageValidate>,
}

/// How evidence must be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvidenceType {
    /// cosign's `.sig` and `.att` tags.
    Cosign,
    /// Sigstore bundles.
    SigstoreBundle,
    /// Signatures of the Notary Project; attestors are certificates then, and name a trust store.
    Notary,
}

/// `validate` of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageValidate {
    /// Where it was written.
    pub span: Span,
    /// What to say of an image that fails.
    pub message: Option<Text>,
    /// What is denied.
    pub deny: Deny,
}

/// A set of attestors.
#[derive(Debug, Clone, PartialEq)]
pub struct AttestorSet {
    /// Where it was written.
    pub span: Span,
    /// How many entries must be satisfied; all where it was not written. Between 1 and the number of entries.
    pub count: Option<Spanned<usize>>,
    /// The entries; never empty. A `publicKeys` with several keys is one entry for each, as Kyverno expands it.
    pub entries: Vec<Attestor>,
}

/// One who signs.
#[derive(Debug, Clone, PartialEq)]
pub struct Attestor {
    /// Where it was written.
    pub span: Span,
    /// Index of the entry as it was written: entries that come from one `publicKeys` share it.
    pub index: usize,
    /// Who.
    pub identity: AttestorIdentity,
    /// Transparency log: what counts, and whether it is needed.
    pub rekor: Rekor,
    /// Certificate transparency.
    pub ctlog: Ctlog,
    /// What the signature's payload must hold; wildcards in the values.
    pub annotations: Vec<(Spanned<String>, Spanned<String>)>,
    /// Where this attestor's evidence lies.
    pub repository: Option<Spanned<String>>,
}

/// Who an attestor is.
#[derive(Debug, Clone, PartialEq)]
pub enum AttestorIdentity {
    /// By a certificate for an identity.
    Keyless(Keyless),
    /// By a key.
    Key(PublicKey),
    /// By a key that lies elsewhere.
    RemoteKey(RemoteKey),
    /// By a certificate that the policy names, or by the authorities that issue such.
    Certificates(Certificates),
    /// By those of a set.
    Nested(AttestorSet),
}

/// A key that is asked for when an image is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteKey {
    /// Where it was written.
    pub span: Span,
    /// Where it lies.
    pub place: KeyPlace,
    /// `signatureAlgorithm`; SHA-256 where it was not written.
    pub hash: SignatureHash,
}

/// Where a key lies. A key management service would be another place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyPlace {
    /// A secret with the field `cosign.pub`.
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// `certificates`; one of its two parts is there at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// Where it was written.
    pub span: Span,
    /// `cert`: its key, and with a chain the certificate too.
    pub key: Option<PublicKey>,
    /// `cert`, as PEM.
    pub certificate: Option<String>,
    /// `certChain`, as PEM.
    pub authorities: Option<String>,
}

/// An identity as certificates state it; all that is given must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyless {
    /// Where it was written.
    pub span: Span,
    /// `issuer`; a wildcard.
    pub issuer: Option<Spanned<String>>,
    /// `issuerRegExp`, in RE2's syntax; not anchored.
    pub issuer_regexp: Option<Spanned<String>>,
    /// `subject`; a wildcard.
    pub subject: Option<Spanned<String>>,
    /// `subjectRegExp`, in RE2's syntax; not anchored.
    pub subject_regexp: Option<Spanned<String>>,
    /// `additionalExtensions`.
    pub extensions: Vec<Extension>,
    /// `roots`, as PEM: the authorities that count instead of those of the trust root.
    pub roots: Option<String>,
}

/// An extension that a certificate must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The name as written: cosign's, Fulcio's, or the dotted identifier.
    pub name: Spanned<String>,
    /// Its dotted object identifier.
    pub oid: String,
    /// Its value; a wildcard.
    pub value: Spanned<String>,
}

impl Extension {
    /// Whether the certificate of a builder says it of who called it, and not of the builder: all but the workflow that
    /// signs, and its digest.
    pub fn is_of_caller(&self) -> bool {
        !OF_SIGNER.contains(&self.oid.as_str())
    }
}

/// Extensions about the workflow that signs, which a builder is itself: `buildSignerURI` and `buildSignerDigest`.
const OF_SIGNER: [&str; 2] = ["1.3.6.1.4.1.57264.1.9", "1.3.6.1.4.1.57264.1.10"];

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Where it was written.
    pub span: Span,
    /// The one key as PEM, `BEGIN PUBLIC KEY`.
    pub pem: String,
    /// SHA-256 of its SubjectPublicKeyInfo in DER, in hexadecimal.
    pub spki_sha256: String,
    /// `signatureAlgorithm`; SHA-256 where it was not written.
    pub hash: SignatureHash,
    /// The certificate of the key as PEM, where the key counts only while that is valid.
    pub certificate: Option<String>,
}

/// `signatureAlgorithm` of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureHash {
    /// `sha224`.
    Sha224,
    /// `sha256`.
    Sha256,
    /// `sha384`.
    Sha384,
    /// `sha512`.
    Sha512,
}

/// `rekor` of an attestor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rekor {
    /// `url`: names the trust root that has a log with that URL.
    pub url: Option<Spanned<String>>,
    /// `pubkey`: only the log with this key counts.
    pub public_key: Option<PublicKey>,
    /// `ignoreTlog`: no log entry is needed.
    pub ignore_tlog: bool,
}

/// `ctlog` of an attestor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ctlog {
    /// `ignoreSCT`: no signed certificate timestamp is needed.
    pub ignore_sct: bool,
    /// `pubkey`, as PEM: the logs of certificates that count instead of those of the trust root.
    pub public_keys: Option<String>,
    /// `tsaCertChain`, as PEM: a timestamp of this authority is needed, and no other counts.
    pub timestamp_chain: Option<String>,
}

/// A statement that an image needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Attestation {
    /// Where it was written.
    pub span: Span,
    /// `name`: the statements are a variable of that name.
    pub name: Option<Spanned<String>>,
    /// `type` (or `predicateType`): the statement's predicate type.
    pub predicate_type: Spanned<String>,
    /// Who must have signed it: all of the sets. Where there are none, a SLSA statement is believed from its builder only.
    pub attestors: Vec<AttestorSet>,
    /// What all statements that are used must satisfy.
    pub conditions: Option<Conditions>,
    /// `slsa`: what they must say of the build, or of its verification.
    pub slsa: Option<Slsa>,
}

/// `slsa` of an attestation; all that is given must hold, and who signed must be the builder's signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slsa {
    /// Where it was written.
    pub span: Span,
    /// `level` of the build track, at least.
    pub level: Option<Spanned<u32>>,
    /// `builders`; wildcards, one is enough.
    pub builders: Vec<Spanned<String>>,
    /// `source`: the repository; a wildcard.
    pub source: Option<Spanned<String>>,
    /// `ref`: of the repository; a wildcard.
    pub git_ref: Option<Spanned<String>>,
    /// `workflow`: its path in the repository; a wildcard.
    pub workflow: Option<Spanned<String>>,
    /// `resourceUri` of a summary, instead of the image's own name; a wildcard.
    pub resource_uri: Option<Spanned<String>>,
}

impl Attestation {
    /// Whether the conditions use nothing of the predicate but `builder`, which both versions have.
    pub fn uses_builder_only(&self) -> bool {
        let mut only = true;
        let mut look = |text: &Text| {
            only &= text
                .variables()
                .all(|variable| is_builder_path(&variable.expression));
        };
        let conditions = self.conditions.iter().flat_map(Conditions::conditions);
        for template in conditions.flat_map(|condition| [&condition.key, &condition.value]) {
            template.for_each_text(&mut look);
        }
        only
    }
}

/// A plain path below `builder`: what cannot be told so simply does not count.
fn is_builder_path(expression: &str) -> bool {
    let mut parts = expression.split('.');
    parts.next() == Some("builder")
        && parts.all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
}

/// The action that the entries of a rule say: Enforce if one says so.
pub fn failure_action(entries: &[VerifyImages]) -> Option<FailureAction> {
    let written = || {
        entries
            .iter()
            .filter_map(|entry| entry.failure_action.as_ref())
    };
    if written().any(|action| action.value == FailureAction::Enforce) {
        Some(FailureAction::Enforce)
    } else {
        written().next().map(|action| action.value)
    }
}

impl VerifyImages {
    /// Whether the digest is patched in, under the action that counts for the rule: yes, unless the author says no or the
    /// rule only audits.
    pub fn mutates_digest(&self, action: FailureAction) -> bool {
        match &self.mutate_digest {
            Some(written) => written.value,
            None => action == FailureAction::Enforce,
        }
    }

    /// All attestors, those of the attestations included.
    pub fn all_attestors(&self) -> impl Iterator<Item = &Attestor> {
        let of_attestations = self.attestations.iter().flat_map(|one| &one.attestors);
        let sets = self.attestors.iter().chain(of_attestations);
        sets.flat_map(AttestorSet::leaves)
    }

    /// The attestors of signatures.
    pub fn signers(&self) -> impl Iterator<Item = &Attestor> {
        self.attestors.iter().flat_map(AttestorSet::leaves)
    }
}

impl Attestor {
    /// Whether only a certificate satisfies it, which a log of certificates must know.
    pub fn needs_certificate(&self) -> bool {
        match &self.identity {
            AttestorIdentity::Keyless(_) => true,
            AttestorIdentity::Certificates(one) => one.key.is_none(),
            AttestorIdentity::Key(_)
            | AttestorIdentity::RemoteKey(_)
            | AttestorIdentity::Nested(_) => false,
        }
    }
}

impl AttestorSet {
    /// The attestors that are no sets, those of nested sets included.
    pub fn leaves(&self) -> Vec<&Attestor> {
        let mut leaves = Vec::new();
        for entry in &self.entries {
            match &entry.identity {
                AttestorIdentity::Nested(set) => leaves.extend(set.leaves()),
                AttestorIdentity::Keyless(_)
                | AttestorIdentity::Key(_)
                | AttestorIdentity::RemoteKey(_)
                | AttestorIdentity::Certificates(_) => leaves.push(entry),
            }
        }
        leaves
    }

    /// How many entries must be satisfied.
    pub fn needed(&self) -> usize {
        let count = self.count.as_ref().map(|count| count.value);
        count.unwrap_or(self.entries.len()).max(1)
    }
}

/// Fulcio's extensions: the names that policies use, and their object identifiers.
const EXTENSIONS: [(&str, &str); 21] = [
    ("oidcIssuer", "1.3.6.1.4.1.57264.1.1"),
    ("githubWorkflowTrigger", "1.3.6.1.4.1.57264.1.2"),
    ("githubWorkflowSha", "1.3.6.1.4.1.57264.1.3"),
    ("githubWorkflowName", "1.3.6.1.4.1.57264.1.4"),
    ("githubWorkflowRepository", "1.3.6.1.4.1.57264.1.5"),
    ("githubWorkflowRef", "1.3.6.1.4.1.57264.1.6"),
    ("issuerV2", "1.3.6.1.4.1.57264.1.8"),
    ("buildSignerURI", "1.3.6.1.4.1.57264.1.9"),
    ("buildSignerDigest", "1.3.6.1.4.1.57264.1.10"),
    ("runnerEnvironment", "1.3.6.1.4.1.57264.1.11"),
    ("sourceRepositoryURI", "1.3.6.1.4.1.57264.1.12"),
    ("sourceRepositoryDigest", "1.3.6.1.4.1.57264.1.13"),
    ("sourceRepositoryRef", "1.3.6.1.4.1.57264.1.14"),
    ("sourceRepositoryIdentifier", "1.3.6.1.4.1.57264.1.15"),
    ("sourceRepositoryOwnerURI", "1.3.6.1.4.1.57264.1.16"),
    ("sourceRepositoryOwnerIdentifier", "1.3.6.1.4.1.57264.1.17"),
    ("buildConfigURI", "1.3.6.1.4.1.57264.1.18"),
    ("buildConfigDigest", "1.3.6.1.4.1.57264.1.19"),
    ("buildTrigger", "1.3.6.1.4.1.57264.1.20"),
    ("runInvocationURI", "1.3.6.1.4.1.57264.1.21"),
    (
        "sourceRepositoryVisibilityAtSigning",
        "1.3.6.1.4.1.57264.1.22",
    ),
];

/// The object identifier of an extension, by name in any case, or by itself.
pub fn extension_oid(name: &str) -> Option<&str> {
    let dotted = name.split('.').count() > 2
        && name
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if dotted {
        return Some(name);
    }
    let known = EXTENSIONS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, oid)| *oid)
}

/// The names that [`extension_oid`] knows.
pub fn extension_names() -> BTreeMap<&'static str, &'static str> {
    EXTENSIONS.into_iter().collect()
}
