//! `validate`: what a resource must look like.

use crate::response::FailureAction;
use crate::source::{Span, Spanned};

use super::FailureActionOverride;
use super::condition::Conditions;
use super::foreach::Foreach;
use super::guest::Guest;
use super::pattern::Pattern;
use super::pod_security::PodSecurity;
use super::rego::RegoModules;
use super::template::Text;

/// `validate` of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Validate {
    /// Where it was written.
    pub span: Span,
    /// `failureAction`.
    pub failure_action: Option<Spanned<FailureAction>>,
    /// `failureActionOverrides`, first match first.
    pub failure_action_overrides: Vec<FailureActionOverride>,
    /// `allowExistingViolations`; true where it was not written.
    pub allow_existing_violations: bool,
    /// What to say of a resource that fails.
    pub message: Option<Text>,
    /// What is demanded.
    pub body: ValidateBody,
}

/// What `validate` demands.
#[derive(Debug, Clone, PartialEq)]
pub enum ValidateBody {
    /// The resource matches.
    Pattern(Pattern),
    /// The resource matches one of them; never empty.
    AnyPattern(Vec<Pattern>),
    /// The conditions do not hold; without any, everything that the rule is about is denied.
    Deny(Deny),
    /// The pod keeps to a level of the Pod Security Standards.
    PodSecurity(Box<PodSecurity>),
    /// Modules say what it violates.
    Rego(Box<RegoModules>),
    /// Each element of some lists is as demanded; never empty.
    Foreach(Vec<Foreach>),
    /// A module accepts it.
    Wasm(Box<Guest>),
}

/// `deny`.
#[derive(Debug, Clone, PartialEq)]
pub struct Deny {
    /// Where it was written.
    pub span: Span,
    /// The conditions; none where they were not written.
    pub conditions: Option<Conditions>,
}
