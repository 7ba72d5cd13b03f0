//! One rule on one request, stage by stage: selection, preconditions, body.
//!
//! A stage without an answer is an error of the rule: nothing that went wrong passes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::admission::AdmissionRequest;
use crate::ast::Origin;
use crate::explain;
use crate::fuel;
use crate::go_format;
use crate::jmespath::Environment;
use crate::pod_security::Exclusion;
use crate::program::{self, Body, Conditions, Judged, Policy, Rule};
use crate::rego::evaluate::{Document, Machine, Program, RegoError};
use crate::response::{Details, FailureAction, RuleResponse, RuleStatus, RuleType};

use super::action::strictest_action;
use super::documents::Documents;
use super::exception::Excepted;
use super::facts::Facts;
use super::names::{Ground, Names};
use super::request_names::RequestNames;
use super::together::Known;
use super::tracing::Traced;
use super::validate::Stage;
use super::values::Values;
use super::variables::Given;
use super::{Messages, Phase, Variables, images};

/// What all rules of a request share.
pub(super) struct Context<'a> {
    pub(super) request: &'a AdmissionRequest,
    pub(super) phase: Phase,
    pub(super) documents: &'a Documents,
    pub(super) names: &'a RequestNames<'a>,
    pub(super) environment: &'a Environment,
    pub(super) variables: &'a Variables,
    pub(super) machine: &'a mut Machine,
    pub(super) facts: &'a RefCell<Facts>,
    pub(super) traced: Traced,
    pub(super) messages: Messages,
}

/// What the preconditions of an element say that lacks what they look at: it is not meant, as in Kyverno.
const MISSING: &str = "missing";

/// What came of a rule so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Progress {
    /// Facts are outstanding.
    Waiting,
    /// Evidence of images is outstanding; that the rule applies is known.
    WaitingForImages,
    /// The rule is not about the request.
    NotAbout,
    /// It answered.
    Answered(RuleResponse),
}

/// What came of a stage.
pub(super) struct Answer {
    pub(super) status: RuleStatus,
    pub(super) message: String,
    /// Whether it says that the object is too large to be judged.
    pub(super) too_large: bool,
}

impl Answer {
    pub(super) fn new(status: RuleStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            too_large: false,
        }
    }

    /// That something is too large, which is a failure where the object is why.
    pub(super) fn too_large(status: RuleStatus, message: impl Into<String>) -> Self {
        Self {
            too_large: status == RuleStatus::Fail,
            ..Self::new(status, message)
        }
    }
}

