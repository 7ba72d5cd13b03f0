//! Running tests of policies, in the format of `kyverno-test.yaml`.
//!
//! Knows how Kyverno's runner reads its files and judges its rows; what policies mean is the engine's business.

pub mod decode;
pub mod definition;
pub mod find;
pub mod folder;
pub mod images;
pub mod patch;
pub mod policies;
pub mod report;
pub mod rows;
pub mod run;
pub mod selector;
pub mod values;
