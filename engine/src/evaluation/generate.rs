//! `generate` on one object: what would come to be because of it.
//!
//! Nothing is made here, and nothing is made at admission: this is for runs without a cluster.

use serde_json::{Map, Value};

use crate::program::{CloneList, Generated, Generation, GenerationForeach, Reference};
use crate::response::RuleStatus;
use crate::template::{TemplateError, Text};

use super::mutate::locals;
use super::names::Names;
use super::need::{DataNeed, ObjectsNeed, Purpose};
use super::objects::{self, is_selected};
use super::rule::{Answer, Context};

/// The most elements of one rule.
const MAX_ELEMENTS: usize = 2_000;

/// What came of a rule.
pub(super) struct Made {
    pub(super) answer: Answer,
    pub(super) objects: Vec<Value>,
}

/// Why nothing can be made.
enum Unmade {
    /// Facts are outstanding.
    Waiting,
    Failed(String),
}

impl From<String> for Unmade {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

impl Context<'_> {
    /// What a rule makes; none as long as facts are outstanding.
    pub(super) fn generate(&mut self, names: &Names<'_>, generation: &Generation) -> Option<Made> {
        let made = match generation {
            Generation::Resource(resource) => self.made(names, resource),
            Generation::Foreach(blocks) => self.made_each(names, blocks),
        };
        let answer = |status, message: String, objects| {
            Some(Made {
                answer: Answer::new(status, message),
                objects,
            })
        };
        match made {
            Ok(objects) => answer(RuleStatus::Pass, String::new(), objects),
            Err(Unmade::Waiting) => None,
            Err(Unmade::Failed(reason)) => answer(RuleStatus::Error, reason, Vec::new()),
        }
    }

    fn made_each(
        &mut self,
        names: &Names<'_>,
        blocks: &[GenerationForeach],
    ) -> Result<Vec<Value>, Unmade> {
        let mut objects = Vec::new();
        let mut count = 0;
        for block in blocks {
            let elements = elements(names, block)?;
            self.trace_list(&block.list_text, Ok(&elements));
            count += elements.len();
            if count > MAX_ELEMENTS {
                return Err(too_many());
            }
            let elements = elements.iter().enumerate();
            for (index, element) in elements.filter(|(_, element)| !element.is_null()) {
                objects.extend(self.made_of(names, block, (element, index))?);
            }
        }
        Ok(objects)
    }

    fn made_of(
        &mut self,
        names: &Names<'_>,
        block: &GenerationForeach,
        (element, index): (&Value, usize),
    ) -> Result<Vec<Value>, Unmade> {
        let names = names.of_element(index, locals(element, index, 0), &block.context);
        self.trace_element(&block.list_text, index);
        let applies = self.applies(&block.program, block.preconditions.as_ref(), &names);
        self.trace_element_end();
        match applies {
            None => Err(Unmade::Waiting),
            Some(Ok(true)) => self.made(&names, &block.resource),
            Some(Ok(false)) => Ok(Vec::new()),
            Some(Err(reason)) => Err(Unmade::Failed(format!(
                "failed to evaluate generate.foreach[{index}].preconditions: {reason}"
            ))),
        }
    }

    fn made(&mut self, names: &Names<'_>, generated: &Generated) -> Result<Vec<Value>, Unmade> {
        match generated {
            Generated::Data { resource, data } => {
                let data = names.template(data).map_err(|error| unresolved(&error))?;
                Ok(vec![identified(data, &identity(names, resource)?)])
            }
            Generated::Clone {
                resource,
                source_name,
                source_namespace,
            } => {
                let identity = identity(names, resource)?;
                let need = ObjectsNeed {
                    api_version: identity.api_version.clone(),
                    kind: identity.kind.clone(),
                    namespace: optional(names, source_namespace.as_ref())?,
                    name: Some(required(names, source_name)?),
                    purpose: Purpose::Copy,
                };
                let source = self.found(&need)?.into_iter().next();
                let source = source.ok_or_else(|| no_source(&need))?;
                Ok(vec![identified(copied(source), &identity)])
            }
            Generated::CloneList(list) => self.copies(names, list),
        }
    }

