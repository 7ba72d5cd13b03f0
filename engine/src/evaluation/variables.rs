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
}

impl Variables {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.everywhere.is_empty() && self.of_policies.is_empty() && self.of_rules.is_empty()
    }

    /// The values for a rule; `rule` is the name that the author gave it.
    pub(super) fn of(&self, policy: &ast::Policy, rule: &str) -> Map<String, Value> {
        if self.of_policies.is_empty() && self.of_rules.is_empty() {
            return self.everywhere.clone();
        }
        let policy = policy.key();
        let mut values = self.everywhere.clone();
        let more = [
            self.of_policies.get(&policy),
            self.of_rules.get(&(policy.clone(), rule.to_owned())),
        ];
        for given in more.into_iter().flatten() {
            for (name, value) in given {
                merge(values.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        values
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
