//! `wasm`: a module that judges or changes a resource.

use crate::source::{Span, Spanned};
use crate::wasm::metadata::Abi;

use super::module_verify::ModuleVerify;
use super::rego::{Constraint, InventoryKind};

/// `validate.wasm` and `mutate.wasm`.
#[derive(Debug, Clone, PartialEq)]
pub struct Guest {
    /// Where it was written.
    pub span: Span,
    /// `module`: a file, or where in a registry it is.
    pub module: Spanned<String>,
    /// `digest`: what its bytes must be, as `sha256:…`.
    pub digest: Option<Spanned<String>>,
    /// `verify`: who must have signed it.
    pub verify: Option<Box<ModuleVerify>>,
    /// `abi`; by the module itself where it is not said.
    pub abi: Option<Spanned<Abi>>,
    /// `settings`; an empty map where there are none.
    pub settings: serde_json::Value,
    /// Where they were written; the whole of it where there are none.
    pub settings_span: Span,
    /// `timeout`.
    pub timeout: Option<std::time::Duration>,
    /// `memory`, in bytes.
    pub memory: Option<u64>,
    /// `capabilities`: what it may ask the host for; wildcards.
    pub capabilities: Vec<Spanned<String>>,
    /// What a policy of Kubewarden says besides.
    pub kubewarden: Option<Kubewarden>,
}

/// What only a policy of Kubewarden says.
#[derive(Debug, Clone, PartialEq)]
pub struct Kubewarden {
    /// What it is about, beyond the filters of its rule.
    pub constraint: Constraint,
    /// `message`: what to say of a request that the module refuses, before what it says itself.
    pub message: Option<String>,
    /// `contextAwareResources`: the kinds that the module may ask the cluster for.
    pub kinds: Vec<InventoryKind>,
    /// What it means that the module changes the object.
    pub changes: Changes,
}

/// What it means that a module of a `validate` rule changes the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Changes {
    /// It is an error: the policy does not let it.
    Refused,
    /// Nothing: the policy lets it, and only looks on for now.
    Ignored,
}
