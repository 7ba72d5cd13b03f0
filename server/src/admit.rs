//! The host loop: a body becomes an evaluation, its needs are answered, its decision becomes a body, all before a deadline.
//!
//! Whatever needs the processor runs on threads of its own, a bounded number at once, but for evaluations that are known to
//! be short (see [`pace`]): a slow evaluation holds up neither connections nor timers, and its request is answered in time
//! without it.
//! What goes wrong here becomes the error of a policy named `regent`, and is decided like any other.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::StatusCode;
use regent_engine::admission::AdmissionRequest;
use regent_engine::decision::{Decision, decide};
use regent_engine::evaluation::need::{Fact, Need, NeedId};
use regent_engine::evaluation::{Evaluation, Phase, Scope, Step};
use regent_engine::response::{
    FailureAction, FailurePolicy, PolicyResponse, RuleResponse, RuleStatus, RuleType,
};
use tokio::time::{Instant, timeout_at};

use crate::break_glass::journal::Journal;
use crate::break_glass::record::{self, Record, Use};
use crate::clock;
use crate::host::{self, Host};
use crate::memory::Held;
use crate::metrics::{HostFailure, Metrics};
use crate::review::{self, ReviewError};
use crate::told::Told;
use crate::watch::Snapshot;
use evaluators::{Evaluators, LARGE, ORDINARY};
use pace::{Here, Pace, SMALL};

pub(crate) mod evaluators;
pub(crate) mod pace;
#[cfg(test)]
mod tests;

/// Bytes of a message that are logged: an answer may have thirty times as many, and whoever is refused asks again.
const MAX_LOGGED: usize = 4 << 10;

/// What came of a body.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A review that answers it.
    Review(Vec<u8>),
    /// An HTTP error: there was no uid to answer.
    Refused(StatusCode, String),
}

/// Which webhook was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) phase: Phase,
    pub(crate) scope: Scope,
}

/// The times of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// When its head was read.
    pub(crate) started: Instant,
    /// The host stops looking for facts, and says what it was waiting for.
    pub(crate) facts_by: Instant,
    /// Facts that are not there by then are not there.
    pub(crate) evaluate_by: Instant,
    /// The answer has to leave.
    pub(crate) answer_by: Instant,
    /// The API server gives up.
    pub(crate) gives_up: Instant,
}

impl Clock {
    /// The times of a request that has `limit` from `started`.
    ///
    /// A tenth, at most a second, is left for the way back; as much again for evaluation after the last fact.
    pub(crate) fn new(started: Instant, limit: Duration) -> Self {
        let margin = (limit / 10).min(Duration::from_secs(1));
        let gives_up = started + limit;
        Self {
            started,
            facts_by: started + limit.saturating_sub(margin * 2),
            evaluate_by: started + limit.saturating_sub(margin * 7 / 4),
            answer_by: started + limit.saturating_sub(margin),
            gives_up,
        }
    }
}

/// All that admission needs.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) host: Arc<Host>,
    /// Where it is written down what break-glass lets in.
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Threads for evaluations that may take their time, and how many may run at once.
    pub(crate) evaluators: Evaluators,
    /// Who may evaluate on a thread that serves connections.
    pub(crate) here: Arc<Here>,
}

/// One request on its way.
struct Case {
    asked: Asked,
    clock: Clock,
    snapshot: Arc<Snapshot>,
    host: Arc<Host>,
    metrics: Arc<Metrics>,
    /// Set as soon as the body is read, so that there is an answer whatever happens then.
    request: OnceLock<Arc<AdmissionRequest>>,
    /// What it was told.
    told: Told,
    /// Room for a large body in memory, until the last thread is done with it.
    room: OnceLock<Held>,
}

/// What came of the start of an evaluation.
type Begun = Result<Result<Progress, ReviewError>, HostFailure>;

/// Where a request stands after a turn on the processor.
enum Progress {
    Needs(Box<Evaluation>, Vec<(NeedId, Need)>),
    /// It is let in by break-glass once that is written down.
    LetIn(Box<Use>, Vec<PolicyResponse>),
    Done(Vec<u8>),
}

impl Admission {
    /// Answers the review in `body`.
    pub(crate) async fn admit(&self, body: Bytes, asked: Asked, clock: Clock) -> Outcome {
        let case = Arc::new(Case {
            asked,
            clock,
            snapshot: self.snapshot.load_full(),
            host: self.host.clone(),
            metrics: self.metrics.clone(),
            request: OnceLock::new(),
            told: self.host.told(),
            room: OnceLock::new(),
        });
        match self.evaluate(&case, body.clone()).await {
            Ok(Ok(answer)) => {
                let left = clock.gives_up.saturating_duration_since(Instant::now());
                self.metrics.deadline_remaining(left);
                Outcome::Review(answer)
            }
            Ok(Err(error)) => unreadable(&body, &error),
            Err(failure) => {
                self.metrics.failure(failure);
                case.failed(failure)
            }
        }
    }