    fn copies(&mut self, names: &Names<'_>, list: &CloneList) -> Result<Vec<Value>, Unmade> {
        let namespace = optional(names, list.namespace.as_ref())?;
        let source_namespace = optional(names, list.source_namespace.as_ref())?;
        let mut objects = Vec::new();
        for kind in &list.kinds {
            let kind = required(names, kind)?;
            let (api_version, kind) = kind.rsplit_once('/').unwrap_or(("*", &kind));
            let found = self.found(&ObjectsNeed {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: source_namespace.clone(),
                name: None,
                purpose: Purpose::Copy,
            })?;
            let chosen = found
                .into_iter()
                .filter(|object| is_selected(list.selector.as_ref(), object));
            objects.extend(chosen.map(|object| moved(copied(object), namespace.as_deref())));
        }
        Ok(objects)
    }

    /// Resources that exist.
    fn found(&mut self, need: &ObjectsNeed) -> Result<Vec<Value>, Unmade> {
        let answer = self
            .facts
            .borrow_mut()
            .data(DataNeed::Objects(need.clone()));
        match answer {
            None => Err(Unmade::Waiting),
            Some(Ok(Value::Array(found))) => Ok(found
                .into_iter()
                .filter(|object| objects::is_meant(need, object))
                .collect()),
            Some(Ok(_)) => Err(Unmade::Failed(
                "the host answered with something else than a list".to_owned(),
            )),
            Some(Err(error)) => Err(Unmade::Failed(format!("failed to get sources: {error}"))),
        }
    }
}

/// The elements of a block; what is no list is the only element.
fn elements(names: &Names<'_>, block: &GenerationForeach) -> Result<Vec<Value>, Unmade> {
    match names.query(&block.list) {
        Ok(Value::Array(elements)) => Ok(elements),
        Ok(other) => Ok(vec![other]),
        Err(error) if error.is_pending() => Err(Unmade::Waiting),
        Err(error) => {
            let list = &block.list_text;
            Err(Unmade::Failed(format!(
                "failed to evaluate list {list}: {error}"
            )))
        }
    }
}

fn too_many() -> Unmade {
    Unmade::Failed(format!(
        "the lists of `foreach` have more than {MAX_ELEMENTS} elements"
    ))
}

fn unresolved(error: &TemplateError) -> Unmade {
    if error.is_pending() {
        Unmade::Waiting
    } else {
        Unmade::Failed(format!("variable substitution failed: {error}"))
    }
}

fn no_source(need: &ObjectsNeed) -> Unmade {
    let namespace = need.namespace.as_deref().unwrap_or("");
    let name = need.name.as_deref().unwrap_or("");
    let (version, kind) = (&need.api_version, &need.kind);
    Unmade::Failed(format!(
        "source resource {version} {kind}/{namespace}/{name} not found"
    ))
}

/// What makes a new object that object.
struct Identity {
    api_version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
}

fn identity(names: &Names<'_>, resource: &Reference) -> Result<Identity, Unmade> {
    Ok(Identity {
        api_version: required(names, &resource.api_version)?,
        kind: required(names, &resource.kind)?,
        name: required(names, &resource.name)?,
        namespace: optional(names, resource.namespace.as_ref())?,
    })
}

fn required(names: &Names<'_>, written: &Text) -> Result<String, Unmade> {
    objects::text(names, written)?.ok_or(Unmade::Waiting)
}

fn optional(names: &Names<'_>, written: Option<&Text>) -> Result<Option<String>, Unmade> {
    written.map(|written| required(names, written)).transpose()
}

/// Data under its identity.
fn identified(data: Value, identity: &Identity) -> Value {
    let mut fields = match data {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let text = |text: &str| Value::String(text.to_owned());
    fields.insert("apiVersion".to_owned(), text(&identity.api_version));
    fields.insert("kind".to_owned(), text(&identity.kind));
    let metadata = fields
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(metadata) = metadata {
        metadata.insert("name".to_owned(), text(&identity.name));
        match &identity.namespace {
            Some(namespace) => metadata.insert("namespace".to_owned(), text(namespace)),
            None => metadata.remove("namespace"),
        };
    }
    Value::Object(fields)
}

/// A copy without what only the original has.
fn copied(mut source: Value) -> Value {
    if let Value::Object(fields) = &mut source {
        fields.remove("status");
    }
    if let Some(Value::Object(metadata)) = source.pointer_mut("/metadata") {
        for own in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "ownerReferences",
            "selfLink",
        ] {
            metadata.remove(own);
        }
    }
    source
}

fn moved(mut object: Value, namespace: Option<&str>) -> Value {
    if let Some(Value::Object(metadata)) = object.pointer_mut("/metadata") {
        match namespace {
            Some(namespace) => metadata.insert("namespace".to_owned(), namespace.into()),
            None => metadata.remove("namespace"),
        };
    }
    object
}
