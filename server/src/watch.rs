//! Policies and namespaces from files: read at start and again when they change, swapped whole.
//!
//! A file that was good and is edited into an error stays in force as it was: a slip of the pen must not switch a policy
//! off. The error is told by readiness and by the metrics until it is mended.
//! A module that a registry does not give, or that is not signed as it must be, is asked for again until it is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use regent_engine::load::Environment;
use regent_engine::policy_set::PolicySet;

use crate::admit::pace::Paces;
use crate::guests::Guests;
use crate::metrics::Metrics;
use files::{FileError, Fingerprint};
use judging::{InForce, judge, judge_again};
use modules::Stamps;
use namespaces::{Namespaces, NamespacesError};
use retry::Retry;

pub mod files;
mod judging;
mod modules;
pub mod namespaces;
mod retry;
#[cfg(test)]
mod tests;

/// What requests are judged by; immutable but for what is learnt of its pace, replaced whole.
#[derive(Debug)]
pub struct Snapshot {
    /// The policies in force.
    pub policies: Arc<PolicySet>,
    /// The namespaces that are known; none where no file was named.
    pub namespaces: Option<Arc<Namespaces>>,
    /// How many policy files there are.
    pub files: usize,
    /// How many of them are in force, in their last or an earlier form.
    pub files_in_force: usize,
    /// What is wrong, one line each.
    pub problems: Vec<Problem>,
    /// How long evaluations by them take.
    pub(crate) paces: Paces,
}

/// Something that keeps a policy, or its last form, from being in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `file:line:column`.
    pub place: String,
    /// What is wrong there.
    pub message: String,
    /// What is in force instead.
    pub consequence: Consequence,
}

/// What is in force where a file has an error, or names a module that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The file, or the module, as it was before.
    EarlierVersion,
    /// The policy; the rule that asks the module, or needs the trust root, is an error.
    RuleIsError,
    /// Nothing of the policy with the error.
    NotInForce,
}

/// Where policies and namespaces come from, and what came from there.
#[derive(Debug)]
pub struct Watch {
    paths: Vec<PathBuf>,
    namespaces_path: Option<PathBuf>,
    environment: Environment,
    guests: Arc<Guests>,
    metrics: Arc<Metrics>,
    /// The texts that are in force.
    files: Vec<InForce>,
    fingerprint: Fingerprint,
    /// The files of modules that policies name.
    modules: Stamps,
    retry: Retry,
    current: Arc<ArcSwap<Snapshot>>,
}

/// Why there is nothing to start with.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A policy path cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file of namespaces cannot be used.
    #[error(transparent)]
    Namespaces(#[from] NamespacesError),
    /// There were policy files, and there are none.
    #[error(
        "no policy file is left in the paths that held some; if that is meant, send SIGHUP or start again"
    )]
    Gone,
}

/// What it means that no policy file is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoneLeft {
    /// That nothing is in force: somebody asked for the paths to be read.
    Meant,
    /// A volume that is gone, most likely.
    Lost,
}

impl Watch {
    /// Reads everything for the first time; a path that cannot be read is an error here, and only here.
    pub fn start(
        paths: Vec<PathBuf>,
        namespaces_path: Option<PathBuf>,
        (environment, guests): (Environment, Arc<Guests>),
        metrics: Arc<Metrics>,
    ) -> Result<Self, WatchError> {
        let fingerprint = Fingerprint::of(&paths, namespaces_path.as_deref());
        let sources = files::read(&paths, &BTreeSet::new())?;
        let namespaces = read_namespaces(namespaces_path.as_deref())?;
        let judged = judge(&sources, namespaces, (&environment, &guests), &[]);
        announce(&judged.snapshot, &metrics);
        let mut retry = Retry::default();
        retry.end(judged.missing, Instant::now());
        Ok(Self {
            paths,
            namespaces_path,
            environment,
            guests,
            metrics,
            files: judged.files,
            fingerprint,
            modules: judged.stamps,
            retry,
            current: Arc::new(ArcSwap::from_pointee(judged.snapshot)),
        })
    }

    /// What is in force now; readers load it for each request.
    pub fn current(&self) -> Arc<ArcSwap<Snapshot>> {
        self.current.clone()
    }

    /// Has policies checked against these logs from the next reload on.
    pub fn know_logs(&mut self, urls: Vec<String>) {
        self.environment.log_urls = Some(urls);
    }

    /// Reads everything again if a file has changed, or if it is time to ask again for a module that is missing.
    pub fn poll(&mut self) {
        self.poll_at(Instant::now());
    }

