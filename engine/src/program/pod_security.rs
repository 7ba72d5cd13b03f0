//! `validate.podSecurity`, as it is asked.

use crate::ast;
use crate::pod_security::{Exclusion, Level, Version};

/// What a `podSecurity` rule asks the checks.
#[derive(Debug)]
pub struct PodSecurity {
    /// The level.
    pub level: Level,
    /// The version.
    pub version: Version,
    /// The version as messages and reports have it.
    pub version_text: String,
    /// What is excused.
    pub exclusions: Vec<Exclusion>,
}

impl PodSecurity {
    /// Of what was written.
    pub fn of(written: &ast::pod_security::PodSecurity) -> Self {
        let exclusions = written.exclude.iter();
        Self {
            level: written.level.value,
            version: written.effective_version,
            version_text: written.version_text().to_owned(),
            exclusions: exclusions
                .map(ast::pod_security::ExcludedControl::exclusion)
                .collect(),
        }
    }
}
