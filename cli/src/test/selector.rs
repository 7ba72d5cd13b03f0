//! Which rows of tests are run: `policy=P,rule=R,resource=X`, each with wildcards.

use anyhow::{Result, bail};
use regent_engine::wildcard;

use super::definition::ExpectedRow;

/// A choice of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    policy: String,
    rule: String,
    resource: String,
}

impl Selector {
    /// Reads `policy=P,rule=R,resource=X`, in any order; what is not named is `*`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut selector = Self {
            policy: "*".to_owned(),
            rule: "*".to_owned(),
            resource: "*".to_owned(),
        };
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                bail!("`{}` of the selector is not KEY=VALUE", part.trim());
            };
            let field = match key.trim() {
                "policy" => &mut selector.policy,
                "rule" => &mut selector.rule,
                "resource" => &mut selector.resource,
                other => bail!("a selector has no `{other}`; it has policy, rule and resource"),
            };
            value.trim().clone_into(field);
        }
        Ok(selector)
    }

    /// Whether a line is chosen, by its policy, rule and resource.
    pub fn includes(&self, policy: &str, rule: &str, resource: &str) -> bool {
        wildcard::matches(&self.policy, policy)
            && wildcard::matches(&self.rule, rule)
            && wildcard::matches(&self.resource, resource)
    }

    /// The row with the resources that are chosen, if it is.
    pub fn choose(&self, row: &ExpectedRow) -> Option<ExpectedRow> {
        if !wildcard::matches(&self.policy, &row.policy)
            || !wildcard::matches(&self.rule, &row.rule)
        {
            return None;
        }
        if self.resource == "*" {
            return Some(row.clone());
        }
        let mut row = row.clone();
        row.resources
            .retain(|name| wildcard::matches(&self.resource, name));
        row.resource_specs
            .retain(|spec| wildcard::matches(&self.resource, &spec.name));
        (!row.resources.is_empty() || !row.resource_specs.is_empty()).then_some(row)
    }
}
