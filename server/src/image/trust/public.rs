//! The trust root of the public Sigstore, as it was when this was built.

use sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;

use super::{TrustRoot, TrustRootError};

/// When the embedded trust root was taken: the release of the crate that carries it.
pub const PUBLIC_SIGSTORE_DATE: &str = "2026-10-23";

/// The embedded `trusted_root.json`.
pub const PUBLIC_SIGSTORE: &str = SIGSTORE_PRODUCTION_TRUSTED_ROOT;

/// The public Sigstore's trust root: `rekor.sigstore.dev`, its logs of the second version, and its timestamp authority.
pub fn public_sigstore() -> Result<TrustRoot, TrustRootError> {
    TrustRoot::parse(PUBLIC_SIGSTORE)
}
