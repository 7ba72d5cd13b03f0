//! A `BreakGlass`, which is Regent's own: for a time, what rules refuse is let in for those who are named, and that is
//! recorded and verified afterwards.

use std::sync::Arc;

use crate::go_time::Time;
use crate::source::Spanned;

use super::exception::PolicyException;

/// `apiVersion` of a `BreakGlass`.
pub const API_VERSION: &str = "regent.dev/v1";

/// `kind` of a `BreakGlass`.
pub const KIND: &str = "BreakGlass";

/// A `BreakGlass`.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakGlass {
    /// Who may have what in, and which rules would refuse it: read as those of a `PolicyException` are.
    pub exception: Arc<PolicyException>,
    /// `reason`: why; never empty.
    pub reason: Spanned<String>,
    /// `ticket`: where more is said of it.
    pub ticket: Option<Spanned<String>>,
    /// `startsAt`: it counts from then on.
    pub starts_at: Spanned<Time>,
    /// `expiresAt`: it counts up to then, and not at that time itself.
    pub expires_at: Spanned<Time>,
    /// `images`: only these, where there are any, and only where rules that verify images refuse them; wildcards.
    pub images: Vec<Spanned<String>>,
}

impl BreakGlass {
    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.exception.name.value
    }

    /// Whether it counts at a time, in seconds and nanoseconds since 1970.
    pub fn is_open_at(&self, instant: (i64, u32)) -> bool {
        self.starts_at.value.instant() <= instant && instant < self.expires_at.value.instant()
    }
}
