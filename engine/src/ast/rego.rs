//! `validate.rego`: modules that the author wrote, and constraints of Gatekeeper, which are such too.

use std::sync::Arc;

use serde_json::Value;

use crate::admission::Operation;
use crate::source::{Source, Span, Spanned};

use super::module_verify::ModuleVerify;

/// What a rule asks modules.
#[derive(Debug, Clone, PartialEq)]
pub struct RegoModules {
    /// Where it was written.
    pub span: Span,
    /// The text that their spans point into; the policy's own where there is none.
    pub source: Option<Arc<Source>>,
    /// Where the rule's own module is, which the host reads: a file, or a place in a registry; none where the module
    /// stands in the policy.
    pub file: Option<Spanned<String>>,
    /// `digest`: what the bytes of the module elsewhere must be, as `sha256:…`.
    pub digest: Option<Spanned<String>>,
    /// `verify`: who must have signed it.
    pub verify: Option<Box<ModuleVerify>>,
    /// Why the host has no text of the module: the rule has no answer then.
    pub unread: Option<String>,
    /// The rule's own module first, then its libraries; never empty.
    pub modules: Vec<Spanned<String>>,
    /// What they are written in.
    pub version: Version,
    /// The rule that answers, as `package/rule`; none where the author did not say, and then it is the own module's
    /// `violation`.
    pub entrypoint: Option<Spanned<String>>,
    /// Whether a builtin that fails is an error of the rule, instead of being undefined.
    pub strict: bool,
    /// `input.parameters`.
    pub parameters: Value,
    /// `data`, beside the inventory.
    pub data: Option<Value>,
    /// Kinds that `data.inventory` holds.
    pub inventory: Vec<InventoryKind>,
    /// What else of a request must hold, where Gatekeeper says what the rule is about.
    pub constraint: Option<Constraint>,
}

/// Which Rego.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// As before OPA 1.0.
    V0,
    /// As from OPA 1.0 on.
    V1,
}

/// A kind of resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryKind {
    /// API group; the core group is the empty text.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

impl InventoryKind {
    /// `apiVersion` of its resources.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// What a constraint of Gatekeeper or a policy of Kubewarden is about, apart from what [`super::matching::Filters`] says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraint {
    /// `scope`.
    pub scope: Option<Spanned<Scope>>,
    /// `namespaces`; none where it was not written.
    pub namespaces: Option<Vec<Spanned<String>>>,
    /// `excludedNamespaces`.
    pub excluded_namespaces: Vec<Spanned<String>>,
    /// `namespaceSelector`.
    pub namespace_selector: Option<super::matching::Selector>,
    /// `rules` of a webhook, of which one is enough; all requests where there are none.
    pub rules: Vec<WebhookRule>,
}

/// An entry of a webhook's `rules`: of each list one entry is enough, and any will do where it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRule {
    /// `apiGroups`.
    pub groups: Vec<Spanned<String>>,
    /// `apiVersions`.
    pub versions: Vec<Spanned<String>>,
    /// `resources`, each with its sub-resource; `*` is any, nothing is the resource itself.
    pub resources: Vec<(Spanned<String>, String)>,
    /// `operations`.
    pub operations: Vec<Operation>,
    /// `scope`.
    pub scope: Option<Scope>,
}

/// Which resources by where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of no namespace, namespaces themselves among them.
    Cluster,
    /// Those of a namespace.
    Namespaced,
}
