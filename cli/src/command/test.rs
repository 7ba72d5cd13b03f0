//! `regent test`: folders of policy tests in the format of `kyverno-test.yaml`.

use anyhow::Result;

use crate::args::test::{TestArgs, TestFormat};
use crate::exit_status::ExitStatus;
use crate::io::{ColourChoice, Io};
use crate::offline::images::Registries;
use crate::offline::parallel;
use crate::test::find::find;
use crate::test::report::{self, Shown, Strictness, Summary};
use crate::test::run::{self, Options};
use crate::test::selector::Selector;

/// Runs `regent test`.
pub fn run(args: &TestArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    if args.remove_color {
        io.choose_colours(ColourChoice::Never);
    }
    let selector = Selector::parse(&args.test_case_selector)?;
    let files = find(&args.paths, &args.file_name)?;
    if files.is_empty() {
        writeln!(io.stderr, "no test file named `{}` found", args.file_name)?;
        if args.require_tests {
            return Ok(ExitStatus::Failed);
        }
    }
    let options = Options {
        selector,
        threads: args.threads.unwrap_or_else(parallel::available),
        images: &args.images,
        registries: if args.registry {
            Registries::Asked
        } else {
            Registries::Offline
        },
    };
    let results = run::run(&files, &options);
    let strictness = if args.strict {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    match args.format {
        TestFormat::Json => report::show_json(&results, strictness, io)?,
        TestFormat::Human if files.is_empty() => {}
        TestFormat::Human => {
            let shown = Shown {
                failures_only: args.fail_only,
                messages: args.detailed_results,
            };
            report::show_human(&results, strictness, shown, io)?;
        }
    }
    Ok(if Summary::of(&results, strictness).is_good() {
        ExitStatus::Pass
    } else {
        ExitStatus::Failed
    })
}
