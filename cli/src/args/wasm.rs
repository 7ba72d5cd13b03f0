//! `regent wasm`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use regent_engine::wasm::metadata::{ABIS, Abi};

/// `regent wasm`.
#[derive(Debug, clap::Args)]
pub struct WasmArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WasmCommand,
}

/// What can be done with modules.
#[derive(Debug, Subcommand)]
pub enum WasmCommand {
    /// Say what a module is: its kind, what it imports and asks for, its metadata, size and digest
    Inspect(InspectArgs),
    /// Ask a module about a request, with the limits that a policy would set
    Run(RunArgs),
    /// Measure how long a module takes, and how much memory and fuel
    Bench(BenchArgs),
    /// Write metadata into a module
    Annotate(AnnotateArgs),
    /// Make a project: a module's source, its policy, a test, and a script that builds it
    Scaffold(ScaffoldArgs),
}

/// `regent wasm inspect`.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// The module
    #[arg(value_name = "MODULE")]
    pub module: PathBuf,
    /// As one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What a module is asked.
#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// The module
    #[arg(value_name = "MODULE")]
    pub module: PathBuf,
    /// An admission review, a request, or a resource that is being created; JSON or YAML
    #[arg(short, long, value_name = "FILE")]
    pub request: PathBuf,
    /// Settings; JSON or YAML
    #[arg(short, long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Which kind of module it is [default: as it says itself]
    #[arg(long, value_name = "KIND", value_parser = abi)]
    pub abi: Option<Abi>,
}

/// `regent wasm run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// What is asked
    #[command(flatten)]
    pub ask: AskArgs,
    /// What it may ask for, may have wildcards; what it asks is shown, and nobody answers; repeatable
    #[arg(long, value_name = "CAPABILITY")]
    pub capability: Vec<String>,
}

/// `regent wasm bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// What is asked
    #[command(flatten)]
    pub ask: AskArgs,
    /// How often
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub iterations: u32,
    /// As one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `regent wasm annotate`.
#[derive(Debug, clap::Args)]
pub struct AnnotateArgs {
    /// The module
    #[arg(value_name = "MODULE")]
    pub module: PathBuf,
    /// The metadata; JSON or YAML, as Kubewarden has it
    #[arg(short, long, value_name = "FILE")]
    pub metadata: PathBuf,
    /// Where the annotated module is written
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `regent wasm scaffold`.
#[derive(Debug, clap::Args)]
pub struct ScaffoldArgs {
    /// What the module is written in
    #[arg(value_enum, value_name = "LANGUAGE")]
    pub language: Language,
    /// A folder that is not there or empty; its name becomes that of the policy
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// What a module can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust with Kubewarden's kit
    Rust,
    /// `AssemblyScript` without a kit
    Assemblyscript,
    /// C, as a command
    C,
    /// Rego, compiled by OPA
    Rego,
}

fn abi(text: &str) -> Result<Abi, String> {
    let found = ABIS.iter().find(|(name, _)| *name == text);
    found.map(|(_, abi)| *abi).ok_or_else(|| {
        let names: Vec<&str> = ABIS.iter().map(|(name, _)| *name).collect();
        format!("it is one of {}", names.join(", "))
    })
}
