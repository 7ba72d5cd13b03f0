//! `regent compile`: the Rego that policies become, as the engine runs it.

mod bundle;
mod input;

use anyhow::{Result, bail};
use regent_engine::diagnostic::Diagnostic;
use regent_engine::load::modules::ModuleFiles;
use regent_engine::load::{BreakGlassFor, Environment, ExceptionsFrom, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::program::{Policy, Rule};
use regent_engine::wildcard;
use regent_server::rego_file;

use crate::args::compile::CompileArgs;
use crate::exit_status::ExitStatus;
use crate::io::Io;
use crate::render::human;
use crate::sources::{self, Wanted};

/// Runs `regent compile`.
pub fn run(args: &CompileArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let sources = sources::read(&args.policies, Wanted::Policies, io.stdin);
    let mut diagnostics = sources.unreadable.clone();
    if let Some(path) = &args.input {
        diagnostics.extend(input::show(args, path, sources, io)?);
        return say(&diagnostics, io);
    }
    // Whether exceptions count is the business of whoever runs them.
    let environment = Environment {
        exceptions: ExceptionsFrom::Anywhere,
        break_glass: BreakGlassFor::LONGEST,
        modules: ModuleFiles::new(rego_file::read),
        ..Environment::default()
    };
    let loaded = load(&sources.texts, &environment);
    diagnostics.extend(loaded.diagnostics);
    let status = say(&diagnostics, io)?;
    if !has_rule(&loaded.policies, &args.rule) && !diagnostics.iter().any(Diagnostic::is_error) {
        bail!("no rule of these policies is called `{}`", args.rule);
    }
    if let Some(folder) = &args.bundle {
        let modules = bundle::write(folder, &loaded.policies, &args.rule)?;
        let folder = folder.display();
        writeln!(
            io.stderr,
            "{modules} modules and the library are in {folder}"
        )?;
    } else if args.together {
        show_together(&loaded.policies, io)?;
    } else {
        show(&loaded.policies, &args.rule, io)?;
    }
    Ok(status)
}

/// Says what is wrong with policies, and what that comes to.
fn say(diagnostics: &[Diagnostic], io: &mut Io<'_>) -> Result<ExitStatus> {
    for diagnostic in diagnostics {
        writeln!(io.stderr, "{}", human::render(diagnostic, io.style()))?;
    }
    Ok(ExitStatus::of_policies(diagnostics))
}

fn has_rule(policies: &PolicySet, wanted: &str) -> bool {
    let mut rules = policies.policies().iter().flat_map(|policy| {
        let rules = policy.rules.iter();
        rules.filter_map(|rule| policy.ast.rules.get(rule.index))
    });
    wanted == "*" || rules.any(|rule| wildcard::matches(wanted, &rule.name.value))
}

fn show(policies: &PolicySet, wanted: &str, io: &mut Io<'_>) -> Result<()> {
    for (index, policy) in policies.policies().iter().enumerate() {
        if index > 0 {
            writeln!(io.stdout)?;
        }
        show_policy(policy, wanted, io)?;
    }
    for exception in policies.exceptions() {
        let source = &exception.ast.source;
        let (line, _) = source.position(exception.ast.name.span.start);
        let key = human::printable_line(&exception.key);
        let file = human::printable_line(&source.name);
        writeln!(io.stdout, "\n# Exception {key}, {file}:{line}")?;
        show_program(exception.program.text(), io)?;
    }
    Ok(())
}

/// The programs that judge many rules at once.
fn show_together(policies: &PolicySet, io: &mut Io<'_>) -> Result<()> {
    let programs = policies.together();
    for known in &programs.selections {
        show_program(known.program.text(), io)?;
    }
    for known in &programs.demands {
        show_program(known.program.text(), io)?;
    }
    Ok(())
}

/// Each rule has its own program, and one more for each entry of `verifyImages`, target, and block of `foreach`.
fn show_policy(policy: &Policy, wanted: &str, io: &mut Io<'_>) -> Result<()> {
    let (line, _) = policy.ast.source.position(policy.ast.name.span.start);
    writeln!(
        io.stdout,
        "# Policy {}, {}:{line}",
        human::printable_line(&policy.ast.key()),
        human::printable_line(&policy.ast.source.name)
    )?;
    for rule in &policy.rules {
        let Some(written) = policy.ast.rules.get(rule.index) else {
            bail!("rule {} of policy {} is lost", rule.index, policy.ast.key());
        };
        if wildcard::matches(wanted, &written.name.value) {
            let name = human::printable_line(&written.name.value);
            writeln!(io.stdout, "\n# Rule {name}")?;
            show_rule(rule, io)?;
        }
    }
    Ok(())
}

fn show_rule(rule: &Rule, io: &mut Io<'_>) -> Result<()> {
    for program in rule.programs() {
        show_program(program.text(), io)?;
    }
    Ok(())
}

fn show_program(text: &str, io: &mut Io<'_>) -> Result<()> {
    write!(io.stdout, "\n{}", human::printable(text))?;
    if !text.ends_with('\n') {
        writeln!(io.stdout)?;
    }
    Ok(())
}
