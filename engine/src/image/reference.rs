//! Image references, as people write them and as registries are asked for them.

use std::fmt;

use thiserror::Error;

/// A SHA-256 digest of a manifest: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// Reads `sha256:HEX`; other algorithms and upper case are refused, as the OCI image specification has it.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let hex = text.strip_prefix("sha256:").ok_or(ReferenceError::Digest)?;
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == 64 && hex.bytes().all(lower_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReferenceError::Digest)
        }
    }

    /// `sha256:HEX`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 digits alone.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text is no image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// The text is empty or longer than any reference may be.
    #[error("an image reference has between 1 and 512 characters")]
    Length,
    /// Registry host or port.
    #[error("the registry of the image reference is malformed")]
    Registry,
    /// Repository path.
    #[error("the repository of the image reference is malformed")]
    Repository,
    /// Tag.
    #[error("the tag of the image reference is malformed")]
    Tag,
    /// Digest.
    #[error("the digest is not `sha256:` and 64 lower-case hexadecimal digits")]
    Digest,
}

/// An image reference in parts.
///
/// `registry` and `path` are as written, with Kyverno's defaults filled in: registry `docker.io` where none is written
/// (and no `library/` added), tag `latest` where neither tag nor digest is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageReference {
    /// Host, with a port where one is written.
    pub registry: String,
    /// Repository below the registry.
    pub path: String,
    /// Tag, where written or defaulted.
    pub tag: Option<String>,
    /// Digest, where written.
    pub digest: Option<Digest>,
}
