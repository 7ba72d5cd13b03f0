//! What can be said of many rules at once, before each is asked alone.
//!
//! A program that does not answer says nothing: then its rules are asked one by one.

use std::collections::BTreeSet;

use crate::policy_set::PolicySet;
use crate::program::RuleKey;
use crate::program::together::{DemandProgram, Programs};
use crate::rego::evaluate::{Document, RegoError};
use crate::response::RuleStatus;

use super::documents::Documents;
use super::names::Names;
use super::rule::Context;
use super::variables::Given;

/// What is known of a rule beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// It is not about the request.
    NotAbout,
    /// It is about the request.
    About,
    /// It is about the request and applies, and this is what its demand comes to.
    Judged(RuleStatus),
}

/// What is known of rules.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By program and match.
    selections: Vec<Option<Vec<bool>>>,
    /// By program and rule.
    demands: Vec<Option<Vec<Option<RuleStatus>>>>,
    /// What a second opinion found wrong with a program.
    pub(super) defect: Option<String>,
}

impl Answers {
    /// What is known of a rule.
    pub(super) fn of(&self, programs: &Programs, key: RuleKey) -> Known {
        let seat = programs.seat(key);
        let about = seat.selection.and_then(|(program, number)| {
            let holds = self.selections.get(program)?.as_ref()?;
            holds.get(number).copied()
        });
        match about {
            None => return Known::Nothing,
            Some(false) => return Known::NotAbout,
            Some(true) => {}
        }
        let status = seat.demand.and_then(|(program, number)| {
            let rules = self.demands.get(program)?.as_ref()?;
            rules.get(number).copied().flatten()
        });
        status.map_or(Known::About, Known::Judged)
    }
}

impl Context<'_> {
    /// Which of some rules are about the request.
    pub(super) fn selected(&mut self, set: &PolicySet, keys: &[RuleKey]) -> Answers {
        let programs = set.together();
        let mut answers = Answers::default();
        let asked = keys.iter().filter_map(|key| programs.seat(*key).selection);
        let asked: BTreeSet<usize> = asked.map(|(program, _)| program).collect();
        if asked.is_empty() {
            return answers;
        }
        answers.selections.resize(programs.selections.len(), None);
        let input = self.documents.about_subject();
        for index in asked {
            let (Some(known), Some(answer)) = (
                programs.selections.get(index),
                answers.selections.get_mut(index),
            ) else {
                continue;
            };
            let about = answered(
                self.machine.run(&known.program, 0, &input),
                &mut answers.defect,
            );
            *answer = about.and_then(|about| holding(&about, known.matches));
        }
        answers
    }

    /// The same, and which of those that only judge the object pass or fail.
    pub(super) fn judged(&mut self, set: &PolicySet, keys: &[RuleKey]) -> Answers {
        let programs = set.together();
        let mut answers = self.selected(set, keys);
        // On DELETE a pattern has nothing to be compared with.
        if self.request.object.is_none() || !self.variables.is_empty() {
            return answers;
        }
        let about = |key: &&RuleKey| answers.of(programs, **key) == Known::About;
        let asked = keys.iter().filter(about);
        let asked = asked.filter_map(|key| programs.seat(*key).demand);
        let mut rules: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); programs.demands.len()];
        for (program, number) in asked {
            if let Some(rules) = rules.get_mut(program) {
                rules.insert(number);
            }
        }
        for (known, rules) in programs.demands.iter().zip(rules) {
            let defect = &mut answers.defect;
            let judged = (!rules.is_empty()).then(|| self.judge(known, &rules, defect));
            answers.demands.push(judged.flatten());
        }
        answers
    }

    /// The verdicts of a program about some of its rules; none of the others.
    fn judge(
        &mut self,
        known: &DemandProgram,
        rules: &BTreeSet<usize>,
        defect: &mut Option<String>,
    ) -> Option<Vec<Option<RuleStatus>>> {
        let members = || rules.iter().filter_map(|number| known.rules.get(*number));
        let about: BTreeSet<&str> = members().map(|member| member.about.as_str()).collect();
        let about = about.into_iter().map(|name| (name, Document::flag(true)));
        let slots: BTreeSet<usize> = members().flat_map(|member| member.slots.clone()).collect();
        let values = self.values(known, &slots);
        let at = known.places.find(self.request.object.as_deref());
        let input = Documents::together(Document::object(about), at, values);
        let answer = answered(self.machine.run(&known.program, 0, &input), defect)?;
        let mut verdicts = vec![None; known.rules.len()];
        for (name, status) in [("fail", RuleStatus::Fail), ("pass", RuleStatus::Pass)] {
            for number in answer.field(name)?.as_indexes()? {
                let verdict = verdicts.get_mut(number)?;
                // What is said to pass and to fail is for the rule's own program.
                *verdict = verdict.is_none().then_some(status);
            }
        }
        Some(verdicts)
    }

    /// Values with variables; what has no value is not there.
    fn values(&self, known: &DemandProgram, slots: &BTreeSet<usize>) -> Document {
        let given = Given::default();
        let names = Names::of_rule(self.ground(None, &given), &[]);
        let slots = slots.iter().filter_map(|index| known.slots.get(*index));
        let values = slots.filter_map(|(name, template)| {
            let value = names.template(template).ok()?;
            Some((name.as_str(), Document::from_json(&value)))
        });
        Document::object(values)
    }
}

/// The answer of a program, if it has one; what is wrong with the program is kept.
fn answered(
    answer: Result<Option<Document>, RegoError>,
    defect: &mut Option<String>,
) -> Option<Document> {
    if let Err(error @ RegoError::Internal(_)) = &answer {
        *defect = Some(error.to_string());
    }
    answer.ok().flatten()
}

/// Which of some matches are among those that hold.
fn holding(about: &Document, matches: usize) -> Option<Vec<bool>> {
    let mut holds = vec![false; matches];
    for number in about.as_indexes()? {
        *holds.get_mut(number)? = true;
    }
    Some(holds)
}
