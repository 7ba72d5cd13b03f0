//! Verifies what was let in: again and again, until the rules that refused it pass, or somebody says that it is over.
//!
//! What is judged is what was let in, by the policies that are in force now, and as if nothing let it in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use regent_engine::admission::AdmissionRequest;
use regent_engine::evaluation::{Evaluation, Scope, Step};
use regent_engine::image::Digest;
use regent_engine::response::{PolicyResponse, RuleResponse, RuleStatus};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::history::{History, Past, State};
use super::journal::{Journal, JournalError};
use super::record::{self, Record, RefusedImage, RefusingRule, Use, Verdict, Verification};
use crate::clock;
use crate::host::{self, Host};
use crate::metrics::Metrics;
use crate::review;
use crate::watch::Snapshot;

/// Time for one look at one use; nobody waits for it.
const TIME: Duration = Duration::from_mins(1);

/// What looks again at what was let in.
#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) host: Arc<Host>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) every: Duration,
}

impl Verifier {
    /// Looks again and again.
    pub(crate) async fn run(self) {
        let verifier = Arc::new(self);
        loop {
            if let Err(error) = verifier.look().await {
                tracing::error!(%error, "what break-glass let in could not be verified");
                verifier.metrics.break_glass_verification("error");
            }
            sleep(verifier.every).await;
        }
    }

    /// Looks once at all that is not settled.
    async fn look(&self) -> Result<(), JournalError> {
        let history = self.history().await?;
        for problem in &history.problems {
            tracing::error!(problem, "the journal of break-glass");
        }
        // What is open is known before it is looked at, which takes its time where a registry is away.
        let mut unverified: BTreeMap<String, usize> = BTreeMap::new();
        for past in &history.uses {
            for name in names(&past.used) {
                *unverified.entry(name).or_default() += usize::from(!past.state.is_settled());
            }
        }
        self.metrics.break_glass_unverified(&unverified);
        let mut noted = Ok(());
        for past in history.uses.iter().filter(|past| !past.state.is_settled()) {
            let (result, message) = self.verify(past).await;
            self.metrics.break_glass_verification(result.name());
            if let Err(error) = self.note(past, result, message).await {
                // The others are looked at all the same, and this one again.
                noted = Err(error);
                continue;
            }
            if result == Verdict::Verified {
                one_less(&mut unverified, &past.used);
                self.metrics.break_glass_unverified(&unverified);
            }
        }
        noted
    }

    async fn history(&self) -> Result<History, JournalError> {
        let journal = Arc::clone(&self.journal);
        let read = spawn_blocking(move || History::of(&journal));
        read.await
            .unwrap_or_else(|panic| Err(self.journal.failed(panic.into())))
    }

    /// Writes down what came of a use, where that is something new.
    async fn note(
        &self,
        past: &Past,
        result: Verdict,
        message: String,
    ) -> Result<(), JournalError> {
        let known = match &past.state {
            // Messages may differ in numbers alone.
            State::Unverified { result: known, .. } => *known == result,
            State::Open | State::Verified { .. } | State::Closed { .. } => false,
        };
        if known {
            return Ok(());
        }
        let id = past.used.id.as_str();
        if result == Verdict::Verified {
            tracing::info!(id, "what break-glass let in is verified");
        } else {
            let result = result.name();
            tracing::warn!(
                id,
                result,
                reason = message,
                "what break-glass let in is not verified"
            );
        }
        let line = Record::Verification(Verification {
            id: id.to_owned(),
            time: record::time(&clock::environment()),
            result,
            message,
        });
        let journal = Arc::clone(&self.journal);
        let written = spawn_blocking(move || journal.append(&[line]));
        written
            .await
            .unwrap_or_else(|panic| Err(self.journal.failed(panic.into())))
    }

    /// What the policies say of a use now.
    async fn verify(&self, past: &Past) -> (Verdict, String) {
        let unknown = |message: String| (Verdict::Unknown, message);
        let (journal, place) = (Arc::clone(&self.journal), past.place);
        let kept = spawn_blocking(move || journal.at(place)).await;
        let used = match kept {
            Ok(Ok(Record::Use(used))) if used.id == past.used.id => used,
            Ok(Err(error)) => return unknown(error.to_string()),
            Ok(Ok(_)) | Err(_) => return unknown("the journal was changed".to_owned()),
        };
        let request = match review::read_recorded(&used.request) {
            Ok(request) => Arc::new(request),
            Err(error) => return unknown(format!("the request was not kept: {error}")),
        };
        let snapshot = self.snapshot.load_full();
        let now = clock::environment();
        let evaluation =
            snapshot
                .policies
                .evaluate(Arc::clone(&request), used.phase.phase(), Scope::All, now);
        let evaluation = Box::new(evaluation.without_break_glass());
        match timeout(TIME, self.evaluate(&snapshot, &request, evaluation)).await {
            Ok(Some(responses)) => judged(&used, &responses),
            Ok(None) => unknown("evaluation ended with an internal error".to_owned()),
            Err(_elapsed) => unknown("it took too long".to_owned()),
        }
    }

