//! Regent's policy engine: Kyverno's policy language, compiled to Rego and evaluated in the process.
//!
//! The engine is pure: it does no I/O, reads no clock and starts no thread.
//! Where a rule needs something from outside, evaluation stops with a [`evaluation::need::Need`], the host answers
//! with a [`evaluation::need::Fact`], and evaluation goes on.
//!
//! Modules in reading order: text becomes a checked policy, a checked policy becomes a program, programs answer requests.

pub mod admission;
pub mod ast;
pub mod autogen;
pub mod builders;
pub mod check;
pub mod compile;
pub mod decision;
pub mod diagnostic;
pub mod duration;
pub mod evaluation;
mod explain;
mod fuel;
mod go_base64;
pub mod go_format;
mod go_json;
pub mod go_regex;
pub mod go_time;
mod go_yaml;
mod hexadecimal;
pub mod image;
pub mod jmespath;
pub mod limits;
pub mod load;
pub mod mutate;
pub mod operator;
pub mod parse;
pub mod pattern;
pub mod pod_security;
pub mod policy_set;
pub mod program;
pub mod quantity;
pub mod rego;
pub mod response;
pub mod scalar;
pub mod selection;
pub mod semver;
pub mod source;
mod suggest;
pub mod template;
pub mod trace;
pub mod wasm;
pub mod weight;
pub mod wildcard;
pub mod yaml;
pub mod yaml_text;
