//! The step machine that answers one request with a policy set.
//!
//! Does no I/O: it stops with needs, and goes on when the host has answered them with facts.

pub mod need;

use crate::response::PolicyResponse;
use need::{Fact, Need, NeedId};

/// Which webhook is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `/mutate`: images are resolved, verified, and their digests patched in.
    Mutate,
    /// `/validate`: everything is judged as it will be stored; images are verified again by digest.
    Validate,
}

/// Which policies a webhook path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `/validate`, `/mutate`: all of them.
    All,
    /// `…/fail`: those whose failure policy is Fail.
    FailurePolicyFail,
    /// `…/ignore`: those whose failure policy is Ignore.
    FailurePolicyIgnore,
}

/// Where an evaluation stands.
#[derive(Debug)]
pub enum Step {
    /// It needs these answered, in any order; each exactly once.
    Need(Vec<(NeedId, Need)>),
    /// It is done.
    Done(Vec<PolicyResponse>),
}

/// One request on its way through a policy set.
#[derive(Debug)]
pub struct Evaluation {
    _private: (),
}

impl Evaluation {
    /// An evaluation of no policies.
    pub(crate) fn start() -> Self {
        Self { _private: () }
    }

    /// Goes on as far as possible.
    pub fn step(&mut self) -> Step {
        Step::Done(Vec::new())
    }

    /// Hands in an answer; a fact of the wrong kind for its need counts as an error of the rules that asked.
    pub fn answer(&mut self, _id: NeedId, _fact: Fact) {}
}
