//! `regent check`: everything that is wrong with policies, all of it at once.

use anyhow::{Result, bail};
use regent_engine::diagnostic::{Code, Diagnostic, Severity};
use regent_engine::duration::Duration;
use regent_engine::load::modules::ModuleFiles;
use regent_engine::load::{BreakGlassFor, Environment, ExceptionsFrom, is_empty, load};
use regent_engine::policy_set::PolicySet;
use regent_server::rego_file;
use serde_json::json;

use crate::args::check::{CheckArgs, Format};
use crate::args::serve::BREAK_GLASS_LONGEST;
use crate::exit_status::ExitStatus;
use crate::images;
use crate::io::Io;
use crate::offline::guests;
use crate::render::sarif::{self, Finding};
use crate::render::{human, json};
use crate::sources::{self, Wanted};

/// Runs `regent check`.
pub fn run(args: &CheckArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let sources = sources::read(&args.policies, Wanted::Policies, io.stdin);
    let unreadable = sources.unreadable.len();
    if unreadable == 0 && sources.texts.iter().all(is_empty) {
        bail!(
            "there is no policy to check: directories are searched for files that end in .yaml, .yml or .json and hold a policy, and `-` reads standard input"
        );
    }
    let mut diagnostics = sources.unreadable;
    // Whether exceptions count is the business of whoever runs them.
    let environment = Environment {
        log_urls: Some(images::trust_roots(&args.trusted_root)?.urls()),
        exceptions: ExceptionsFrom::Anywhere,
        break_glass: BreakGlassFor::LONGEST,
        modules: ModuleFiles::new(rego_file::read),
        ..Environment::default()
    };
    let mut loaded = load(&sources.texts, &environment);
    guests::prepare(&mut loaded, None);
    diagnostics.extend(loaded.diagnostics);
    diagnostics.extend(open_longer(&loaded.policies));
    let counts = Counts::of(sources.texts.len() + unreadable, &diagnostics);
    match args.format {
        Format::Human => show_human(&diagnostics, &counts, io)?,
        Format::Json => show_json(&diagnostics, &counts, io)?,
        Format::Sarif => {
            let findings: Vec<_> = diagnostics.iter().map(Finding::of_diagnostic).collect();
            writeln!(io.stdout, "{:#}", sarif::document(&findings))?;
        }
    }
    Ok(ExitStatus::of_policies(&diagnostics))
}

/// Says which `BreakGlass`es are open for longer than `serve` lets one be where nobody says.
fn open_longer(policies: &PolicySet) -> Vec<Diagnostic> {
    let Some(usual) = Duration::read(BREAK_GLASS_LONGEST) else {
        return Vec::new();
    };
    let glass = policies.break_glass().iter().map(|one| &one.ast);
    let warnings = glass.filter_map(|one| {
        let open = one.expires_at.value.since(&one.starts_at.value);
        let message = format!("the break-glass is open for {open}; `serve` takes {usual} at most");
        let (source, span) = (&one.exception.source, one.expires_at.span);
        let warning = Diagnostic::warning(Code::InvalidValue, source, span, message);
        let help = "end it earlier, or give `serve` a longer `--break-glass-longest`";
        (open > usual).then(|| warning.help(help))
    });
    warnings.collect()
}

struct Counts {
    files: usize,
    errors: usize,
    warnings: usize,
}

impl Counts {
    fn of(files: usize, diagnostics: &[Diagnostic]) -> Self {
        let of = |severity| {
            diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == severity)
                .count()
        };
        Self {
            files,
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
        }
    }
}

fn show_human(diagnostics: &[Diagnostic], counts: &Counts, io: &mut Io<'_>) -> Result<()> {
    let style = io.style();
    for diagnostic in diagnostics {
        writeln!(io.stderr, "{}", human::render(diagnostic, style))?;
    }
    writeln!(
        io.stdout,
        "checked {}: {}, {}",
        plural(counts.files, "file"),
        plural(counts.errors, "error"),
        plural(counts.warnings, "warning")
    )?;
    Ok(())
}

fn show_json(diagnostics: &[Diagnostic], counts: &Counts, io: &mut Io<'_>) -> Result<()> {
    let diagnostics: Vec<_> = diagnostics.iter().map(json::diagnostic).collect();
    let document = json!({
        "summary": {"files": counts.files, "errors": counts.errors, "warnings": counts.warnings},
        "diagnostics": diagnostics,
    });
    writeln!(io.stdout, "{document:#}")?;
    Ok(())
}

/// `1 file`, `2 files`.
fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
