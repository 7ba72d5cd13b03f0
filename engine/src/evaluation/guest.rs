//! `wasm`: a module is asked, and what it says goes to the rule's program, which says what follows from it.
//!
//! A module's questions are needs like those of any rule; it is asked again with the answers.

mod cluster;
mod evidence;
mod image;
mod questions;

use std::sync::Arc;

use serde_json::Value;

use crate::ast::guest::Changes;
use crate::explain::validate::Said;
use crate::mutate::diff;
use crate::program::guest::Guest;
use crate::program::{self, Policy, Rule};
use crate::rego::evaluate::Document;
use crate::response::{Details, FailureAction, RuleResponse, RuleStatus};
use crate::wasm::bounds;
use crate::wasm::call::{HostAnswer, HostCall, Outcome};
use crate::wasm::text::clean;
use crate::wasm::verdict::Verdict;

use super::mutate::{identity_change, success};
use super::names::Names;
use super::need::GuestNeed;
use super::rule::{Answer, Context, respond, unexpected};

/// What a module says, or why it says nothing.
type Told = Result<Verdict, String>;

impl Context<'_> {
    /// The answer of a `validate` rule; none as long as facts are outstanding.
    pub(super) fn judged_by_guest(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        names: &Names<'_>,
        demand: &program::Wasm,
    ) -> Option<RuleResponse> {
        let told = self.guest_verdict(policy, &demand.guest)?;
        let object = self.request.object.as_deref();
        let told = told.and_then(|verdict| match &verdict.mutated {
            Some(mutated)
                if Some(mutated) != object && demand.guest.changes == Changes::Refused =>
            {
                Err("it changes the object, which is for `mutate.wasm`".to_owned())
            }
            _ => Ok(verdict),
        });
        let said = Said {
            rule: policy.rule_ast(rule).map_or("", |ast| &ast.name.value),
            message: demand.message.as_ref(),
        };
        let answer = match self.guest_status(rule, &told) {
            Ok(RuleStatus::Pass) => Answer::new(RuleStatus::Pass, said.passed()),
            Ok(RuleStatus::Error) => failed(&demand.guest, &told),
            Ok(status) => {
                let refusal = refusal(&demand.guest, &told);
                Answer::new(status, said.denied(&refusal, names))
            }
            Err(message) => Answer::new(RuleStatus::Error, message),
        };
        self.trace_module(answer.status, &answer.message);
        let action = FailureAction::Enforce;
        Some(with_warnings(respond(policy, rule, action, answer), &told))
    }

    /// The answer of a `mutate` rule; none as long as facts are outstanding.
    pub(super) fn changed_by_guest(
        &mut self,
        (policy, rule, action): (&Policy, &Rule, FailureAction),
        names: &Names<'_>,
        guest: &Arc<Guest>,
    ) -> Option<RuleResponse> {
        let told = self.guest_verdict(policy, guest)?;
        let (object, changed) = (self.request.object.as_deref(), mutated(&told).cloned());
        let told = told.and_then(|verdict| match (object, &verdict.mutated) {
            (None, Some(_)) => Err("it changes an object that goes away".to_owned()),
            (Some(object), Some(new)) => match identity_change(object, new) {
                Some(field) => Err(format!(
                    "it changes `{field}`, which says what the object is"
                )),
                None => Ok(verdict),
            },
            (_, None) => Ok(verdict),
        });
        let said = Said {
            rule: policy.rule_ast(rule).map_or("", |ast| &ast.name.value),
            message: None,
        };
        let respond = |answer| respond(policy, rule, action, answer);
        let response = match (self.guest_status(rule, &told), object, changed) {
            (Ok(RuleStatus::Pass), Some(object), Some(new)) if *object != new => RuleResponse {
                patches: diff::diff(object, &new),
                ..respond(Answer::new(RuleStatus::Pass, success(&new)))
            }
            .with_patched(new),
            (Ok(RuleStatus::Pass), _, _) => {
                respond(Answer::new(RuleStatus::Skip, "no patches applied"))
            }
            (Ok(RuleStatus::Error), _, _) => respond(failed(guest, &told)),
            (Ok(status), _, _) => {
                let refusal = refusal(guest, &told);
                respond(Answer::new(status, said.denied(&refusal, names)))
            }
            (Err(message), _, _) => respond(Answer::new(RuleStatus::Error, message)),
        };
        self.trace_module(response.status, &response.message);
        Some(with_warnings(response, &told))
    }

    /// What the rule's program makes of what a module says.
    fn guest_status(&mut self, rule: &Rule, told: &Told) -> Result<RuleStatus, String> {
        let accepted = told.as_ref().is_ok_and(|verdict| verdict.accepted);
        let said = Document::object([
            ("answered", Document::flag(told.is_ok())),
            ("accepted", Document::flag(accepted)),
        ]);
        let input = self.documents.wasm(said);
        match self.ask(&rule.program, program::VERDICT, &input)?.as_str() {
            "pass" => Ok(RuleStatus::Pass),
            "fail" => Ok(RuleStatus::Fail),
            "error" => Ok(RuleStatus::Error),
            other => Err(unexpected(other)),
        }
    }

    /// Asks a module, and answers what it asks, until it has an answer; none as long as facts are outstanding.
    fn guest_verdict(&mut self, policy: &Policy, guest: &Arc<Guest>) -> Option<Told> {
        let mut answers: Vec<(HostCall, HostAnswer)> = Vec::new();
        loop {
            let need = GuestNeed {
                guest: Arc::clone(guest),
                uid: self.request.uid.clone(),
                request: self.names.of_guests(),
                answers: answers.as_slice().into(),
                seconds: self.environment.seconds,
            };
            let said = self.facts.borrow_mut().guest(need)?;
            match said {
                Ok(Outcome::Answered(verdict)) => return Some(Ok(verdict)),
                Ok(Outcome::Asks(_)) if answers.len() >= bounds::QUESTIONS => {
                    return Some(Err(format!(
                        "it asks more than {} questions",
                        bounds::QUESTIONS
                    )));
                }
                Ok(Outcome::Asks(call)) => match may_ask(guest, &call) {
                    Ok(()) => match self.answer_guest(policy, &call)? {
                        Ok(answer) => answers.push((call, answer)),
                        Err(reason) => return Some(Err(reason)),
                    },
                    Err(reason) => return Some(Err(reason)),
                },
                Err(error) => return Some(Err(error.to_string())),
            }
        }
    }
}