    async fn evaluate(
        &self,
        case: &Arc<Case>,
        body: Bytes,
    ) -> Result<Result<Vec<u8>, ReviewError>, HostFailure> {
        if body.len() > SMALL
            && let Err(error) = self.make_room(case, body.clone()).await?
        {
            return Ok(Err(error));
        }
        let begun = if let Some(begun) = self.begin_here(case, &body) {
            begun?
        } else {
            let turn = case.clone();
            let begun = self.on_processor(case.clock, move || turn.begin(&body));
            begun.await?
        };
        let mut progress = match begun {
            Ok(progress) => progress,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            let (evaluation, needs) = match progress {
                Progress::Done(answer) => return Ok(Ok(answer)),
                Progress::LetIn(used, responses) => {
                    self.record(case, used).await?;
                    return Ok(case.decided(&responses));
                }
                Progress::Needs(evaluation, needs) => (evaluation, needs),
            };
            let facts = self.facts(case, needs).await;
            let turn = case.clone();
            let continued = self.on_processor(case.clock, move || turn.go_on(evaluation, facts));
            progress = match continued.await? {
                Ok(progress) => progress,
                Err(error) => return Ok(Err(error)),
            };
        }
    }

    /// Waits for the room that a body takes once it is read, where that is more than of ordinary ones.
    async fn make_room(
        &self,
        case: &Case,
        body: Bytes,
    ) -> Result<Result<(), ReviewError>, HostFailure> {
        let weighed = if body.len() > LARGE {
            let weighed = self.on_processor(case.clock, move || review::weigh(&body));
            weighed.await?
        } else {
            review::weigh(&body)
        };
        let weight = match weighed {
            Ok(weight) if weight <= ORDINARY => return Ok(Ok(())),
            Ok(weight) => weight,
            Err(error) => return Ok(Err(error)),
        };
        // A little before there has to be an answer: that there is no room must not be what lets it in.
        let Ok(room) = timeout_at(case.clock.evaluate_by, self.evaluators.room(weight)).await
        else {
            return Ok(Err(ReviewError::NoRoom));
        };
        let room = room?;
        // Set once: each case makes room once.
        drop(case.room.set(room));
        Ok(Ok(()))
    }

    /// Reads the body here where that is short, and evaluates as far as it goes without facts if that is short too.
    fn begin_here(&self, case: &Case, body: &[u8]) -> Option<Begun> {
        if body.len() > SMALL || Instant::now() >= case.clock.answer_by {
            return None;
        }
        let _turn = self.here.turn()?;
        let _permit = self.evaluators.turn()?;
        match pace::caught(|| case.read(body)) {
            Err(failure) => Some(Err(failure)),
            Ok(Err(error)) => Some(Ok(Err(error))),
            Ok(Ok(request)) => {
                let known = case.snapshot.paces.of(request, case.asked.phase);
                let short = known.is_some_and(Pace::is_short);
                short.then(|| pace::caught(|| case.start(request)))
            }
        }
    }

    /// Runs `job` on a thread where it may take its time, and stops waiting for it at the deadline.
    async fn on_processor<T: Send + 'static>(
        &self,
        clock: Clock,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HostFailure> {
        match timeout_at(clock.answer_by, self.evaluators.run(job)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(HostFailure::Deadline),
        }
    }

