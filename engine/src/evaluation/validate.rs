//! `validate`: what is demanded, asked of its program, and explained where it does not hold.

use std::sync::Arc;

use crate::explain::steps::About;
use crate::explain::{self, validate::Said};
use crate::program::{self, Demand, Judged, Policy, Rule};
use crate::rego::evaluate::{Document, Program};
use crate::response::{FailureAction, RuleStatus};
use crate::template::Template;

use super::Messages;
use super::names::Names;
use super::rule::{Answer, Context, Progress, respond, unexpected};
use super::values::Values;

/// A `validate` rule that applies.
pub(super) struct Stage<'a> {
    pub(super) policy: &'a Policy,
    pub(super) rule: &'a Rule,
    pub(super) validate: &'a program::Validate,
    pub(super) names: &'a Names<'a>,
}

impl<'a> Stage<'a> {
    pub(super) fn of(
        (policy, rule): (&'a Policy, &'a Rule),
        validate: &'a program::Validate,
        names: &'a Names<'a>,
    ) -> Self {
        Self {
            policy,
            rule,
            validate,
            names,
        }
    }

    fn said(&self) -> Said<'_> {
        let ast = self.policy.rule_ast(self.rule);
        Said {
            rule: ast.map_or("", |ast| ast.name.value.as_str()),
            message: self.validate.message.as_ref(),
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            demand: &self.validate.demand,
            program: &self.rule.program,
            entry: program::VERDICT,
            names: self.names,
            element: None,
        }
    }
}

/// What came of a demand.
pub(super) enum Outcome {
    /// Facts are outstanding.
    Waiting,
    /// There was nothing to compare.
    Nothing,
    /// It was judged.
    Judged(Answer),
}

impl Outcome {
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self::Judged(Answer::new(RuleStatus::Error, message))
    }
}

/// A demand, and whom it is made of.
pub(super) struct Asked<'a> {
    pub(super) demand: &'a Demand,
    pub(super) program: &'a Program,
    pub(super) entry: usize,
    pub(super) names: &'a Names<'a>,
    /// The element that patterns are about; the object where there is none.
    pub(super) element: Option<&'a serde_json::Value>,
}

