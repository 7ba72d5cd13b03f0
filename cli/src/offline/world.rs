//! A cluster that nobody has: the objects, answers and global entries that a test describes.
//!
//! Answers as an API server and services would; knows nothing of policies.

mod path;
mod selector;

use std::collections::BTreeMap;

use regent_engine::diagnostic::Code;
use regent_engine::evaluation::need::FactError;
use regent_engine::jmespath::{Environment, Expression};
use regent_engine::yaml::Node;
use serde_json::{Map, Value, json};

use super::decode::{Fields, Problems};
use super::request::{kind_of, resource_of};
use path::ApiPath;
use selector::Requirements;

/// What is there.
#[derive(Debug, Default)]
pub struct World {
    objects: Vec<Value>,
    /// Kinds by group and plural, from the definitions of custom resources.
    kinds: BTreeMap<(String, String), String>,
    answers: Vec<CallAnswer>,
    entries: BTreeMap<String, Value>,
    images: BTreeMap<String, Value>,
}

/// What a call is answered with, `apiCallResponses`.
#[derive(Debug, Clone, PartialEq)]
pub struct CallAnswer {
    /// The whole URL of a service, or the path of an API server.
    pub target: String,
    /// The method.
    pub method: String,
    /// The status.
    pub status: u64,
    /// The body.
    pub body: Value,
}

impl World {
    /// Puts an object there, or what a definition of custom resources says of their names.
    pub fn add(&mut self, object: Value) {
        if object.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition") {
            let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
            let names = (
                text("/spec/group"),
                text("/spec/names/plural"),
                text("/spec/names/kind"),
            );
            if let (Some(group), Some(plural), Some(kind)) = names {
                let place = (group.to_owned(), plural.to_lowercase());
                self.kinds.insert(place, kind.to_owned());
            }
        }
        self.objects.push(object);
    }

    /// Puts everything of another there too.
    pub fn extend(&mut self, other: Self) {
        self.objects.extend(other.objects);
        self.kinds.extend(other.kinds);
        self.answers.extend(other.answers);
        self.entries.extend(other.entries);
        self.images.extend(other.images);
    }

    /// Has a call answered.
    pub fn add_answer(&mut self, answer: CallAnswer) {
        self.answers.push(answer);
    }

    /// Gives an entry of the global context its value.
    pub fn add_entry(&mut self, name: String, value: Value) {
        self.entries.insert(name, value);
    }

    /// Says what a registry knows of an image, by the reference that policies use.
    pub fn add_image(&mut self, reference: String, data: Value) {
        self.images.insert(reference, data);
    }

    /// All objects.
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// A `ConfigMap` or `Secret`.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, FactError> {
        let is_it = |object: &&Value| {
            let own = kind_of(object);
            own.kind == kind
                && own.group.is_empty()
                && metadata(object, "name") == name
                && metadata(object, "namespace") == namespace
        };
        let found = self.objects.iter().find(is_it);
        found
            .cloned()
            .ok_or_else(|| self.missing(format!("there is no {kind} `{namespace}/{name}`")))
    }

    /// An entry of the global context, with a projection behind a dot.
    pub fn entry(&self, name: &str) -> Result<Value, FactError> {
        self.entries.get(name).cloned().ok_or_else(|| {
            let message = format!("there is no global context entry `{name}`");
            if self.entries.is_empty() {
                FactError::NoSource(message)
            } else {
                FactError::NotFound(message)
            }
        })
    }

    /// What a registry knows of an image.
    pub fn image(&self, reference: &str) -> Result<Value, FactError> {
        self.images.get(reference).cloned().ok_or_else(|| {
            let message = format!("nothing is said of the image `{reference}`");
            if self.images.is_empty() {
                FactError::NoSource(message)
            } else {
                FactError::NotFound(message)
            }
        })
    }

    /// The answer to a call: the one that is described, else what the objects make of a path.
    pub fn call(&self, method: &str, target: &str) -> Result<Value, FactError> {
        let described = self
            .answers
            .iter()
            .find(|answer| answer.method.eq_ignore_ascii_case(method) && answer.target == target);
        match described {
            Some(answer) if answer.status >= 400 => Err(FactError::Unavailable(format!(
                "{method} `{target}` answers with status {}",
                answer.status
            ))),
            Some(answer) => Ok(answer.body.clone()),
            None if method.eq_ignore_ascii_case("GET") && target.starts_with('/') => {
                self.get(target)
            }
            None => Err(self.missing(format!("no answer to {method} `{target}` is described"))),
        }
    }

    /// Whether anything stands for a cluster or for services.
    fn is_described(&self) -> bool {
        !self.objects.is_empty() || !self.answers.is_empty()
    }

    /// What is not there: as Kyverno's command line has it, without any cluster the entry that asks is as if it were not
    /// written, so that the test's values may stand for it.
    fn missing(&self, message: String) -> FactError {
        if self.is_described() {
            FactError::NotFound(message)
        } else {
            FactError::NoSource(message)
        }
    }

    fn get(&self, target: &str) -> Result<Value, FactError> {
        let missing = || self.missing(format!("there is nothing at `{target}`"));
        if !self.is_described() {
            return Err(missing());
        }
        if let Some(list) = self.kinds_of(target) {
            return Ok(list);
        }
        let path = ApiPath::parse(target).ok_or_else(missing)?;
        let mut found: Vec<&Value> = self
            .objects
            .iter()
            .filter(|object| self.is_at(object, &path))
            .collect();
        if let Some(name) = &path.name {
            found.retain(|object| metadata(object, "name") == name);
            return found
                .first()
                .map(|found| (*found).clone())
                .ok_or_else(missing);
        }
        let wanted = Requirements::parse(&path.label_selector, &path.field_selector)
            .map_err(FactError::Malformed)?;
        found.retain(|object| wanted.are_met(object));
        Ok(self.list(&path, &found))
    }

    /// The kinds of a group's version, as the API server lists them: those of the objects that are there, and of
    /// definitions of custom resources.
    fn kinds_of(&self, target: &str) -> Option<Value> {
        let (group, version) = match target.strip_prefix("/apis/") {
            Some(rest) => rest.split_once('/')?,
            None => ("", target.strip_prefix("/api/")?),
        };
        if version.contains(['/', '?']) {
            return None;
        }
        let mut resources = BTreeMap::new();
        for object in &self.objects {
            let kind = kind_of(object);
            if kind.group != group || kind.version != version {
                continue;
            }
            let mut known = self.kinds.iter();
            let plural = known.find(|((of, _), name)| of == group && **name == kind.kind);
            let plural =
                plural.map_or_else(|| resource_of(&kind).resource, |((_, one), _)| one.clone());
            let namespaced = !metadata(object, "namespace").is_empty();
            resources.insert(plural, (kind.kind, namespaced));
        }
        let resources = resources.into_iter().map(|(name, (kind, namespaced))| {
            json!({"name": name, "kind": kind, "namespaced": namespaced})
        });
        let resources: Vec<Value> = resources.collect();
        Some(json!({"kind": "APIResourceList", "resources": resources}))
    }

    fn list(&self, path: &ApiPath, items: &[&Value]) -> Value {
        let known = self.kinds.get(&(path.group.clone(), path.resource.clone()));
        let kind = match (items.first(), known) {
            (Some(item), _) => kind_of(item).kind,
            (None, Some(kind)) => kind.clone(),
            (None, None) => String::new(),
        };
        let api_version = if path.group.is_empty() {
            path.version.clone()
        } else {
            format!("{}/{}", path.group, path.version)
        };
        json!({
            "apiVersion": api_version,
            "kind": format!("{kind}List"),
            "metadata": {"resourceVersion": ""},
            "items": items,
        })
    }

    fn is_at(&self, object: &Value, path: &ApiPath) -> bool {
        let kind = kind_of(object);
        let place = (kind.group.clone(), path.resource.clone());
        let is_kind = match self.kinds.get(&place) {
            Some(known) => *known == kind.kind,
            None => resource_of(&kind).resource == path.resource,
        };
        let in_namespace = path
            .namespace
            .as_ref()
            .is_none_or(|namespace| metadata(object, "namespace") == namespace);
        is_kind && in_namespace && kind.group == path.group && kind.version == path.version
    }
}

