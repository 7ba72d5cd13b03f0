//! How images are found and what is trusted: shared by `serve`, `verify` and `test`.

use std::path::PathBuf;

use regent_engine::builders::Builders;
use regent_engine::parse::builders::builders;
use regent_engine::source::Source;

/// Where images come from and which trust root their evidence is verified under.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Images")]
pub struct ImageArgs {
    /// A Sigstore trust root (`trusted_root.json`) or signing trust; repeatable [default: the public Sigstore's, embedded]
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Vec<PathBuf>,
    /// A table of builders (YAML), added to the one that comes along; repeatable
    #[arg(long, value_name = "FILE", value_parser = read_builders)]
    pub slsa_builders: Vec<Builders>,
    /// Ask ADDRESS where an image names the registry HOST; repeatable
    #[arg(long, value_name = "HOST=ADDRESS", value_parser = parse_mirror)]
    pub registry_mirror: Vec<Mirror>,
    /// Certificates (PEM) that registries may chain to, besides the system's; repeatable
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Vec<PathBuf>,
    /// Accept any certificate of the registry HOST, or plain HTTP where it has no TLS; repeatable
    #[arg(long, value_name = "HOST")]
    pub insecure_registry: Vec<String>,
    /// An OCI image layout that stands for registries; repeatable
    #[arg(long, value_name = "DIR")]
    pub oci_layout: Vec<PathBuf>,
    /// Docker's `config.json`, or the directory that holds it, with registry credentials
    #[arg(long, value_name = "PATH")]
    pub docker_config: Option<PathBuf>,
}

/// A registry, and the address that answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The registry as images name it.
    pub host: String,
    /// Who is asked instead.
    pub address: String,
}

/// Reads a table of builders, so that one that cannot be used is a mistake of the command line.
fn read_builders(path: &str) -> Result<Builders, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let (builders, diagnostics) = builders(&Source::new(path, text));
    match diagnostics.first() {
        None => Ok(builders),
        Some(diagnostic) => {
            let (line, _) = diagnostic.position();
            Err(format!("line {line}: {}", diagnostic.message))
        }
    }
}

fn parse_mirror(text: &str) -> Result<Mirror, String> {
    match text.split_once('=') {
        Some((host, address)) if !host.is_empty() && !address.is_empty() => Ok(Mirror {
            host: host.to_owned(),
            address: address.to_owned(),
        }),
        _ => Err("expected HOST=ADDRESS, as in `ghcr.io=mirror.internal:5000`".to_owned()),
    }
}
