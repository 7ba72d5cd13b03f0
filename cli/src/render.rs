//! Results as people and machines read them.

pub mod diff;
pub mod explanation;
pub mod human;
pub mod json;
pub mod place;
pub mod sarif;
pub mod table;