fn metadata<'o>(object: &'o Value, field: &str) -> &'o str {
    let metadata = object.get("metadata");
    let value = metadata.and_then(|metadata| metadata.get(field));
    value.and_then(Value::as_str).unwrap_or_default()
}

/// `ClusterResource`: the paths of definitions of custom resources, and objects.
pub fn cluster_resource(node: &Node, problems: &mut Problems) -> (Vec<String>, Vec<Value>) {
    let mut fields = Fields::open(node, "the cluster's resources", problems);
    fields.type_of("ClusterResource", problems);
    fields.node("metadata");
    let mut found = (Vec::new(), Vec::new());
    if let Some(node) = fields.node("spec") {
        let mut spec = Fields::open(node, "`spec`", problems);
        found.0 = spec.texts("crds", problems);
        found.1 = spec
            .list("resources", problems)
            .iter()
            .map(Node::to_json)
            .collect();
        spec.finish(problems);
    }
    fields.finish(problems);
    found
}

/// `Context`: objects, and what registries know of images.
pub fn context(node: &Node, problems: &mut Problems) -> World {
    let mut world = World::default();
    let mut fields = Fields::open(node, "the context", problems);
    fields.type_of("Context", problems);
    fields.node("metadata");
    if let Some(node) = fields.node("spec") {
        let mut spec = Fields::open(node, "`spec`", problems);
        for object in spec.list("resources", problems) {
            world.add(object.to_json());
        }
        for image in spec.list("images", problems) {
            add_image(&image.to_json(), &mut world);
        }
        spec.finish(problems);
    }
    fields.finish(problems);
    world
}

