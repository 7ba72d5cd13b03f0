//! Resources as Kyverno's command line reads them: one a document, a `List` taken apart, in `default` where nothing else is said.
//!
//! Knows nothing of policies.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regent_engine::diagnostic::Diagnostic;
use regent_engine::source::Source;
use regent_engine::yaml;
use serde_json::Value;

use super::documents;

/// A resource and how it is named.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Namespace; `default` where none is written, as Kyverno's runner has it for every kind.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// All of it.
    pub object: Value,
    /// Where it was read.
    pub file: String,
}

/// The resources of some texts; what is no YAML is said in `found`.
pub fn of(texts: &[Arc<Source>], found: &mut Vec<Diagnostic>) -> Vec<Resource> {
    objects(texts, found)
        .into_iter()
        .map(|(object, text)| Resource::new(object, &text.name))
        .collect()
}

/// The objects of some texts as they are written, the documents of a `List` one by one, each with the text that holds it.
pub fn objects<'t>(
    texts: &'t [Arc<Source>],
    found: &mut Vec<Diagnostic>,
) -> Vec<(Value, &'t Source)> {
    let mut all = Vec::new();
    for text in texts {
        let (nodes, diagnostics) = yaml::parse(text);
        found.extend(diagnostics.into_iter().filter(Diagnostic::is_error));
        let objects = nodes.iter().map(documents::to_json).flat_map(unlisted);
        all.extend(objects.map(|object| (object, text.as_ref())));
    }
    all
}

/// Each resource once, its first; what is left out is said in `warnings`.
pub fn unique(resources: Vec<Resource>, warnings: &mut Vec<String>) -> Vec<Resource> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut kept = Vec::new();
    for resource in resources {
        let key = resource.key();
        match seen.entry(key) {
            Entry::Vacant(place) => {
                place.insert(resource.file.clone());
                kept.push(resource);
            }
            Entry::Occupied(place) => warnings.push(format!(
                "`{}` is in `{}` again; the first is tested, that of `{}`",
                place.key(),
                resource.file,
                place.get(),
            )),
        }
    }
    kept
}

fn unlisted(object: Value) -> Vec<Value> {
    if object.get("kind").and_then(Value::as_str) != Some("List") {
        return vec![object];
    }
    match object {
        Value::Object(mut fields) => match fields.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

impl Resource {
    /// The resource that an object is.
    pub fn new(mut object: Value, file: &str) -> Self {
        let namespace = object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or("default")
            .to_owned();
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata.insert("namespace".to_owned(), Value::from(namespace.as_str()));
        }
        let text = |pointer: &str| {
            let value = object.pointer(pointer).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace,
            name: text("/metadata/name"),
            object,
            file: file.to_owned(),
        }
    }

    /// `apiVersion/kind/namespace/name`, as tables show it.
    pub fn key(&self) -> String {
        let Self {
            api_version,
            kind,
            namespace,
            name,
            ..
        } = self;
        format!("{api_version}/{kind}/{namespace}/{name}")
    }
}

/// `a/.test/../b` is `a/b`: how a person would name the file. Only where no link makes it another.
pub fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for component in path.components() {
        let steps_back = component == Component::ParentDir
            && matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        if steps_back {
            tidy.pop();
        } else if component != Component::CurDir {
            tidy.push(component);
        }
    }
    let same =
        matches!((path.canonicalize(), tidy.canonicalize()), (Ok(one), Ok(other)) if one == other);
    if same { tidy } else { path.to_owned() }
}
