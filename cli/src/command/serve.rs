//! `regent serve`.

use anyhow::Result;

use crate::args::serve::ServeArgs;
use crate::exit_status::ExitStatus;
use crate::io::Io;

/// Runs `regent serve`.
pub fn run(_args: &ServeArgs, _io: &mut Io<'_>) -> Result<ExitStatus> {
    anyhow::bail!("not built yet")
}
