//! What registries say: recorded, and replayed without a network. Shared by `test` and `apply`.

use std::path::PathBuf;

use regent_engine::go_time::{RFC3339, Time};

/// Recording and replaying.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Images")]
pub struct FactsArgs {
    /// Ask registries, and write what they say to FILE, for later runs without a network
    #[arg(long, value_name = "FILE", conflicts_with = "facts")]
    pub record: Option<PathBuf>,
    /// What registries said when FILE was recorded stands for them
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
    /// The time that expressions see and at which evidence is judged, as in `2026-11-26T12:00:00Z` [default: when the facts were recorded, else now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub now: Option<i64>,
}

/// Seconds since 1970 of a time in RFC 3339.
pub(crate) fn time(text: &str) -> Result<i64, String> {
    let time = Time::parse(RFC3339, text);
    time.map(|time| time.instant().0)
        .map_err(|_error| "expected a time, as in `2026-11-26T12:00:00Z`".to_owned())
}
