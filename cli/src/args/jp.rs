//! `regent jp`, with the flags of `kyverno jp`.

use std::path::PathBuf;

use clap::Subcommand;

/// `regent jp`.
#[derive(Debug, Clone, clap::Args)]
pub struct JpArgs {
    /// What to do
    #[command(subcommand)]
    pub command: JpCommand,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum JpCommand {
    /// Evaluate expressions on an input
    Query(QueryArgs),
    /// Print the trees that expressions are parsed to
    Parse(ParseArgs),
    /// Print the signatures of functions, all of them where none is named
    Function(FunctionArgs),
}

/// `regent jp query`.
#[derive(Debug, Clone, clap::Args)]
pub struct QueryArgs {
    /// Expressions
    #[arg(value_name = "EXPRESSION")]
    pub expressions: Vec<String>,
    /// A file with the input, JSON or YAML; stdin where none is named
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// A file with an expression; repeatable, or separated by commas
    #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
    pub query: Vec<PathBuf>,
    /// Print JSON on one line
    #[arg(short, long)]
    pub compact: bool,
    /// Print a text without quotes
    #[arg(short, long)]
    pub unquoted: bool,
}

/// `regent jp parse`.
#[derive(Debug, Clone, clap::Args)]
pub struct ParseArgs {
    /// Expressions; read from stdin where none is given
    #[arg(value_name = "EXPRESSION")]
    pub expressions: Vec<String>,
    /// A file with an expression; repeatable, or separated by commas
    #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
    pub file: Vec<PathBuf>,
}

/// `regent jp function`.
#[derive(Debug, Clone, clap::Args)]
pub struct FunctionArgs {
    /// Names of functions
    #[arg(value_name = "FUNCTION")]
    pub names: Vec<String>,
}
