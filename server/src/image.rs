//! The host's answer to image needs: resolve, look into the cache, fetch, verify.

pub mod artifact;
mod credentials;
pub mod discovery;
pub mod fetch;
pub mod layout;
pub mod oci;
pub mod registry;
pub mod trust;
pub mod verify;
