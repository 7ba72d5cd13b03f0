//! `regent apply`: policies on resources, offline.

use std::time::Instant;

use anyhow::Result;
use regent_engine::diagnostic::Diagnostic;

use crate::apply::exceptions;
use crate::apply::inputs::{self, Read};
use crate::apply::output::Output;
use crate::apply::report;
use crate::apply::results::{self, AuditFailures, Counts, Response};
use crate::apply::text::{self, Messages};
use crate::args::apply::ApplyArgs;
use crate::exit_status::ExitStatus;
use crate::io::{ColourChoice, Io};
use crate::offline::{parallel, targets};
use crate::render::human;

/// More diagnostics than this are shown a line each.
const MAX_RENDERED: usize = 10;

/// Runs `regent apply`; as Kyverno's, it ends with 1 whatever goes wrong.
pub fn run(args: &ApplyArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    if args.remove_color {
        io.choose_colours(ColourChoice::Never);
    }
    let only_data = args.policy_report || args.generate_exceptions;
    let output = match (&args.output, only_data, args.stdin) {
        (Some(path), ..) => Output::to(path),
        (None, true, _) => Ok(Output::Dropped),
        (None, false, true) => Ok(Output::Piped),
        (None, false, false) => Ok(Output::Shown),
    };
    match output.and_then(|output| Ok((output, inputs::read(args, io)?))) {
        Ok((output, read)) => apply(args, &output, &read, io),
        Err(error) => {
            writeln!(io.stderr, "Error: {error:#}")?;
            Ok(ExitStatus::Failed)
        }
    }
}

fn apply(args: &ApplyArgs, output: &Output, read: &Read, io: &mut Io<'_>) -> Result<ExitStatus> {
    let Read {
        prepared,
        found,
        registries,
    } = read;
    let misleading = prepared.misleading();
    let told = found.iter().chain(prepared.told()).chain(&misleading);
    show_diagnostics(&told.collect::<Vec<_>>(), io)?;
    for warning in &prepared.warnings {
        writeln!(io.stderr, "warning: {warning}")?;
    }
    let only_data = args.policy_report || args.generate_exceptions || args.stdin;
    let began = Instant::now();
    if !only_data {
        text::show_start(prepared, io)?;
    }
    let threads = args.threads.unwrap_or_else(parallel::available);
    let evaluate = |index| prepared.evaluate_one(index, None);
    let evaluated = parallel::map(prepared.evaluated().len(), threads, evaluate, |_| {});
    let mut evaluated: Vec<_> = evaluated.into_iter().flatten().collect();
    evaluated.iter_mut().for_each(targets::result_for_each);
    if args.show_performance {
        let (count, took) = (evaluated.len(), began.elapsed());
        writeln!(io.stderr, "evaluated {count} resource(s) in {took:.1?}")?;
    }
    registries.keep(&args.facts)?;
    output.write(prepared, &evaluated, io)?;
    let mut responses = results::responses(prepared, &evaluated);
    if args.explain {
        for response in &mut responses {
            response.explain(prepared);
        }
    }
    let audit = if args.audit_warn {
        AuditFailures::Warn
    } else {
        AuditFailures::Fail
    };
    let invalid: Vec<&str> = prepared
        .policies
        .iter()
        .filter(|policy| policy.is_policy() && !policy.runs())
        .map(|policy| policy.name.as_str())
        .collect();
    let mut counts = Counts::of(&responses, audit);
    counts.error += invalid.len() + prepared.nameless.len() + found.len();
    let outcome = Outcome {
        responses,
        audit,
        invalid,
        counts,
    };
    show(args, &outcome, io)?;
    status(args, counts, io)
}

fn show_diagnostics(diagnostics: &[&Diagnostic], io: &mut Io<'_>) -> Result<()> {
    let style = io.style();
    for diagnostic in diagnostics {
        if diagnostics.len() > MAX_RENDERED {
            writeln!(io.stderr, "{}", human::line(diagnostic))?;
        } else {
            write!(io.stderr, "{}", human::render(diagnostic, style))?;
        }
    }
    Ok(())
}

struct Outcome<'a> {
    responses: Vec<Response<'a>>,
    audit: AuditFailures,
    /// Names of policies that did not load.
    invalid: Vec<&'a str>,
    counts: Counts,
}

fn show(args: &ApplyArgs, outcome: &Outcome<'_>, io: &mut Io<'_>) -> Result<()> {
    let (responses, audit) = (outcome.responses.as_slice(), outcome.audit);
    text::show_errors(responses, io)?;
    text::show_explanations(responses, io)?;
    if args.generate_exceptions {
        let exceptions = exceptions::text(responses, audit, args.generated_exception_ttl);
        write!(io.stdout, "{exceptions}")?;
        return Ok(());
    }
    if args.policy_report {
        let reports = report::reports(responses, audit, args.report_api);
        let text = report::render(&reports, args.output_format)?;
        write!(io.stdout, "{text}")?;
        return Ok(());
    }
    if args.stdin {
        return Ok(());
    }
    text::show_invalid(&outcome.invalid, io)?;
    if args.table {
        let messages = if args.detailed_results {
            Messages::Shown
        } else {
            Messages::Hidden
        };
        return text::show_table(responses, audit, messages, io);
    }
    text::show_failures(responses, audit, io)?;
    text::show_counts(outcome.counts, io)
}

fn status(args: &ApplyArgs, counts: Counts, io: &mut Io<'_>) -> Result<ExitStatus> {
    if counts.fail > 0 || counts.error > 0 {
        return Ok(ExitStatus::Failed);
    }
    let code = args.warn_exit_code;
    if counts.warn > 0 && code != 0 {
        writeln!(io.stderr, "exit as warnExitCode is {code}")?;
        return Ok(ExitStatus::Warned(code));
    }
    if counts.pass == 0 && args.warn_no_pass {
        writeln!(io.stderr, "exit as no objects satisfied policy")?;
        return Ok(ExitStatus::Warned(code));
    }
    Ok(ExitStatus::Pass)
}
