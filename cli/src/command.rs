//! The commands: each reads its arguments, does its work, and says how it ended.

use anyhow::Result;

use crate::args::{Command, VersionArgs, VersionFormat};
use crate::exit_status::ExitStatus;
use crate::io::Io;

pub mod apply;
pub mod break_glass;
pub mod check;
pub mod compile;
pub mod demo;
pub mod fetch_trust;
pub mod jp;
pub mod rego;
pub mod serve;
pub mod test;
pub mod verify;
pub mod wasm;

/// Runs one command.
pub fn run(command: Command, io: &mut Io<'_>) -> Result<ExitStatus> {
    match command {
        Command::Serve(args) => serve::run(&args, io),
        Command::Verify(args) => verify::run(&args, io),
        Command::Test(args) => test::run(&args, io),
        Command::Apply(args) => apply::run(&args, io),
        Command::Demo(args) => demo::run(&args, io),
        Command::Check(args) => check::run(&args, io),
        Command::FetchTrust(args) => fetch_trust::run(&args, io),
        Command::BreakGlass(args) => break_glass::run(&args, io),
        Command::Jp(args) => jp::run(&args, io),
        Command::Rego(args) => rego::run(&args, io),
        Command::Wasm(args) => wasm::run(&args, io),
        Command::Version(args) => version(&args, io),
        Command::Compile(args) => compile::run(&args, io),
    }
}

fn version(args: &VersionArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let version = env!("CARGO_PKG_VERSION");
    match args.output {
        None => writeln!(io.stdout, "regent {version}")?,
        Some(VersionFormat::Json) => writeln!(io.stdout, "{{\"version\":\"{version}\"}}")?,
        Some(VersionFormat::Yaml) => writeln!(io.stdout, "version: {version}")?,
    }
    Ok(ExitStatus::Pass)
}