impl Context<'_> {
    /// Takes a rule as far as possible, from where it waited; something may be known of it beforehand.
    pub(super) fn evaluate(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        waited: &Progress,
        known: Known,
    ) -> Progress {
        let progress = self.go_on((policy, rule), waited, known);
        match progress {
            Progress::Answered(_) | Progress::NotAbout if fuel::is_spent() => {
                const WORK: &str =
                    "the rules take more work on this object than one request may ask for";
                spent(policy, rule, WORK)
            }
            Progress::Answered(_) if self.facts.borrow().lacks_room() => {
                const MEMORY: &str =
                    "the rules are told more on behalf of this object than there is room for";
                spent(policy, rule, MEMORY)
            }
            other => other,
        }
    }

    fn go_on(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        waited: &Progress,
        known: Known,
    ) -> Progress {
        if known == Known::NotAbout {
            return Progress::NotAbout;
        }
        self.trace_rule(policy, rule);
        let labels = match self.namespace_labels(rule) {
            None => return Progress::Waiting,
            Some(Ok(labels)) => labels,
            Some(Err(message)) => {
                let answer = Answer::new(RuleStatus::Error, message);
                return Progress::Answered(respond(
                    policy,
                    rule,
                    strictest_action(policy, rule),
                    answer,
                ));
            }
        };
        let action = self.failure_action(policy, rule, labels.as_ref());
        let respond = |answer| Progress::Answered(respond(policy, rule, action, answer));
        let given = self.variables.of(&policy.ast, base_name(policy, rule));
        let ground = self.ground(Some(policy), &given);
        let names = Names::of_rule(ground, &rule.context);
        // Who wants to know what a rule looked at sees it from the start.
        let waited = match self.traced {
            Traced::Not => waited,
            Traced::Between | Traced::Now(_) => &Progress::Waiting,
        };
        if let (Progress::WaitingForImages, Body::VerifyImages(entries)) = (waited, &rule.body) {
            let progress = self.verify_images((policy, rule), &names, entries, action);
            return self.described(rule, &names, progress);
        }
        if known == Known::Nothing {
            let selected = match self.is_selected(rule, labels.as_ref()) {
                Ok(false) => self.was_selected((policy, rule), labels.as_ref()),
                known => known,
            };
            self.trace_match(matches!(selected, Ok(true)), labels.as_ref());
            match selected {
                Ok(true) => {}
                Ok(false) => return Progress::NotAbout,
                Err(answer) => return respond(unjudged(rule, answer)),
            }
        }
        if let (Known::Judged(status), Body::Validate(validate)) = (known, &rule.body) {
            let stage = Stage::of((policy, rule), validate, &names);
            let progress = self.validated_as(&stage, status);
            let progress = self.enforced(&stage, action, progress);
            return self.described(rule, &names, progress);
        }
        let of_conditions = rule.preconditions.as_ref();
        match self.preconditions(
            (&rule.program, program::PRECONDITIONS),
            of_conditions,
            &names,
        ) {
            None => return Progress::Waiting,
            Some(Ok(())) => {}
            Some(Err(answer)) => return respond(unjudged(rule, answer)),
        }
        let progress = self.unless_excepted((policy, rule), &names, action);
        self.described(rule, &names, progress)
    }

    /// What the body of a rule that applies says, or that exceptions let the request off.
    fn unless_excepted(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        names: &Names<'_>,
        action: FailureAction,
    ) -> Progress {
        match self.exceptions(rule, names) {
            None => Progress::Waiting,
            Some(Excepted::Whole(answer, keys)) => {
                let mut response = respond(policy, rule, action, answer);
                response.details.get_or_insert_default().exceptions = keys;
                Progress::Answered(response)
            }
            Some(Excepted::Controls(keys, exclusions)) => {
                self.body((policy, rule), names, action, &(keys, exclusions))
            }
        }
    }

    /// Whether a rule is about the request, by its own program.
    pub(super) fn is_selected(
        &mut self,
        rule: &Rule,
        labels: Option<&BTreeMap<String, String>>,
    ) -> Result<bool, Answer> {
        let input = self.documents.input(labels, Document::list([]));
        let said = self.answer((&rule.program, program::SELECTED), &input, RuleStatus::Fail);
        match &*said? {
            "match" => Ok(true),
            "nomatch" => Ok(false),
            other => Err(Answer::new(RuleStatus::Error, unexpected(other))),
        }
    }

    /// What the body of a rule that applies says.
    fn body(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        names: &Names<'_>,
        action: FailureAction,
        (keys, exclusions): &(Vec<String>, Vec<Exclusion>),
    ) -> Progress {
        match &rule.body {
            Body::Validate(validate) => {
                let stage = Stage::of((policy, rule), validate, names);
                let progress = self.validate(&stage);
                self.enforced(&stage, action, progress)
            }
            Body::PodSecurity(demand) => {
                match self.pod_security(policy, rule, demand, (keys, exclusions)) {
                    Some((answer, details)) => {
                        let response = RuleResponse {
                            details,
                            ..respond(policy, rule, action, answer)
                        };
                        self.allow_existing(policy, rule, response)
                    }
                    None => Progress::NotAbout,
                }
            }
            Body::Rego(modules) => match self.ask_modules((policy, rule), modules, names) {
                None => Progress::Waiting,
                Some((answer, details)) => {
                    let response = RuleResponse {
                        details,
                        ..respond(policy, rule, action, answer)
                    };
                    self.allow_existing(policy, rule, response)
                }
            },
            Body::Wasm(demand) => {
                let Some(response) = self.judged_by_guest((policy, rule), names, demand) else {
                    return Progress::Waiting;
                };
                let response = RuleResponse {
                    failure_action: action,
                    ..response
                };
                self.allow_existing(policy, rule, response)
            }
            // Nothing runs from an object that goes away.
            Body::VerifyImages(_) if self.request.object.is_none() => Progress::NotAbout,
            Body::VerifyImages(entries) => {
                self.verify_images((policy, rule), names, entries, action)
            }
            Body::Mutate(mutate) => self.change((policy, rule, action), names, mutate),
            Body::Generate(generation) => match self.generate(names, generation) {
                None => Progress::Waiting,
                Some(made) => Progress::Answered(RuleResponse {
                    generated: made.objects,
                    ..respond(policy, rule, action, made.answer)
                }),
            },
        }
    }

    /// `verifyImages`.
    fn verify_images(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        names: &Names<'_>,
        entries: &[program::ImageEntry],
        action: FailureAction,
    ) -> Progress {
        match images::verify(self, (policy, rule), names, (entries, action)) {
            None => Progress::WaitingForImages,
            Some(outcome) => Progress::Answered(RuleResponse {
                patches: outcome.patches,
                digests: outcome.digests,
                images: outcome.images,
                ..respond(policy, rule, action, outcome.answer)
            }),
        }
    }

    /// What came of a `validate` rule, with what a failure means.
    fn enforced(
        &mut self,
        stage: &Stage<'_>,
        action: FailureAction,
        progress: Progress,
    ) -> Progress {
        match progress {
            Progress::Answered(response) => {
                let response = RuleResponse {
                    failure_action: action,
                    ..response
                };
                self.allow_existing(stage.policy, stage.rule, response)
            }
            other @ (Progress::Waiting | Progress::WaitingForImages | Progress::NotAbout) => other,
        }
    }

    /// `mutate`, of the object or of other resources.
    fn change(
        &mut self,
        (policy, rule, action): (&Policy, &Rule, FailureAction),
        names: &Names<'_>,
        mutate: &program::Mutate,
    ) -> Progress {
        if !mutate.targets.is_empty() {
            return match self.mutate_targets(names, mutate) {
                None => Progress::Waiting,
                Some(targeted) => Progress::Answered(RuleResponse {
                    targets: targeted.targets,
                    ..respond(policy, rule, action, targeted.answer)
                }),
            };
        }
        if let program::Change::Wasm(guest) = &mutate.change {
            let changed = self.changed_by_guest((policy, rule, action), names, guest);
            return changed.map_or(Progress::Waiting, Progress::Answered);
        }
        // An object that goes away is not changed any more.
        let Some(object) = self.request.object.as_deref() else {
            return Progress::NotAbout;
        };
        match self.mutate(names, object, &mutate.change) {
            None => Progress::Waiting,
            Some(mutated) => Progress::Answered(RuleResponse {
                patches: mutated.patches,
                patched: mutated.object.map(Arc::new),
                ..respond(policy, rule, action, mutated.answer)
            }),
        }
    }

    /// What the names of a rule of a policy stand on, or those of rules of many.
    pub(super) fn ground<'b>(&self, policy: Option<&'b Policy>, given: &'b Given) -> Ground<'b>
    where
        Self: 'b,
    {
        Ground {
            request: self.names,
            given,
            environment: self.environment,
            deletion: self.names.deletion(),
            facts: self.facts,
            namespace: policy
                .and_then(|policy| policy.ast.namespace.as_ref())
                .map(|namespace| namespace.value.as_str()),
        }
    }

    /// The answer of a program, as a text; what went wrong as a message.
    pub(super) fn ask(
        &mut self,
        program: &Program,
        entry: usize,
        input: &Document,
    ) -> Result<String, String> {
        let answer = self.answer((program, entry), input, RuleStatus::Error);
        answer.map_err(|answer| answer.message)
    }

    /// The same, with what it means that there is none: `too_large` where it takes more steps or more time than one may,
    /// thousands of times what an ordinary object takes, which is what somebody wrote.
    pub(super) fn answer(
        &mut self,
        (program, entry): (&Program, usize),
        input: &Document,
        too_large: RuleStatus,
    ) -> Result<String, Answer> {
        let none = |text: &str| Err(Answer::new(RuleStatus::Error, text));
        match self.machine.run(program, entry, input) {
            Ok(Some(answer)) => match answer.as_text() {
                Some(text) => Ok(text.to_owned()),
                None => none("the compiled rule gave no status"),
            },
            Ok(None) => none("the compiled rule gave no answer"),
            Err(error @ (RegoError::LimitExceeded | RegoError::Timeout)) => {
                Err(Answer::too_large(too_large, error.to_string()))
            }
            Err(error) => none(&error.to_string()),
        }
    }

    /// Whether a rule or an element goes on, or the answer that it ends with; none as long as facts are outstanding.
    pub(super) fn preconditions(
        &mut self,
        (program, entry): (&Program, usize),
        judged: Option<&Judged<Conditions>>,
        names: &Names<'_>,
    ) -> Option<Result<(), Answer>> {
        let Some(judged) = judged else {
            return Some(Ok(()));
        };
        let values = Values::of(names, &judged.slots)?;
        let document = if names.is_about_element() {
            values.of_element(names, &judged.slots)
        } else {
            values.document()
        };
        let input = self.documents.input(None, document);
        let said = self.answer((program, entry), &input, names.too_large());
        if let Ok(said) = &said {
            // The walk does not tell the two apart.
            let said = if said == MISSING { "error" } else { said };
            self.trace_conditions(program, &judged.what, names, said);
        }
        let said = match said {
            Ok(said) => said,
            Err(answer) => return Some(Err(answer)),
        };
        let answer = match said.as_str() {
            "true" => return Some(Ok(())),
            MISSING if names.is_about_element() => {
                Answer::new(RuleStatus::Skip, "preconditions not met")
            }
            "false" => {
                let said = explain::conditions::walk(&judged.what, names).messages;
                Answer::new(RuleStatus::Skip, joined("preconditions not met", &said))
            }
            "error" => {
                let reason = explain::conditions::walk(&judged.what, names).error();
                let message = format!("failed to evaluate preconditions: {reason}");
                Answer::too_large(values.error(names), message)
            }
            other => Answer::new(RuleStatus::Error, unexpected(other)),
        };
        Some(Err(answer))
    }

    /// An answer with the rule's `reportProperties`. One that cannot be resolved stays as it is written, since it only describes.
    fn described(&mut self, rule: &Rule, names: &Names<'_>, mut progress: Progress) -> Progress {
        self.trace_message(names, &progress);
        if let Progress::Answered(response) = &mut progress {
            for (name, text) in &rule.report_properties {
                let value = match names.text(text) {
                    Ok(Value::String(value)) => value,
                    Ok(other) => go_format::json(&other),
                    Err(error) if error.is_pending() => return Progress::Waiting,
                    Err(_) => text.raw().to_owned(),
                };
                let details = response.details.get_or_insert_default();
                details.properties.push((name.clone(), value));
            }
        }
        progress
    }

    /// Labels of the request's namespace where the rule asks for them; none as long as the host has not said.
    fn namespace_labels(
        &mut self,
        rule: &Rule,
    ) -> Option<Result<Option<BTreeMap<String, String>>, String>> {
        let namespace = self
            .request
            .namespace
            .as_deref()
            .filter(|_| rule.needs_namespace_labels);
        let Some(namespace) = namespace else {
            return Some(Ok(None));
        };
        let labels = self.facts.borrow_mut().namespace_labels(namespace)?;
        Some(match labels {
            Ok(labels) => Ok(Some(labels)),
            Err(error) => Err(format!(
                "failed to get the labels of namespace {namespace}: {error}"
            )),
        })
    }
}

