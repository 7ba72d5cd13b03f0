//! Values that a host was given for names: a test's values file, the command line's `--set`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ast;

/// Values by name, for all rules, for the rules of a policy, and for single rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables {
    /// For all rules.
    pub everywhere: Map<String, Value>,
    /// For the rules of policies by their names: these count before those above.
    pub of_policies: BTreeMap<String, Map<String, Value>>,
    /// For rules by the names of policy and rule: these count first.
    pub of_rules: BTreeMap<(String, String), Map<String, Value>>,
    /// For each element of the lists that rules go through, by the names of policy and rule. The first has every name;
    /// what a later one lacks has no value there.
    pub of_elements: BTreeMap<(String, String), Vec<Map<String, Value>>>,
}

/// What is given for the names of one rule.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// By name.
    pub(super) names: Map<String, Value>,
    /// For each element.
    pub(super) of_elements: Vec<Map<String, Value>>,
}

impl Given {
    /// The same names whatever the element.
    pub(super) fn everywhere(names: Map<String, Value>) -> Self {
        Self {
            names,
            of_elements: Vec::new(),
        }
    }
}

impl Variables {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.everywhere.is_empty()
            && self.of_policies.is_empty()
            && self.of_rules.is_empty()
            && self.of_elements.is_empty()
    }

    /// The values for a rule; `rule` is the name that the author gave it.
    pub(super) fn of(&self, policy: &ast::Policy, rule: &str) -> Given {
        let mut values = self.everywhere.clone();
        if self.of_policies.is_empty() && self.of_rules.is_empty() && self.of_elements.is_empty() {
            return Given::everywhere(values);
        }
        let key = (policy.key(), rule.to_owned());
        let of_elements = self.of_elements.get(&key).cloned().unwrap_or_default();
        // Outside of an element Kyverno's runner takes what is given for the first.
        let more = [
            self.of_policies.get(&key.0),
            of_elements.first(),
            self.of_rules.get(&key),
        ];
        for given in more.into_iter().flatten() {
            for (name, value) in given {
                merge(values.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        Given {
            names: values,
            of_elements,
        }
    }
}

/// Puts the fields of a map beside those that are there; anything else replaces.
pub(super) fn merge(into: &mut Value, value: &Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, field) in fields {
                merge(into.entry(name.clone()).or_insert(Value::Null), field);
            }
        }
        (into, value) => *into = value.clone(),
    }
}