/// What is said of an image for policies in CEL, by the names that `imageRegistry` has for it.
fn add_image(image: &Value, world: &mut World) {
    let mut data = Map::new();
    for (name, from) in [
        ("image", "image"),
        ("resolvedImage", "resolvedImage"),
        ("registry", "registry"),
        ("repository", "repository"),
        ("identifier", "digest"),
        ("identifier", "tag"),
        ("manifestList", "imageIndex"),
        ("manifest", "manifest"),
        ("configData", "config"),
    ] {
        if let Some(value) = image.get(from).filter(|value| !value.is_null()) {
            data.entry(name).or_insert_with(|| value.clone());
        }
    }
    if let Some(reference) = image.get("image").and_then(Value::as_str) {
        world.add_image(reference.to_owned(), Value::Object(data));
    }
}

/// An entry of `apiCallResponses`.
pub fn call_answer(node: &Node, problems: &mut Problems) -> CallAnswer {
    let mut fields = Fields::open(node, "an answer to a call", problems);
    let path = fields.text("urlPath", problems);
    let url = fields.text("url", problems);
    let mut answer = CallAnswer {
        target: path.or(url).unwrap_or_default(),
        method: fields
            .text("method", problems)
            .unwrap_or_else(|| "GET".to_owned()),
        status: 200,
        body: Value::Null,
    };
    if answer.target.is_empty() {
        let message = "an answer to a call names neither `urlPath` nor `url`";
        problems.error(Code::MissingField, node.span, message);
    }
    if let Some(node) = fields.node("response") {
        let mut response = Fields::open(node, "`response`", problems);
        if let Some(status) = response.node("statusCode") {
            answer.status = status.to_json().as_u64().unwrap_or(0);
        }
        answer.body = response.node("body").map_or(Value::Null, body);
        let written = |name| node.get(name).is_some();
        let help = "what a call answers stands below `body`: `response: {body: …}`";
        let is_body = !["statusCode", "body"].into_iter().any(written);
        response.finish_with(is_body.then_some(help), problems);
    }
    fields.finish(problems);
    answer
}

/// A body as policies see it: what a text is in JSON, if it is any.
fn body(node: &Node) -> Value {
    match node.to_json() {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        other => other,
    }
}

/// An entry of `globalContextEntries`, before its files are read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GlobalEntry {
    name: String,
    data: Option<Value>,
    resources: Vec<Value>,
    /// Paths of files with more of its resources.
    pub files: Vec<String>,
    field_path: Option<String>,
    projections: Vec<(String, String)>,
}

impl GlobalEntry {
    /// Reads an entry.
    pub fn decode(node: &Node, problems: &mut Problems) -> Self {
        let mut fields = Fields::open(node, "a global context entry", problems);
        let mut entry = Self {
            name: fields.text("name", problems).unwrap_or_default(),
            data: fields.node("data").map(body),
            resources: fields
                .list("resources", problems)
                .iter()
                .map(Node::to_json)
                .collect(),
            files: fields.texts("resourceFiles", problems),
            field_path: fields.text("fieldPath", problems),
            projections: Vec::new(),
        };
        for node in fields.list("projections", problems) {
            let mut fields = Fields::open(node, "a projection", problems);
            let name = fields.text("name", problems).unwrap_or_default();
            let path = fields.text("path", problems).unwrap_or_default();
            fields.finish(problems);
            entry.projections.push((name, path));
        }
        fields.finish(problems);
        if entry.name.is_empty() {
            let message = "a global context entry has no `name`";
            problems.error(Code::MissingField, node.span, message);
        }
        entry
    }

    /// Puts its value into a world, or says what keeps it from having one. Where there are projections, the value is the
    /// object of them by their names, and nothing else of the data, as Kyverno's runner has it; each is also found behind
    /// a dot, as a cluster's entries have it.
    pub fn put(
        self,
        read: Vec<Value>,
        environment: &Environment,
        world: &mut World,
    ) -> Result<(), String> {
        let listed = || Value::Array(self.resources.into_iter().chain(read).collect());
        let mut data = self.data.unwrap_or_else(listed);
        if let Some(path) = &self.field_path {
            data = value_of(path, &data, environment)?;
        }
        if !self.projections.is_empty() {
            let mut projected = Map::new();
            for (name, path) in self.projections {
                let value = value_of(&path, &data, environment)?;
                world.add_entry(format!("{}.{name}", self.name), value.clone());
                projected.insert(name, value);
            }
            data = Value::Object(projected);
        }
        world.add_entry(self.name, data);
        Ok(())
    }
}

fn value_of(path: &str, data: &Value, environment: &Environment) -> Result<Value, String> {
    let expression =
        Expression::parse(path).map_err(|error| format!("`{path}`: {}", error.message))?;
    let value = expression.evaluate(data, environment);
    value
        .map(std::borrow::Cow::into_owned)
        .map_err(|error| format!("`{path}`: {error}"))
}

#[cfg(test)]
mod tests;
