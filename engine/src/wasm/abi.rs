//! The languages that modules and their host speak, each in a file of its own.

pub(super) mod opa;
pub(super) mod wapc;
pub(super) mod wasi;
