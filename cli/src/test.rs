//! Running tests of policies, in the format of `kyverno-test.yaml`.
//!
//! Knows how Kyverno's runner reads its files and judges its rows; how policies are evaluated is `offline`'s business.

mod choose;
pub mod coverage;
pub mod definition;
pub mod find;
pub mod folder;
pub mod gator;
pub mod report;
pub mod rows;
pub mod run;
pub mod selector;
