//! Responses become one decision.
//!
//! The only place where an allow is constructed.

use crate::admission::AdmissionRequest;
use crate::response::{PatchOperation, PolicyResponse};

/// The answer to an admission request.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The request may go on.
    Allow {
        /// Changes to the object, in order.
        patch: Vec<PatchOperation>,
        /// What the user is told.
        warnings: Vec<String>,
    },
    /// The request is refused.
    Deny {
        /// Why, in the shape that Kyverno gives it.
        message: String,
    },
}

/// Decides a request by the responses of all policies that were asked.
///
/// A failing rule whose action is Enforce denies; an error denies unless the policy's failure policy is Ignore.
pub fn decide(request: &AdmissionRequest, responses: &[PolicyResponse]) -> Decision {
    // Until evaluation lands nothing can be allowed.
    Decision::Deny {
        message: format!(
            "{}: {} policies were not evaluated",
            request.uid,
            responses.len()
        ),
    }
}
