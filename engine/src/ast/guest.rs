//! `wasm`: a module that judges or changes a resource.

use crate::source::{Span, Spanned};
use crate::wasm::metadata::Abi;

/// `validate.wasm` and `mutate.wasm`.
#[derive(Debug, Clone, PartialEq)]
pub struct Guest {
    /// Where it was written.
    pub span: Span,
    /// `module`: a file, or where in a registry it is.
    pub module: Spanned<String>,
    /// `digest`: what its bytes must be, as `sha256:…`.
    pub digest: Option<Spanned<String>>,
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
}
