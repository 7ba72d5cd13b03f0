//! `regent rego`.

use std::path::PathBuf;

use clap::Subcommand;

/// `regent rego`.
#[derive(Debug, clap::Args)]
pub struct RegoArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RegoCommand,
}

/// What can be done with Rego.
#[derive(Debug, Subcommand)]
pub enum RegoCommand {
    /// Run tests that are written in Rego, as `opa test` does
    Test(RegoTestArgs),
}

/// `regent rego test`.
#[derive(Debug, Clone, clap::Args)]
pub struct RegoTestArgs {
    /// Modules and data (`.rego`, `.json`, `.yaml`, `.yml`), or directories of them (recursively)
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Run only tests whose path (`data.package.test_name`) the expression matches
    #[arg(short, long, value_name = "REGEX")]
    pub run: Option<String>,
    /// Show tests that pass, and what tests print
    #[arg(short, long)]
    pub verbose: bool,
    /// How to show results
    #[arg(short, long, value_enum, default_value = "pretty")]
    pub format: RegoFormat,
    /// Names of files and directories to leave out of directories, with wildcards; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub ignore: Vec<String>,
    /// Read modules as before OPA 1.0, without `if` and `contains`
    #[arg(long)]
    pub v0_compatible: bool,
    /// Say which lines tests reach, as JSON, where all tests pass
    #[arg(short, long)]
    pub coverage: bool,
    /// Fail where tests reach less than this percentage of lines; with `--coverage`, which it implies
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percentage)]
    pub threshold: f64,
    /// The longest that a test may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RegoFormat {
    /// For a person at a terminal.
    Pretty,
    /// One JSON document on stdout.
    Json,
}

fn percentage(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .parse()
        .map_err(|_no_number| "a number is wanted".to_owned())?;
    if (0.0..=100.0).contains(&number) {
        Ok(number)
    } else {
        Err("a percentage is between 0 and 100".to_owned())
    }
}
