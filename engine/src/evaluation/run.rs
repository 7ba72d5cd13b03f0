//! The order of rules: those that change the object come first, one after the other; the others see what they made of it.

use std::sync::Arc;

use crate::admission::AdmissionRequest;
use crate::ast::ApplyRules;
use crate::limits::ContextSize;
use crate::program::{Policy, Rule, RuleKey};
use crate::rego::evaluate::{Machine, Opinion};
use crate::response::{FailureAction, FailurePolicy, RuleResponse, RuleStatus};
use crate::trace::Trace;

use super::break_glass::Glass;
use super::documents::Documents;
use super::request_names::RequestNames;
use super::rule::{Answer, Context, Progress, respond};
use super::together::{Answers, Known};
use super::tracing::Traced;
use super::{Evaluation, changes_object, find, is_waiting};

/// The request as rules see it.
pub(super) struct View<'r> {
    request: &'r AdmissionRequest,
    documents: Arc<Documents>,
    names: RequestNames<'r>,
}

impl<'r> View<'r> {
    pub(super) fn new(
        request: &'r AdmissionRequest,
        documents: Arc<Documents>,
        context_size: ContextSize,
    ) -> Self {
        Self {
            request,
            documents,
            names: RequestNames::new(request, context_size),
        }
    }
}

/// How the rules that change the object stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    /// One of them changed the object just now.
    Changed,
    /// A rule waits, and so do all after it.
    Waiting,
    /// All are done.
    Made,
    /// The object could not be changed, and that is not to be ignored.
    Failed,
}

impl Evaluation {
    /// Runs all rules as far as possible.
    pub(super) fn run(&mut self, machine: &mut Machine) {
        loop {
            let request = Arc::clone(&self.request);
            let documents = self.documents();
            let view = View::new(&request, documents, self.set.context_size());
            match self.change(machine, &view) {
                Changes::Changed => {}
                Changes::Waiting => return,
                Changes::Made => return self.run_others(machine, &view),
                // Whatever the others would say, the request is refused.
                Changes::Failed => {
                    let waiting = self.rules.iter_mut().filter(|(_, one)| is_waiting(one));
                    return waiting.for_each(|(_, progress)| *progress = Progress::NotAbout);
                }
            }
        }
    }

    /// The documents of the request, made once for each object that it has on the way.
    pub(super) fn documents(&mut self) -> Arc<Documents> {
        let made = self.documents.take();
        let made = made.unwrap_or_else(|| Arc::new(Documents::new(&self.request)));
        self.documents = Some(Arc::clone(&made));
        made
    }

