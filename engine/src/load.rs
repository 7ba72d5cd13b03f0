//! The load line: texts become a policy set and diagnostics. `serve`, `test`, `check` and `compile` all run this.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::ast::{Checked, Policy};
use crate::diagnostic::{Code, Diagnostic};
use crate::policy_set::PolicySet;
use crate::source::Source;
use crate::{autogen, check, compile, parse, yaml};

/// What the host knows and policies are checked against.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// URLs of the logs of all loaded trust roots; none where the host has not said, and then URLs are not checked.
    pub log_urls: Option<Vec<String>>,
}

/// What loading made.
#[derive(Debug)]
pub struct Loaded {
    /// The policies without errors, compiled.
    pub policies: Arc<PolicySet>,
    /// Everything that is to be said about all of them.
    pub diagnostics: Vec<Diagnostic>,
}

/// The front of the load line: texts become checked policies, in the order of the sources.
///
/// A policy with errors is left out; its diagnostics say why.
pub fn front(
    sources: &[Arc<Source>],
    environment: &Environment,
) -> (Vec<Checked>, Vec<Diagnostic>) {
    let mut policies: Vec<Checked> = Vec::new();
    let mut diagnostics = Vec::new();
    let mut places = BTreeMap::new();
    for source in sources {
        let (documents, mut found) = yaml::parse(source);
        for document in &documents {
            let (policy, said) = read(source, document, environment);
            found.extend(said);
            let Some(policy) = policy else { continue };
            match places.entry(policy.policy().key()) {
                Entry::Vacant(place) => {
                    place.insert(position(policy.policy()));
                    policies.push(policy);
                }
                Entry::Occupied(place) => found.push(duplicate(policy.policy(), place.get())),
            }
        }
        // In the order in which an author reads.
        found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span.start));
        diagnostics.extend(found);
    }
    (policies, diagnostics)
}

/// A document becomes a checked policy, if it has no errors.
fn read(
    source: &Arc<Source>,
    document: &yaml::Node,
    environment: &Environment,
) -> (Option<Checked>, Vec<Diagnostic>) {
    let (policy, mut diagnostics) = parse::parse(source, document);
    let readable = !diagnostics.iter().any(Diagnostic::is_error);
    let checked = policy.and_then(|policy| {
        let (checked, said) = check::check(autogen::autogen(policy), environment);
        diagnostics.extend(said);
        checked
    });
    (checked.filter(|_| readable), diagnostics)
}

/// Where a policy's name stands, for a message about another source.
fn position(policy: &Policy) -> String {
    let (line, _) = policy.source.position(policy.name.span.start);
    format!("{}:{line}", policy.source.name)
}

/// Says that a policy is left out because an earlier one has its name.
fn duplicate(policy: &Policy, earlier: &str) -> Diagnostic {
    let message = format!("there is a policy `{}` already, at {earlier}", policy.key());
    let span = policy.name.span;
    Diagnostic::error(Code::DuplicatePolicy, &policy.source, span, message)
}

/// Loads policies; one with errors is left out and its diagnostics say why, the others are loaded.
pub fn load(sources: &[Arc<Source>], environment: &Environment) -> Loaded {
    let (checked, mut diagnostics) = front(sources, environment);
    let mut policies = Vec::new();
    for policy in &checked {
        match compile::compile(policy) {
            Ok(policy) => policies.push(policy),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    Loaded {
        policies: Arc::new(PolicySet::new(policies)),
        diagnostics,
    }
}
