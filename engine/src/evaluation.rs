//! The step machine that answers one request with a policy set.
//!
//! Does no I/O: it stops with needs, and goes on when the host has answered them with facts.

pub mod inventory;
pub mod need;

mod action;
mod break_glass;
mod documents;
mod exception;
mod existing;
mod facts;
mod foreach;
mod generate;
mod guest;
mod images;
mod mutate;
mod names;
mod objects;
mod pod_images;
mod pod_security;
mod pull_secrets;
mod rego;
mod request_names;
mod roles;
mod rule;
mod run;
mod together;
mod tracing;
mod validate;
mod values;
mod variables;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::admission::AdmissionRequest;
use crate::ast::ApplyRules;
use crate::fuel::Tank;
use crate::jmespath::Environment;
use crate::limits;
use crate::policy_set::PolicySet;
use crate::program::{Body, Policy, Rule, RuleKey};
use crate::rego::evaluate::{Machine, Opinion};
use crate::rego::record::Asked;
use crate::response::{FailurePolicy, PolicyResponse, RuleResponse, RuleStatus, RuleType};
use crate::trace::Trace;
use break_glass::{Glass, Unbroken};
use documents::Documents;
use facts::Facts;
use need::{AtHand, Fact, Need, NeedId};
use roles::Roles;
use rule::Progress;

pub(crate) use images::projection::builder_id;
pub(crate) use names::Names;
pub(crate) use pod_security::Found;
pub use variables::Variables;

/// Which webhook is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `/mutate`: the object is changed, then its images are resolved, verified, and their digests patched in.
    Mutate,
    /// `/validate`: everything is judged as it will be stored; images are verified again by digest.
    Validate,
}

/// What rules are run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A webhook is answered; none where there is no webhook, as in a test: then policies count that answer none too.
    Webhook(Phase, Option<Scope>),
    /// Nobody waits: other resources than the request's are changed and generated.
    Background,
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

/// Which messages are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Messages {
    /// All of them.
    All,
    /// Not those of `validate` rules that pass.
    NotOfPasses,
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
    /// The request, with the object as the rules so far changed it.
    request: Arc<AdmissionRequest>,
    /// That request as programs see it, once one has asked.
    documents: Option<Arc<Documents>>,
    phase: Phase,
    opinion: Opinion,
    glass: Unbroken,
    /// What a turn may spend, [`limits::FUEL`] if nobody says.
    fuel: u64,
    messages: Messages,
    environment: Environment,
    variables: Arc<Variables>,
    facts: RefCell<Facts>,
    /// What programs were asked, where that is to be known.
    record: Option<Vec<Asked>>,
    /// What rules looked at, where that is to be known.
    traces: Option<Vec<Trace>>,
    /// Rules that may be about the request, and how far they are.
    rules: Vec<(RuleKey, Progress)>,
}

impl Evaluation {
    /// An evaluation of the rules that may be about a request.
    pub(crate) fn start(
        set: Arc<PolicySet>,
        request: Arc<AdmissionRequest>,
        occasion: Occasion,
        environment: Environment,
    ) -> Self {
        let asked = |key: &RuleKey| is_asked(&set, *key, occasion);
        let keys = set.candidates(&request).into_iter().filter(asked);
        let rules = keys.map(|key| (key, Progress::Waiting)).collect();
        let phase = match occasion {
            Occasion::Webhook(phase, _) => phase,
            // Rules that tell the webhooks apart are not run then.
            Occasion::Background => Phase::Validate,
        };
        Self {
            set,
            request,
            documents: None,
            phase,
            opinion: Opinion::Bytecode,
            glass: Unbroken::MayBreak,
            fuel: limits::FUEL,
            messages: Messages::All,
            environment,
            variables: Arc::default(),
            facts: RefCell::default(),
            record: None,
            traces: None,
            rules,
        }
    }

    /// The same with the interpreter as second opinion: a program on which the two differ is an error of its rule.
    #[must_use]
    pub fn with_second_opinion(mut self) -> Self {
        self.opinion = Opinion::BytecodeAndInterpreter;
        self
    }

    /// The same without messages of `validate` rules that pass, which an answer to an API server does not hold.
    #[must_use]
    pub fn without_messages_of_passes(mut self) -> Self {
        self.messages = Messages::NotOfPasses;
        self
    }

    /// The same with another bound of what each turn may spend on what no program counts.
    #[must_use]
    pub fn with_fuel(mut self, units: u64) -> Self {
        self.fuel = units;
        self
    }

    /// The same as if nothing let in what rules refuse.
    #[must_use]
    pub fn without_break_glass(mut self) -> Self {
        self.glass = Unbroken::Stays;
        self
    }

    /// The same with what the host knows already, and says at once: rules ask it first, and stop with a need for the rest.
    ///
    /// `at_hand` must not wait for anything; each question is put to it once at most.
    #[must_use]
    pub fn with_facts_at_hand(self, at_hand: AtHand) -> Self {
        self.facts.borrow_mut().know(at_hand);
        self
    }

    /// The same with values that the host was given for names, as a test's values file has them.
    #[must_use]
    pub fn with_variables(mut self, variables: Arc<Variables>) -> Self {
        self.variables = variables;
        self
    }

