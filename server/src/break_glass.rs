//! What a `BreakGlass` let in: written down before it is let in, and verified afterwards.
//!
//! Whether something is let in is the engine's business.

use std::path::PathBuf;
use std::time::Duration;

pub mod history;
pub mod journal;
pub mod record;
pub(crate) mod verify;

/// How long a `BreakGlass` may be open where nobody says otherwise: a working shift's half, after which somebody looks
/// again.
pub const LONGEST: Duration = Duration::from_hours(4);

/// That a `BreakGlass` counts, and where what it lets in is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlassSettings {
    /// The journal, one object of JSON a line; made if it is not there.
    pub journal: PathBuf,
    /// How long a `BreakGlass` may be open.
    pub longest: Duration,
    /// How often what was let in is verified, as long as it is refused.
    pub verify_every: Duration,
}
