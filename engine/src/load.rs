//! The load line: texts become a policy set and diagnostics. `serve`, `test`, `check` and `compile` all run this.

mod front;
mod gatekeeper;
mod holds;
pub mod modules;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ast::Checked;
use crate::builders::Builders;
use crate::diagnostic::Diagnostic;
use crate::duration::Duration;
use crate::limits::ContextSize;
use crate::policy_set::PolicySet;
use crate::source::Source;

pub use holds::{POLICY_GROUPS, has_policy_extension, holds_policies, is_empty};

use front::Front;
use modules::ModuleFiles;

/// What the host knows and policies are checked against.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// URLs of the logs and authorities of all loaded trust roots; none where the host has not said, and then URLs are not checked.
    pub log_urls: Option<Vec<String>>,
    /// Whose exceptions count that are found among the policies.
    pub exceptions: ExceptionsFrom,
    /// Whether a `BreakGlass` among the policies, or the exceptions, counts.
    pub break_glass: BreakGlassFor,
    /// Whether SLSA provenance of one version never answers for the other, as if each policy had the annotation that says
    /// so.
    pub exact_slsa_versions: bool,
    /// Builders beside those that are known anyway.
    pub builders: Builders,
    /// How the host reads modules of Rego that policies name.
    pub modules: ModuleFiles,
    /// How large the contexts of rules may become.
    pub context_size: ContextSize,
}

/// Whose exceptions count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExceptionsFrom {
    /// Nobody's.
    #[default]
    Nowhere,
    /// Those of these namespaces; wildcards.
    Namespaces(Vec<String>),
    /// All.
    Anywhere,
}

/// Whether a `BreakGlass` counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BreakGlassFor {
    /// None does.
    #[default]
    Nobody,
    /// Those that are open for this long at most.
    AtMost(Duration),
}

impl BreakGlassFor {
    /// Where nothing is let in for real, as in a test: a day at most, which is the longest that any host can say.
    pub const LONGEST: Self = Self::AtMost(Duration(86_400_000_000_000));
}

/// What a text holds that is looked through for exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Nothing but exceptions: anything else is a mistake.
    Exceptions,
    /// Anything.
    Anything,
}

/// Which policies of a text are loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Take {
    /// Everything that it holds.
    #[default]
    Everything,
    /// Policies with these keys, and nothing else: what else is in the text is not even said to be wrong.
    Policies(BTreeSet<String>),
    /// Everything but policies with these keys.
    AllBut(BTreeSet<String>),
    /// The same of a text that is not the present one: what breaks the glass is left out too, since it may have been ended.
    EarlierBut(BTreeSet<String>),
}

impl Take {
    /// Whether a policy with this key is loaded; of one without, what is wrong is to be said.
    fn has(&self, key: Option<&str>) -> bool {
        match self {
            Self::Everything => true,
            Self::Policies(keys) => key.is_some_and(|key| keys.contains(key)),
            Self::AllBut(keys) | Self::EarlierBut(keys) => {
                !key.is_some_and(|key| keys.contains(key))
            }
        }
    }
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
/// A policy with errors is left out; its diagnostics say why. Exceptions are read and checked with them.
pub fn front(
    sources: &[Arc<Source>],
    environment: &Environment,
) -> (Vec<Checked>, Vec<Diagnostic>) {
    let front = Front::of(whole(sources), environment);
    (front.policies, front.diagnostics)
}

/// Loads policies; one with errors is left out and its diagnostics say why, the others are loaded.
pub fn load(sources: &[Arc<Source>], environment: &Environment) -> Loaded {
    Front::of(whole(sources), environment).compile()
}

/// The same of texts of which not everything is taken.
pub fn load_parts(parts: &[(Arc<Source>, Take)], environment: &Environment) -> Loaded {
    let parts = parts.iter().map(|(source, take)| (source, take));
    Front::of(parts, environment).compile()
}

/// The same with exceptions of other sources, which count wherever they are from.
pub fn load_with_exceptions(
    sources: &[Arc<Source>],
    exceptions: &[(Arc<Source>, Holds)],
    environment: &Environment,
) -> Loaded {
    let mut front = Front::of(whole(sources), environment);
    front.exceptions(exceptions);
    front.compile()
}

fn whole(sources: &[Arc<Source>]) -> impl Iterator<Item = (&Arc<Source>, &Take)> {
    sources.iter().map(|source| (source, &Take::Everything))
}

#[cfg(test)]
mod tests;
