//! The step machine that answers one request with a policy set.
//!
//! Does no I/O: it stops with needs, and goes on when the host has answered them with facts.

pub mod need;

mod documents;
mod exception;
mod existing;
mod facts;
mod foreach;
mod images;
mod names;
mod pod_images;
mod pod_security;
mod request_names;
mod rule;
mod validate;
mod values;
mod variables;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::admission::AdmissionRequest;
use crate::ast::ApplyRules;
use crate::jmespath::Environment;
use crate::limits;
use crate::policy_set::PolicySet;
use crate::program::Body;
use crate::rego::evaluate::{Machine, Opinion};
use crate::response::{FailurePolicy, PolicyResponse, RuleResponse, RuleStatus};
use crate::selection::RuleKey;
use facts::Facts;
use need::{Fact, Need, NeedId};
use request_names::RequestNames;
use rule::Progress;

pub(crate) use images::builder_id;
pub(crate) use names::Names;
pub(crate) use pod_security::Found;
pub use variables::Variables;

/// Which webhook is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `/mutate`: images are resolved, verified, and their digests patched in.
    Mutate,
    /// `/validate`: everything is judged as it will be stored; images are verified again by digest.
    Validate,
}

/// Which policies a webhook path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `/validate`, `/mutate`: all of them.
    All,
    /// `…/fail`: those whose failure policy is Fail.
    FailurePolicyFail,
    /// `…/ignore`: those whose failure policy is Ignore.
    FailurePolicyIgnore,
}

/// Where an evaluation stands.
#[derive(Debug)]
pub enum Step {
    /// It needs these answered, in any order; each exactly once.
    Need(Vec<(NeedId, Need)>),
    /// It is done.
    Done(Vec<PolicyResponse>),
}

/// One request on its way through a policy set.
#[derive(Debug)]
pub struct Evaluation {
    set: Arc<PolicySet>,
    request: Arc<AdmissionRequest>,
    phase: Phase,
    opinion: Opinion,
    environment: Environment,
    variables: Arc<Variables>,
    facts: RefCell<Facts>,
    /// Rules that may be about the request, and how far they are.
    rules: Vec<(RuleKey, Progress)>,
}

impl Evaluation {
    /// An evaluation of the rules that may be about a request.
    pub(crate) fn start(
        set: Arc<PolicySet>,
        request: Arc<AdmissionRequest>,
        (phase, scope): (Phase, Scope),
        environment: Environment,
    ) -> Self {
        let asked = |key: &RuleKey| is_asked(&set, *key, phase, scope);
        let keys = set.candidates(&request).into_iter().filter(asked);
        let rules = keys.map(|key| (key, Progress::Waiting)).collect();
        Self {
            set,
            request,
            phase,
            opinion: Opinion::Bytecode,
            environment,
            variables: Arc::default(),
            facts: RefCell::default(),
            rules,
        }
    }

    /// The same with the interpreter as second opinion: a program on which the two differ is an error of its rule.
    #[must_use]
    pub fn with_second_opinion(mut self) -> Self {
        self.opinion = Opinion::BytecodeAndInterpreter;
        self
    }

    /// The same with values that the host was given for names, as a test's values file has them.
    #[must_use]
    pub fn with_variables(mut self, variables: Arc<Variables>) -> Self {
        self.variables = variables;
        self
    }

    /// Goes on as far as possible.
    pub fn step(&mut self) -> Step {
        if self.rules.is_empty() {
            return Step::Done(Vec::new());
        }
        let mut machine = Machine::new(self.opinion, limits::PROGRAM);
        let request = Arc::clone(&self.request);
        let documents = documents::Documents::new(&request);
        let request_names = RequestNames::new(&request);
        let Self {
            set,
            phase,
            environment,
            variables,
            facts,
            rules,
            ..
        } = self;
        let mut context = rule::Context {
            request: &request,
            phase: *phase,
            documents: &documents,
            names: &request_names,
            environment,
            variables,
            machine: &mut machine,
            facts,
        };
        for (key, progress) in rules
            .iter_mut()
            .filter(|(_, progress)| is_waiting(progress))
        {
            let Some(policy) = set.policies().get(key.0) else {
                continue;
            };
            if let Some(rule) = policy.rules.get(key.1) {
                *progress = context.evaluate(policy, rule);
            }
        }
        if rules.iter().any(|(_, progress)| is_waiting(progress)) {
            return Step::Need(facts.borrow().outstanding());
        }
        Step::Done(self.responses())
    }

    /// Hands in an answer; a fact of the wrong kind for its need counts as an error of the rules that asked.
    pub fn answer(&mut self, id: NeedId, fact: Fact) {
        self.facts.borrow_mut().answer(id, fact);
    }

    /// The answers by policy; of a policy with `applyRules: One`, none after the first that applied.
    fn responses(&self) -> Vec<PolicyResponse> {
        let mut by_policy: BTreeMap<usize, Vec<RuleResponse>> = BTreeMap::new();
        for (key, progress) in &self.rules {
            let Some(policy) = self.set.policies().get(key.0) else {
                continue;
            };
            let rules = by_policy.entry(key.0).or_default();
            let applied = rules.iter().any(|rule| rule.status != RuleStatus::Skip);
            let ended = applied && policy.ast.apply_rules() == ApplyRules::One;
            match progress {
                Progress::Answered(response) if !ended => rules.push(response.clone()),
                Progress::Answered(_) | Progress::NotAbout | Progress::Waiting => {}
            }
        }
        by_policy
            .into_iter()
            .filter(|(_, rules)| !rules.is_empty())
            .filter_map(|(index, rules)| {
                let policy = &self.set.policies().get(index)?.ast;
                Some(PolicyResponse {
                    policy: policy.name.value.clone(),
                    namespace: policy
                        .namespace
                        .as_ref()
                        .map(|namespace| namespace.value.clone()),
                    failure_policy: policy.failure_policy(),
                    emit_warning: policy.emit_warning(),
                    rules,
                })
            })
            .collect()
    }
}

fn is_waiting(progress: &Progress) -> bool {
    matches!(progress, Progress::Waiting)
}

/// Whether a webhook asks a rule: by its policy's failure policy, and by what the phase is for.
fn is_asked(set: &PolicySet, (policy, rule): RuleKey, phase: Phase, scope: Scope) -> bool {
    let Some(policy) = set.policies().get(policy) else {
        return false;
    };
    let in_scope = match scope {
        Scope::All => true,
        Scope::FailurePolicyFail => policy.ast.failure_policy() == FailurePolicy::Fail,
        Scope::FailurePolicyIgnore => policy.ast.failure_policy() == FailurePolicy::Ignore,
    };
    let in_phase = policy
        .rules
        .get(rule)
        .is_some_and(|rule| match (phase, &rule.body) {
            (Phase::Mutate, Body::Validate(_) | Body::PodSecurity(_)) => false,
            (Phase::Mutate | Phase::Validate, Body::VerifyImages(_))
            | (Phase::Validate, Body::Validate(_) | Body::PodSecurity(_)) => true,
        });
    in_scope && in_phase && policy.ast.admission()
}

#[cfg(test)]
mod tests;
