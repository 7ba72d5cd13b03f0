//! Which resources a row of a test is about, by the names and kinds that it gives.
//!
//! Knows nothing of what became of them.

use super::definition::{ExpectedRow, ResourceSpec};
use crate::offline::resources::Resource;

/// The resources that a row is about.
///
/// Names that match nothing are dropped, and where none is left the row is about all: Kyverno's runner has it so.
pub(super) fn choose<'a>(
    row: &ExpectedRow,
    resources: &'a [Resource],
    warnings: &mut Vec<String>,
) -> Vec<&'a Resource> {
    let mut chosen: Vec<&Resource> = Vec::new();
    let mut add = |found: Vec<&'a Resource>| {
        for resource in found {
            if !chosen.iter().any(|known| std::ptr::eq(*known, resource)) {
                chosen.push(resource);
            }
        }
    };
    for name in &row.resources {
        let named = named(resources, name, warnings);
        let of_kind: Vec<_> = named
            .iter()
            .copied()
            .filter(|resource| row.kind.is_empty() || row.kind == resource.kind)
            .collect();
        if named.is_empty() {
            warnings.push(format!("no resource is named `{name}`"));
        } else if of_kind.is_empty() {
            warnings.push(format!(
                "no resource named `{name}` is of kind `{}`; it is tested on one of kind `{}`",
                row.kind,
                named.first().map_or("", |resource| &resource.kind)
            ));
        }
        add(if of_kind.is_empty() { named } else { of_kind });
    }
    for spec in &row.resource_specs {
        let found: Vec<_> = resources
            .iter()
            .filter(|resource| is_specified(resource, spec))
            .collect();
        if found.is_empty() {
            warnings.push(format!(
                "no resource is {}",
                [&spec.kind, &spec.namespace, &spec.name]
                    .map(|part| format!("`{part}`"))
                    .join(" ")
            ));
        }
        add(found);
    }
    if chosen.is_empty() {
        warnings.push("none of its resources exists, so it is tested on all there are".to_owned());
        let of_kind = |resource: &&Resource| row.kind.is_empty() || row.kind == resource.kind;
        chosen = resources.iter().filter(of_kind).collect();
        if chosen.is_empty() {
            chosen = resources.iter().collect();
        }
    }
    chosen
}

/// Those of a name, or of `namespace/name` and longer. Kyverno's runner takes all whose key has that end, so that `web` is
/// also `old-web`; here that is so only where none is named so, and is said.
fn named<'a>(
    resources: &'a [Resource],
    name: &str,
    warnings: &mut Vec<String>,
) -> Vec<&'a Resource> {
    let ends = |whole: bool| {
        let mut found: Vec<&Resource> = Vec::new();
        for resource in resources {
            let key = resource.key();
            let before = key.strip_suffix(name);
            if before.is_some_and(|before| {
                !whole || before.is_empty() || before.ends_with('/') || name.starts_with('/')
            }) {
                found.push(resource);
            }
        }
        found
    };
    let named = ends(true);
    if !named.is_empty() || name.is_empty() {
        return named;
    }
    let ending = ends(false);
    for resource in &ending {
        let key = resource.key();
        warnings.push(format!(
            "no resource is named `{name}`; it is tested on `{key}`, whose name ends so"
        ));
    }
    ending
}

fn is_specified(resource: &Resource, spec: &ResourceSpec) -> bool {
    let (group, version) = resource
        .api_version
        .split_once('/')
        .unwrap_or(("", &resource.api_version));
    let parts = [
        (&*spec.group, group),
        (&*spec.version, version),
        (&*spec.kind, &*resource.kind),
        (&*spec.namespace, &*resource.namespace),
        (&*spec.name, &*resource.name),
    ];
    parts
        .iter()
        .all(|(wanted, found)| wanted.is_empty() || wanted == found)
}
