//! The index of candidates: which rules a request may be about, by kind, operation and namespace.
//!
//! It only narrows: the exact match stays in each rule's program.

use std::collections::{BTreeMap, HashMap};

use crate::admission::AdmissionRequest;
use crate::program::{Candidates, Policy, RuleKey};
use crate::wildcard;

/// Rules by kind.
#[derive(Debug, Default)]
pub struct Selection {
    by_kind: HashMap<String, Rules>,
    any_kind: Rules,
}

/// Rules by namespace.
#[derive(Debug, Default)]
struct Rules {
    /// Those that name the namespaces that they are about.
    by_namespace: BTreeMap<String, Vec<RuleKey>>,
    /// The others.
    others: Vec<RuleKey>,
}

impl Rules {
    fn insert(&mut self, key: RuleKey, candidates: &Candidates) {
        let namespaces = &candidates.namespaces;
        if namespaces.is_empty() || namespaces.iter().any(|name| wildcard::has_wildcard(name)) {
            return push(&mut self.others, key);
        }
        for namespace in namespaces {
            push(self.by_namespace.entry(namespace.clone()).or_default(), key);
        }
    }

    /// Those that may be about a namespace, or all where that is not known.
    fn about(&self, namespace: Option<&str>) -> impl Iterator<Item = RuleKey> {
        let named = namespace.and_then(|namespace| self.by_namespace.get(namespace));
        let all = namespace.is_none().then(|| self.by_namespace.values());
        let named = named.into_iter().chain(all.into_iter().flatten());
        named.flatten().chain(&self.others).copied()
    }
}

fn push(keys: &mut Vec<RuleKey>, key: RuleKey) {
    if keys.last() != Some(&key) {
        keys.push(key);
    }
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
            self.any_kind.insert(key, candidates);
        }
        for kind in &candidates.kinds {
            let rules = self.by_kind.entry(kind.clone()).or_default();
            rules.insert(key, candidates);
        }
    }

    /// Rules that may be about a request, in the order of the policies.
    pub fn candidates(&self, policies: &[Policy], request: &AdmissionRequest) -> Vec<RuleKey> {
        let (_, _, kind) = request.matched_kind();
        // A namespace is in none: what is said of namespaces is said of its name, which rules may change on the way.
        let namespace = match kind {
            "Namespace" => None,
            _ => Some(request.namespace.as_deref().unwrap_or("")),
        };
        let of_kind = self.by_kind.get(kind);
        let mut keys: Vec<RuleKey> = of_kind
            .into_iter()
            .chain([&self.any_kind])
            .flat_map(|rules| rules.about(namespace))
            .filter(|(policy, rule)| {
                let rule = policies
                    .get(*policy)
                    .and_then(|policy| policy.rules.get(*rule));
                rule.is_some_and(|rule| may_match(&rule.candidates, request, namespace))
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

fn may_match(candidates: &Candidates, request: &AdmissionRequest, namespace: Option<&str>) -> bool {
    let operation =
        candidates.operations.is_empty() || candidates.operations.contains(&request.operation);
    let confined = candidates.namespace.as_ref();
    let mut namespaces = candidates.namespaces.iter();
    let resource = &request.resource.resource;
    operation
        && (candidates.resources.is_empty() || candidates.resources.contains(resource))
        && confined.is_none_or(|confined| namespace == Some(confined.as_str()))
        && namespace.is_none_or(|namespace| {
            candidates.namespaces.is_empty()
                || namespaces.any(|one| wildcard::matches(one, namespace))
        })
}
