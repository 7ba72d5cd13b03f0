//! Why something could not be fetched, whatever it was fetched from.
//!
//! Knows neither registries nor layouts; both fail with these.

use regent_engine::evaluation::need::FactError;
use thiserror::Error;

/// Why there is nothing to judge, by what the caller does next.
///
/// Only [`FetchError::NotFound`] says that something does not exist; every other variant says that this is not known,
/// and must never be read as "there is no evidence".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// Not reachable, or it answered that it cannot serve now; a later attempt may succeed.
    #[error("{0}")]
    Unavailable(String),
    /// The time that was given ran out.
    #[error("{0}")]
    Timeout(String),
    /// It says that this does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Access was refused, or no access token was given.
    #[error("{0}")]
    Unauthorized(String),
    /// What came back is not what was asked for: no JSON, another digest, another media type.
    #[error("{0}")]
    Malformed(String),
    /// More came back, or was announced, than is accepted.
    #[error("{0}")]
    TooLarge(String),
    /// More is under way than this host has room for. Whoever asks about images brings that about, and whoever pushes
    /// evidence: it is never let in as an outage is.
    #[error("{0}")]
    Crowded(String),
    /// It sent us somewhere that we do not go: another host for a manifest, from https to http, to loopback.
    #[error("{0}")]
    Redirect(String),
    /// The image names a registry that images may not name.
    #[error("{0}")]
    Barred(String),
}

impl FetchError {
    /// The `outcome` label of metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Timeout(_) => "timeout",
            Self::NotFound(_) => "not_found",
            Self::Unauthorized(_) => "unauthorized",
            Self::Malformed(_) => "malformed",
            Self::TooLarge(_) => "too_large",
            Self::Crowded(_) => "crowded",
            Self::Redirect(_) => "redirect",
            Self::Barred(_) => "barred",
        }
    }

    /// The same as the reason why there is no access: something that does not exist is not the image.
    #[must_use]
    pub(crate) fn about(self, what: &str) -> Self {
        let with = |message: String| format!("{what}: {message}");
        match self {
            Self::Unavailable(message) => Self::Unavailable(with(message)),
            Self::Timeout(message) => Self::Timeout(with(message)),
            Self::NotFound(message) | Self::Unauthorized(message) => {
                Self::Unauthorized(with(message))
            }
            Self::Malformed(message) => Self::Malformed(with(message)),
            Self::TooLarge(message) => Self::TooLarge(with(message)),
            Self::Crowded(message) => Self::Crowded(with(message)),
            Self::Redirect(message) => Self::Redirect(with(message)),
            Self::Barred(message) => Self::Barred(with(message)),
        }
    }

    /// Whether the other side could not be reached, so that what it said before may stand in for an answer.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Timeout(_) => true,
            Self::NotFound(_)
            | Self::Unauthorized(_)
            | Self::Malformed(_)
            | Self::TooLarge(_)
            | Self::Crowded(_)
            | Self::Redirect(_)
            | Self::Barred(_) => false,
        }
    }
}

impl From<FetchError> for FactError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Unavailable(message) => Self::Unavailable(message),
            FetchError::Timeout(message) => Self::Timeout(message),
            FetchError::NotFound(message) => Self::NotFound(message),
            FetchError::Unauthorized(message) => Self::Unauthorized(message),
            FetchError::Crowded(message) => Self::NoRoom(message),
            FetchError::Malformed(message)
            | FetchError::TooLarge(message)
            | FetchError::Redirect(message)
            | FetchError::Barred(message) => Self::Malformed(message),
        }
    }
}

/// Makes text of the other side fit for a one-line message: no control characters, at most 200 characters.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
