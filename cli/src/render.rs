//! Results as people and machines read them.

pub mod human;
pub mod json;
pub mod table;