impl Context<'_> {
    /// The answer of a rule.
    pub(super) fn validate(&mut self, stage: &Stage<'_>) -> Progress {
        let said = stage.said();
        let asked = stage.asked();
        match self.demand(&asked, &said) {
            Outcome::Waiting => Progress::Waiting,
            Outcome::Nothing => Progress::NotAbout,
            // The message asked for something that is not there yet.
            Outcome::Judged(_) if stage.names.may_ask() && self.facts.borrow().is_waiting() => {
                Progress::Waiting
            }
            // The caller knows what a failure means.
            Outcome::Judged(answer) => Progress::Answered(respond(
                stage.policy,
                stage.rule,
                FailureAction::Enforce,
                answer,
            )),
        }
    }

    /// The answer of a rule whose status is known.
    pub(super) fn validated_as(&self, stage: &Stage<'_>, status: RuleStatus) -> Progress {
        let (said, asked) = (stage.said(), stage.asked());
        let message = match asked.demand {
            _ if self.is_silent(status) => String::new(),
            Demand::Pattern(judged) => {
                self.message(&asked, std::slice::from_ref(&judged.what), (&said, status))
            }
            Demand::AnyPattern(judged) => self.message(&asked, &judged.what, (&said, status)),
            Demand::Deny(judged) => Self::denial(judged, asked.names, (&said, status)),
            // Of these only that they pass is known.
            Demand::Foreach(_) => said.passed(),
        };
        let answer = Answer::new(status, message);
        // The caller knows what a failure means.
        let action = FailureAction::Enforce;
        Progress::Answered(respond(stage.policy, stage.rule, action, answer))
    }

    /// Whether nobody reads the message of a rule of this status.
    fn is_silent(&self, status: RuleStatus) -> bool {
        status == RuleStatus::Pass && self.messages == Messages::NotOfPasses
    }

    /// What comes of a demand.
    pub(super) fn demand(&mut self, asked: &Asked<'_>, said: &Said<'_>) -> Outcome {
        match asked.demand {
            Demand::Deny(judged) => self.deny(asked, judged, said),
            Demand::Foreach(blocks) => self.foreach(asked, blocks, said),
            // On DELETE a pattern has nothing to be compared with.
            Demand::Pattern(_) | Demand::AnyPattern(_)
                if asked.element.is_none() && self.request.object.is_none() =>
            {
                Outcome::Nothing
            }
            Demand::Pattern(judged) => self.patterns(
                asked,
                (std::slice::from_ref(&judged.what), &judged.slots),
                said,
            ),
            Demand::AnyPattern(judged) => self.patterns(asked, (&judged.what, &judged.slots), said),
        }
    }

    fn deny(
        &mut self,
        asked: &Asked<'_>,
        judged: &Judged<Option<program::Conditions>>,
        said: &Said<'_>,
    ) -> Outcome {
        let Some(values) = Values::of(asked.names, &judged.slots) else {
            return Outcome::Waiting;
        };
        let input = self.documents.input(None, values.document());
        let status = match self.status(asked, &input) {
            Ok(status) => status,
            Err(answer) => return Outcome::Judged(answer),
        };
        match &judged.what {
            Some(conditions) => {
                let said = match status {
                    RuleStatus::Pass => "false",
                    RuleStatus::Error => "error",
                    RuleStatus::Fail | RuleStatus::Warn | RuleStatus::Skip => "true",
                };
                self.trace_conditions(asked.program, conditions, asked.names, said);
            }
            None => self.trace_denial(),
        }
        let message = if self.is_silent(status) {
            String::new()
        } else {
            Self::denial(judged, asked.names, (said, status))
        };
        Outcome::Judged(match status {
            RuleStatus::Error => Answer::too_large(values.error(asked.names), message),
            status => Answer::new(status, message),
        })
    }

    /// What is said of conditions.
    fn denial(
        judged: &Judged<Option<program::Conditions>>,
        names: &Names<'_>,
        (said, status): (&Said<'_>, RuleStatus),
    ) -> String {
        let walk = || {
            let conditions = judged.what.as_ref();
            conditions.map(|conditions| explain::conditions::walk(conditions, names))
        };
        match status {
            RuleStatus::Pass => said.passed(),
            RuleStatus::Error => {
                let reason = walk().map_or_else(String::new, |walked| walked.error());
                format!("failed to check deny conditions: {reason}")
            }
            RuleStatus::Fail | RuleStatus::Warn | RuleStatus::Skip => {
                let messages = walk().map_or_else(String::new, |walked| walked.messages);
                said.denied(&messages, names)
            }
        }
    }

    fn patterns(
        &mut self,
        asked: &Asked<'_>,
        (patterns, slots): (&[Arc<Template>], &[Arc<Template>]),
        said: &Said<'_>,
    ) -> Outcome {
        let Some(values) = Values::of(asked.names, slots) else {
            return Outcome::Waiting;
        };
        let element = asked.element.map(Document::from_json);
        let input = self.documents.compared(element, values.document());
        let status = match self.status(asked, &input) {
            Ok(status) => status,
            Err(answer) => return Outcome::Judged(answer),
        };
        let nothing = serde_json::Value::Null;
        let is_any = matches!(asked.demand, Demand::AnyPattern(_));
        let resource = asked.element.or(self.request.object.as_deref());
        let resource = resource.unwrap_or(&nothing);
        let about = match asked.element {
            Some(_) => About::Element,
            None => About::Object,
        };
        self.trace_patterns(
            asked.program,
            (patterns, is_any),
            (asked.names, resource, about),
            status,
        );
        if let Some(error) = values.first_error().filter(|_| status == RuleStatus::Error) {
            let message = format!("variable substitution failed: {error}");
            return Outcome::Judged(Answer::too_large(values.error(asked.names), message));
        }
        let message = self.message(asked, patterns, (said, status));
        Outcome::Judged(Answer::new(status, message))
    }

    /// What is said of patterns.
    fn message(
        &self,
        asked: &Asked<'_>,
        patterns: &[Arc<Template>],
        (said, status): (&Said<'_>, RuleStatus),
    ) -> String {
        if self.is_silent(status) {
            return String::new();
        }
        let nothing = serde_json::Value::Null;
        let resource = asked.element.or(self.request.object.as_deref());
        explain::validate::Patterns {
            said,
            names: asked.names,
            written: patterns,
            is_any: matches!(asked.demand, Demand::AnyPattern(_)),
            resource: resource.unwrap_or(&nothing),
        }
        .message(status)
    }

    /// What a program says.
    pub(super) fn status(
        &mut self,
        asked: &Asked<'_>,
        input: &Document,
    ) -> Result<RuleStatus, Answer> {
        let of = (asked.program, asked.entry);
        match self.answer(of, input, asked.names.too_large())?.as_str() {
            "pass" => Ok(RuleStatus::Pass),
            "fail" => Ok(RuleStatus::Fail),
            "skip" => Ok(RuleStatus::Skip),
            "error" => Ok(RuleStatus::Error),
            other => Err(Answer::new(RuleStatus::Error, unexpected(other))),
        }
    }
}
