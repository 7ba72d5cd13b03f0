//! Why a piece of evidence was refused; each variant's text is the one line that people read.

use thiserror::Error;

/// Why a piece of evidence was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It does not parse.
    #[error("the {0} is malformed: {1}")]
    Malformed(&'static str, String),
    /// It has more of something than any signer writes.
    #[error("it has more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are taken.
        limit: usize,
    },
    /// A part of it takes more than is taken in.
    #[error("the {what} takes more than {limit} bytes of memory")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// How much is taken in.
        limit: usize,
    },
    /// A bundle of a version that is not known, or an envelope of another kind.
    #[error("the bundle's media type `{0}` is not known")]
    MediaType(String),
    /// A part that the format demands is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// The DSSE envelope does not hold a statement.
    #[error("the envelope's payload type is `{0}`, not `application/vnd.in-toto+json`")]
    PayloadType(String),
    /// The envelope has no signature, or several.
    #[error("the envelope has {0} signatures, exactly one is expected")]
    SignatureCount(usize),
    /// The statement's `_type` is not known.
    #[error("the statement's type `{0}` is not an in-toto statement")]
    StatementType(String),
    /// The evidence is about another image.
    #[error("it is about `{0}`, not about this image")]
    OtherSubject(String),
    /// A simple-signing payload of another kind.
    #[error("the payload's type is `{0}`, not `cosign container image signature`")]
    PayloadKind(String),
    /// No policy names the key that signed.
    #[error("it was not signed by a key that the policy names")]
    UnknownKey,
    /// The same of an Ed25519 key, for which signers write another kind of signature too.
    #[error(
        "it was not signed by a key that the policy names; if that was with the pre-hashed form of Ed25519 (Ed25519ph): it is not supported"
    )]
    PreHashed,
    /// The signature does not belong to the certificate's key and the content.
    #[error("the signature does not verify with the certificate's key")]
    Signature,
    /// The certificate cannot be used.
    #[error("the certificate is malformed: {0}")]
    Certificate(String),
    /// The bundle brings a root of its own.
    #[error("the bundle encloses a root certificate; roots come from the trust root alone")]
    RootEnclosed,
    /// A bundle of a version that has one certificate has a chain, and no authority of the policy asks for it.
    #[error(
        "the bundle has a chain of certificates, where its version has one certificate; it counts only under `roots` of a policy"
    )]
    ChainEnclosed,
    /// A chain that is none for signing code.
    #[error("the certificate chain is not one for signing code: {0}")]
    CodeSigningChain(String),
    /// None of the certificates is one that the policy trusts.
    #[error("no certificate of the chain is one that the policy names")]
    NotTrusted,
    /// The signature says itself that it has ended.
    #[error("the signature is valid only until {0}")]
    SignatureExpired(u64),
    /// The chain does not lead to the trust root.
    #[error("the certificate does not chain to a certificate authority of the trust root: {0}")]
    Chain(String),
    /// The certificate, or one above it, was not valid when it was used.
    #[error("the certificate was not valid at the proven time {0}")]
    Expired(u64),
    /// The certificate's authority was not to be trusted at that time.
    #[error("the certificate authority was not valid at the proven time {0}")]
    AuthorityExpired(u64),
    /// Nothing proves when a short-lived certificate was used.
    #[error(
        "no proven time: neither a signed entry timestamp nor a timestamp of a trusted authority says when the certificate was used"
    )]
    NoProvenTime,
    /// The only log entries are of logs that the trust root does not have.
    #[error("no proven time: the trust root does not know the log `{0}`")]
    NoKnownLog(String),
    /// The entry's body is of a kind that is not supported, or not what the entry says.
    #[error("the log entry's kind `{0}` is not supported")]
    EntryKind(String),
    /// The entry's kind differs from its body's.
    #[error("the log entry says `{said}` and its body `{body}`")]
    EntryKindDiffers {
        /// What the entry says.
        said: String,
        /// What the body is.
        body: String,
    },
    /// The logged entry is about something else.
    #[error("the log entry is of another {0}")]
    EntryDiffers(&'static str),
    /// The entry cannot be compared with what was signed.
    #[error("the log entry cannot be bound to what was signed: {0}")]
    EntryUnbound(&'static str),
    /// The signed entry timestamp is not the log's.
    #[error("the signed entry timestamp does not verify with the key of the log `{0}`")]
    Promise(String),
    /// The format demands a signed entry timestamp.
    #[error("the log entry has no signed entry timestamp, which this format must have")]
    NoPromise,
    /// The format demands an inclusion proof.
    #[error("the log entry has no inclusion proof, which this format must have")]
    NoProof,
    /// The inclusion proof does not lead to the root.
    #[error("the inclusion proof does not verify: {0}")]
    Proof(String),
    /// The checkpoint is not about the proof's tree.
    #[error("the checkpoint is of another tree than the inclusion proof")]
    CheckpointTree,
    /// The checkpoint is headed by another log's name.
    #[error("the checkpoint's origin `{origin}` is not that of the log `{log}`")]
    CheckpointOrigin {
        /// The checkpoint's.
        origin: String,
        /// The log's URL.
        log: String,
    },
    /// The checkpoint bears no signature of the log.
    #[error("the checkpoint has no signature of the log `{0}`")]
    CheckpointUnsigned(String),
    /// The log's signature on the checkpoint is wrong.
    #[error("the checkpoint's signature does not verify with the key of the log `{0}`")]
    CheckpointSignature(String),
    /// The log's key was not valid then.
    #[error("the key of the log `{log}` was not valid at the proven time {time}")]
    LogExpired {
        /// The log's URL.
        log: String,
        /// The time.
        time: u64,
    },
    /// The entry states no time that is proven, and no timestamp does.
    #[error(
        "no proven time: the entry of the log `{0}` states none, and no timestamp of a trusted authority is beside it"
    )]
    LogWithoutTime(String),
    /// The timestamp token does not parse.
    #[error("the timestamp is malformed: {0}")]
    Timestamp(String),
    /// The token is about something else.
    #[error("the timestamp is of another signature")]
    TimestampDiffers,
    /// The token's signature is wrong.
    #[error("the timestamp does not verify with the key of the authority `{0}`")]
    TimestampSignature(String),
    /// The certificate in the token cannot be used.
    #[error(
        "the timestamp's certificate is not one that the authority `{authority}` may sign with: {reason}"
    )]
    TimestampSigner {
        /// The authority's URI.
        authority: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token's attributes name another certificate, or none where they must.
    #[error("the timestamp does not name the certificate of the authority `{0}` that signed it")]
    TimestampCertificate(String),
    /// The authority was not valid then.
    #[error("the timestamp authority `{authority}` was not valid at {time}")]
    TimestampExpired {
        /// The authority's URI.
        authority: String,
        /// The time.
        time: u64,
    },
}

impl Refusal {
    /// A part that does not parse, with the library's words on one line.
    pub(super) fn malformed(what: &'static str, error: &dyn std::fmt::Display) -> Self {
        Self::Malformed(what, one_line(&error.to_string()))
    }
}

/// The text without line breaks and control characters, cut after 200 characters: it may come from an attacker.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