    fn poll_at(&mut self, now: Instant) {
        let files = Fingerprint::of(&self.paths, self.namespaces_path.as_deref());
        if files != self.fingerprint || self.modules.are_old() {
            self.refresh();
        } else if self.retry.is_due(now) {
            self.retry.begin(now);
            self.load(NoneLeft::Lost);
        } else if self.guests.has_news() {
            self.load(NoneLeft::Lost);
        }
    }

    /// Reads everything again because somebody asked for it: no policy file may be left then.
    pub fn reload(&mut self) {
        self.retry = Retry::default();
        self.load(NoneLeft::Meant);
    }

    /// Reads everything again because something it depends on has changed.
    pub fn refresh(&mut self) {
        self.retry = Retry::default();
        self.load(NoneLeft::Lost);
    }

    fn load(&mut self, none_left: NoneLeft) {
        // Taken before reading: what changes meanwhile is seen the next time.
        self.fingerprint = Fingerprint::of(&self.paths, self.namespaces_path.as_deref());
        // What held policies is read again, whatever it holds now: that it holds none has to be said.
        let names = self.files.iter().map(InForce::name).collect();
        let read = files::read(&self.paths, &names)
            .map_err(WatchError::from)
            .and_then(|sources| {
                if sources.is_empty() && !self.files.is_empty() && none_left == NoneLeft::Lost {
                    return Err(WatchError::Gone);
                }
                Ok((sources, read_namespaces(self.namespaces_path.as_deref())?))
            });
        let missing = match read {
            Ok((sources, namespaces)) => {
                let with = (&self.environment, &*self.guests);
                let judged = judge(&sources, namespaces, with, &self.files);
                self.files = judged.files;
                self.modules = judged.stamps;
                let outcome = if judged.snapshot.problems.is_empty() {
                    "ok"
                } else {
                    "errors"
                };
                self.metrics.reload("policies", outcome);
                self.put_in_force(judged.snapshot);
                judged.missing
            }
            Err(error) => {
                tracing::error!(%error, "policies could not be read again; the earlier ones stay in force");
                self.metrics.reload("policies", "unreadable");
                self.keep_with(&error)
            }
        };
        self.retry.end(missing, Instant::now());
    }

    /// Goes on with the texts that are in force, and says why. What no longer counts under other trust roots does not go on
    /// counting. Tells whether there are modules that a registry may give later.
    fn keep_with(&mut self, error: &WatchError) -> bool {
        // Seen now, so that not every look reads everything again.
        let mut stamps = self.modules.taken_again();
        self.files.iter_mut().for_each(InForce::is_over);
        let before = self.current.load_full();
        let with = (&self.environment, &*self.guests);
        let why = error.to_string();
        let (snapshot, missing) = judge_again(&before, &self.files, with, (&mut stamps, why));
        self.modules = stamps;
        self.put_in_force(snapshot);
        missing
    }

    fn put_in_force(&self, snapshot: Snapshot) {
        announce(&snapshot, &self.metrics);
        self.current.store(Arc::new(snapshot));
    }
}

fn read_namespaces(path: Option<&Path>) -> Result<Option<Arc<Namespaces>>, NamespacesError> {
    path.map(|path| Namespaces::read(path).map(Arc::new))
        .transpose()
}

fn announce(snapshot: &Snapshot, metrics: &Metrics) {
    metrics.policies(snapshot.files_in_force, snapshot.problems.len());
    for problem in &snapshot.problems {
        tracing::error!(place = problem.place, "{problem}");
    }
    for policy in snapshot.policies.policies() {
        for rule in policy.rules.iter().filter(|rule| rule.is_background()) {
            let name = policy
                .rule_ast(rule)
                .map_or("", |ast| ast.name.value.as_str());
            tracing::warn!(
                policy = policy.ast.key(),
                rule = name,
                "the rule does nothing here: it generates or changes other resources, for which there is no background controller"
            );
        }
    }
    if snapshot.files == 0 {
        tracing::warn!("there are no policies: everything is admitted");
    }
    tracing::info!(
        files = snapshot.files,
        in_force = snapshot.files_in_force,
        errors = snapshot.problems.len(),
        "policies loaded"
    );
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.place.is_empty() {
            write!(formatter, "{}: ", self.place)?;
        }
        let consequence = match self.consequence {
            Consequence::EarlierVersion => "the earlier version stays in force",
            Consequence::RuleIsError => "its rule is an error",
            Consequence::NotInForce => "the policy is not in force",
        };
        write!(formatter, "{} ({consequence})", self.message)
    }
}
