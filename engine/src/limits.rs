//! Every bound of an evaluation, each with its reason.

use std::time::Duration;

use crate::rego::evaluate::Budget;

/// What one program may spend on one answer: a rule over a large object takes some thousand instructions; a hundred
/// times that is a defect or an attack, and still ends within a webhook's deadline.
pub const PROGRAM: Budget = Budget {
    instructions: 1_000_000,
    time: Duration::from_millis(500),
};

/// What modules that somebody else wrote may spend on one answer: the interpreter takes some 100 µs for Gatekeeper's own.
/// It counts no instructions.
pub const FOREIGN: Budget = Budget {
    instructions: 0,
    time: Duration::from_millis(500),
};

/// The most images of one object: a pod is bounded by etcd's 1.5 MiB, real ones have some ten containers.
pub const IMAGES: usize = 256;

/// The most bytes of JSON that the entries of a rule's `context` may come to together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextSize(pub usize);

impl Default for ContextSize {
    /// Kyverno's, `maxContextSize`; what the API server stores is at most 1.5 MiB an object.
    fn default() -> Self {
        Self(2 << 20)
    }
}

/// What one turn of an evaluation may spend outside of programs, in units of about a nanosecond: ordinary ones spend some
/// ten thousand. There are as many threads that evaluate as processors and one, and others wait for them.
pub const FUEL: u64 = 500_000_000;

/// How much data from outside the contexts of one request may name. Real policies name some for each container; it is the
/// resource that says how many elements a `foreach` has, and each answer is a call to the cluster, a registry or a service.
pub const CONTEXT_DATA: usize = 1_000;

/// How many entries of contexts may be in the making at once, each for the sake of the one before: more is an error, since
/// each stands on the thread's stack.
pub const CONTEXT_CHAIN: usize = 64;

/// How deep the value of a context's entry may be: values are gone through on the thread's stack. Whatever is read as JSON
/// or YAML has 128 levels at most; entries can build on each other.
pub const CONTEXT_DEPTH: usize = 256;

/// How deep variables are in variables: more is an error where they are resolved.
pub const VARIABLE_NESTING: usize = 8;