    /// Writes down what break-glass lets in. Where that does not succeed in time, nothing is let in.
    async fn record(&self, case: &Case, used: Box<Use>) -> Result<(), HostFailure> {
        let Some(journal) = self.journal.clone() else {
            return Err(HostFailure::Unrecorded);
        };
        let line = [Record::Use(used)];
        // It waits for a disk: not where connections are served.
        let written = tokio::task::spawn_blocking(move || journal.append(&line).map(|()| line));
        match timeout_at(case.clock.answer_by, written).await {
            Ok(Ok(Ok([line]))) => {
                if let Record::Use(used) = &line {
                    self.tell_let_in(used);
                }
                Ok(())
            }
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "what break-glass would let in could not be written down");
                Err(HostFailure::Unrecorded)
            }
            Ok(Err(_)) | Err(_) => Err(HostFailure::Unrecorded),
        }
    }

    fn tell_let_in(&self, used: &Use) {
        for rule in &used.rules {
            let name = &rule.break_glass.name;
            self.metrics.break_glass_use(name, &rule.policy, &rule.rule);
            tracing::warn!(
                id = used.id,
                break_glass = name,
                policy = rule.policy,
                rule = rule.rule,
                reason = rule.break_glass.reason,
                refused = &*review::shortened(&rule.message, MAX_LOGGED),
                "break-glass lets a request in"
            );
        }
    }

    /// Answers all needs at once; those that take too long, or panic, are answered with an error.
    async fn facts(&self, case: &Arc<Case>, needs: Vec<(NeedId, Need)>) -> Vec<(NeedId, Fact)> {
        let asked: Vec<_> = needs
            .into_iter()
            .map(|(id, need)| {
                let answer = answer(self.host.clone(), case.clone(), need.clone());
                (id, need, tokio::spawn(answer))
            })
            .collect();
        let mut facts = Vec::with_capacity(asked.len());
        for (id, need, answer) in asked {
            // The host keeps to the deadline by itself; this is for the case that it does not.
            let fact = match timeout_at(case.clock.evaluate_by, answer).await {
                Ok(Ok(Some(fact))) => fact,
                Ok(Ok(None) | Err(_)) => host::defect(&need),
                Err(_elapsed) => host::too_late(&need),
            };
            facts.push((id, fact));
        }
        facts
    }
}

async fn answer(host: Arc<Host>, case: Arc<Case>, need: Need) -> Option<Fact> {
    let request = case.request.get()?;
    let namespaces = case.snapshot.namespaces.as_deref();
    let answer = host.answer(request, namespaces, need.clone(), case.clock.facts_by);
    let fact = answer.await;
    Some(if case.told.take(&fact) {
        fact
    } else {
        host::too_much(&need)
    })
}

impl Case {
    /// Reads the body and evaluates as far as it goes without facts.
    fn begin(&self, body: &[u8]) -> Result<Progress, ReviewError> {
        let request = self.read(body)?;
        self.start(request)
    }

    /// Reads the body, once.
    fn read(&self, body: &[u8]) -> Result<&Arc<AdmissionRequest>, ReviewError> {
        if let Some(request) = self.request.get() {
            return Ok(request);
        }
        let read = Arc::new(review::read(body)?);
        Ok(self.request.get_or_init(|| read))
    }

    /// Evaluates as far as it goes without facts, and takes note of how long that took.
    fn start(&self, request: &Arc<AdmissionRequest>) -> Result<Progress, ReviewError> {
        let began = Instant::now();
        let Asked { phase, scope } = self.asked;
        let host = Arc::clone(&self.host);
        let evaluation = self
            .snapshot
            .policies
            .evaluate(request.clone(), phase, scope, clock::environment())
            .without_messages_of_passes()
            .with_facts_at_hand(Arc::new(move |need| host.remembered(need)));
        let progress = self.proceed(Box::new(evaluation));
        if let Some(pace) = self.snapshot.paces.of(request, phase) {
            pace.note(began.elapsed());
        }
        progress
    }

    fn go_on(
        &self,
        mut evaluation: Box<Evaluation>,
        facts: Vec<(NeedId, Fact)>,
    ) -> Result<Progress, ReviewError> {
        for (id, fact) in facts {
            evaluation.answer(id, fact);
        }
        self.proceed(evaluation)
    }

    /// Evaluates up to what is not at hand.
    fn proceed(&self, mut evaluation: Box<Evaluation>) -> Result<Progress, ReviewError> {
        match evaluation.step() {
            Step::Need(needs) => Ok(Progress::Needs(evaluation, needs)),
            Step::Done(responses) => match self.to_record(&responses) {
                Some(used) => Ok(Progress::LetIn(Box::new(used), responses)),
                None => self.decided(&responses).map(Progress::Done),
            },
        }
    }

    /// What is to be written down before the answer is given: what is let in, unless another rule refuses it, or nothing
    /// comes of it.
    fn to_record(&self, responses: &[PolicyResponse]) -> Option<Use> {
        let mut rules = responses.iter().flat_map(|policy| &policy.rules);
        if !rules.any(|rule| rule.let_in.is_some()) {
            return None;
        }
        let request = self.request.get().filter(|request| !request.dry_run)?;
        match decide(request, responses) {
            Decision::Allow { .. } => {
                record::of_request(request, self.asked.phase, responses, &clock::environment())
            }
            Decision::Deny { .. } => None,
        }
    }

