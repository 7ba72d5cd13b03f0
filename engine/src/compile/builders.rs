//! Builders that do not sign with an identity of their own: which signer and which claims stand behind their id.
//!
//! Data: an entry says that provenance which names `id` is believed from a certificate of `issuer` with these claims,
//! issued to the workflow that the policy names.

/// A builder.
#[derive(Debug)]
pub(crate) struct Builder {
    /// `builder.id` of its provenance.
    pub(crate) id: &'static str,
    /// Issuer of the signer's identity.
    pub(crate) issuer: &'static str,
    /// Fulcio's extensions by object identifier, and the value that each must have.
    pub(crate) extensions: &'static [(&'static str, &'static str)],
}

/// The table.
pub(crate) const TABLE: &[Builder] = &[Builder {
    // What `actions/attest-build-provenance` writes: the caller's own workflow signs, on a machine that GitHub hosts.
    id: "https://github.com/actions/runner/github-hosted",
    issuer: "https://token.actions.githubusercontent.com",
    // Runner environment.
    extensions: &[("1.3.6.1.4.1.57264.1.11", "github-hosted")],
}];
