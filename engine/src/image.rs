//! Images: references as they are written, digests, and the evidence that was verified for a digest.
//!
//! Knows nothing of registries or cryptography: the host fetches and verifies, and hands in a [`VerifiedImage`].

pub mod evidence;
pub mod key;
pub mod pem;
pub mod predicate;
pub mod reference;
pub mod slsa;
pub mod trust;

pub use evidence::{Evidence, Projected, VerifiedImage};
pub use key::{HashAlgorithm, PublicKey};
pub use reference::{Digest, ImageReference, ReferenceError};
pub use trust::PolicyTrust;
