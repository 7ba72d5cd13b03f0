//! Resources as Kyverno's command line reads them: one a document, a `List` taken apart, in `default` where nothing else is said.
//!
//! Knows nothing of policies.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::source::{Source, Span};
use regent_engine::yaml::{self, Node};
use serde_json::Value;

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

/// The resources of some texts; what is no YAML, and what is no object, is said in `found`.
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
        for node in nodes.iter().flat_map(unlisted) {
            match wrong(node) {
                Some((code, span, message)) => {
                    found.push(Diagnostic::error(code, text, span, message));
                }
                None => all.push((node.to_json(), text.as_ref())),
            }
        }
    }
    all
}

/// The elements of a `List`; anything else is one itself.
fn unlisted(node: &Node) -> &[Node] {
    let is_list = node
        .get("kind")
        .and_then(Node::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match node.get("items").map(|items| &items.value) {
        Some(yaml::Value::List(items)) if is_list => items,
        _ => std::slice::from_ref(node),
    }
}

/// Why no API server would take this for an object.
fn wrong(node: &Node) -> Option<(Code, Span, String)> {
    let yaml::Value::Map(_) = &node.value else {
        let message = format!("a resource is a map, not {}", node.value.describe());
        return Some((Code::InvalidValue, node.span, message));
    };
    for field in ["apiVersion", "kind"] {
        match node.get(field) {
            None => {
                let message = format!("the resource has no `{field}`");
                return Some((Code::MissingField, node.span, message));
            }
            Some(value) if value.as_str().is_none_or(str::is_empty) => {
                let message = format!("`{field}` must be a text, not {}", value.value.describe());
                return Some((Code::InvalidValue, value.span, message));
            }
            Some(_) => {}
        }
    }
    let metadata = node.get("metadata")?;
    if !matches!(metadata.value, yaml::Value::Map(_)) {
        let message = format!(
            "`metadata` must be a map, not {}",
            metadata.value.describe()
        );
        return Some((Code::InvalidValue, metadata.span, message));
    }
    let texts = ["name", "namespace"].into_iter();
    let wrong = texts.filter_map(|field| Some((field, metadata.get(field)?)));
    let mut wrong = wrong.filter(|(_, value)| value.as_str().is_none() && !value.is_null());
    let (field, value) = wrong.next()?;
    let message = format!(
        "`metadata.{field}` must be a text, not {}",
        value.value.describe()
    );
    Some((Code::InvalidValue, value.span, message))
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
