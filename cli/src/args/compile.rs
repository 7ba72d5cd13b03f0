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
    /// Print the input document that the Rego sees for this resource, instead of the Rego
    #[arg(long, value_name = "RESOURCE")]
    pub input: Option<PathBuf>,
}
