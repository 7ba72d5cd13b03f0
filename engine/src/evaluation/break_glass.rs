//! What lets a request in that rules refuse: a `BreakGlass` that is open, and is about it.
//!
//! It never changes what a rule said, which is reported as it is; only the decision is another one. Rules are judged
//! first, so that glass is broken only where something is refused, and what was let in is known.

use std::sync::Arc;

use crate::fuel;
use crate::image::ImageReference;
use crate::program::{BreakGlass, Policy, Rule};
use crate::rego::evaluate::Machine;
use crate::response::{
    FailureAction, FailurePolicy, ImageOutcome, LetIn, PatchOperation, RuleResponse, RuleStatus,
};
use crate::wildcard;

use super::names::Names;
use super::rule::{Context, Progress, base_name};
use super::run::View;
use super::{Evaluation, find};

/// Whether all that refuse the request were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glass {
    /// Facts are outstanding.
    Outstanding,
    /// As far as there is anything to break, it is known.
    Settled,
}

impl Evaluation {
    /// Looks for what lets in what the rules that answered refuse.
    pub(super) fn break_glass(&mut self, machine: &mut Machine) -> Glass {
        if self.set.break_glass().is_empty() {
            return Glass::Settled;
        }
        let mut settled = Glass::Settled;
        let request = Arc::clone(&self.request);
        let documents = self.documents();
        let view = View::new(&request, documents, self.set.context_size());
        for index in 0..self.rules.len() {
            if self.break_for(index, machine, &view) == Glass::Outstanding {
                settled = Glass::Outstanding;
            }
        }
        settled
    }

    /// The same for one rule.
    pub(super) fn break_for(
        &mut self,
        index: usize,
        machine: &mut Machine,
        view: &View<'_>,
    ) -> Glass {
        let set = Arc::clone(&self.set);
        let Some((key, Progress::Answered(response))) = self.rules.get(index) else {
            return Glass::Settled;
        };
        let Some((policy, rule)) = find(&set, *key) else {
            return Glass::Settled;
        };
        let nothing = self.glass == Unbroken::Stays || rule.break_glass.is_empty();
        let known = nothing || response.let_in.is_some() || !refuses(policy, response);
        let way = if known {
            Way::Barred
        } else {
            let response = response.clone();
            let mut context = self.context(machine, view);
            context.way_past((policy, rule), &response)
        };
        if way == Way::Outstanding {
            return Glass::Outstanding;
        }
        if let (Way::Open(found), Some((_, Progress::Answered(response)))) =
            (way, self.rules.get_mut(index))
        {
            response.let_in = Some(Box::new(found));
            // What runs is what was seen, and can be verified afterwards.
            let digests = std::mem::take(&mut response.digests);
            response.patches.extend(digests);
        }
        Glass::Settled
    }
}

/// Whether glass can be broken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unbroken {
    /// It can.
    MayBreak,
    /// Rules are judged as if nothing let in what they refuse.
    Stays,
}

/// Whether there is a way past a rule that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// Facts are outstanding.
    Outstanding,
    /// There is none.
    Barred,
    /// This one.
    Open(LetIn),
}

impl Context<'_> {
    /// What lets in what a rule refuses, the first of what there is.
    fn way_past(&mut self, (policy, rule): (&Policy, &Rule), response: &RuleResponse) -> Way {
        let given = self.variables.of(&policy.ast, base_name(policy, rule));
        let ground = self.ground(Some(policy), &given);
        let names = Names::of_rule(ground, &rule.context);
        let now = (self.environment.seconds, self.environment.nanoseconds);
        for one in &rule.break_glass {
            if !one.ast.is_open_at(now) || !is_about_images(one, response) {
                continue;
            }
            let Some(is_about) = self.is_excepted(&one.exception, &names) else {
                return Way::Outstanding;
            };
            if is_about && !fuel::is_spent() {
                return Way::Open(LetIn {
                    name: one.ast.name().to_owned(),
                    reason: one.ast.reason.value.clone(),
                    ticket: one.ast.ticket.as_ref().map(|ticket| ticket.value.clone()),
                    expires_at: one.ast.expires_at.value.to_utc().to_string(),
                });
            }
        }
        Way::Barred
    }
}

/// Whether a rule's answer refuses the request; as `decision` has it, and an error also where only others enforce.
fn refuses(policy: &Policy, response: &RuleResponse) -> bool {
    match response.status {
        RuleStatus::Pass | RuleStatus::Skip | RuleStatus::Warn => false,
        RuleStatus::Fail => response.failure_action == FailureAction::Enforce,
        RuleStatus::Error => policy.ast.failure_policy() == FailurePolicy::Fail,
    }
}

/// Whether all images that are refused are among those that a break-glass names, where it names any.
fn is_about_images(one: &BreakGlass, response: &RuleResponse) -> bool {
    if one.ast.images.is_empty() {
        return true;
    }
    let refused = |image: &&ImageOutcome| match image.status {
        RuleStatus::Fail | RuleStatus::Error | RuleStatus::Warn => true,
        RuleStatus::Pass | RuleStatus::Skip => false,
    };
    let mut refused = response.images.iter().filter(refused).peekable();
    // A rule that refuses without an image of which it could be said refuses everything.
    let puts_in = |image: &ImageOutcome| {
        let mut digests = response.digests.iter();
        digests.any(|patch| puts_digest_in(patch, image))
    };
    refused.peek().is_some() && refused.all(|image| is_named(one, image, puts_in(image)))
}

/// Whether a patch puts the digest of an image where that stands; a text that an extractor made of another one stands nowhere.
fn puts_digest_in(patch: &PatchOperation, image: &ImageOutcome) -> bool {
    let (PatchOperation::Replace { path, value }, Some(digest)) = (patch, &image.digest) else {
        return false;
    };
    let has_digest = |written: &str| written.contains(digest.as_str());
    *path == image.pointer && value.as_str().is_some_and(has_digest)
}

/// Whether a break-glass names an image, by what is pulled: beside a digest a tag is none, anybody writes any. The digest
/// of a tag counts where it is put in.
fn is_named(one: &BreakGlass, image: &ImageOutcome, puts_in: bool) -> bool {
    let Ok(mut reference) = ImageReference::parse(&image.reference) else {
        return false;
    };
    let mut names = vec![reference.kyverno_form(), reference.containerd_form()];
    if puts_in && reference.digest.is_none() {
        reference.digest.clone_from(&image.digest);
        names.extend([reference.kyverno_form(), reference.containerd_form()]);
    }
    let mut patterns = one.ast.images.iter();
    patterns.any(|pattern| {
        let mut names = names.iter();
        names.any(|name| wildcard::matches(&pattern.value, name))
    })
}