    async fn evaluate(
        &self,
        snapshot: &Snapshot,
        request: &AdmissionRequest,
        mut evaluation: Box<Evaluation>,
    ) -> Option<Vec<PolicyResponse>> {
        let by = Instant::now() + TIME;
        loop {
            let turn = spawn_blocking(move || {
                let step = evaluation.step();
                (evaluation, step)
            });
            let (back, step) = turn.await.ok()?;
            evaluation = back;
            let needs = match step {
                Step::Done(responses) => return Some(responses),
                Step::Need(needs) => needs,
            };
            for (id, need) in needs {
                let namespaces = snapshot.namespaces.as_deref();
                let answer = self.host.answer(request, namespaces, need.clone(), by);
                let left = by.saturating_duration_since(Instant::now());
                let fact = timeout(left, answer).await;
                evaluation.answer(id, fact.unwrap_or_else(|_elapsed| host::too_late(&need)));
            }
        }
    }
}

/// Counts a use as settled.
fn one_less(unverified: &mut BTreeMap<String, usize>, used: &Use) {
    for name in names(used) {
        let open = unverified.entry(name).or_default();
        *open = open.saturating_sub(1);
    }
}

/// The names of what let a use in.
fn names(used: &Use) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for rule in &used.rules {
        if !names.contains(&rule.break_glass.name) {
            names.push(rule.break_glass.name.clone());
        }
    }
    names
}

/// What the rules that refused a request say of it: all of them have to pass, and one that is gone does not.
fn judged(used: &Use, responses: &[PolicyResponse]) -> (Verdict, String) {
    let mut verdict = Verdict::Verified;
    let mut messages = Vec::new();
    for rule in &used.rules {
        let name = format!("{}/{}", rule.policy, rule.rule);
        let (result, message) = match answer_of(rule, responses) {
            Some(answer) => match answer.status {
                RuleStatus::Pass => continue,
                RuleStatus::Fail | RuleStatus::Warn => (Verdict::Refused, answer.message.as_str()),
                RuleStatus::Error => (Verdict::Unknown, answer.message.as_str()),
                RuleStatus::Skip => (Verdict::Unknown, "the rule is not about it any more"),
            },
            None => (Verdict::Unknown, "the rule is not about it any more"),
        };
        messages.push(format!("{name}: {message}"));
        // What is known for sure comes first.
        if verdict != Verdict::Refused {
            verdict = result;
        }
    }
    for image in &used.images {
        if let Some(message) = another(image, (&used.rules, verdict), responses) {
            messages.push(message);
            if verdict == Verdict::Verified {
                verdict = Verdict::Unknown;
            }
        }
    }
    (verdict, messages.join("; "))
}

/// Says that it was not the image which was let in that passed: a tag may be another one by now. Where none passed, the rules
/// have said why.
fn another(
    image: &RefusedImage,
    (refusing, verdict): (&[RefusingRule], Verdict),
    responses: &[PolicyResponse],
) -> Option<String> {
    let reference = &image.reference;
    let written = reference.split_once('@').map(|(_, digest)| digest);
    let Some(digest) = image.digest.as_deref().or(written) else {
        return Some(format!("it is not known which image {reference} was"));
    };
    let rules = refusing
        .iter()
        .filter_map(|rule| answer_of(rule, responses));
    let passed = rules
        .flat_map(|rule| &rule.images)
        .filter(|seen| seen.status == RuleStatus::Pass)
        .filter_map(|seen| seen.digest.as_ref());
    let passed: Vec<&str> = passed.map(Digest::as_str).collect();
    let same = passed.contains(&digest);
    let refused = passed.is_empty() && verdict != Verdict::Verified;
    (!same && !refused).then(|| format!("{reference} is no longer {digest}, which was let in"))
}

fn answer_of<'r>(rule: &RefusingRule, responses: &'r [PolicyResponse]) -> Option<&'r RuleResponse> {
    let policy = responses
        .iter()
        .find(|policy| policy.key() == rule.policy)?;
    policy.rules.iter().find(|one| one.rule == rule.rule)
}

#[cfg(test)]
mod tests;
