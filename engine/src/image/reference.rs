//! Image references, as people write them and as registries are asked for them.
//!
//! Knows two readings of the same text: Kyverno's, which policies are written for, and containerd's, which decides what
//! is pulled. They differ in letter case, default ports and `library/`, and a policy must not be evaded by that.

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

    /// The digest with this hash.
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in hash {
            for nibble in [byte >> 4, byte & 0xf] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        Self(text)
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

/// The longest reference that is read: 255 characters of name, 128 of tag, 71 of digest, and room for a long port.
const MAX_REFERENCE: usize = 512;
/// The longest repository name with its registry, as the distribution's grammar has it.
const MAX_NAME: usize = 255;
/// The longest tag, as the distribution's grammar has it.
const MAX_TAG: usize = 128;

impl ImageReference {
    /// Reads a reference by the distribution's grammar, with Kyverno's defaults.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() || text.len() > MAX_REFERENCE {
            return Err(ReferenceError::Length);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(ReferenceError::Tag);
        }
        let (registry, path) = split_registry(name);
        if !is_registry(registry) {
            return Err(ReferenceError::Registry);
        }
        if !path.split('/').all(is_path_component) || registry.len() + path.len() >= MAX_NAME {
            return Err(ReferenceError::Repository);
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some("latest".to_owned()),
        };
        Ok(Self {
            registry: registry.to_owned(),
            path: path.to_owned(),
            tag,
            digest,
        })
    }

    /// Kyverno's normal form: `registry/path:tag`, or `registry/path@digest` where there is a digest.
    pub fn kyverno_form(&self) -> String {
        self.form(&self.registry, &self.path)
    }

    /// What containerd pulls: the host in lower case, Docker Hub under one name with `library/`, no default port.
    pub fn containerd_form(&self) -> String {
        let (registry, path) = self.containerd_repository();
        self.form(&registry, &path)
    }

    /// `registry/path` without tag and digest, as written.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// Registry and path as containerd resolves them.
    pub fn containerd_repository(&self) -> (String, String) {
        let lower = self.registry.to_ascii_lowercase();
        let host = lower.strip_suffix(":443").unwrap_or(&lower);
        // The third is where Docker Hub answers: the same images by another name.
        if matches!(
            host,
            "docker.io" | "index.docker.io" | "registry-1.docker.io"
        ) {
            let path = if self.path.contains('/') {
                self.path.clone()
            } else {
                format!("library/{}", self.path)
            };
            return ("docker.io".to_owned(), path);
        }
        // A host that is one only by its capitals would read as a path in lower case.
        let is_host = host.contains(['.', ':', '[']) || host == "localhost";
        let host = if is_host { host } else { &self.registry };
        (host.to_owned(), self.path.clone())
    }

    /// All texts that an `imageReferences` pattern is compared with: both readings, and where there are a tag and a
    /// digest both by digest and by tag, so that a policy for a tag still holds after its digest was patched in.
    pub fn forms(&self) -> Vec<String> {
        let own = (self.registry.as_str(), self.path.as_str());
        let (registry, path) = self.containerd_repository();
        let pulled = (registry.as_str(), path.as_str());
        // Mostly both readings are one.
        let pulled = (pulled != own).then_some(pulled);
        let mut forms = Vec::with_capacity(4);
        for (registry, path) in std::iter::once(own).chain(pulled) {
            forms.push(self.form(registry, path));
            if let (Some(tag), Some(_)) = (&self.tag, &self.digest) {
                forms.push(format!("{registry}/{path}:{tag}"));
            }
        }
        forms
    }

    fn form(&self, registry: &str, path: &str) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{registry}/{path}@{digest}"),
            (None, Some(tag)) => format!("{registry}/{path}:{tag}"),
            (None, None) => format!("{registry}/{path}"),
        }
    }
}

/// All parts as `registry/path[:tag][@digest]`.
impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.path)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

/// The text that stands in the object, with a digest behind it: the tag is kept for people.
pub fn with_digest(text: &str, digest: &Digest) -> String {
    let name = text.split_once('@').map_or(text, |(name, _)| name);
    format!("{name}@{digest}")
}

/// A tag follows the last colon, unless a slash follows that: then the colon is before a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// The first component is a registry when it cannot be part of a path: a dot, a colon, `localhost` or upper case.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':', '['])
                || first == "localhost"
                || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        _ => ("docker.io", name),
    }
}

fn is_registry(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else {
            return false;
        };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return false;
        }
        match rest.strip_prefix(':') {
            Some(port) => (None, Some(port)),
            None if rest.is_empty() => (None, None),
            None => return false,
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        }
    };
    host.is_none_or(|host| host.split('.').all(is_host_component)) && port.is_none_or(is_port)
}

/// Written in the one way that there is: resolvers read `:0443` as `:443`, and a rule about a host must not miss that.
fn is_port(text: &str) -> bool {
    let number = text.parse::<u16>();
    number.is_ok_and(|number| number > 0 && number.to_string() == text)
}

fn is_host_component(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Lower-case letters and digits, separated by one dot, one or two underscores, or any number of dashes.
fn is_path_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    for byte in text.bytes() {
        if is_word(byte) {
            if !is_separator(&separator) {
                return false;
            }
            separator.clear();
        } else {
            separator.push(char::from(byte));
        }
    }
    separator.is_empty() && text.bytes().next().is_some_and(is_word)
}

fn is_separator(text: &str) -> bool {
    matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-')
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(is_word)
        && text
            .bytes()
            .all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// What Kyverno says of a text that is no image reference.
pub(crate) fn refusal(text: &str) -> String {
    let has_registry = text.split_once('/').is_some_and(|(host, _)| {
        host.contains(['.', ':']) || host == "localhost" || host.chars().any(char::is_uppercase)
    });
    let full = if has_registry {
        text.to_owned()
    } else {
        format!("docker.io/{text}")
    };
    let reason = complaint(text);
    format!(
        "bad image: {full}, defaultRegistry: docker.io, enableDefaultRegistryMutation: true: {reason}"
    )
}

/// The distribution's words for what is wrong.
fn complaint(text: &str) -> &'static str {
    let (name, digest) = text.split_once('@').unwrap_or((text, ""));
    let is_form = |name: &str| {
        let looks_like_digest = digest.is_empty() && !text.contains('@') || is_digest_form(digest);
        looks_like_digest && ImageReference::parse(name).is_ok()
    };
    if !is_form(name) {
        return if is_form(&name.to_lowercase()) {
            "repository name must be lowercase"
        } else {
            "invalid reference format"
        };
    }
    let (algorithm, hex) = digest.split_once(':').unwrap_or(("", ""));
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return "unsupported digest algorithm",
    };
    if hex.len() != length {
        "invalid checksum digest length"
    } else if hex.bytes().any(|byte| byte.is_ascii_uppercase()) {
        "invalid checksum digest format"
    } else {
        // Kyverno takes it. Nothing here is verified by another digest, so nothing is matched by one.
        "only digests of SHA-256 are read"
    }
}

/// Whether a text is of the form that digests have in references: an algorithm, a colon, and at least 32 digits.
fn is_digest_form(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let is_word = |part: &str| {
        part.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(is_word)
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
