//! `validate` of an entry: what is denied of a verified image, with the predicates of its attestations by their names.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::conditions::{read_used, statement};
use super::{UNKNOWN, Verifier};
use crate::evaluation::names::Names;
use crate::evaluation::rule::Answer;
use crate::evaluation::values::Values;
use crate::explain;
use crate::explain::validate::joined_message;
use crate::image::Evidence;
use crate::image::predicate::{MAX_PREDICATE, Predicate, PredicateError};
use crate::program::ImageDemand;
use crate::rego::evaluate::Document;
use crate::response::RuleStatus;

/// The most choices of one statement for each name: what attests the same thing more often is no accident.
const MAX_CHOICES: usize = 64;

/// What the names of attestations stand for.
#[derive(Clone, Default)]
struct Choice(Vec<(String, Arc<Value>)>);

/// What came of it.
pub(super) struct Denied {
    /// For each choice of statements `true`, `false` or `error`; nothing where the image is not verified.
    pub(super) answers: Value,
    /// What is said of the first choice that is denied.
    message: Option<String>,
    /// Why the first choice that could not be judged could not.
    error: Option<String>,
}

impl Denied {
    /// What an answer of the program comes to because of it; none where it has nothing to do with it.
    pub(super) fn answer(&self, answer: &str) -> Option<Answer> {
        const FAILED: &str = "validation in verifyImages failed";
        match answer {
            "fail" => {
                let message = self.message.as_ref()?;
                Some(Answer::new(
                    RuleStatus::Fail,
                    format!("{FAILED}: {message}"),
                ))
            }
            "error" => {
                let reason = self.error.as_deref().unwrap_or("there is nothing to judge");
                let message = format!("{FAILED}: failed to check deny conditions: {reason}");
                Some(Answer::new(RuleStatus::Error, message))
            }
            _ => None,
        }
    }
}

impl Verifier<'_, '_> {
    /// Judges what is denied for each choice, where anything is; none as long as facts are outstanding.
    pub(super) fn denied(
        &mut self,
        evidence: &[&Evidence],
        input: &[(&'static str, Document)],
    ) -> Option<Result<Option<Denied>, String>> {
        let entry = self.program;
        let Some(demand) = &entry.validate else {
            return Some(Ok(None));
        };
        let input = Document::object(input.iter().cloned());
        let choices = match self.choices(evidence, &input) {
            Ok(choices) => choices,
            Err(reason) => return Some(Err(reason)),
        };
        let (mut answers, mut message, mut error) = (Vec::new(), None, None);
        let rule = self.names;
        for choice in choices.into_iter().flatten() {
            let predicates = choice.0.into_iter();
            let predicates = predicates.map(|(name, predicate)| (name, Value::clone(&predicate)));
            let names = rule.above(predicates.collect(), &[]);
            let answer = match self.denies(demand, &names)? {
                Ok(answer) => answer,
                Err(reason) => return Some(Err(reason)),
            };
            let walked = |what| explain::conditions::walk(what, &names);
            let walked = demand.deny.what.as_ref().map(walked);
            match answer.as_str() {
                "true" if message.is_none() => {
                    let said = walked.map_or_else(String::new, |walked| walked.messages);
                    message = Some(joined_message(demand.message.as_ref(), &said, &names));
                }
                "error" if error.is_none() => error = walked.map(|walked| walked.error()),
                _ => {}
            }
            answers.push(Value::from(answer));
        }
        Some(Ok(Some(Denied {
            answers: answers.into(),
            message,
            error,
        })))
    }

    /// One choice: `true`, `false` or `error`.
    fn denies(
        &mut self,
        demand: &ImageDemand,
        names: &Names<'_>,
    ) -> Option<Result<String, String>> {
        let values = Values::of(names, &demand.deny.slots)?;
        let input = Document::object([("values", values.document())]);
        let program = &self.program.program;
        let answer = self.context.ask(program, self.program.denied(), &input);
        if let Ok(said) = &answer {
            match &demand.deny.what {
                Some(conditions) => self
                    .context
                    .trace_conditions(program, conditions, names, said),
                None => self.context.trace_denial(),
            }
        }
        Some(answer)
    }

    /// Each choice of one statement that counts for each name; none where the image is not verified.
    fn choices(
        &mut self,
        evidence: &[&Evidence],
        input: &Document,
    ) -> Result<Option<Vec<Choice>>, String> {
        let (program, entry) = (&self.program.program, self.program.counted());
        let counted = match self.context.machine.run(program, entry, input) {
            Ok(Some(counted)) => read_used(&counted).ok_or(UNKNOWN)?,
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut choices: Vec<Choice> = vec![Choice::default()];
        let mut total = 0_usize;
        for (index, attestation) in self.ast.attestations.iter().enumerate() {
            let Some(name) = &attestation.name else {
                continue;
            };
            let views = self.program.views.iter().zip(&counted);
            let views = views.filter(|(view, _)| view.attestation == index);
            let statements: BTreeSet<(usize, usize)> = views
                .flat_map(|(_, counted)| counted.iter().copied())
                .collect();
            if statements.len().saturating_mul(choices.len()) > MAX_CHOICES {
                return Err(format!(
                    "more than {MAX_CHOICES} choices of statements count for the names of attestations"
                ));
            }
            let predicates = statements.iter().map(|place| {
                let found = statement(evidence, *place);
                found.map(|one| &one.predicate)
            });
            let predicates = predicates.collect::<Option<Vec<_>>>().ok_or(UNKNOWN)?;
            let weights = predicates.iter().map(|one| one.weight_of_value());
            total = total.saturating_add(weights.sum());
            if total > MAX_PREDICATE {
                return Err(PredicateError::TooLarge.to_string());
            }
            let predicates = predicates.into_iter().map(Predicate::value);
            let predicates = predicates.collect::<Result<Vec<_>, _>>();
            let predicates = predicates.map_err(|error| error.to_string())?;
            choices = with_each(&choices, &name.value, &predicates);
        }
        Ok(Some(choices))
    }
}

/// Each choice with each predicate for one more name.
fn with_each(choices: &[Choice], name: &str, predicates: &[Arc<Value>]) -> Vec<Choice> {
    let with = |choice: &Choice, predicate: &Arc<Value>| {
        let mut choice = choice.clone();
        choice.0.push((name.to_owned(), Arc::clone(predicate)));
        choice
    };
    let each = |choice| predicates.iter().map(move |one| with(choice, one));
    choices.iter().flat_map(each).collect()
}
