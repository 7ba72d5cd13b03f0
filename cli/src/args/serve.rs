//! `regent serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::image::ImageArgs;

/// `regent serve`.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// Policy files, or directories of them; repeatable
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Where to answer the API server
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    pub listen: SocketAddr,
    /// Where to answer Prometheus
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8000")]
    pub metrics_listen: SocketAddr,
    /// The serving certificate and its chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The serving certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Make a certificate at start, and write the CA that it chains to into DIR
    #[arg(long, value_name = "DIR", conflicts_with = "tls_cert")]
    pub tls_self_signed: Option<PathBuf>,
    /// Images
    #[command(flatten)]
    pub images: ImageArgs,
}
