//! Rego: its text, typed, and regorus behind one door.
//!
//! The only module that names regorus. Knows nothing of policies: `compile` says what is written, this says how it is
//! written and runs it.

pub mod builtins;
mod bytecode;
pub mod evaluate;
pub mod foreign;
pub mod library;
pub mod module;
pub mod record;
pub mod sharing;
pub(crate) mod term;
pub mod writer;

#[cfg(test)]
mod tests;
