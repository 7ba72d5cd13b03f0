//! What is known only by asking once more, or not from the policy: that `exclude` decided, what modules said, and that a
//! message has no text.

use std::collections::BTreeMap;

use crate::ast::RuleBody;
use crate::ast::mutate::MutateBody;
use crate::ast::validate::ValidateBody;
use crate::explain::steps;
use crate::program;
use crate::rego::evaluate::{Document, Program};
use crate::response::RuleStatus;
use crate::source::Span;
use crate::trace::{BranchKind, Step};

use super::super::Names;
use super::super::rule::{Context, Progress};
use super::{Bare, Traced, entries};

impl Context<'_> {
    /// Where `exclude` stands, if the rule would be about the resource without it. The rule's program says that only
    /// together with `match`, so its text is asked for the two by themselves.
    pub(super) fn excluding(&mut self, labels: Option<&BTreeMap<String, String>>) -> Option<Span> {
        let Traced::Now(tracing) = &self.traced else {
            return None;
        };
        let span = tracing.rule()?.excludes.as_ref()?.span;
        let selected = tracing.program.entry_point(program::SELECTED)?;
        let (package, _) = selected.rsplit_once('.')?;
        let asked = ["matched", "excluded"].map(|rule| format!("{package}.{rule}"));
        let text = tracing.program.text().to_owned();
        let program = Program::compile(text, asked.to_vec()).ok()?;
        let input = self.documents.input(labels, Document::list([]));
        let mut holds = |entry| matches!(self.machine.run(&program, entry, &input), Ok(Some(_)));
        (holds(0) && holds(1)).then_some(span)
    }

    /// Notes what modules said.
    pub(in super::super) fn trace_module(&mut self, status: RuleStatus, said: &str) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let Some(span) = tracing.rule().and_then(|rule| match &rule.body {
            RuleBody::Validate(validate) => match &validate.body {
                // Modules of a template stand in another text.
                ValidateBody::Rego(modules) if modules.source.is_some() => Some(rule.name.span),
                ValidateBody::Rego(modules) => Some(modules.span),
                ValidateBody::Wasm(guest) => Some(guest.module.span),
                _ => None,
            },
            RuleBody::Mutate(mutate) => match &mutate.body {
                MutateBody::Wasm(guest) => Some(guest.module.span),
                MutateBody::Patch(_) | MutateBody::Foreach(_) => None,
            },
            RuleBody::VerifyImages(_) | RuleBody::Generate(_) => None,
        }) else {
            return;
        };
        let held = match status {
            RuleStatus::Pass | RuleStatus::Skip => Ok(true),
            RuleStatus::Fail | RuleStatus::Warn => Ok(false),
            RuleStatus::Error => Err(said.to_owned()),
        };
        let step = Step {
            wanted: said.to_owned(),
            ..Bare(&tracing.program).step(BranchKind::Module, span, held)
        };
        tracing.steps.push(step);
    }

    /// Notes that the message of a rule that did not pass has no text, and why.
    pub(in super::super) fn trace_message(&mut self, names: &Names<'_>, progress: &Progress) {
        let Traced::Now(tracing) = &mut self.traced else {
            return;
        };
        let Progress::Answered(response) = progress else {
            return;
        };
        if matches!(response.status, RuleStatus::Pass | RuleStatus::Skip) {
            return;
        }
        let Some(RuleBody::Validate(validate)) = tracing.rule().map(|rule| &rule.body) else {
            return;
        };
        let Some(message) = &validate.message else {
            return;
        };
        self.facts.borrow_mut().freeze(true);
        let entries = tracing.rule().map(entries).unwrap_or_default();
        let ground = tracing.ground(names, &tracing.program, &entries);
        let step = steps::of_message(&ground, message);
        self.facts.borrow_mut().freeze(false);
        drop(entries);
        tracing.steps.extend(step);
    }
}
