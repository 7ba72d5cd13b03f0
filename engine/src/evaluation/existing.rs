//! `allowExistingViolations`: an update of an object that broke the rule before it does not count as breaking it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::admission::{AdmissionRequest, Operation};
use crate::ast::{self, RuleBody};
use crate::program::{Policy, Rule};
use crate::response::{FailureAction, RuleResponse, RuleStatus};

use super::documents::{Before, Documents};
use super::request_names::RequestNames;
use super::rule::{Answer, Context, Progress};
use super::together::Known;
use super::tracing::Traced;

impl Context<'_> {
    /// Whether an update is of an object that a constraint was about: Gatekeeper looks at both, so that nobody takes an
    /// object out of its scope by changing it.
    pub(super) fn was_selected(
        &mut self,
        (policy, rule): (&Policy, &Rule),
        labels: Option<&BTreeMap<String, String>>,
    ) -> Result<bool, Answer> {
        let is_constraint = policy.rule_ast(rule).and_then(ast::Rule::constraint);
        let old = self.request.old_object.as_ref().zip(is_constraint);
        let (Some((old, _)), true) = (old, self.request.object.is_some()) else {
            return Ok(false);
        };
        let request = Arc::new(AdmissionRequest {
            object: Some(Arc::clone(old)),
            ..self.request.clone()
        });
        let documents = Documents::new(&request);
        let names = RequestNames::new(&request, self.names.context_size());
        self.about((&request, &documents, &names))
            .is_selected(rule, labels)
    }

    /// The same for another request.
    fn about<'b>(
        &'b mut self,
        (request, documents, names): (&'b AdmissionRequest, &'b Documents, &'b RequestNames<'b>),
    ) -> Context<'b> {
        Context {
            request,
            phase: self.phase,
            documents,
            names,
            environment: self.environment,
            variables: self.variables,
            machine: &mut *self.machine,
            facts: self.facts,
            traced: Traced::Not,
            messages: self.messages,
        }
    }

    /// The response to an update, or that the old object broke the rule as well.
    ///
    /// Kyverno lets an update pass where the old object cannot be judged; here the failure stands then. That one of them is
    /// too large to be judged says nothing of the other.
    pub(super) fn allow_existing(
        &mut self,
        policy: &Policy,
        rule: &Rule,
        response: RuleResponse,
    ) -> Progress {
        let failed = matches!(response.status, RuleStatus::Fail | RuleStatus::Warn);
        let failed = failed && !is_too_large(&response);
        let is_update = self.request.operation == Operation::Update;
        let has_old = is_update && self.request.old_object.is_some();
        if !(has_old && failed && allows(policy, rule)) {
            return Progress::Answered(response);
        }
        let Before { request, documents } = self.documents.before();
        let names = RequestNames::new(request, self.names.context_size());
        let mut before = self.about((request, documents, &names));
        match before.evaluate((policy, rule), &Progress::Waiting, Known::Nothing) {
            waiting @ (Progress::Waiting | Progress::WaitingForImages) => waiting,
            Progress::Answered(old) if old.status == response.status && !is_too_large(&old) => {
                Progress::Answered(RuleResponse {
                    status: RuleStatus::Skip,
                    message: "skipping the rule evaluation as pre-existing violations are allowed"
                        .to_owned(),
                    ..response
                })
            }
            Progress::Answered(_) | Progress::NotAbout => Progress::Answered(response),
        }
    }
}

fn is_too_large(response: &RuleResponse) -> bool {
    let details = response.details.as_ref();
    details.is_some_and(|details| details.too_large)
}

/// Whether the rule allows it; as in Kyverno, overrides for namespaces do not count here, and a rule with preconditions
/// never does.
fn allows(policy: &Policy, rule: &Rule) -> bool {
    let Some(ast) = policy.rule_ast(rule) else {
        return false;
    };
    let actions = policy.ast.failure_action(ast);
    let enforced = actions.rule.unwrap_or(actions.policy) == FailureAction::Enforce;
    let RuleBody::Validate(validate) = &ast.body else {
        return false;
    };
    enforced && validate.allow_existing_violations && ast.preconditions.is_none()
}
