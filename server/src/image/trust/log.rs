//! A transparency log of a trust root: of signatures (Rekor) or of certificates (CT).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::key::{Key, KeyKind, sha256};
use super::window::{Window, WrittenWindow};
use super::{KeyError, TrustRootError};

/// A log, with its key parsed.
#[derive(Debug, Clone)]
pub struct Log {
    url: String,
    id: Vec<u8>,
    key: Key,
    window: Window,
    origin: Origin,
    /// Whether a policy names the key, and says nothing of the log's own name.
    by_key: bool,
}

/// What a log's id covers, which says how its checkpoints name it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// Rekor v1: the id is the digest of the key; checkpoints are headed `NAME - TREE` and signed by `NAME`.
    KeyOnly,
    /// Rekor v2: the id covers a name and the key; checkpoints are headed and signed by a name that gives the id.
    NameAndKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    #[serde(default)]
    base_url: String,
    public_key: WrittenKey,
    log_id: WrittenId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenKey {
    raw_bytes: String,
    #[serde(default)]
    key_details: String,
    valid_for: Option<WrittenWindow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenId {
    key_id: String,
}

/// The pre-hashed form of Ed25519, whose keys look like those of Ed25519.
const PRE_HASHED: &str = "PKIX_ED25519_PH";

/// Reads logs; leaves out those with keys of other algorithms, refuses two with one id.
pub(super) fn read_all(
    written: &[Written],
    ignored: &mut Vec<String>,
) -> Result<Vec<Log>, TrustRootError> {
    let mut logs: Vec<Log> = Vec::with_capacity(written.len());
    for entry in written {
        match Log::read(entry)? {
            Ok(log) if logs.iter().any(|other| other.id == log.id) => {
                return Err(TrustRootError::DuplicateLog(hex::encode(&log.id)));
            }
            Ok(log) => logs.push(log),
            Err(reason) => ignored.push(format!("log `{}`: {reason}", entry.base_url)),
        }
    }
    Ok(logs)
}

impl Log {
    /// Reads one; the inner error means that its key is of an algorithm that is not supported.
    fn read(written: &Written) -> Result<Result<Self, KeyError>, TrustRootError> {
        let bad = |reason: String| TrustRootError::Part {
            part: format!("log `{}`", written.base_url),
            reason,
        };
        let decode = |what: &str, text: &str| {
            STANDARD
                .decode(text)
                .map_err(|error| bad(format!("{what}: {error}")))
        };
        if written.public_key.key_details == PRE_HASHED {
            return Ok(Err(KeyError::Algorithm("Ed25519ph".to_owned())));
        }
        let id = decode("log id", &written.log_id.key_id)?;
        let key = match Key::from_trust_root(&decode("key", &written.public_key.raw_bytes)?) {
            Ok(key) => key,
            Err(error @ KeyError::Algorithm(_)) => return Ok(Err(error)),
            Err(error) => return Err(bad(error.to_string())),
        };
        let window = match &written.public_key.valid_for {
            None => Window::default(),
            Some(window) => window
                .read()
                .map_err(|text| bad(format!("`{text}` is no time")))?,
        };
        let origin = if id == key.spki_sha256() || key.kind() == KeyKind::Rsa {
            Origin::KeyOnly
        } else {
            Origin::NameAndKey
        };
        Ok(Ok(Self {
            url: written.base_url.clone(),
            id,
            key,
            window,
            origin,
            by_key: false,
        }))
    }

    /// The log of which a policy names the key; the place where it does is its URL.
    pub(super) fn of_key(key: Key, place: &str) -> Self {
        Self {
            url: place.to_owned(),
            id: key.spki_sha256().to_vec(),
            key,
            window: Window::default(),
            origin: Origin::KeyOnly,
            by_key: true,
        }
    }

    /// This log under the id that its key has with the name `origin`, if that is `id`, and nothing but its key is known.
    pub(super) fn renamed(&self, id: &[u8], origin: &str) -> Option<Self> {
        let named = Self {
            id: id.to_vec(),
            origin: Origin::NameAndKey,
            ..self.clone()
        };
        (self.by_key && id.len() == 32 && named.named(origin)).then_some(named)
    }

    /// The log's `baseUrl`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The log's id.
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// The log's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// When the key may have been used.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Whether it may have several trees, as the first Rekor has: an entry's index in the log is then not that in its tree.
    pub fn has_shards(&self) -> bool {
        self.origin == Origin::KeyOnly
    }

    /// Whether a checkpoint headed `origin`, with a signature line of `signer`, is one of this log.
    pub fn is_origin(&self, origin: &str, signer: &str) -> bool {
        match self.origin {
            Origin::KeyOnly => origin
                .strip_prefix(signer)
                .and_then(|rest| rest.strip_prefix(" - "))
                .is_some_and(|tree| !tree.is_empty() && tree.bytes().all(|b| b.is_ascii_digit())),
            Origin::NameAndKey => origin == signer && self.named(origin),
        }
    }

    /// Whether the log's id is that of its key under the name `origin`, as signed notes define it.
    fn named(&self, origin: &str) -> bool {
        let (algorithm, bits) = match self.key.kind() {
            KeyKind::Ed25519 => (1_u8, self.key.bits()),
            _ => (2_u8, self.key.spki()),
        };
        let text = [origin.as_bytes(), b"\n", &[algorithm], bits].concat();
        let full = sha256(&text);
        // Some trust roots have only the four bytes that checkpoints carry.
        self.id == full || (self.id.len() == 4 && full.starts_with(&self.id))
    }
}
