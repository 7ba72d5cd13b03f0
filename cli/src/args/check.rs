//! `regent check`.

use std::path::PathBuf;

/// `regent check`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// Policy files, directories of them (recursively), or `-` for stdin
    #[arg(value_name = "POLICY", required = true)]
    pub policies: Vec<PathBuf>,
    /// A Sigstore trust root whose logs policies may name; repeatable [default: the public Sigstore's, embedded]
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Vec<PathBuf>,
    /// How to show what was found
    #[arg(
        long,
        value_enum,
        default_value = "human",
        visible_alias = "output-format",
        short = 'o'
    )]
    pub format: Format,
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a person at a terminal.
    Human,
    /// One JSON document on stdout.
    Json,
    /// SARIF 2.1.0 on stdout, for code scanning.
    Sarif,
}
