//! The command line as it is typed.
//!
//! Knows nothing of what the commands do with it.

use clap::{Parser, Subcommand};

use crate::io::ColourChoice;

pub mod apply;
pub mod break_glass;
pub mod check;
pub mod compile;
pub mod demo;
pub mod facts;
pub mod fetch_trust;
pub mod flags;
pub mod image;
pub mod jp;
pub mod rego;
pub mod serve;
pub mod test;
pub mod verify;
pub mod wasm;

/// Kubernetes admission by Kyverno policies compiled to Rego, with image provenance verified and remembered.
#[derive(Debug, Parser)]
#[command(name = "regent", version, propagate_version = true)]
pub struct Args {
    /// When to colour what is shown.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub color: ColourChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer an API server's admission webhooks.
    Serve(Box<serve::ServeArgs>),
    /// Run folders of policy tests in the format of `kyverno-test.yaml`, offline.
    Test(Box<test::TestArgs>),
    /// Apply policies to resources, offline, as `kyverno apply` does.
    Apply(Box<apply::ApplyArgs>),
    /// Say everything that is wrong with policies, with file, line, column and help.
    Check(check::CheckArgs),
    /// Evaluate JMESPath expressions as policies have them.
    Jp(jp::JpArgs),
    /// Print the Rego that policies become.
    Compile(compile::CompileArgs),
    /// Verify the signatures and attestations of images, as `cosign verify` does.
    Verify(Box<verify::VerifyArgs>),
    /// Write the trust root that a mirror of The Update Framework has now.
    FetchTrust(fetch_trust::FetchTrustArgs),
    /// Show the whole product at work on this machine: a registry, the webhook, and requests to it.
    Demo(demo::DemoArgs),
    /// Look at modules, run and measure them.
    Wasm(Box<wasm::WasmArgs>),
    /// Show what break-glass let in, and what became of it.
    BreakGlass(break_glass::BreakGlassArgs),
    /// Run tests that are written in Rego.
    Rego(rego::RegoArgs),
    /// Print the version.
    Version(VersionArgs),
}

/// `regent version`.
#[derive(Debug, clap::Args)]
pub struct VersionArgs {
    /// How to print it.
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<VersionFormat>,
}

/// How a version is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum VersionFormat {
    /// A JSON object.
    Json,
    /// A YAML mapping.
    Yaml,
}
