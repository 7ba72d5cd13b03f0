//! All branches of a rule, as the author wrote them: what tests should make go both ways.

use crate::ast::condition::{Condition, Conditions};
use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::generate::GenerateBody;
use crate::ast::mutate::MutateBody;
use crate::ast::pattern::{Anchor, Pattern, PatternNode};
use crate::ast::validate::{Deny, ValidateBody};
use crate::ast::{Rule, RuleBody};

use super::{Branch, BranchKind};

/// What is met in a rule, in order of writing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    /// A condition.
    Condition(BranchKind, &'a Condition),
    /// A pattern that is all that is demanded.
    Pattern(&'a Pattern),
    /// A pattern of which there are others beside it.
    Alternative(&'a Pattern),
    /// `deny` without conditions.
    DenyAll(&'a Deny),
}

/// The branches of a rule, in order of writing.
pub fn branches(rule: &Rule) -> Vec<Branch> {
    let branch = |kind, span| Branch { kind, span };
    let mut branches = vec![branch(BranchKind::Match, rule.matches.span)];
    for_each_part(rule, &mut |part| match part {
        Part::Condition(kind, condition) => branches.push(branch(kind, condition.span)),
        Part::DenyAll(deny) => branches.push(branch(BranchKind::DenyAll, deny.span)),
        Part::Pattern(pattern) => of_pattern(pattern, &mut branches),
        Part::Alternative(pattern) => {
            branches.push(branch(BranchKind::Alternative, pattern.span));
            of_pattern(pattern, &mut branches);
        }
    });
    match &rule.body {
        RuleBody::VerifyImages(entries) => {
            let entries = entries.iter();
            branches.extend(entries.map(|entry| branch(BranchKind::Image, entry.span)));
        }
        RuleBody::Validate(validate) => {
            if let ValidateBody::PodSecurity(demand) = &validate.body {
                branches.push(branch(BranchKind::PodSecurity, demand.level.span));
            }
        }
        RuleBody::Mutate(_) | RuleBody::Generate(_) => {}
    }
    branches
}

/// Keys with anchors, and values.
fn of_pattern(pattern: &Pattern, branches: &mut Vec<Branch>) {
    match &pattern.node {
        PatternNode::Map(entries) => {
            for entry in entries {
                if let Some(anchor) = entry.anchor.filter(|one| *one != Anchor::AddIfAbsent) {
                    branches.push(Branch {
                        kind: BranchKind::Anchor(anchor),
                        span: entry.span,
                    });
                }
                // What stands below a key that must not be there is never looked at.
                if entry.anchor != Some(Anchor::Negation) {
                    of_pattern(&entry.value, branches);
                }
            }
        }
        // Of maps and scalars only the first is compared.
        PatternNode::List(items) => {
            let nested = |item: &&Pattern| matches!(item.node, PatternNode::List(_));
            let first = items.iter().take(1);
            let others = items.iter().skip(1).filter(nested);
            first
                .chain(others)
                .for_each(|item| of_pattern(item, branches));
        }
        PatternNode::Scalar(_) => branches.push(Branch {
            kind: BranchKind::Leaf,
            span: pattern.span,
        }),
    }
}

/// Visits what a rule demands and when it applies.
pub(crate) fn for_each_part<'a>(rule: &'a Rule, visit: &mut dyn FnMut(Part<'a>)) {
    conditions(BranchKind::Precondition, rule.preconditions.as_ref(), visit);
    match &rule.body {
        RuleBody::Validate(validate) => match &validate.body {
            ValidateBody::Pattern(pattern) => visit(Part::Pattern(pattern)),
            ValidateBody::AnyPattern(patterns) => alternatives(patterns, visit),
            ValidateBody::Deny(deny) => of_deny(deny, visit),
            ValidateBody::Foreach(blocks) => of_foreach(blocks, visit),
            ValidateBody::PodSecurity(_) | ValidateBody::Rego(_) | ValidateBody::Wasm(_) => {}
        },
        RuleBody::VerifyImages(entries) => {
            for entry in entries {
                for attestation in &entry.attestations {
                    let written = attestation.conditions.as_ref();
                    conditions(BranchKind::Attestation, written, visit);
                }
                if let Some(validate) = &entry.validate {
                    of_deny(&validate.deny, visit);
                }
            }
        }
        RuleBody::Mutate(mutate) => {
            for target in &mutate.targets {
                let written = target.preconditions.as_ref();
                conditions(BranchKind::Precondition, written, visit);
            }
            of_change(&mutate.body, visit);
        }
        RuleBody::Generate(generate) => {
            if let GenerateBody::Foreach(blocks) = &generate.body {
                for block in blocks {
                    let written = block.preconditions.as_ref();
                    conditions(BranchKind::Precondition, written, visit);
                }
            }
        }
    }
}

fn conditions<'a>(
    kind: BranchKind,
    written: Option<&'a Conditions>,
    visit: &mut dyn FnMut(Part<'a>),
) {
    for condition in written.into_iter().flat_map(Conditions::conditions) {
        visit(Part::Condition(kind, condition));
    }
}

fn alternatives<'a>(patterns: &'a [Pattern], visit: &mut dyn FnMut(Part<'a>)) {
    for pattern in patterns {
        visit(Part::Alternative(pattern));
    }
}

fn of_deny<'a>(deny: &'a Deny, visit: &mut dyn FnMut(Part<'a>)) {
    match &deny.conditions {
        None => visit(Part::DenyAll(deny)),
        written => conditions(BranchKind::Deny, written.as_ref(), visit),
    }
}

fn of_foreach<'a>(blocks: &'a [Foreach], visit: &mut dyn FnMut(Part<'a>)) {
    for block in blocks {
        let written = block.preconditions.as_ref();
        conditions(BranchKind::Precondition, written, visit);
        match &block.body {
            ForeachBody::Pattern(pattern) => visit(Part::Pattern(pattern)),
            ForeachBody::AnyPattern(patterns) => alternatives(patterns, visit),
            ForeachBody::Deny(deny) => of_deny(deny, visit),
            ForeachBody::Foreach(blocks) => of_foreach(blocks, visit),
        }
    }
}

fn of_change<'a>(body: &'a MutateBody, visit: &mut dyn FnMut(Part<'a>)) {
    let MutateBody::Foreach(blocks) = body else {
        return;
    };
    for block in blocks {
        let written = block.preconditions.as_ref();
        conditions(BranchKind::Precondition, written, visit);
        of_change(&block.body, visit);
    }
}
