//! `mutate`: its conditions become Rego, its patches are read ahead.
//!
//! What a patch does is computed by the host: Rego says when, and in what order is the evaluation's business.

use std::sync::Arc;

use crate::ast::condition::Conditions;
use crate::ast::mutate::{self as written, JsonPatch, MutateBody, MutateForeach};
use crate::ast::{self};
use crate::builders::Builders;
use crate::mutate::json_patch;
use crate::program::{self, Change, ChangeForeach, Judged, Mutate, Patch, Target};
use crate::rego::evaluate::{Program, RegoError};
use crate::source::Span;

use super::scope::Scope;
use super::{assemble, condition, confined_to, guest, package, preconditions, text};

/// Compiles a rule's patches.
pub(super) fn compile(
    (policy, rule): (&ast::Policy, &ast::Rule),
    builders: &Arc<Builders>,
    mutate: &written::Mutate,
) -> Result<Mutate, RegoError> {
    let mut targets = Vec::new();
    for (index, one) in mutate.targets.iter().enumerate() {
        targets.push(target((policy, rule), one, index)?);
    }
    Ok(Mutate {
        targets,
        change: change((policy, rule), builders, &mutate.body, "")?,
    })
}

fn change(
    (policy, rule): (&ast::Policy, &ast::Rule),
    builders: &Arc<Builders>,
    body: &MutateBody,
    number: &str,
) -> Result<Change, RegoError> {
    match body {
        MutateBody::Patch(patch) => Ok(Change::Patch(self::patch(patch), span(patch))),
        MutateBody::Foreach(blocks) => {
            let mut compiled = Vec::new();
            for (index, written) in blocks.iter().enumerate() {
                let number = format!("{number}_{index}");
                compiled.push(block((policy, rule), builders, written, &number)?);
            }
            Ok(Change::Foreach(compiled))
        }
        MutateBody::Wasm(written) => Ok(Change::Wasm(guest::guest(
            (policy, rule),
            builders,
            written,
        ))),
    }
}

fn patch(written: &written::Patch) -> Patch {
    match written {
        written::Patch::StrategicMerge(patch) => Patch::StrategicMerge(text::template(patch)),
        written::Patch::Json(patch) => match constant(patch) {
            Some(operations) => Patch::Constant(operations),
            None => Patch::Json {
                operations: text::template(&patch.operations),
                quoted: patch.quoted.clone(),
                plain: patch.plain.clone(),
            },
        },
    }
}

/// Where a patch was written.
fn span(patch: &written::Patch) -> Span {
    match patch {
        written::Patch::StrategicMerge(patch) => patch.span,
        written::Patch::Json(patch) => patch.span,
    }
}

/// The operations, where none has a variable.
fn constant(patch: &JsonPatch) -> Option<Vec<json_patch::Operation>> {
    json_patch::parse(&patch.operations.constant()?).ok()
}

fn block(
    (policy, rule): (&ast::Policy, &ast::Rule),
    builders: &Arc<Builders>,
    written: &MutateForeach,
    number: &str,
) -> Result<ChangeForeach, RegoError> {
    let name = format!("foreach{number}");
    let of_element = (written.span, written.preconditions.as_ref());
    let (program, preconditions) = conditions((policy, rule), of_element, &name)?;
    Ok(ChangeForeach {
        list: text::query(&written.list),
        list_text: written.list.raw.clone(),
        order: written.order(),
        context: text::context(&written.context, confined_to(policy)),
        program,
        preconditions,
        change: change((policy, rule), builders, &written.body, number)?,
    })
}

fn target(
    (policy, rule): (&ast::Policy, &ast::Rule),
    written: &written::Target,
    index: usize,
) -> Result<Target, RegoError> {
    let name = format!("target_{index}");
    let of_target = (written.span, written.preconditions.as_ref());
    let (program, preconditions) = conditions((policy, rule), of_target, &name)?;
    Ok(Target {
        api_version: text::text(&written.api_version),
        kind: text::text(&written.kind),
        namespace: written.namespace.as_ref().map(text::text),
        name: written.name.as_ref().map(text::text),
        uid: written.uid.as_ref().map(text::text),
        selector: written.selector.clone(),
        context: text::context(&written.context, confined_to(policy)),
        program,
        preconditions,
    })
}

/// A module of its own for the conditions of an element or a target.
pub(super) fn conditions(
    (policy, rule): (&ast::Policy, &ast::Rule),
    (span, written): (Span, Option<&Conditions>),
    name: &str,
) -> Result<(Program, Option<Judged<program::Conditions>>), RegoError> {
    let mut scope = Scope::default();
    let compiled = preconditions(&mut scope, written);
    if compiled.is_some() {
        scope.rules.extend(condition::prelude());
    }
    let package = package(policy, rule, Some(name));
    let program = assemble(
        &policy.source,
        span,
        package,
        &mut scope,
        &["preconditions"],
    )?;
    Ok((program, compiled))
}
