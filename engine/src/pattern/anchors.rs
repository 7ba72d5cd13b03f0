//! Whether keys of anchors are missing from a resource: then a mismatch is an error of the rule, not a failure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ast::pattern::Anchor;

/// Whether a key of `()` or `^()` stands in no map where the pattern looks for it, although there is such a map.
pub fn keys_are_missing(pattern: &Value, resource: &Value) -> bool {
    let mut met = BTreeMap::new();
    look(pattern, &[resource], &mut met);
    met.values().any(|present| !present)
}

/// Notes for each anchored key, as written, whether it was found anywhere.
fn look<'p>(pattern: &'p Value, values: &[&Value], met: &mut BTreeMap<&'p str, bool>) {
    match pattern {
        Value::Object(entries) => {
            for (raw, below) in entries {
                let (anchor, key) = match Anchor::split(raw) {
                    (Some(Anchor::AddIfAbsent), _) => (None, raw.as_str()),
                    found => found,
                };
                let maps: Vec<_> = values
                    .iter()
                    .filter_map(|value| value.as_object())
                    .collect();
                let next: Vec<&Value> = maps.iter().filter_map(|map| map.get(key)).collect();
                let must = matches!(anchor, Some(Anchor::Condition | Anchor::Existence));
                if must && !maps.is_empty() {
                    *met.entry(raw).or_insert(false) |= !next.is_empty();
                }
                look(below, &next, met);
            }
        }
        Value::Array(items) => {
            let elements: Vec<&Value> = values
                .iter()
                .filter_map(|value| value.as_array())
                .flatten()
                .collect();
            for item in items {
                look(item, &elements, met);
            }
        }
        _ => {}
    }
}