/// What it means that it is not known whether a rule applies. One that changes something refuses nothing by itself: that it
/// could not is an error.
fn unjudged(rule: &Rule, answer: Answer) -> Answer {
    match rule.body {
        Body::Mutate(_) | Body::Generate(_) if answer.status == RuleStatus::Fail => {
            Answer::new(RuleStatus::Error, answer.message)
        }
        _ => answer,
    }
}

/// The answer of a rule for which nothing was left to spend: a failure, since it is the object that asks for so much.
fn spent(policy: &Policy, rule: &Rule, message: &str) -> Progress {
    let action = match &rule.body {
        Body::Mutate(_) => FailureAction::Enforce,
        _ => strictest_action(policy, rule),
    };
    let answer = Answer::new(RuleStatus::Fail, message);
    Progress::Answered(respond(policy, rule, action, answer))
}

/// The name that the author gave a rule.
pub(super) fn base_name<'a>(policy: &'a Policy, rule: &Rule) -> &'a str {
    policy.rule_ast(rule).map_or("", |ast| match &ast.origin {
        Origin::Written => ast.name.value.as_str(),
        Origin::Autogen { base, .. } => base.as_str(),
    })
}

/// Two texts with a semicolon between, if there is a second.
pub(super) fn joined(first: &str, second: &str) -> String {
    if second.is_empty() {
        first.to_owned()
    } else {
        format!("{first}; {second}")
    }
}

