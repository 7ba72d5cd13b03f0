//! Trust roots by The Update Framework: fetched from a mirror, and believed because of a root that was given.
//!
//! Thresholds of signatures, expiry, rollback and freezing are `sigstore-tuf`'s business, the Sigstore project's own
//! client; here is how bytes are fetched, what is kept, and when it is looked at again. No request waits for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{
    Error, FileStore, MemoryStore, MetadataStore, Repository, Updater, UpdaterConfig,
};
use thiserror::Error as ThisError;
use tokio::time::{Instant, timeout_at};

use crate::image::registry::{SettingsError, tls};
use crate::image::trust::{TrustRoot, TrustRootError};
use crate::outbound::place::{Place, Reach, Scheme};
use crate::outbound::{Call, Patience, Resolver, Wire};

pub(crate) mod refresh;

/// The target that Sigstore's mirrors have the trust root under.
pub const TRUSTED_ROOT: &str = "trusted_root.json";
/// Bytes of a trust root; the public Sigstore's has 10 kB.
const MAX_TRUST_ROOT: u64 = 4 << 20;
/// Where the last good trust root is kept, beside the metadata.
const LAST_GOOD: &str = "last-good.json";

/// A mirror, and what is believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TufSettings {
    /// Its address: metadata lie right below it, targets below `targets/`.
    pub mirror: String,
    /// The root metadata that everything is believed by.
    pub root: Vec<u8>,
    /// The name of the target that is the trust root.
    pub target: String,
    /// Where metadata and the last good trust root are kept; in memory where there is no such place, and then a mirror
    /// can go back behind what was seen before the last start.
    pub directory: Option<PathBuf>,
    /// Certificates (PEM) that the mirror may chain to, besides the platform's.
    pub certificates: Vec<PathBuf>,
    /// How often it is looked at.
    pub interval: Duration,
    /// Whether the other trust roots that were given stand beside it, for policies to choose.
    pub beside_others: bool,
}

/// Why a mirror gave no trust root.
#[derive(Debug, ThisError)]
pub enum TufError {
    /// The address.
    #[error("the TUF mirror `{0}` is no http or https URL")]
    Mirror(String),
    /// How it is reached.
    #[error(transparent)]
    Tls(#[from] SettingsError),
    /// The root that was given.
    #[error("the TUF root that was given: {0}")]
    Root(String),
    /// What it has is not to be believed, or it has nothing.
    #[error("the TUF mirror `{mirror}`: {what}")]
    Refused {
        /// The address.
        mirror: String,
        /// Why.
        what: String,
    },
    /// It did not answer in time.
    #[error("the TUF mirror `{0}` did not answer in time")]
    Timeout(String),
    /// What it has is no trust root.
    #[error("the TUF mirror's target is no trust root: {0}")]
    TrustRoot(#[from] TrustRootError),
}

/// A trust root, and where it came from.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The document, as the mirror has it.
    pub json: String,
    /// What it says.
    pub root: TrustRoot,
    /// Versions of the metadata: root, timestamp.
    pub versions: (u64, u64),
    /// When the mirror was asked, in seconds since 1970.
    pub at: u64,
}

/// A mirror.
pub struct Mirror {
    settings: TufSettings,
    wire: Wire,
    base: Place,
    store: Arc<dyn MetadataStore>,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Mirror")
            .field("address", &self.settings.mirror)
            .finish_non_exhaustive()
    }
}

impl Mirror {
    /// A mirror; asks it nothing yet, but the root that was given has to be one.
    pub fn new(settings: &TufSettings) -> Result<Self, TufError> {
        let nowhere = Place {
            scheme: Scheme::Https,
            authority: String::new(),
            path: String::new(),
        };
        let mut base = Place::read(&settings.mirror, &nowhere)
            .filter(|base| !base.authority.is_empty() && !base.path.contains('?'))
            .ok_or_else(|| TufError::Mirror(settings.mirror.clone()))?;
        base.path.truncate(base.path.trim_end_matches('/').len());
        sigstore_tuf::TrustedMetadataSet::from_root(&settings.root)
            .map_err(|error| TufError::Root(told(&error)))?;
        let store: Arc<dyn MetadataStore> = match &settings.directory {
            Some(directory) => Arc::new(FileStore::new(directory.join("metadata"))),
            None => Arc::new(MemoryStore::new()),
        };
        Ok(Self {
            wire: Wire::new(tls::verified(&settings.certificates)?, Resolver::Anywhere),
            settings: settings.clone(),
            base,
            store,
        })
    }

