//! Texts become what is in force: which of them count as they are now, and which as they were before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regent_engine::ast::Policy;
use regent_engine::diagnostic::{Code, Diagnostic, Fault};
use regent_engine::load::{Environment, Loaded, Take, is_empty, load, load_parts};
use regent_engine::policy_set::PolicySet;
use regent_engine::source::{Source, Span};

use super::modules::{self, Read, Reader, Stamps, Texts};
use super::namespaces::Namespaces;
use super::{Consequence, Problem, Snapshot};
use crate::admit::pace::Paces;
use crate::guests::Guests;

/// A policy file as it is in force.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    source: Arc<Source>,
    /// The modules of Rego that it names.
    modules: Texts,
    /// Whether all of its policies are; what is broken already is nothing to go back to.
    whole: bool,
    /// Policies that are in force as later texts have them, though others of these texts are broken.
    newer: Vec<Newer>,
    /// Whether the present text is another.
    is_earlier: bool,
}

/// Policies of a text of which not everything is in force.
#[derive(Debug, Clone)]
struct Newer {
    source: Arc<Source>,
    modules: Texts,
    keys: BTreeSet<String>,
}

impl InForce {
    /// The name of the file.
    pub(super) fn name(&self) -> &str {
        &self.source.name
    }

    /// From now on what was, since the present text cannot be read: nothing breaks the glass by it.
    pub(super) fn is_over(&mut self) {
        self.is_earlier = true;
    }

    /// The same, with those policies of a text in force that demand who signed their modules: what the file was may run
    /// the very module without asking.
    fn with(&self, source: &Arc<Source>, policies: &PolicySet, modules: Texts) -> Self {
        let keys = demanding(policies, source);
        let mut newer = self.newer.clone();
        for before in &mut newer {
            before.keys.retain(|key| !keys.contains(key));
        }
        newer.push(Newer {
            source: Arc::clone(source),
            modules,
            keys,
        });
        newer.retain(|one| !one.keys.is_empty());
        Self {
            newer,
            is_earlier: true,
            ..self.clone()
        }
    }

    /// Which policies of which texts.
    fn parts(&self) -> Vec<(Arc<Source>, Take)> {
        let keys = self.newer.iter().flat_map(|newer| newer.keys.clone());
        let rest = if self.is_earlier {
            Take::EarlierBut(keys.collect())
        } else {
            Take::AllBut(keys.collect())
        };
        let whole = (Arc::clone(&self.source), rest);
        let newer = self.newer.iter();
        let newer = newer.map(|one| (Arc::clone(&one.source), Take::Policies(one.keys.clone())));
        newer.chain([whole]).collect()
    }

    /// The modules of Rego that they name.
    fn modules(&self) -> Texts {
        let mut modules = self.modules.clone();
        for (name, text) in self.newer.iter().flat_map(|newer| &newer.modules) {
            modules.entry(name.clone()).or_insert_with(|| text.clone());
        }
        modules
    }
}

/// The policies of a text that demand who signed their modules.
fn demanding(policies: &PolicySet, source: &Arc<Source>) -> BTreeSet<String> {
    let policies = policies.policies().iter().map(|policy| &*policy.ast);
    let of_text = policies.filter(|policy| Arc::ptr_eq(&policy.source, source));
    let demanding = of_text.filter(|policy| {
        let mut rules = policy.rules.iter();
        rules.any(|rule| rule.module_verify().is_some())
    });
    demanding.map(Policy::key).collect()
}

/// What came of texts.
pub(super) struct Judged {
    pub(super) snapshot: Snapshot,
    /// The files of modules.
    pub(super) stamps: Stamps,
    pub(super) files: Vec<InForce>,
    /// Whether there are modules that a registry may give later.
    pub(super) missing: bool,
}

/// Loads `sources`; files with errors are replaced by what they were before, where that is the better.
pub(super) fn judge(
    sources: &[Arc<Source>],
    namespaces: Option<Arc<Namespaces>>,
    (environment, guests): (&Environment, &Guests),
    before: &[InForce],
) -> Judged {
    let (mut loaded, mut read) = load_new(sources, (environment, guests));
    let mut errors = errors(&mut loaded);
    errors.extend(sources.iter().filter_map(empty));
    let whole = before.iter().filter(|file| file.whole);
    let whole: BTreeMap<&str, &InForce> = whole.map(|file| (&*file.source.name, file)).collect();
    let earlier = |source: &Source| {
        let earlier = whole.get(source.name.as_str())?;
        is_better(&earlier.source, source, &errors).then_some(*earlier)
    };
    let files = sources.iter().map(|source| match earlier(source) {
        Some(earlier) => {
            let modules = read.texts.remove(&source.name).unwrap_or_default();
            earlier.with(source, &loaded.policies, modules)
        }
        None => InForce {
            source: Arc::clone(source),
            newer: Vec::new(),
            is_earlier: false,
            modules: read.texts.remove(&source.name).unwrap_or_default(),
            whole: !faults(source, &errors).any(|fault| fault == Fault::Text),
        },
    });
    let files: Vec<InForce> = files.collect();
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| match earlier(&error.source) {
            Some(_) => problem(error, Consequence::EarlierVersion),
            None => problem(error, consequence(error)),
        })
        .collect();
    let mut missing = errors.iter().any(may_come);
    let policies = if sources.iter().any(|source| earlier(source).is_some()) {
        let mut again = load_again(&files, (environment, guests), &mut read.stamps);
        missing |= add(&mut problems, &mut again, &files);
        again.policies
    } else {
        loaded.policies
    };
    guests.settle(&policies);
    let snapshot = Snapshot {
        policies,
        namespaces,
        files: sources.len(),
        files_in_force: files.iter().filter(|file| file.whole).count(),
        problems,
        paces: Paces::default(),
    };
    Judged {
        snapshot,
        stamps: read.stamps,
        files,
        missing,
    }
}

