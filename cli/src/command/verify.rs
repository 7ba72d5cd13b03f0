//! `regent verify`.

use anyhow::Result;

use crate::args::verify::VerifyArgs;
use crate::exit_status::ExitStatus;
use crate::io::Io;

/// Runs `regent verify`.
pub fn run(_args: &VerifyArgs, _io: &mut Io<'_>) -> Result<ExitStatus> {
    anyhow::bail!("not built yet")
}
