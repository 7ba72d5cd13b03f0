//! The floor as a process: an empty TLS server on loopback.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// An empty hyper TLS server on a free port of loopback; says its address on stdout
#[derive(Debug, Parser)]
struct Args {
    /// Where to write its certificate (PEM)
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    regent_benches::floor::run(&args.certificate, &mut std::io::stdout()).await
}