/// What is in force, from the same texts again: of modules in registries it is asked anew whether they still count. `why` no
/// other texts could be read is said beside.
pub(super) fn judge_again(
    before: &Snapshot,
    files: &[InForce],
    (environment, guests): (&Environment, &Guests),
    (stamps, why): (&mut Stamps, String),
) -> (Snapshot, bool) {
    let mut again = load_again(files, (environment, guests), stamps);
    guests.settle(&again.policies);
    // Which rules are errors is found out anew.
    let said = before.problems.iter().filter(|problem| {
        !problem.place.is_empty() && problem.consequence != Consequence::RuleIsError
    });
    let mut problems: Vec<Problem> = said.cloned().collect();
    let missing = add(&mut problems, &mut again, files);
    problems.push(Problem {
        place: String::new(),
        message: why,
        consequence: Consequence::EarlierVersion,
    });
    let snapshot = Snapshot {
        policies: again.policies,
        namespaces: before.namespaces.clone(),
        files: before.files,
        files_in_force: before.files_in_force,
        problems,
        paces: Paces::default(),
    };
    (snapshot, missing)
}

/// Loads texts with the modules that there are now.
fn load_new(
    sources: &[Arc<Source>],
    (environment, guests): (&Environment, &Guests),
) -> (Loaded, Read) {
    let reader = Reader::default();
    let mut loaded = load(sources, &reader.around(environment));
    let mut read = reader.take();
    read.stamps.add_guests(&loaded.policies);
    guests.prepare(&mut loaded);
    for warning in loaded.diagnostics.iter().filter(|found| !found.is_error()) {
        tracing::warn!(place = place(warning), "{}", warning.message);
    }
    (loaded, read)
}

/// The policies of files with the modules that they had.
fn load_again(
    files: &[InForce],
    (environment, guests): (&Environment, &Guests),
    stamps: &mut Stamps,
) -> Loaded {
    let modules = files.iter();
    let modules = modules.map(|file| (file.source.name.clone(), file.modules()));
    let environment = modules::known(environment, modules.collect());
    let parts: Vec<_> = files.iter().flat_map(InForce::parts).collect();
    let mut loaded = load_parts(&parts, &environment);
    stamps.add_guests(&loaded.policies);
    guests.prepare(&mut loaded);
    loaded
}

/// Adds what is wrong with texts that were loaded again, and says whether there are modules that may come later.
fn add(problems: &mut Vec<Problem>, again: &mut Loaded, files: &[InForce]) -> bool {
    let errors = errors(again);
    for error in &errors {
        let mut same = files.iter().filter(|file| file.source == error.source);
        // What is broken in the text of a file that was not whole was said of it before.
        if error.fault == Fault::Text && same.any(|file| !file.whole) {
            continue;
        }
        let found = problem(error, consequence(error));
        let mut said = problems.iter_mut();
        let said = said.find(|one| one.place == found.place && one.message == found.message);
        match said {
            Some(said) => *said = found,
            None => problems.push(found),
        }
    }
    errors.iter().any(may_come)
}

/// Whether what a file was is better than what it is: a slip of the pen must not switch a policy off.
///
/// A module that is not known to be signed as it must be is no slip of the pen, and what the file was may run the very
/// module, or another, without asking who signed it.
fn is_better(earlier: &Source, now: &Source, errors: &[Diagnostic]) -> bool {
    let has = |wanted: Fault| faults(now, errors).any(|fault| fault == wanted);
    if has(Fault::Text) {
        return true;
    }
    let is_wrong = faults(now, errors).next().is_some();
    is_wrong && !has(Fault::Untrusted) && earlier.text != now.text
}

/// What is said of a file that holds nothing: a slip of the pen, or an editor that has not written all of it yet. Policies end
/// with their file.
fn empty(source: &Arc<Source>) -> Option<Diagnostic> {
    is_empty(source).then(|| {
        let message = "there is no policy in it; remove the file if its policies are to end";
        Diagnostic::error(Code::MissingField, source, Span::new(0, 0), message)
    })
}

fn faults<'a>(source: &Source, errors: &'a [Diagnostic]) -> impl Iterator<Item = Fault> + use<'a> {
    let name = source.name.clone();
    let own = errors.iter().filter(move |error| error.source.name == name);
    own.map(|error| error.fault)
}

fn errors(loaded: &mut Loaded) -> Vec<Diagnostic> {
    let said = std::mem::take(&mut loaded.diagnostics);
    said.into_iter().filter(Diagnostic::is_error).collect()
}

/// Whether a registry may give later what is missing.
fn may_come(error: &Diagnostic) -> bool {
    matches!(error.fault, Fault::Absent | Fault::Untrusted)
}

/// What is in force of a file that is in force as it is.
fn consequence(error: &Diagnostic) -> Consequence {
    match error.fault {
        Fault::Text => Consequence::NotInForce,
        Fault::LaterModule => Consequence::EarlierVersion,
        Fault::Module | Fault::Absent | Fault::Untrusted | Fault::TrustRoots => {
            Consequence::RuleIsError
        }
    }
}

fn problem(error: &Diagnostic, consequence: Consequence) -> Problem {
    Problem {
        place: place(error),
        message: error.message.clone(),
        consequence,
    }
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
