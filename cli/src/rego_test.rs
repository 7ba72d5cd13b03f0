//! Tests that are written in Rego: their files, and how their results are shown.

pub mod coverage;
pub mod files;
pub mod report;
