//! `regent fetch-trust`.

use std::path::PathBuf;

use regent_server::tuf::TRUSTED_ROOT;

/// `regent fetch-trust`.
#[derive(Debug, Clone, clap::Args)]
pub struct FetchTrustArgs {
    /// Mirror of The Update Framework, as `https://tuf-repo-cdn.sigstore.dev`
    #[arg(long, value_name = "URL")]
    pub mirror: String,
    /// Root metadata that the mirror is believed by: any version of it that you trust, newer ones are found from there
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// Name of the target that is the trust root
    #[arg(long, value_name = "NAME", default_value = TRUSTED_ROOT)]
    pub target: String,
    /// Where to keep the metadata, so that the mirror cannot go back behind what it showed
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Certificates (PEM) that the mirror may chain to, besides the system's; repeatable
    #[arg(long, value_name = "FILE")]
    pub ca: Vec<PathBuf>,
    /// Where to write the trust root [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
