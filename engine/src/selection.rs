//! The index of candidates: which rules a request may be about, by kind, operation and namespace.
//!
//! It only narrows: the exact match stays in each rule's program.

use std::collections::HashMap;

use crate::admission::AdmissionRequest;
use crate::program::{Candidates, Policy, RuleKey};

/// Rules by kind.
#[derive(Debug, Default)]
pub struct Selection {
    by_kind: HashMap<String, Vec<RuleKey>>,
    any_kind: Vec<RuleKey>,
}

impl Selection {
    /// Indexes policies.
    pub fn new(policies: &[Policy]) -> Self {
        let mut selection = Self::default();
        for (policy_index, policy) in policies.iter().enumerate() {
            for (rule_index, rule) in policy.rules.iter().enumerate() {
                selection.insert((policy_index, rule_index), &rule.candidates);
            }
        }
        selection
    }

    fn insert(&mut self, key: RuleKey, candidates: &Candidates) {
        if candidates.kinds.is_empty() {
            self.any_kind.push(key);
        }
        for kind in &candidates.kinds {
            let keys = self.by_kind.entry(kind.clone()).or_default();
            if keys.last() != Some(&key) {
                keys.push(key);
            }
        }
    }

    /// Rules that may be about a request, in the order of the policies.
    pub fn candidates(&self, policies: &[Policy], request: &AdmissionRequest) -> Vec<RuleKey> {
        let of_kind = self.by_kind.get(&request.kind.kind);
        let mut keys: Vec<RuleKey> = of_kind
            .into_iter()
            .flatten()
            .chain(&self.any_kind)
            .copied()
            .filter(|(policy, rule)| {
                let rule = policies
                    .get(*policy)
                    .and_then(|policy| policy.rules.get(*rule));
                rule.is_some_and(|rule| may_match(&rule.candidates, request))
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

fn may_match(candidates: &Candidates, request: &AdmissionRequest) -> bool {
    let operation =
        candidates.operations.is_empty() || candidates.operations.contains(&request.operation);
    let namespace = match &candidates.namespace {
        Some(namespace) => request.namespace.as_ref() == Some(namespace),
        None => true,
    };
    operation && namespace
}
