//! `regent test`: folders of policy tests in the format of `kyverno-test.yaml`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use regent_engine::yaml_text;

use crate::args::test::{TestArgs, TestFormat};
use crate::exit_status::ExitStatus;
use crate::images::check_layouts;
use crate::io::{ColourChoice, Io};
use crate::offline::evaluate::SlsaVersions;
use crate::offline::images::Registries;
use crate::offline::observe::Watch;
use crate::offline::parallel;
use crate::render::{human, sarif};
use crate::test::coverage::{self, Coverage};
use crate::test::find::find;
use crate::test::report::{self, Shown, Strictness, Summary};
use crate::test::run::{self, Options, TestResult};
use crate::test::selector::Selector;

/// Runs `regent test`; as Kyverno's, it ends with 1 whatever goes wrong.
pub fn run(args: &TestArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    if args.remove_color {
        io.choose_colours(ColourChoice::Never);
    }
    if args.git_branch.is_some() {
        bail!("`--git-branch` is not supported: clone the repository and name its folder");
    }
    let selector = Selector::parse(&args.test_case_selector)?;
    check_layouts(&args.images)?;
    let files = find(&args.paths, &args.file_name)?;
    if files.is_empty() {
        writeln!(io.stderr, "no test file named `{}` found", args.file_name)?;
        if args.require_tests {
            return Ok(ExitStatus::Failed);
        }
    }
    let options = options(args, selector)?;
    let began = SystemTime::now().duration_since(UNIX_EPOCH);
    let began = began.map_or(0, |began| began.as_secs().try_into().unwrap_or(i64::MAX));
    let results = run::run(&files, &options, progress(files.len(), io));
    clear_progress(files.len(), io)?;
    options.registries.keep(&args.facts)?;
    let strictness = if args.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    let shown = Shown {
        strictness,
        failures_only: args.fail_only,
        messages: args.detailed_results,
    };
    let text = match args.format {
        TestFormat::Human if files.is_empty() => String::new(),
        TestFormat::Human => {
            report::human::show(&results, shown, io)?;
            String::new()
        }
        TestFormat::Json => format!("{:#}\n", report::data::document(&results, shown)),
        TestFormat::Yaml => yaml_text::document(&report::data::document(&results, shown)),
        TestFormat::Markdown => report::markdown::document(&results, shown)?,
        TestFormat::Junit => report::junit::document(&results, strictness, began)?,
        TestFormat::Sarif => {
            let findings = report::sarif::findings(&results, strictness);
            format!("{:#}\n", sarif::document(&findings))
        }
    };
    write!(io.stdout, "{text}")?;
    if covers(args) {
        show_coverage(args, &results, io)?;
    }
    let tested = is_anything_tested(args, (&files, &results), strictness, io)?;
    Ok(if tested && Summary::of(&results, strictness).is_good() {
        ExitStatus::Pass
    } else {
        ExitStatus::Failed
    })
}

/// Whether a run says anything at all; where it has to, that it does not is an error.
fn is_anything_tested(
    args: &TestArgs,
    (files, results): (&[PathBuf], &[TestResult]),
    strictness: Strictness,
    io: &mut Io<'_>,
) -> Result<bool> {
    if results
        .iter()
        .any(|result| result.is_broken || result.lines().next().is_some())
    {
        return Ok(true);
    }
    let severity = strictness.severity();
    let selector = human::printable(&args.test_case_selector);
    if !files.is_empty() {
        writeln!(
            io.stderr,
            "{severity}: nothing was tested: `{selector}` chooses no row of the tests that are there"
        )?;
    } else if strictness == Strictness::Strict {
        writeln!(io.stderr, "{severity}: nothing was tested")?;
    }
    Ok(strictness == Strictness::Lenient)
}

/// Whether it is to be known what rows go through.
fn covers(args: &TestArgs) -> bool {
    args.coverage || args.coverage_output.is_some()
}

/// Beside what is alone on stdout, coverage is shown on stderr.
fn show_coverage(args: &TestArgs, results: &[TestResult], io: &mut Io<'_>) -> Result<()> {
    let mut all = Coverage::default();
    for result in results {
        all.extend(&result.coverage);
    }
    if let Some(path) = &args.coverage_output {
        let text = coverage::lcov(&all)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    if args.coverage {
        let text = coverage::text(&all)?;
        match args.format {
            TestFormat::Human => write!(io.stdout, "{text}")?,
            _ => write!(io.stderr, "{text}")?,
        }
    }
    Ok(())
}

fn options(args: &TestArgs, selector: Selector) -> Result<Options<'_>> {
    Ok(Options {
        selector,
        threads: args.threads.unwrap_or_else(parallel::available),
        images: &args.images,
        registries: Registries::of(args.registry, &args.facts)?,
        now: args.facts.now,
        watch: Watch {
            explanations: args.explain,
            coverage: covers(args),
            ..Watch::default()
        },
        slsa_versions: if args.exact_slsa_versions {
            SlsaVersions::Exact
        } else {
            SlsaVersions::EitherAnswers
        },
    })
}

/// Fewer files than this are done before a person wonders.
const LONG_RUN: usize = 20;

/// Says how far a long run is, where somebody is watching.
fn progress(files: usize, io: &mut Io<'_>) -> impl FnMut(usize) {
    let is_shown = io.colours.are_on() && files >= LONG_RUN;
    move |done| {
        if is_shown {
            // A terminal that is gone will be noticed by what matters more.
            drop(write!(io.stderr, "\r{done} of {files} test files"));
        }
    }
}

fn clear_progress(files: usize, io: &mut Io<'_>) -> Result<()> {
    if io.colours.are_on() && files >= LONG_RUN {
        write!(io.stderr, "\r\u{1b}[K")?;
    }
    Ok(())
}