    /// The same, keeping what programs are asked for [`Self::take_record`].
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.record = Some(Vec::new());
        self
    }

    /// What programs were asked since this was last called; a rule that waited for facts asks again.
    pub fn take_record(&mut self) -> Vec<Asked> {
        self.record.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The same, keeping what rules look at for [`Self::take_traces`].
    #[must_use]
    pub fn tracing(mut self) -> Self {
        self.traces = Some(Vec::new());
        self
    }

    /// What rules looked at that are done since this was last called.
    pub fn take_traces(&mut self) -> Vec<Trace> {
        self.traces.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Goes on as far as possible.
    pub fn step(&mut self) -> Step {
        if self.rules.is_empty() {
            return Step::Done(Vec::new());
        }
        let _tank = Tank::fill(self.fuel);
        if self.learn_roles() == Roles::Outstanding {
            return Step::Need(self.facts.borrow().outstanding());
        }
        let mut machine = Machine::new(self.opinion, limits::PROGRAM);
        if let Some(record) = self.record.take() {
            machine = machine.recording(record);
        }
        self.run(&mut machine);
        let waiting = self.rules.iter().any(|(_, progress)| is_waiting(progress));
        let glass = if waiting {
            Glass::Outstanding
        } else {
            self.break_glass(&mut machine)
        };
        self.record = machine.into_record();
        if glass == Glass::Outstanding {
            return Step::Need(self.facts.borrow().outstanding());
        }
        Step::Done(self.responses())
    }

    /// Hands in an answer; a fact of the wrong kind for its need counts as an error of the rules that asked.
    pub fn answer(&mut self, id: NeedId, fact: Fact) {
        self.facts.borrow_mut().answer(id, fact);
    }

    /// The answers by policy; of a policy with `applyRules: One`, none after the first that applied.
    fn responses(&mut self) -> Vec<PolicyResponse> {
        let mut by_policy: BTreeMap<usize, Vec<RuleResponse>> = BTreeMap::new();
        for (key, progress) in &mut self.rules {
            // Who asks once more has it all evaluated once more.
            let progress = std::mem::replace(progress, Progress::Waiting);
            let Some(policy) = self.set.policies().get(key.0) else {
                continue;
            };
            let rules = by_policy.entry(key.0).or_default();
            let one = policy.ast.apply_rules() == ApplyRules::One;
            match progress {
                Progress::Answered(response) if !(one && is_after_another(&response, rules)) => {
                    rules.push(RuleResponse {
                        digests: Vec::new(),
                        ..response
                    });
                }
                Progress::Answered(_)
                | Progress::NotAbout
                | Progress::Waiting
                | Progress::WaitingForImages => {}
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

fn find(set: &PolicySet, (policy, rule): RuleKey) -> Option<(&Policy, &Rule)> {
    let policy = set.policies().get(policy)?;
    Some((policy, policy.rules.get(rule)?))
}

/// Whether a rule changes the object that the request is about.
fn changes_object(rule: &Rule) -> bool {
    matches!(&rule.body, Body::Mutate(mutate) if mutate.targets.is_empty())
}

/// Whether a rule of a policy applied before; those that mutate are counted for themselves, as they are run for themselves.
/// Of one that ended with an error it is not known whether it would have, and it must not hide what another refuses; nor must
/// one whose refusal was let in.
fn is_after_another(response: &RuleResponse, earlier: &[RuleResponse]) -> bool {
    let mutates = |rule: &RuleResponse| rule.rule_type == RuleType::Mutation;
    let mut alike = earlier
        .iter()
        .filter(|rule| mutates(rule) == mutates(response));
    alike.any(|rule| {
        rule.let_in.is_none() && !matches!(rule.status, RuleStatus::Skip | RuleStatus::Error)
    })
}

fn is_waiting(progress: &Progress) -> bool {
    matches!(progress, Progress::Waiting | Progress::WaitingForImages)
}

/// Whether a rule is run: by its policy's failure policy, and by what the occasion is for.
fn is_asked(set: &PolicySet, key: RuleKey, occasion: Occasion) -> bool {
    let Some((policy, rule)) = find(set, key) else {
        return false;
    };
    let failure_policy = policy.ast.failure_policy();
    let in_scope = match occasion {
        Occasion::Background | Occasion::Webhook(_, None) => true,
        Occasion::Webhook(_, Some(scope)) => {
            let own = match failure_policy {
                FailurePolicy::Fail => Scope::FailurePolicyFail,
                FailurePolicy::Ignore => Scope::FailurePolicyIgnore,
            };
            policy.ast.admission() && (scope == Scope::All || scope == own)
        }
    };
    let in_phase = match (occasion, &rule.body) {
        (Occasion::Webhook(..), Body::VerifyImages(_))
        | (
            Occasion::Webhook(Phase::Validate, _),
            Body::Validate(_) | Body::PodSecurity(_) | Body::Rego(_) | Body::Wasm(_),
        )
        | (Occasion::Background, Body::Generate(_)) => true,
        (Occasion::Webhook(Phase::Mutate, _), Body::Mutate(_)) => changes_object(rule),
        (Occasion::Background, Body::Mutate(_)) => !changes_object(rule),
        (
            Occasion::Webhook(Phase::Mutate, _),
            Body::Validate(_) | Body::PodSecurity(_) | Body::Rego(_) | Body::Wasm(_),
        )
        | (Occasion::Webhook(Phase::Validate, _), Body::Mutate(_))
        | (Occasion::Webhook(..), Body::Generate(_))
        | (
            Occasion::Background,
            Body::Validate(_)
            | Body::PodSecurity(_)
            | Body::Rego(_)
            | Body::Wasm(_)
            | Body::VerifyImages(_),
        ) => false,
    };
    in_scope && in_phase
}

#[cfg(test)]
mod tests;
