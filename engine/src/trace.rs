//! What a rule looked at on its way to an answer, branch by branch, with places in the policy and in the resource.
//!
//! Made by the explainer for whoever asks; it comes after the answer and never changes it.

mod branches;
mod path;

use std::sync::Arc;

use serde_json::Value;

use crate::ast::context::ContextSource;
use crate::ast::pattern::Anchor;
use crate::rego::evaluate::Program;
use crate::response::RuleStatus;
use crate::source::{Source, Span};

pub use branches::branches;
pub(crate) use branches::{Part, for_each_part};
pub(crate) use path::{Element, in_words, of_expression};

/// What one rule looked at on one resource.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The policy, as `name` or `namespace/name`.
    pub policy: String,
    /// The rule, with its `autogen-` prefix where it was generated.
    pub rule: String,
    /// The text that all spans point into.
    pub source: Arc<Source>,
    /// What it answered; none where it is not about the resource.
    pub status: Option<RuleStatus>,
    /// What it looked at, in order.
    pub steps: Vec<Step>,
    /// Where the walk comes to something else than the program: there is none, or Regent has a defect.
    pub disagreements: Vec<String>,
}

/// A place where a rule goes one way or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Branch {
    /// What it is.
    pub kind: BranchKind,
    /// Where it was written.
    pub span: Span,
}

/// What a branch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BranchKind {
    /// `match` and `exclude` together.
    Match,
    /// `exclude`, where it alone decided.
    Exclude,
    /// A condition of `preconditions`.
    Precondition,
    /// `list` of a `foreach`, where it has no elements.
    List,
    /// A condition of `deny`.
    Deny,
    /// `deny` without conditions.
    DenyAll,
    /// A condition of an attestation.
    Attestation,
    /// One pattern of `anyPattern`.
    Alternative,
    /// A key with an anchor.
    Anchor(Anchor),
    /// A value of a pattern.
    Leaf,
    /// A map or a list of a pattern, where the resource has something else.
    Shape,
    /// What `podSecurity` demands.
    PodSecurity,
    /// An entry of `verifyImages`.
    Image,
    /// A patch of `mutate`.
    Patch,
    /// A module of `rego` or `wasm`.
    Module,
    /// `message`, where it has no text.
    Message,
}

impl BranchKind {
    /// In a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Exclude => "exclude",
            Self::Precondition => "precondition",
            Self::List => "list",
            Self::Deny => "deny condition",
            Self::DenyAll => "deny",
            Self::Attestation => "condition of an attestation",
            Self::Alternative => "anyPattern alternative",
            Self::Anchor(Anchor::Condition) => "condition anchor",
            Self::Anchor(Anchor::Global) => "global anchor",
            Self::Anchor(Anchor::Equality) => "equality anchor",
            Self::Anchor(Anchor::Negation) => "negation anchor",
            Self::Anchor(Anchor::Existence) => "existence anchor",
            Self::Anchor(Anchor::AddIfAbsent) => "anchor",
            Self::Leaf => "pattern",
            Self::Shape => "shape of the pattern",
            Self::PodSecurity => "pod security",
            Self::Image => "image",
            Self::Patch => "patch",
            Self::Module => "module",
            Self::Message => "message",
        }
    }
}

/// One branch that was looked at, and what came of it.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which.
    pub branch: Branch,
    /// Whether the resource is as it says; why that cannot be said.
    pub held: Result<bool, String>,
    /// Whether the answer of the rule comes from it.
    pub decides: bool,
    /// What is wanted, in words.
    pub wanted: String,
    /// Where in the resource, as a JSON pointer, where that is known.
    pub path: Option<String>,
    /// What was seen; none where there is nothing.
    pub seen: Option<Value>,
    /// How variables were resolved.
    pub variables: Vec<Resolved>,
    /// For which element of a `foreach`, in words.
    pub element: Option<String>,
    /// The program that decided.
    pub program: Program,
}

/// How a variable, or a name of a context, was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Which of the two.
    pub origin: Origin,
    /// The expression, or the name.
    pub name: String,
    /// Where it was written.
    pub span: Span,
    /// Its value, or why it has none.
    pub value: Result<Value, String>,
}

/// What was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An expression between braces.
    Expression,
    /// An entry of a context that an expression uses.
    Context(Loads),
}

/// What an entry of a context loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loads {
    /// Nothing: it is a value of the policy's own.
    Variable,
    /// A `ConfigMap`.
    ConfigMap,
    /// The answer of the API server, or of a service.
    ApiCall,
    /// An entry of the global context.
    GlobalReference,
    /// What a registry says of an image.
    ImageRegistry,
}

impl From<&ContextSource> for Loads {
    fn from(source: &ContextSource) -> Self {
        match source {
            ContextSource::Variable { .. } => Self::Variable,
            ContextSource::ConfigMap { .. } => Self::ConfigMap,
            ContextSource::ApiCall(_) => Self::ApiCall,
            ContextSource::GlobalReference { .. } => Self::GlobalReference,
            ContextSource::ImageRegistry { .. } => Self::ImageRegistry,
        }
    }
}

impl Trace {
    /// What the answer comes from.
    pub fn deciding(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.decides)
    }
}
