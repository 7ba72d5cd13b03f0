//! `regent compile`.

use std::path::PathBuf;

/// `regent compile`.
#[derive(Debug, Clone, clap::Args)]
pub struct CompileArgs {
    /// Policy files, directories of them (recursively), or `-` for stdin
    #[arg(value_name = "POLICY", required = true)]
    pub policies: Vec<PathBuf>,
    /// Print only rules whose name this is, with wildcards, as in `autogen-*`
    #[arg(
        long,
        value_name = "NAME",
        default_value = "*",
        hide_default_value = true
    )]
    pub rule: String,
    /// Write a bundle for OPA into this folder instead of printing: the modules, and the host functions as Rego
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Print the programs that judge many rules at once instead, as `serve` runs them for all of these policies
    #[arg(long, conflicts_with_all = ["bundle", "input", "rule"])]
    pub together: bool,
    /// Print what the Rego is asked about the resources of this file, or of stdin (`-`), instead of the Rego: a list of
    /// each query, its input document and the answer
    #[arg(long, value_name = "RESOURCE", conflicts_with = "bundle")]
    pub input: Option<PathBuf>,
    /// Print only the input document of this query, as in `data.regent.x_policy.x_rule.verdict`; one after the other where
    /// it is asked more than once
    #[arg(long, value_name = "PATH", requires = "input")]
    pub query: Option<String>,
    /// Values for variables, in the format of `apply` and `test`
    #[arg(short = 'f', long, value_name = "FILE", requires = "input")]
    pub values_file: Option<PathBuf>,
    /// Who asks, in the format of `apply` and `test`
    #[arg(short, long, value_name = "FILE", requires = "input")]
    pub userinfo: Option<PathBuf>,
    /// What stands for a cluster and for services, in the format of `apply` and `test`
    #[arg(long, value_name = "FILE", requires = "input")]
    pub context_file: Option<PathBuf>,
}