    /// The trust root that the mirror has now.
    pub async fn fetch(&self, now: u64, deadline: Instant) -> Result<Fetched, TufError> {
        let updated = timeout_at(deadline, Box::pin(self.update(now, deadline)));
        let Ok(updated) = updated.await else {
            return Err(TufError::Timeout(self.settings.mirror.clone()));
        };
        let (bytes, versions) = updated.map_err(|error| self.refused(&told(&error)))?;
        let json =
            String::from_utf8(bytes).map_err(|_bytes| self.refused("the target is no text"))?;
        let fetched = Fetched {
            root: TrustRoot::parse(&json)?,
            json,
            versions,
            at: now,
        };
        self.keep(&fetched);
        Ok(fetched)
    }

    async fn update(&self, now: u64, deadline: Instant) -> Result<(Vec<u8>, (u64, u64)), Error> {
        let seconds = i64::try_from(now).unwrap_or(i64::MAX);
        let now = jiff::Timestamp::from_second(seconds)
            .map_err(|error| Error::transport(format!("the clock: {error}")))?;
        let mut config = UpdaterConfig::default();
        config.target_max_length = MAX_TRUST_ROOT;
        let asked = Asked {
            wire: self.wire.clone(),
            base: self.base.clone(),
            deadline,
        };
        let mut updater = Updater::new(asked, &self.settings.root)?
            .with_config(config)
            .with_store(Arc::clone(&self.store));
        updater.refresh(now).await?;
        let target = updater.get_target(&self.settings.target, now).await?;
        let trusted = updater.trusted();
        let timestamp = trusted.timestamp().map_or(0, |timestamp| timestamp.version);
        Ok((target, (trusted.root().version, timestamp)))
    }

    /// Keeps a trust root for the next start; that it cannot be kept is no reason not to use it.
    fn keep(&self, fetched: &Fetched) {
        let Some(directory) = &self.settings.directory else {
            return;
        };
        let kept = Kept {
            fetched_at: fetched.at,
            versions: fetched.versions,
            trusted_root: fetched.json.clone(),
        };
        let written = serde_json::to_vec(&kept)
            .map_err(std::io::Error::other)
            .and_then(|text| replace(&directory.join(LAST_GOOD), &text));
        if let Err(error) = written {
            tracing::warn!(%error, "the trust root cannot be kept for the next start");
        }
    }

    /// What was kept by an earlier run: as good as a file that the operator gives.
    pub(crate) fn last_good(&self) -> Option<Fetched> {
        let path = self.settings.directory.as_ref()?.join(LAST_GOOD);
        let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let root = TrustRoot::parse(&kept.trusted_root).ok()?;
        Some(Fetched {
            json: kept.trusted_root,
            root,
            versions: kept.versions,
            at: kept.fetched_at,
        })
    }

    fn refused(&self, what: &str) -> TufError {
        TufError::Refused {
            mirror: self.settings.mirror.clone(),
            what: what.to_owned(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    fetched_at: u64,
    versions: (u64, u64),
    trusted_root: String,
}

/// Writes a file whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(new, path)
}

/// What went wrong, with its causes.
fn told(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}

/// The mirror during one refresh.
struct Asked {
    wire: Wire,
    base: Place,
    deadline: Instant,
}

impl Asked {
    fn fetch(&self, path: String, max: u64) -> FetchFuture<'_> {
        Box::pin(async move {
            let call = Call {
                method: Method::GET,
                place: Place {
                    path: format!("{}/{path}", self.base.path),
                    ..self.base.clone()
                },
                // The operator named it.
                reach: Reach::Anywhere,
                headers: HeaderMap::new(),
                body: Bytes::new(),
                max,
                deadline: self.deadline,
                patience: Patience::Retry,
                room: None,
            };
            let answer = self.wire.send(&call).await;
            let answer = answer.map_err(|error| Error::transport(error.to_string()))?;
            match answer.status.as_u16() {
                200 => Ok(Some(answer.body.to_vec())),
                // Object stores say 403 of what they do not have.
                403 | 404 | 410 => Ok(None),
                status => Err(Error::transport(format!("status {status} for `{path}`"))),
            }
        })
    }
}

impl Repository for Asked {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        self.fetch(name.to_owned(), max_length)
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        self.fetch(format!("targets/{path}"), max_length)
    }
}
