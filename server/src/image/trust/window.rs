//! Moments and the windows of validity that they must fall into, to the second.

use std::str::FromStr;

use serde::Deserialize;

/// A proven moment: whole seconds since 1970, and whether it is a part of a second later than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Whole seconds since 1970.
    pub seconds: u64,
    /// Whether a fraction of a second is to be added.
    pub fraction: bool,
}

impl Moment {
    /// A whole second.
    pub fn at(seconds: u64) -> Self {
        Self {
            seconds,
            fraction: false,
        }
    }

    /// The first whole second that is not before this moment.
    fn ceiling(self) -> u64 {
        self.seconds.saturating_add(u64::from(self.fraction))
    }
}

/// A span of time; both ends belong to it, and either may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// First second, seconds since 1970.
    pub start: Option<u64>,
    /// Last second, seconds since 1970.
    pub end: Option<u64>,
}

impl Window {
    /// Whether `moment` falls into the window.
    pub fn contains(self, moment: Moment) -> bool {
        self.start.is_none_or(|start| start <= moment.seconds)
            && self.end.is_none_or(|end| moment.ceiling() <= end)
    }

    /// The part that both windows share.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: match (self.end, other.end) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }
}

/// `validFor` of a trust root: RFC 3339 in UTC, each end optional.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct WrittenWindow {
    start: Option<String>,
    end: Option<String>,
}

impl WrittenWindow {
    /// The window, or the text that is no time.
    pub(crate) fn read(&self) -> Result<Window, String> {
        let read = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => rfc3339(text).map(Some).ok_or_else(|| text.clone()),
        };
        Ok(Window {
            start: read(&self.start)?,
            end: read(&self.end)?,
        })
    }
}

/// Seconds since 1970 of `YYYY-MM-DDTHH:MM:SS[.fraction]Z`; the fraction is dropped.
fn rfc3339(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let time = der::DateTime::from_str(&format!("{whole}Z")).ok()?;
    Some(time.unix_duration().as_secs())
}

#[cfg(test)]
mod tests;
