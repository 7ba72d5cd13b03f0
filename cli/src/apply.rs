//! Applying policies to resources, as `kyverno apply` does, and what is shown of it.
//!
//! Knows the shapes that people's pipelines read; how policies are evaluated is `offline`'s business.

pub mod exceptions;
pub mod inputs;
pub mod output;
pub mod report;
pub mod results;
pub mod text;
