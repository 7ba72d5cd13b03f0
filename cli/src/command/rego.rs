//! `regent rego`: modules of Rego by themselves, without a policy.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use regent_engine::go_regex;
use regent_engine::rego::evaluate::Budget;
use regent_engine::rego::foreign::suite::{Ended, State, Suite};
use regent_engine::rego::foreign::{Dialect, ForeignError, Text};
use regent_server::clock;

use crate::args::rego::{RegoArgs, RegoCommand, RegoTestArgs};
use crate::exit_status::ExitStatus;
use crate::io::Io;
use crate::rego_test::files::{Files, Module};
use crate::rego_test::report::{Outcome, Row, show};

/// Runs `regent rego`.
pub fn run(args: &RegoArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    match &args.command {
        RegoCommand::Test(args) => test(args, io),
    }
}

fn test(args: &RegoTestArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let wanted = args.run.as_deref().map(go_regex::compile).transpose();
    let wanted = wanted.context("--run")?;
    let files = Files::read(&args.paths, &args.ignore)?;
    let texts: Vec<Text<'_>> = files.modules.iter().map(Module::as_text).collect();
    let dialect = if args.v0_compatible {
        Dialect::V0
    } else {
        Dialect::V1
    };
    let suite = match Suite::read(&texts, dialect, &files.data) {
        Ok(suite) => suite,
        Err(errors) => {
            for error in &errors {
                writeln!(io.stderr, "{}", described(&files, error))?;
            }
            return Ok(ExitStatus::Failed);
        }
    };
    let now = clock::environment();
    let now = now.seconds.saturating_mul(1_000_000_000) + i64::from(now.nanoseconds);
    let budget = Budget {
        instructions: usize::MAX,
        time: Duration::from_secs(args.timeout),
    };
    let mut rows = Vec::new();
    for test in &suite.tests {
        let asked = wanted.as_ref();
        if asked.is_some_and(|wanted| !wanted.is_match(&test.path())) {
            continue;
        }
        let started = Instant::now();
        let (outcome, printed) = match test.state {
            State::ToDo => (Outcome::Skipped, Vec::new()),
            State::Ready => {
                let (ended, printed) = suite.run(test, (now, budget));
                (outcome(ended), printed)
            }
        };
        let module = files.modules.get(test.module);
        rows.push(Row {
            file: module.map_or_else(String::new, |module| module.name.clone()),
            test: test.clone(),
            outcome,
            printed,
            took: started.elapsed(),
        });
    }
    show(&rows, args, io)?;
    let all_passed = rows.iter().all(|row| row.outcome == Outcome::Passed);
    Ok(if all_passed {
        ExitStatus::Pass
    } else {
        ExitStatus::RegoFailed
    })
}

fn outcome(ended: Ended) -> Outcome {
    match ended {
        Ended::Passed => Outcome::Passed,
        Ended::Failed => Outcome::Failed,
        Ended::Broken(error) => Outcome::Broken(error.to_string()),
    }
}

/// What is wrong with a module, with its place and advice.
fn described(files: &Files, error: &ForeignError) -> String {
    let name = files.modules.get(error.module);
    let name = name.map_or("", |module| module.name.as_str());
    let place = match error.place {
        Some((line, column)) => format!("{name}:{line}:{column}: "),
        None => String::new(),
    };
    match &error.help {
        Some(help) => format!("error: {place}{} ({help})", error.message),
        None => format!("error: {place}{}", error.message),
    }
}
