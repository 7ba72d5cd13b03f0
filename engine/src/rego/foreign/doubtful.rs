//! What modules import that there is not, and what they read of `input` that no rule is asked with: OPA says nothing of the
//! second, and what it reads is undefined.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Rule};

use super::absent::{self, Written};
use super::calls::{parts, start};
use super::{ForeignError, walk};
use crate::suggest;

/// What stands below `input`.
const FIELDS: [&str; 3] = ["parameters", "request", "review"];

/// Imports below `rego` of anything but `rego.v1`: what would have been imported is not.
pub(super) fn imports(module: usize, written: &Module) -> impl Iterator<Item = ForeignError> {
    let imports = written.imports.iter();
    imports.filter_map(move |import| {
        let path = parts(&import.refr);
        let is_rego = path.first().is_some_and(|first| first == "rego");
        if !is_rego || path == ["rego", "v1"] {
            return None;
        }
        let message = format!("there is no `{}` to import", path.join("."));
        let mut error = ForeignError::new(module, Some(start(&import.refr)), message);
        error.help = Some("did you mean `rego.v1`?".to_owned());
        Some(error)
    })
}

/// References to what is not below `input`; none where some rule replaces it.
pub(super) fn inputs(modules: &[&Module]) -> Vec<ForeignError> {
    let mut found: BTreeMap<Written, String> = BTreeMap::new();
    let mut replaced = false;
    for (index, module) in modules.iter().enumerate() {
        let mut add = |reference: &Expr| {
            let field = unknown(&parts(reference));
            found.extend(field.map(|field| ((index, start(reference)), field)));
        };
        for import in &module.imports {
            add(&import.refr);
        }
        for rule in &module.policy {
            absent::references(rule, &mut add);
            replaced |= replaces_input(rule);
        }
    }
    if replaced {
        return Vec::new();
    }
    let doubts = found.into_iter().map(|((module, place), field)| {
        let message = format!("nothing is at `input.{field}`");
        let mut doubt = ForeignError::new(module, Some(place), message);
        doubt.help = Some(match suggest::nearest(&field, FIELDS) {
            Some(known) => format!("did you mean `input.{known}`?"),
            None => {
                "a module sees `input.review`, `input.request` and `input.parameters`".to_owned()
            }
        });
        doubt
    });
    doubts.collect()
}

/// Whether `with` puts something else in the place of `input`, or of a part of it.
fn replaces_input(rule: &Rule) -> bool {
    let mut replaced = false;
    walk::statements_of_rule(rule, &mut |statement| {
        let mut with = statement.with_mods.iter();
        replaced |= with.any(|with| parts(&with.refr).first().is_some_and(|one| one == "input"));
    });
    replaced
}

/// The field below `input` that a path leads to, where there is no such field.
fn unknown(path: &[String]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let field = rest.first().filter(|_| first == "input")?;
    (!FIELDS.contains(&field.as_str())).then(|| field.clone())
}
