//! Why a rule did not pass: a direct walk of the policy, run after the verdict, that gives path, message and values.
//!
//! It never changes a verdict.

pub(crate) mod conditions;
pub(crate) mod images;
pub(crate) mod pod_security;
pub(crate) mod steps;
pub(crate) mod validate;
