//! `regent fetch-trust`: writes the trust root that a TUF mirror has now, for `--trusted-root`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use regent_server::tuf::{Mirror, TufSettings};
use tokio::time::Instant;

use crate::args::fetch_trust::FetchTrustArgs;
use crate::exit_status::ExitStatus;
use crate::io::Io;

/// Time for all of it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs `regent fetch-trust`.
pub fn run(args: &FetchTrustArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let root = std::fs::read(&args.root)
        .with_context(|| format!("the TUF root `{}`", args.root.display()))?;
    let settings = TufSettings {
        mirror: args.mirror.clone(),
        root,
        target: args.target.clone(),
        directory: args.directory.clone(),
        certificates: args.ca.clone(),
        interval: Duration::ZERO,
        beside_others: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is not set")?
        .as_secs();
    let fetched = runtime.block_on(async {
        Mirror::new(&settings)?
            .fetch(now, Instant::now() + PATIENCE)
            .await
    })?;
    if let Some(path) = &args.output {
        std::fs::write(path, &fetched.json).with_context(|| format!("`{}`", path.display()))?;
    } else {
        write!(io.stdout, "{}", fetched.json)?;
    }
    let (root, timestamp) = fetched.versions;
    writeln!(
        io.stderr,
        "{} logs, {} certificate authorities, {} timestamp authorities; TUF root version {root}, timestamp version {timestamp}",
        fetched.root.logs().len(),
        fetched.root.certificate_authorities().len(),
        fetched.root.timestamp_authorities().len(),
    )?;
    Ok(ExitStatus::Pass)
}