    pub(super) fn context<'a>(
        &'a self,
        machine: &'a mut Machine,
        view: &'a View<'_>,
    ) -> Context<'a> {
        Context {
            request: view.request,
            phase: self.phase,
            documents: &view.documents,
            names: &view.names,
            environment: &self.environment,
            variables: &self.variables,
            machine,
            facts: &self.facts,
            traced: match self.traces {
                Some(_) => Traced::Between,
                None => Traced::Not,
            },
            messages: self.messages,
        }
    }

    /// Rules that change the object, in their order, up to the first that does.
    fn change(&mut self, machine: &mut Machine, view: &View<'_>) -> Changes {
        // Policies whose rules are over: by `applyRules`, or because one of them could not change the object.
        let mut over = Vec::new();
        for index in 0..self.rules.len() {
            if let Some(ended) = self.change_by(index, machine, view, &mut over) {
                return ended;
            }
        }
        Changes::Made
    }

    /// One rule, if it is one that changes the object; how all of them stand, if the others have to wait for that.
    fn change_by(
        &mut self,
        index: usize,
        machine: &mut Machine,
        view: &View<'_>,
        over: &mut Vec<usize>,
    ) -> Option<Changes> {
        let (key, progress) = self.rules.get(index)?;
        let (key, waiting) = (*key, is_waiting(progress));
        let set = Arc::clone(&self.set);
        let (policy, rule) = find(&set, key).filter(|(_, rule)| changes_object(rule))?;
        if waiting {
            let progress = if over.contains(&key.0) {
                Progress::NotAbout
            } else {
                let mut context = self.context(machine, view);
                let progress = context.evaluate((policy, rule), &Progress::Waiting, Known::Nothing);
                let trace = context.take_trace(&progress);
                self.keep(trace);
                progress
            };
            if self.settle(index, progress) {
                return Some(Changes::Changed);
            }
            // What it cannot change may be let in as it is.
            if self.break_for(index, machine, view) == Glass::Outstanding {
                self.settle(index, Progress::Waiting);
            }
        }
        match &self.rules.get(index)?.1 {
            Progress::Waiting | Progress::WaitingForImages => return Some(Changes::Waiting),
            Progress::Answered(response) if refuses(policy, response) => {
                return Some(Changes::Failed);
            }
            Progress::Answered(response) if ends(policy, response) => over.push(key.0),
            Progress::Answered(_) | Progress::NotAbout => {}
        }
        None
    }

    /// Keeps what came of a rule, with the object that it left behind; says whether that is another than before.
    fn settle(&mut self, index: usize, progress: Progress) -> bool {
        let patched = match &progress {
            Progress::Answered(response) => response.patched.clone(),
            Progress::NotAbout | Progress::Waiting | Progress::WaitingForImages => None,
        };
        if let Some((_, place)) = self.rules.get_mut(index) {
            *place = progress;
        }
        let changed = patched.is_some();
        if let Some(object) = patched {
            self.documents = None;
            self.request = Arc::new(AdmissionRequest {
                object: Some(object),
                ..(*self.request).clone()
            });
        }
        changed
    }

    /// Rules that leave the object as it is: all ask before any waits.
    fn run_others(&mut self, machine: &mut Machine, view: &View<'_>) {
        let set = Arc::clone(&self.set);
        let mut rules = std::mem::take(&mut self.rules);
        let mut traces = Vec::new();
        let recorded = machine.is_recording();
        let alone = recorded || self.traces.is_some();
        let second_opinion = self.opinion == Opinion::BytecodeAndInterpreter;
        let mut context = self.context(machine, view);
        // Of rules that wait for images it is known that they apply.
        let open = rules.iter().filter(|(_, one)| *one == Progress::Waiting);
        let open: Vec<RuleKey> = open.map(|(key, _)| *key).collect();
        // Who wants to know how a rule was judged is shown its own program.
        let answers = if self.traces.is_some() && !recorded {
            Answers::default()
        } else {
            context.judged(&set, &open)
        };
        // What programs for many are asked is recorded too, and counts for nothing then.
        let answers = if alone { Answers::default() } else { answers };
        for (key, progress) in rules.iter_mut().filter(|(_, one)| is_waiting(one)) {
            let Some((policy, rule)) = find(&set, *key) else {
                continue;
            };
            let known = answers.of(set.together(), *key);
            let waited = std::mem::replace(progress, Progress::NotAbout);
            *progress = context.evaluate((policy, rule), &waited, known);
            traces.extend(context.take_trace(progress));
            if second_opinion && known != Known::Nothing {
                let alone = context.evaluate((policy, rule), &waited, Known::Nothing);
                one_of(&alone, progress, (policy, rule));
            }
            if let Some(defect) = answers.defect.as_ref().filter(|_| second_opinion) {
                *progress = defective((policy, rule), defect.clone());
            }
        }
        self.rules = rules;
        self.keep(traces);
    }

    fn keep(&mut self, traces: impl IntoIterator<Item = Trace>) {
        if let Some(kept) = &mut self.traces {
            kept.extend(traces);
        }
    }
}

/// Makes an error of a rule of which a program for many says something else than its own.
fn one_of(alone: &Progress, together: &mut Progress, of: (&Policy, &Rule)) {
    if alone != together {
        let text = format!("judged with others it says {together:?}, alone {alone:?}");
        *together = defective(of, text);
    }
}

/// The error of a rule whose programs are not what they should be.
fn defective((policy, rule): (&Policy, &Rule), text: String) -> Progress {
    let answer = Answer::new(RuleStatus::Error, text);
    Progress::Answered(respond(policy, rule, FailureAction::Enforce, answer))
}

/// Whether the request is refused because its object could not be changed.
fn refuses(policy: &Policy, response: &RuleResponse) -> bool {
    response.status == RuleStatus::Error
        && response.let_in.is_none()
        && policy.ast.failure_policy() == FailurePolicy::Fail
}

/// Whether no other rule of the policy changes the object.
fn ends(policy: &Policy, response: &RuleResponse) -> bool {
    let applied = response.status != RuleStatus::Skip;
    response.status == RuleStatus::Error || (applied && policy.ast.apply_rules() == ApplyRules::One)
}
