//! What rules did to other resources than the one that they are about.
//!
//! Kyverno's command line shows it as results of those resources.

use regent_engine::response::{RuleResponse, TargetOutcome};

use super::evaluate::{Answer, Evaluated};
use super::observe::Observed;
use super::resources::Resource;

/// Takes out of what rules answered on a resource what they did to others.
pub fn split(evaluated: &mut Evaluated, resources: &[Resource]) -> Vec<Evaluated> {
    let mut targets = Vec::new();
    for answer in &mut evaluated.answers {
        let (changed, own): (Vec<_>, Vec<_>) = std::mem::take(&mut answer.rules)
            .into_iter()
            .partition(|rule| !rule.targets.is_empty());
        answer.rules = own;
        for rule in &changed {
            let outcomes = rule.targets.iter();
            targets.extend(outcomes.filter_map(|target| outcome(answer, rule, target, resources)));
        }
    }
    targets
}

/// Makes of a rule that did something to several others a result for each, all of the resource that the rule is about.
pub fn result_for_each(evaluated: &mut Evaluated) {
    for answer in &mut evaluated.answers {
        let rules = std::mem::take(&mut answer.rules);
        answer.rules = rules.into_iter().flat_map(single).collect();
    }
}

fn single(mut rule: RuleResponse) -> Vec<RuleResponse> {
    let targets = std::mem::take(&mut rule.targets);
    if targets.is_empty() {
        return vec![rule];
    }
    let one = |target: TargetOutcome| RuleResponse {
        status: target.status,
        message: target.message.clone(),
        targets: vec![target],
        ..rule.clone()
    };
    targets.into_iter().map(one).collect()
}

fn outcome(
    answer: &Answer,
    rule: &RuleResponse,
    target: &TargetOutcome,
    resources: &[Resource],
) -> Option<Evaluated> {
    let key = Resource::new(target.object.clone(), "").key();
    let resource = resources.iter().position(|known| known.key() == key)?;
    let rule = RuleResponse {
        status: target.status,
        message: target.message.clone(),
        targets: Vec::new(),
        ..rule.clone()
    };
    let patched = target.patched.as_ref().unwrap_or(&target.object);
    Some(Evaluated {
        resource,
        named: None,
        answers: vec![answer.of_target(rule, patched.clone())],
        // What was seen on the way belongs to the resource that the rule is about.
        observed: Observed::default(),
    })
}
