//! `regent break-glass`.

use std::path::PathBuf;

use clap::Subcommand;

/// `regent break-glass`.
#[derive(Debug, Clone, clap::Args)]
pub struct BreakGlassArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BreakGlassCommand,
}

/// What is done with a journal.
#[derive(Debug, Clone, Subcommand)]
pub enum BreakGlassCommand {
    /// Show what was let in, and what became of it; ends with 1 where something is neither verified nor closed, or the journal was changed
    List(ListArgs),
    /// Say that there is nothing to verify any more, since it is gone or somebody answers for it
    Close(CloseArgs),
}

/// `regent break-glass list`.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    /// The journal that `serve --break-glass-journal` writes
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// Leave out what is verified or closed
    #[arg(long)]
    pub open: bool,
    /// How to show it.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub output: ListFormat,
}

/// How a journal is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people.
    Text,
    /// A JSON object.
    Json,
}

/// `regent break-glass close`.
#[derive(Debug, Clone, clap::Args)]
pub struct CloseArgs {
    /// The journal that `serve --break-glass-journal` writes
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
    /// What `list` shows first of it; repeatable
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Why; it is written down
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
