//! `verify` of a module in a registry: who must have signed it, in the words of `verifyImages`.

use std::sync::Arc;

use super::matching::{Combination, Filter, Filters};
use super::verify_images::VerifyImages;
use super::{Origin, Policy, PolicyKind, Rule, RuleBody, Settings};

/// How modules in registries are named.
const REGISTRIES: [&str; 2] = ["oci://", "registry://"];

/// What stands behind the scheme, where a module is in a registry.
pub fn in_registry(module: &str) -> Option<&str> {
    let mut schemes = REGISTRIES.iter();
    schemes.find_map(|scheme| module.strip_prefix(scheme))
}

/// `verify`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleVerify {
    /// The demand, about whichever module it is.
    pub entry: VerifyImages,
    /// The same as JSON: what is written alike is demanded alike, wherever it stands.
    pub written: String,
}

impl ModuleVerify {
    /// The demand as a policy about images, as it would be written beside `of`: it has the same name and annotations, and
    /// one rule.
    pub fn as_policy(&self, of: &Policy, rule: &Rule) -> Policy {
        let span = self.entry.span;
        let rule = Rule {
            span,
            name: rule.name.clone(),
            origin: Origin::Written,
            matches: Filters {
                span,
                combination: Combination::Any,
                filters: vec![Filter::everything(span)],
            },
            excludes: None,
            context: Vec::new(),
            preconditions: None,
            image_extractors: Vec::new(),
            report_properties: Vec::new(),
            body: RuleBody::VerifyImages(vec![self.entry.clone()]),
        };
        Policy {
            source: Arc::clone(&of.source),
            span,
            kind: PolicyKind::ClusterPolicy,
            name: of.name.clone(),
            namespace: None,
            annotations: of.annotations.clone(),
            labels: of.labels.clone(),
            settings: Settings::default(),
            rules: vec![rule],
        }
    }

    /// What tells one demand from another: its own words, and those of its policy that say how evidence is judged.
    pub fn key(&self, of: &Policy) -> String {
        let annotations = of.annotations.iter();
        let annotations: serde_json::Map<_, _> = annotations
            .map(|(name, value)| (name.clone(), value.value.as_str().into()))
            .collect();
        serde_json::json!([annotations, self.written]).to_string()
    }
}