    /// Decides, counts, tells, and writes the answer.
    fn decided(&self, responses: &[PolicyResponse]) -> Result<Vec<u8>, ReviewError> {
        let Some(request) = self.request.get() else {
            return Err(ReviewError::Missing("request"));
        };
        let decision = decide(request, responses);
        let took = self.clock.started.elapsed();
        let allowed = matches!(decision, Decision::Allow { .. });
        self.metrics
            .admission(request, self.asked.phase, allowed, took);
        self.metrics.rules(request, responses, took);
        tell(request, self.asked, &decision, took);
        review::write(&request.uid, &decision)
    }

    /// The answer where policies could not decide.
    fn failed(&self, failure: HostFailure) -> Outcome {
        let (rule, message, status) = match failure {
            HostFailure::Panic => (
                "internal-error",
                "evaluation ended with an internal error",
                StatusCode::INTERNAL_SERVER_ERROR,
            ),
            HostFailure::Deadline => (
                "deadline",
                "the request could not be decided before its deadline",
                StatusCode::SERVICE_UNAVAILABLE,
            ),
            HostFailure::Overload => (
                "overload",
                "too many requests at once",
                StatusCode::SERVICE_UNAVAILABLE,
            ),
            HostFailure::Unrecorded => (
                "break-glass",
                "what break-glass would let in could not be written down, and is not let in",
                StatusCode::SERVICE_UNAVAILABLE,
            ),
        };
        // What a rule refuses is refused, also where only those were asked whose errors are ignored.
        let scope = match failure {
            HostFailure::Unrecorded => Scope::FailurePolicyFail,
            HostFailure::Panic | HostFailure::Deadline | HostFailure::Overload => self.asked.scope,
        };
        if self.request.get().is_none() {
            return Outcome::Refused(status, message.to_owned());
        }
        match self.decided(&[host_response(scope, rule, message)]) {
            Ok(answer) => Outcome::Review(answer),
            Err(error) => Outcome::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

/// The answer to what cannot be read. What an object has in it must not be what lets it in where a webhook's errors are
/// ignored: where it is known which request it is, that is refused, and is no error of HTTP.
fn unreadable(body: &[u8], error: &ReviewError) -> Outcome {
    let message = error.to_string();
    let uid = match error {
        ReviewError::Json(_)
        | ReviewError::TooLarge(_)
        | ReviewError::TooLong { .. }
        | ReviewError::NoRoom => review::uid(body),
        ReviewError::ApiVersion(_)
        | ReviewError::Kind(_)
        | ReviewError::Missing(_)
        | ReviewError::Invalid { .. } => None,
    };
    match uid.and_then(|uid| denied(&uid, &message)) {
        Some(answer) => Outcome::Review(answer),
        None => Outcome::Refused(StatusCode::BAD_REQUEST, message),
    }
}

/// The refusal of a review that is not read to its end, where its beginning says which it is.
pub(crate) fn unread(beginning: &[u8], message: &str) -> Option<Vec<u8>> {
    denied(&review::uid_of_beginning(beginning)?, message)
}

/// The refusal of a request of which no more is known than its uid.
fn denied(uid: &str, message: &str) -> Option<Vec<u8>> {
    let message = message.to_owned();
    review::write(uid, &Decision::Deny { message }).ok()
}

/// An error of the host as a policy's: only where all policies that were asked say Ignore is it let through.
fn host_response(scope: Scope, rule: &str, message: &str) -> PolicyResponse {
    PolicyResponse {
        policy: "regent".to_owned(),
        namespace: None,
        failure_policy: match scope {
            Scope::All | Scope::FailurePolicyFail => FailurePolicy::Fail,
            Scope::FailurePolicyIgnore => FailurePolicy::Ignore,
        },
        emit_warning: true,
        rules: vec![RuleResponse::new(
            rule,
            RuleType::Validation,
            FailureAction::Enforce,
            (RuleStatus::Error, message),
        )],
    }
}

/// Logs a decision: names, never the object.
fn tell(request: &AdmissionRequest, asked: Asked, decision: &Decision, took: Duration) {
    let kind = request.kind.kind.as_str();
    let namespace = request.namespace.as_deref().unwrap_or("");
    let operation = request.operation.name();
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match decision {
        Decision::Allow { patch, .. } => tracing::debug!(
            uid = request.uid, kind, namespace, name = request.name, operation,
            phase = ?asked.phase, patches = patch.len(), microseconds, "allowed"
        ),
        Decision::Deny { message } => tracing::info!(
            uid = request.uid, kind, namespace, name = request.name, operation,
            phase = ?asked.phase, microseconds,
            reason = &*review::shortened(message, MAX_LOGGED), "denied"
        ),
    }
}
