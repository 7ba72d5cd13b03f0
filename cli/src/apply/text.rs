//! What a person sees of an `apply`, in the shapes of Kyverno's command line.
//!
//! Knows nothing of how it was evaluated.

use anyhow::Result;
use regent_engine::response::{FailureAction, RuleStatus, RuleType};

use super::results::{AuditFailures, Counts, Response, path_of, result};
use crate::io::Io;
use crate::offline::evaluate::Prepared;
use crate::render::explanation;
use crate::render::human::printable;
use crate::render::table::{Cell, Tint, table};

/// Between blocks.
const DIVIDER: &str = "----------------------------------------------------------------------";

/// Says how much there is to do.
pub fn show_start(prepared: &Prepared, io: &mut Io<'_>) -> Result<()> {
    let loaded = prepared.loaded.policies.policies();
    let rules: usize = loaded.iter().map(|policy| policy.ast.rules.len()).sum();
    let resources = prepared.evaluated().len();
    let exceptions = match prepared.loaded.policies.exceptions().len() {
        0 => String::new(),
        count => format!(" with {count} exception(s)"),
    };
    writeln!(
        io.stdout,
        "\nApplying {rules} policy rule(s) to {resources} resource(s){exceptions}..."
    )?;
    Ok(())
}

/// Names the policies that were left out.
pub fn show_invalid(names: &[&str], io: &mut Io<'_>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    writeln!(io.stdout, "{DIVIDER}\nInvalid Policies:")?;
    for (index, name) in names.iter().enumerate() {
        writeln!(io.stdout, "{}. {}", index + 1, printable(name))?;
    }
    writeln!(io.stdout, "{DIVIDER}")?;
    Ok(())
}

/// Every failure, policy by policy, and what keeps policies from changing resources.
pub fn show_failures(
    responses: &[Response<'_>],
    audit: AuditFailures,
    io: &mut Io<'_>,
) -> Result<()> {
    for response in responses {
        show_mutations(response, io)?;
        let rules = response.answer.rules.iter();
        let failed: Vec<_> = rules
            .filter(|rule| matches!(rule.status, RuleStatus::Fail | RuleStatus::Warn))
            .collect();
        if failed.is_empty() {
            continue;
        }
        let only_audits = failed
            .iter()
            .all(|rule| rule.failure_action == FailureAction::Audit);
        let how = if only_audits && audit == AuditFailures::Warn {
            "failed as audit warning:"
        } else {
            "failed:"
        };
        let policy = printable(&response.policy.name.value);
        let path = printable(&path_of(response.resource));
        writeln!(io.stdout, "policy {policy} -> resource {path} {how}")?;
        for (index, rule) in failed.iter().enumerate() {
            let number = index + 1;
            let (name, message) = (printable(&rule.rule), printable(&rule.message));
            writeln!(io.stdout, "{number} - {name} {message}")?;
        }
        writeln!(io.stdout)?;
    }
    Ok(())
}

fn show_mutations(response: &Response<'_>, io: &mut Io<'_>) -> Result<()> {
    let policy = printable(&response.policy.name.value);
    let path = printable(&path_of(response.resource));
    let rules = response.answer.rules.iter();
    for rule in rules.filter(|rule| rule.rule_type == RuleType::Mutation) {
        if rule.status == RuleStatus::Skip {
            writeln!(
                io.stdout,
                "\nskipped mutate policy {policy} -> resource {path}"
            )?;
        } else if rule.status == RuleStatus::Error {
            let message = printable(&rule.message);
            writeln!(
                io.stdout,
                "\nerror while applying mutate policy {policy} -> resource {path} \nerror:  {message}",
            )?;
        }
    }
    Ok(())
}

/// Says what could not be decided, since counts alone help nobody.
pub fn show_errors(responses: &[Response<'_>], io: &mut Io<'_>) -> Result<()> {
    for response in responses {
        let rules = response.answer.rules.iter();
        let errors = rules.filter(|rule| rule.status == RuleStatus::Error);
        let errors = errors.map(|rule| format!("rule {}: {}", rule.rule, rule.message));
        for error in errors.chain(response.answer.patch_error.clone()) {
            let policy = printable(&response.policy.name.value);
            let path = printable(&path_of(response.resource));
            let error = printable(&error);
            writeln!(
                io.stderr,
                "policy {policy} -> resource {path}: error: {error}"
            )?;
        }
    }
    Ok(())
}

/// Why rules did not pass: on stderr, as what is on stdout has Kyverno's shape.
pub fn show_explanations(responses: &[Response<'_>], io: &mut Io<'_>) -> Result<()> {
    for (_, why) in responses.iter().flat_map(|one| &one.explanations) {
        writeln!(io.stderr, "{}", explanation::render(why, io.style()))?;
    }
    Ok(())
}

/// The counts, as the last line.
pub fn show_counts(counts: Counts, io: &mut Io<'_>) -> Result<()> {
    let Counts {
        pass,
        fail,
        warn,
        error,
        skip,
    } = counts;
    // The space at its end is Kyverno's.
    writeln!(
        io.stdout,
        "\npass: {pass}, fail: {fail}, warn: {warn}, error: {error}, skip: {skip} "
    )?;
    Ok(())
}

/// Whether the table has a column of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// It has.
    Shown,
    /// It has not.
    Hidden,
}

/// All results as a table.
pub fn show_table(
    responses: &[Response<'_>],
    audit: AuditFailures,
    messages: Messages,
    io: &mut Io<'_>,
) -> Result<()> {
    let mut header = vec!["ID", "POLICY", "RULE", "RESOURCE", "RESULT"];
    if messages == Messages::Shown {
        header.push("MESSAGE");
    }
    let mut rows = Vec::new();
    for response in responses {
        for rule in &response.answer.rules {
            let (word, tint) = match result(rule, audit) {
                RuleStatus::Pass => ("Pass", Tint::Good),
                RuleStatus::Fail => ("Fail", Tint::Bad),
                RuleStatus::Warn => ("Warn", Tint::Bad),
                RuleStatus::Error => ("Error", Tint::Bad),
                RuleStatus::Skip => ("Skip", Tint::Aside),
            };
            let mut row = vec![
                Cell::plain((rows.len() + 1).to_string()),
                Cell::plain(printable(&response.policy.key())),
                Cell::plain(printable(&rule.rule)),
                Cell::plain(printable(&path_of(response.resource))),
                Cell::tinted(word, tint),
            ];
            if messages == Messages::Shown {
                row.push(Cell::plain(printable(&rule.message)));
            }
            rows.push(row);
        }
    }
    writeln!(io.stdout, "{}", table(&header, &rows, io.colours))?;
    Ok(())
}
