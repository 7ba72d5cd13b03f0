//! Policies and namespaces from files: read at start and again when they change, swapped whole.
//!
//! A file that was good and is edited into an error stays in force as it was: a slip of the pen must not switch a policy
//! off. The error is told by readiness and by the metrics until it is mended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use regent_engine::diagnostic::Diagnostic;
use regent_engine::load::{Environment, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::source::Source;

use crate::admit::pace::Paces;
use crate::guests::Guests;
use crate::metrics::Metrics;
use files::{FileError, Fingerprint};
use modules::{Reader, Stamps, Texts};
use namespaces::{Namespaces, NamespacesError};

pub mod files;
mod modules;
pub mod namespaces;
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

/// What is in force where a file has an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The file as it was before.
    EarlierVersion,
    /// Nothing of the policy with the error.
    NotInForce,
}

/// A file that had no error.
#[derive(Debug, Clone)]
struct Good {
    source: Arc<Source>,
    /// The modules of Rego that it names.
    modules: Texts,
}

/// Where policies and namespaces come from, and what came from there.
#[derive(Debug)]
pub struct Watch {
    paths: Vec<PathBuf>,
    namespaces_path: Option<PathBuf>,
    environment: Environment,
    guests: Arc<Guests>,
    metrics: Arc<Metrics>,
    /// The last text of each file that had no error.
    good: BTreeMap<String, Good>,
    fingerprint: Fingerprint,
    /// The files of modules that policies name.
    modules: Stamps,
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
        let sources = files::read(&paths)?;
        let namespaces = read_namespaces(namespaces_path.as_deref())?;
        let mut good = BTreeMap::new();
        let with = (&environment, &*guests);
        let (snapshot, modules) = judge(&sources, namespaces, with, &mut good);
        announce(&snapshot, &metrics);
        Ok(Self {
            paths,
            namespaces_path,
            environment,
            guests,
            metrics,
            good,
            fingerprint,
            modules,
            current: Arc::new(ArcSwap::from_pointee(snapshot)),
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

    /// Reads everything again if a file has changed.
    pub fn poll(&mut self) {
        let now = Fingerprint::of(&self.paths, self.namespaces_path.as_deref());
        if now != self.fingerprint || self.modules.are_old() {
            self.reload();
        }
    }

    /// Reads everything again.
    pub fn reload(&mut self) {
        // Taken before reading: what changes meanwhile is seen the next time.
        self.fingerprint = Fingerprint::of(&self.paths, self.namespaces_path.as_deref());
        let read = files::read(&self.paths)
            .map_err(WatchError::from)
            .and_then(|sources| Ok((sources, read_namespaces(self.namespaces_path.as_deref())?)));
        match read {
            Ok((sources, namespaces)) => {
                let with = (&self.environment, &*self.guests);
                let (snapshot, modules) = judge(&sources, namespaces, with, &mut self.good);
                self.modules = modules;
                announce(&snapshot, &self.metrics);
                let outcome = if snapshot.problems.is_empty() {
                    "ok"
                } else {
                    "errors"
                };
                self.metrics.reload("policies", outcome);
                self.current.store(Arc::new(snapshot));
            }
            Err(error) => {
                tracing::error!(%error, "policies could not be read again; the earlier ones stay in force");
                self.metrics.reload("policies", "unreadable");
                // Seen now, so that not every look reads everything again.
                self.modules = self.modules.taken_again();
                self.keep_with(&error);
            }
        }
    }

    /// Goes on with what is in force, and says why.
    fn keep_with(&self, error: &WatchError) {
        let before = self.current.load();
        // What no longer counts under other trust roots does not go on counting.
        let said = self.guests.prepare_set(&before.policies);
        for lost in said.iter().filter(|found| found.is_error()) {
            tracing::error!(place = place(lost), "{}", lost.message);
        }
        let mut problems: Vec<_> = before
            .problems
            .iter()
            .filter(|problem| !problem.place.is_empty())
            .cloned()
            .collect();
        problems.push(Problem {
            place: String::new(),
            message: error.to_string(),
            consequence: Consequence::EarlierVersion,
        });
        self.metrics.policies(before.files, problems.len());
        self.current.store(Arc::new(Snapshot {
            policies: before.policies.clone(),
            namespaces: before.namespaces.clone(),
            files: before.files,
            files_in_force: before.files_in_force,
            problems,
            paces: Paces::default(),
        }));
    }
}

fn read_namespaces(path: Option<&Path>) -> Result<Option<Arc<Namespaces>>, NamespacesError> {
    path.map(|path| Namespaces::read(path).map(Arc::new))
        .transpose()
}

/// Loads `sources`; files with errors are replaced by their last good text, and `good` is brought up to date. Gives the files
/// of modules, too.
fn judge(
    sources: &[Arc<Source>],
    namespaces: Option<Arc<Namespaces>>,
    (environment, guests): (&Environment, &Guests),
    good: &mut BTreeMap<String, Good>,
) -> (Snapshot, Stamps) {
    let reader = Reader::default();
    let mut loaded = load(sources, &reader.around(environment));
    let mut read = reader.take();
    read.stamps.add_guests(&loaded.policies);
    guests.prepare(&mut loaded);
    for warning in loaded.diagnostics.iter().filter(|found| !found.is_error()) {
        tracing::warn!(place = place(warning), "{}", warning.message);
    }
    let errors: Vec<&Diagnostic> = loaded
        .diagnostics
        .iter()
        .filter(|found| found.is_error())
        .collect();
    let has_error = |source: &Source| errors.iter().any(|error| error.source.name == source.name);
    let problems = problems(&errors, good);
    let files = sources.len();
    let replaced = sources
        .iter()
        .any(|source| has_error(source) && good.contains_key(&source.name));
    let in_force: Vec<Good> = sources
        .iter()
        .map(|source| match good.get(&source.name) {
            Some(earlier) if has_error(source) => earlier.clone(),
            _ => Good {
                source: source.clone(),
                modules: read.texts.remove(&source.name).unwrap_or_default(),
            },
        })
        .collect();
    let files_in_force = sources
        .iter()
        .filter(|source| !has_error(source) || good.contains_key(&source.name))
        .count();
    let policies = if replaced {
        earlier(&in_force, (environment, guests), &mut read.stamps)
    } else {
        loaded.policies
    };
    guests.settle(&policies);
    // A file that is gone is forgotten with its policy: that is how policies are removed.
    let mut now_good = BTreeMap::new();
    for one in in_force {
        if !has_error(&one.source) || good.contains_key(&one.source.name) {
            now_good.insert(one.source.name.clone(), one);
        }
    }
    *good = now_good;
    let snapshot = Snapshot {
        policies,
        namespaces,
        files,
        files_in_force,
        problems,
        paces: Paces::default(),
    };
    (snapshot, read.stamps)
}

/// The policies of files that had no error, with the modules that they had.
fn earlier(
    files: &[Good],
    (environment, guests): (&Environment, &Guests),
    stamps: &mut Stamps,
) -> Arc<PolicySet> {
    let modules = files.iter();
    let modules = modules.map(|good| (good.source.name.clone(), good.modules.clone()));
    let environment = modules::known(environment, modules.collect());
    let sources: Vec<Arc<Source>> = files.iter().map(|good| good.source.clone()).collect();
    let mut loaded = load(&sources, &environment);
    stamps.add_guests(&loaded.policies);
    guests.prepare(&mut loaded);
    loaded.policies
}

fn problems(errors: &[&Diagnostic], good: &BTreeMap<String, Good>) -> Vec<Problem> {
    let consequence = |error: &Diagnostic| {
        if good.contains_key(&error.source.name) {
            Consequence::EarlierVersion
        } else {
            Consequence::NotInForce
        }
    };
    let problem = |error: &&Diagnostic| Problem {
        place: place(error),
        message: error.message.clone(),
        consequence: consequence(error),
    };
    errors.iter().map(problem).collect()
}

/// `file:line:column` of a diagnostic.
fn place(diagnostic: &Diagnostic) -> String {
    match diagnostic.labels.first() {
        Some(label) => {
            let (line, column) = diagnostic.source.position(label.span.start);
            format!("{}:{line}:{column}", diagnostic.source.name)
        }
        None => diagnostic.source.name.clone(),
    }
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
            Consequence::NotInForce => "the policy is not in force",
        };
        write!(formatter, "{} ({consequence})", self.message)
    }
}
