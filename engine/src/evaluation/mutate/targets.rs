//! `mutate.targets`: other resources than the one that the rule is about are changed.

use serde_json::Value;

use crate::program::{Mutate, Target};
use crate::response::{RuleStatus, TargetOutcome};

use super::super::names::Names;
use super::super::need::{DataNeed, ObjectsNeed, Purpose};
use super::super::objects::{self, is_selected};
use super::super::rule::{Answer, Context, joined};

/// What came of all targets.
pub(in super::super) struct Targeted {
    pub(in super::super) answer: Answer,
    pub(in super::super) targets: Vec<TargetOutcome>,
}

impl Context<'_> {
    /// Changes the targets of a rule; none as long as facts are outstanding.
    pub(in super::super) fn mutate_targets(
        &mut self,
        names: &Names<'_>,
        mutate: &Mutate,
    ) -> Option<Targeted> {
        let mut outcomes = Vec::new();
        for target in &mutate.targets {
            let found = match self.targets(names, target)? {
                Ok(found) => found,
                Err(reason) => {
                    let answer = Answer::new(RuleStatus::Error, reason);
                    return Some(Targeted {
                        answer,
                        targets: outcomes,
                    });
                }
            };
            for object in found {
                outcomes.push(self.mutate_target(names, (mutate, target), &object)?);
            }
        }
        Some(concluded(outcomes))
    }

    /// The resources that an entry of `targets` stands for.
    fn targets(
        &mut self,
        names: &Names<'_>,
        target: &Target,
    ) -> Option<Result<Vec<Value>, String>> {
        let need = match need(names, target) {
            Ok(need) => need?,
            Err(reason) => return Some(Err(reason)),
        };
        let uid = target.uid.as_ref().map(|uid| objects::text(names, uid));
        let uid = match uid.transpose() {
            Ok(None) => None,
            Ok(Some(uid)) => Some(uid?),
            Err(reason) => return Some(Err(reason)),
        };
        let answer = self
            .facts
            .borrow_mut()
            .data(DataNeed::Objects(need.clone()))?;
        Some(match answer {
            Ok(Value::Array(found)) => Ok(found
                .into_iter()
                .filter(|object| objects::is_meant(&need, object))
                .filter(|object| is_selected(target.selector.as_ref(), object))
                .filter(|object| {
                    uid.as_deref()
                        .is_none_or(|uid| objects::has_uid(object, uid))
                })
                .collect()),
            Ok(_) => Err("the host answered with something else than a list".to_owned()),
            Err(error) => Err(format!("failed to load targets: {error}")),
        })
    }

    fn mutate_target(
        &mut self,
        names: &Names<'_>,
        (mutate, target): (&Mutate, &Target),
        object: &Value,
    ) -> Option<TargetOutcome> {
        let names = names.of_target(object, &target.context);
        let outcome = |status, message: String, patched| TargetOutcome {
            object: object.clone(),
            status,
            message,
            patched,
        };
        match self.applies(&target.program, target.preconditions.as_ref(), &names)? {
            Ok(true) => {}
            Ok(false) => {
                let message = joined("preconditions not met", "");
                return Some(outcome(RuleStatus::Skip, message, None));
            }
            Err(reason) => {
                let message = format!("failed to evaluate preconditions: {reason}");
                return Some(outcome(RuleStatus::Error, message, None));
            }
        }
        let mutated = self.mutate(&names, object, &mutate.change)?;
        let Answer {
            status, message, ..
        } = mutated.answer;
        // How large a target is, is not the doing of whoever wrote the object that the request is about.
        let status = match status {
            RuleStatus::Fail => RuleStatus::Error,
            other => other,
        };
        Some(outcome(status, message, mutated.object))
    }
}

/// What is to be asked for; none as long as facts are outstanding.
fn need(names: &Names<'_>, target: &Target) -> Result<Option<ObjectsNeed>, String> {
    let text = |written| objects::text(names, written);
    let required = [&target.api_version, &target.kind];
    let optional = [target.namespace.as_ref(), target.name.as_ref()];
    let mut texts = Vec::new();
    for written in required {
        match text(written)? {
            Some(found) => texts.push(Some(found)),
            None => return Ok(None),
        }
    }
    for written in optional {
        match written.map(text).transpose()? {
            Some(Some(found)) => texts.push(Some(found)),
            Some(None) => return Ok(None),
            None => texts.push(None),
        }
    }
    let mut texts = texts.into_iter();
    let mut next = || texts.next().flatten();
    Ok(Some(ObjectsNeed {
        api_version: next().unwrap_or_else(String::new),
        kind: next().unwrap_or_else(String::new),
        namespace: next(),
        name: next(),
        purpose: Purpose::Change,
    }))
}

/// The rule as a whole: what went wrong counts before what was done.
fn concluded(targets: Vec<TargetOutcome>) -> Targeted {
    let first = |status| targets.iter().find(|target| target.status == status);
    let of = |target: &TargetOutcome| Answer::new(target.status, target.message.clone());
    let answer = first(RuleStatus::Error)
        .or_else(|| first(RuleStatus::Pass))
        .or_else(|| first(RuleStatus::Skip))
        .map_or_else(|| Answer::new(RuleStatus::Skip, "no target was found"), of);
    Targeted { answer, targets }
}
