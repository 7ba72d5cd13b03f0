//! All loaded policies, compiled; immutable, and swapped whole.

use std::sync::Arc;

use crate::admission::AdmissionRequest;
use crate::evaluation::{Evaluation, Phase, Scope};

/// Compiled policies, indexed by kind and operation.
#[derive(Debug, Default)]
pub struct PolicySet {
    _private: (),
}

impl PolicySet {
    /// Starts an evaluation of `request`.
    pub fn evaluate(
        self: &Arc<Self>,
        _request: Arc<AdmissionRequest>,
        _phase: Phase,
        _scope: Scope,
    ) -> Evaluation {
        Evaluation::start()
    }

    /// The longest `webhookTimeoutSeconds` of any policy.
    pub fn timeout_seconds(&self) -> Option<u32> {
        None
    }
}
