//! `regent verify`.

use super::image::ImageArgs;

/// `regent verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// The images
    #[arg(value_name = "IMAGE", required = true)]
    pub references: Vec<String>,
    /// Images
    #[command(flatten)]
    pub images: ImageArgs,
}
