//! Builders: which signer and which claims stand behind the id that provenance names, and which level it is good for.
//!
//! Data: the table that comes along is a file beside this one, and whoever runs Regent adds to it in the same form.

use std::sync::Arc;

use crate::source::Source;

/// A table of builders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Builders {
    /// Its entries; each that fits counts.
    pub entries: Vec<Builder>,
}

/// A builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// `builder.id` of its provenance; a wildcard.
    pub id: String,
    /// Issuer of the signer's identity.
    pub issuer: String,
    /// Who signs.
    pub signer: BuilderSigner,
    /// Fulcio's extensions by object identifier, and the value that each must have.
    pub claims: Vec<(String, String)>,
    /// The level of SLSA's build track that its provenance is good for.
    pub level: u32,
}

/// Who signs a builder's provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuilderSigner {
    /// The builder: the certificate's identity is its id.
    Builder,
    /// The workflow that called it, which the policy names.
    Caller,
}

/// The text of the table that comes along.
pub fn embedded() -> Arc<Source> {
    Source::new("builders.yaml", include_str!("builders.yaml"))
}