/// What `can_i` asks for.
const REVIEW: [&str; 2] = ["authorization.k8s.io/v1", "SubjectAccessReview"];

/// Whether the policy lets the module ask the cluster for the kind that it asks for.
fn may_ask(guest: &Guest, call: &HostCall) -> Result<(), String> {
    let (Some(kinds), "kubernetes") = (&guest.kinds, call.namespace.as_str()) else {
        return Ok(());
    };
    let payload: Value = serde_json::from_slice(&call.payload).unwrap_or(Value::Null);
    let text = |field: &str| {
        let text = payload.get(field).and_then(Value::as_str);
        text.unwrap_or("").to_owned()
    };
    let asked = if call.operation == "can_i" {
        REVIEW.map(str::to_owned).into()
    } else {
        (text("api_version"), text("kind"))
    };
    if kinds.contains(&asked) {
        return Ok(());
    }
    let (version, kind) = asked;
    let kind = clean(&format!("`{kind}` of `{version}`"), 200);
    Err(format!(
        "it asks for {kind}, which `contextAwareResources` does not list"
    ))
}

fn mutated(told: &Told) -> Option<&Value> {
    told.as_ref().ok()?.mutated.as_ref()
}

/// What a module says against a request, after what its policy says.
fn refusal(guest: &Guest, told: &Told) -> String {
    let message = told
        .as_ref()
        .ok()
        .and_then(|verdict| verdict.message.clone());
    let message = message.unwrap_or_else(|| "the module does not accept it".to_owned());
    match &guest.message {
        Some(own) => format!("{own}; {message}"),
        None => message,
    }
}

/// That there is no answer, and why.
fn failed(guest: &Guest, told: &Told) -> Answer {
    let reason = told
        .as_ref()
        .err()
        .map_or("it gave no answer", String::as_str);
    let message = format!("module `{}`: {reason}", guest.module);
    Answer::new(RuleStatus::Error, message)
}

fn with_warnings(mut response: RuleResponse, told: &Told) -> RuleResponse {
    if let Ok(verdict) = told
        && !verdict.warnings.is_empty()
    {
        let details = response.details.get_or_insert_with(Box::<Details>::default);
        details.warnings.clone_from(&verdict.warnings);
    }
    response
}

impl RuleResponse {
    fn with_patched(self, object: Value) -> Self {
        Self {
            patched: Some(Arc::new(object)),
            ..self
        }
    }
}
