//! `regent rego`: modules of Rego by themselves, without a policy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use regent_engine::go_regex;
use regent_engine::rego::evaluate::Budget;
use regent_engine::rego::foreign::suite::coverage::Coverage;
use regent_engine::rego::foreign::suite::{Ended, State, Suite};
use regent_engine::rego::foreign::{Dialect, ForeignError, Text};
use regent_server::clock;

use crate::args::rego::{RegoArgs, RegoCommand, RegoFormat, RegoTestArgs};
use crate::exit_status::ExitStatus;
use crate::io::Io;
use crate::rego_test::coverage;
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
        let (outcome, cases, printed) = match test.state {
            State::ToDo => (Outcome::Skipped, BTreeMap::new(), Vec::new()),
            State::Ready => {
                let ran = suite.run(test, (now, budget));
                (outcome(ran.ended), ran.cases, ran.printed)
            }
        };
        let module = files.modules.get(test.module);
        rows.push(Row {
            file: module.map_or_else(String::new, |module| module.name.clone()),
            test: test.clone(),
            outcome,
            cases,
            printed,
            took: started.elapsed(),
        });
    }
    let with_coverage = args.coverage || args.threshold > 0.0;
    if with_coverage && !rows.is_empty() {
        return covered(&rows, (&suite, &files), (now, budget), args, io);
    }
    show(&rows, args, io)?;
    Ok(status(&rows))
}

/// Shows what tests reached; where one did not pass, that.
fn covered(
    rows: &[Row],
    (suite, files): (&Suite, &Files),
    moment: (i64, Budget),
    args: &RegoTestArgs,
    io: &mut Io<'_>,
) -> Result<ExitStatus> {
    let is_wrong = |row: &&Row| !matches!(row.outcome, Outcome::Passed | Outcome::Skipped);
    let wrong: Vec<Row> = rows.iter().filter(is_wrong).cloned().collect();
    if !wrong.is_empty() {
        let shown = RegoTestArgs {
            format: RegoFormat::Pretty,
            ..args.clone()
        };
        show(&wrong, &shown, io)?;
        writeln!(
            io.stderr,
            "error: not all tests passed: there is no coverage"
        )?;
        return Ok(ExitStatus::Failed);
    }
    let mut coverage = Coverage::new(suite).map_err(|errors| {
        let messages = errors.iter().map(ToString::to_string);
        anyhow!("coverage: {}", messages.collect::<Vec<_>>().join("; "))
    })?;
    for row in rows.iter().filter(|row| row.outcome == Outcome::Passed) {
        coverage.add(&row.test, moment)?;
    }
    let report = coverage::Report::new(files, &coverage.reached());
    if !report.show(args, io)? {
        return Ok(ExitStatus::RegoFailed);
    }
    Ok(status(rows))
}

fn status(rows: &[Row]) -> ExitStatus {
    if rows.is_empty() {
        ExitStatus::Failed
    } else if rows.iter().all(|row| row.outcome == Outcome::Passed) {
        ExitStatus::Pass
    } else {
        ExitStatus::RegoFailed
    }
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
