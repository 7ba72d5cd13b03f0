//! The command line of Regent.
//!
//! Knows how to read arguments and files and how to show results; what policies mean is `regent_engine`'s business,
//! and the network is `regent_server`'s.

use std::ffi::OsString;

use clap::Parser as _;

use crate::args::Args;
use crate::exit_status::ExitStatus;
use crate::io::Io;

pub mod apply;
pub mod args;
pub mod command;
pub mod demo;
pub mod exit_status;
pub mod explain;
pub mod images;
pub mod io;
pub mod jp;
pub mod offline;
pub mod rego_test;
pub mod render;
pub mod sources;
pub mod test;

/// Runs the command that `arguments` (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>, io: &mut Io<'_>) -> ExitStatus {
    let arguments = args::flags::without_values(arguments);
    let misused = misused(&arguments);
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return say_usage(&error, misused, io),
    };
    io.choose_colours(args.color);
    match command::run(args.command, io) {
        Ok(status) => status,
        Err(error) => say_error(&error, misused, io),
    }
}

/// How a command ends that was misused: Kyverno's own and OPA's end with 1, whatever went wrong.
fn misused(arguments: &[OsString]) -> ExitStatus {
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    // Before the command there is nothing but `--color` and its value.
    let mut words = words
        .filter(|word| !word.starts_with('-') && !matches!(*word, "auto" | "always" | "never"));
    match words.next() {
        Some("test" | "apply" | "jp" | "rego") => ExitStatus::Failed,
        _ => ExitStatus::Usage,
    }
}

/// Shows what clap has to say: help and version on stdout, mistakes on stderr.
fn say_usage(error: &clap::Error, misused: ExitStatus, io: &mut Io<'_>) -> ExitStatus {
    let text = error.render();
    let (sink, status): (&mut dyn std::io::Write, ExitStatus) = if error.use_stderr() {
        (&mut io.stderr, misused)
    } else {
        (&mut io.stdout, ExitStatus::Pass)
    };
    let written = if io.colours.are_on() {
        write!(sink, "{}", text.ansi())
    } else {
        write!(sink, "{text}")
    };
    match written {
        Ok(()) => status,
        Err(_closed) => misused,
    }
}

/// Shows why a command could not do its work.
fn say_error(error: &anyhow::Error, misused: ExitStatus, io: &mut Io<'_>) -> ExitStatus {
    let closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    // Whoever read our output has seen enough: `regent compile policy.yaml | head` is no mistake.
    if !error.chain().any(closed_pipe) {
        // Nothing is left to say it on when stderr is gone too; the status says it.
        drop(writeln!(io.stderr, "error: {error:#}"));
    }
    misused
}
