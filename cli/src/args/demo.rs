//! `regent demo`.

/// `regent demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Keep the registry and the webhook running, and print commands to try
    #[arg(long)]
    pub serve: bool,
}
