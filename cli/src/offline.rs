//! Policies where there is no cluster: what `test` and `apply` share.
//!
//! Knows how Kyverno's command line reads resources, values and users, and what it assumes of a request; what is expected
//! of a result, and how it is shown, is the commands' business.

pub mod decode;
pub mod documents;
pub mod evaluate;
pub mod guests;
pub mod host;
pub mod images;
pub mod observe;
pub mod parallel;
pub mod patch;
pub mod policies;
pub mod request;
pub mod resources;
pub mod targets;
pub mod values;
pub mod world;
