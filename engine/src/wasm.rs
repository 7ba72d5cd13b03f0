//! Guest modules behind one door: WebAssembly that others wrote, run unmodified and contained.
//!
//! The only place that names wasmtime. A module is compiled once; each call has an instance of its own, which is dropped
//! with the call, so nothing of one request is seen by another. A call that needs something from outside ends with the
//! question, and is made again with the answer: what is answered before is answered alike, so the guest comes to the same
//! point. Knows nothing of policies, and neither reads a clock nor starts a thread: who runs guests calls
//! [`runtime::Runtime::tick`] every [`bounds::TICK`], or none of them is ever stopped.

mod abi;
pub mod bounds;
mod builtins;
pub mod cache;
pub mod call;
pub mod error;
mod guest;
mod linker;
mod memory;
pub mod metadata;
pub mod module;
pub mod runtime;
pub mod text;
pub mod verdict;

#[cfg(test)]
mod tests;