/// The response of a rule; a failure that is not scored is a warning.
pub(super) fn respond(
    policy: &Policy,
    rule: &Rule,
    failure_action: FailureAction,
    answer: Answer,
) -> RuleResponse {
    let ast = policy.rule_ast(rule);
    let status = match answer.status {
        // What is not scored is still not changed.
        RuleStatus::Fail if !policy.ast.scored() && !matches!(rule.body, Body::Mutate(_)) => {
            RuleStatus::Warn
        }
        other => other,
    };
    let rule_type = match &rule.body {
        Body::Validate(_) | Body::PodSecurity(_) | Body::Rego(_) | Body::Wasm(_) => {
            RuleType::Validation
        }
        Body::VerifyImages(_) => RuleType::ImageVerify,
        Body::Mutate(_) => RuleType::Mutation,
        Body::Generate(_) => RuleType::Generation,
    };
    let details = answer.too_large.then(|| {
        Box::new(Details {
            too_large: true,
            ..Details::default()
        })
    });
    let name = ast.map_or("", |ast| ast.name.value.as_str());
    let said = (status, answer.message);
    RuleResponse {
        details,
        ..RuleResponse::new(name, rule_type, failure_action, said)
    }
}

pub(super) fn unexpected(answer: &str) -> String {
    format!("the compiled rule gave the unknown status `{answer}`")
}
