//! What a guest is asked, what it asks, and what it answers.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use crate::wildcard;

use super::bounds::Limits;
use super::error::WasmError;

/// Questions of guests that policies may allow, as `capabilities` lists them.
pub const CAPABILITIES: [&str; 10] = [
    "oci/v1/verify",
    "oci/v2/verify",
    "oci/v1/manifest_digest",
    "oci/v1/oci_manifest",
    "oci/v1/oci_manifest_config",
    "regent/v1/evidence",
    "kubernetes/get_resource",
    "kubernetes/list_resources_all",
    "kubernetes/list_resources_by_namespace",
    "kubernetes/can_i",
];

/// A request about which a guest is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its id, which an answer that names one must name.
    pub uid: &'a str,
    /// The whole of it, as JSON.
    pub json: &'a str,
    /// Settings of the policy, as JSON.
    pub settings: &'a str,
}

/// Under which conditions a guest runs.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What it may take.
    pub limits: Limits,
    /// What it may ask for; wildcards.
    pub capabilities: Arc<[String]>,
    /// What it asked for before, with the answers.
    pub answers: Arc<[(HostCall, HostAnswer)]>,
    /// The time that it sees, in seconds since 1970.
    pub seconds: i64,
}

/// A question of a guest.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostCall {
    /// The group of the operation, as `oci`.
    pub namespace: String,
    /// The operation, as `v1/verify`.
    pub operation: String,
    /// What it is given.
    pub payload: Vec<u8>,
}

/// An answer to a question: bytes, or why there are none, which the guest is told.
pub type HostAnswer = Result<Vec<u8>, String>;

impl HostCall {
    /// The name that a policy lists.
    pub fn capability(&self) -> String {
        format!("{}/{}", self.namespace, self.operation)
    }
}

impl fmt::Debug for HostCall {
    /// The payload may hold what nobody should see.
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "HostCall({self}, {} bytes)", self.payload.len())
    }
}

impl Display for HostCall {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.operation)
    }
}

/// Whether a policy lets a guest ask: one gate for all operations.
pub(super) fn allowed(name: &str, capabilities: &[String]) -> Result<(), WasmError> {
    if !CAPABILITIES.contains(&name) {
        return Err(WasmError::NotSupported(super::text::clean(name, 80)));
    }
    if capabilities
        .iter()
        .any(|pattern| wildcard::matches(pattern, name))
    {
        Ok(())
    } else {
        Err(WasmError::NotAllowed(name.to_owned()))
    }
}

/// A call that ended, one way or another.
#[derive(Debug)]
pub struct Ran<T> {
    /// What came of it.
    pub outcome: Result<Outcome<T>, WasmError>,
    /// What the guest logged, cleaned and cut.
    pub log: Vec<String>,
    /// The most memory that it had at once, in bytes.
    pub memory: usize,
    /// What it used of the fuel, where that is metered.
    pub fuel: Option<u64>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// The guest answered.
    Answered(T),
    /// It asks; it is to be called again with the answer.
    Asks(HostCall),
}
