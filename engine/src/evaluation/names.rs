//! What the names at the root of an expression stand for: the request, images, elements, and the entries of contexts.
//!
//! Everything is made when it is first asked for. An entry of a context that the host has to be asked for makes the
//! expression pending; once the host has answered, the rule is evaluated again.

mod image;
mod load;
mod size;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};

use serde_json::{Map, Value};

use crate::jmespath::{Environment, ExpressionError, Scope, ScopeError, Within};
use crate::limits::CONTEXT_CHAIN;
use crate::program::{ContextEntry, Query};
use crate::response::RuleStatus;
use crate::template::{Deletion, Resolution, Template, TemplateError, Text};

use super::facts::Facts;
use super::request_names::{RequestNames, is_reserved};
use super::variables::{self, Given};

pub(super) use image::ImageName;

/// Where `{{@}}` looks: the template stands where the object does.
const HERE: [&str; 2] = ["request", "object"];

/// The same where another resource is changed than the request's.
const TARGET: [&str; 1] = ["target"];

/// What all names of a request share.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    /// Names of the request itself.
    pub(super) request: &'a RequestNames<'a>,
    /// Values that the host was given for names, by name.
    pub(super) given: &'a Given,
    /// Time and seed.
    pub(super) environment: &'a Environment,
    /// Whether the object goes away.
    pub(super) deletion: Deletion,
    /// What the host was asked, and what it said.
    pub(super) facts: &'a RefCell<Facts>,
    /// The namespace of the policy, where it is confined to one.
    pub(super) namespace: Option<&'a str>,
}

/// The fields of an attestation's predicate: names, but for those that mean something already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Predicate<'a> {
    /// The fields; none where the predicate is no map.
    pub(super) fields: Option<&'a Map<String, Value>>,
    /// What `builder` stands for.
    pub(super) builder: Builder<'a>,
}

/// What the name `builder` stands for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Builder<'a> {
    /// The field of that name.
    #[default]
    Field,
    /// This value, or nothing, and never the field.
    Alias(Option<&'a Value>),
}

impl<'a> Predicate<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        match (self.builder, name) {
            (Builder::Alias(builder), "builder") => builder,
            _ => self.fields?.get(name),
        }
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.into_iter().flat_map(Map::keys);
        let alias = matches!(self.builder, Builder::Alias(_)).then_some("builder");
        fields.map(String::as_str).chain(alias)
    }
}

/// One layer of names; what it does not have is looked up in the layer below.
pub(crate) struct Names<'a> {
    ground: Ground<'a>,
    below: Option<&'a Names<'a>>,
    locals: Vec<(String, Value)>,
    predicate: Predicate<'a>,
    /// The image that the layer is about.
    image: Option<&'a ImageName<'a>>,
    /// The index of the element that the layer is about.
    element: Option<usize>,
    entries: &'a [ContextEntry],
    loaded: Vec<Loaded>,
    /// Bytes of the entries of this layer that are there.
    bytes: Cell<usize>,
    /// Where `{{@}}` looks.
    here: &'static [&'static str],
}

#[derive(Default)]
struct Loaded {
    value: OnceCell<Result<Value, ScopeError>>,
    /// Being made now: an entry that needs itself does not see itself.
    busy: Cell<bool>,
}

impl<'a> Names<'a> {
    /// The lowest layer: the request and the entries of a rule's context.
    pub(super) fn of_rule(ground: Ground<'a>, entries: &'a [ContextEntry]) -> Self {
        Self {
            ground,
            below: None,
            locals: Vec::new(),
            predicate: Predicate::default(),
            image: None,
            element: None,
            entries,
            loaded: entries.iter().map(|_| Loaded::default()).collect(),
            bytes: Cell::new(0),
            here: &HERE,
        }
    }

    /// A layer above this.
    pub(super) fn above(
        &'a self,
        locals: Vec<(String, Value)>,
        entries: &'a [ContextEntry],
    ) -> Self {
        Self {
            ground: self.ground,
            below: Some(self),
            locals,
            predicate: Predicate::default(),
            image: None,
            element: None,
            entries,
            loaded: entries.iter().map(|_| Loaded::default()).collect(),
            bytes: Cell::new(0),
            here: self.here,
        }
    }

    /// A layer above this, for another resource that is to be changed.
    pub(super) fn of_target(&'a self, target: &Value, entries: &'a [ContextEntry]) -> Self {
        Self {
            here: &TARGET,
            ..self.above(vec![("target".to_owned(), target.clone())], entries)
        }
    }

    /// A layer above this, for an element of a list.
    pub(super) fn of_element(
        &'a self,
        index: usize,
        locals: Vec<(String, Value)>,
        entries: &'a [ContextEntry],
    ) -> Self {
        Self {
            element: Some(index),
            ..self.above(locals, entries)
        }
    }

    /// A layer above this, with the fields of a predicate.
    pub(super) fn with_predicate(&'a self, predicate: Predicate<'a>) -> Self {
        Self {
            predicate,
            ..self.above(Vec::new(), &[])
        }
    }

    /// A layer above this, for an image: its name is `image`.
    pub(super) fn of_image(&'a self, image: &'a ImageName<'a>) -> Self {
        Self {
            image: Some(image),
            ..self.above(Vec::new(), &[])
        }
    }

    /// Whether a name means something already.
    pub(super) fn has(&self, name: &str) -> bool {
        self.locals.iter().any(|(local, _)| local == name)
            || self.of_image_named(name).is_some()
            || self.of_predicate(name).is_some()
            || self.entries.iter().any(|entry| entry.name == name)
            || self.ground.given.names.contains_key(name)
            || (self.element.is_some() && self.varies(name))
            || self.below.is_some_and(|below| below.has(name))
    }

    /// Whether the layer is about an element of a list.
    pub(super) fn is_about_element(&self) -> bool {
        self.element.is_some()
    }

    /// Whether a name is the element's, or one of those of the elements around it.
    pub(super) fn is_of_element(&self, name: &str) -> bool {
        if self.locals.iter().any(|(local, _)| local == name) {
            return self.is_about_element();
        }
        let shadowed = self.entries.iter().any(|entry| entry.name == name);
        !shadowed && self.below.is_some_and(|below| below.is_of_element(name))
    }

    /// Whether a name may stand for what the host has to be asked for.
    pub(super) fn may_ask(&self) -> bool {
        self.entries.iter().any(|entry| !load::is_own(entry))
            || self.below.is_some_and(Names::may_ask)
    }

    /// The name of the object that a rule changes, with what it has become: a target, or else the object of the request.
    pub(super) fn with_changed(&self, object: &Value) -> (String, Value) {
        if self.here == TARGET.as_slice() {
            ("target".to_owned(), object.clone())
        } else {
            ("request".to_owned(), self.with_object(object))
        }
    }

    /// The request with another object.
    pub(super) fn with_object(&self, object: &Value) -> Value {
        let mut request = match self.field("request") {
            Ok(Some(request)) => request.into_owned(),
            Ok(None) | Err(_) => Value::Object(Map::new()),
        };
        if let Value::Object(fields) = &mut request {
            fields.insert("object".to_owned(), object.clone());
        }
        request
    }

    /// What it means that something is larger than it may be: whoever wrote the object wrote it so, and that must not be
    /// what lets it in where errors do. Where names may stand for what the host was asked for, that may be why; how much is
    /// asked for, the object says.
    pub(super) fn too_large(&self) -> RuleStatus {
        if self.may_ask() && !self.ground.facts.borrow().is_full() {
            RuleStatus::Error
        } else {
            RuleStatus::Fail
        }
    }

    /// The same of an expression, which may name nothing that the host was asked for.
    pub(super) fn too_large_in(&self, query: &Query) -> RuleStatus {
        let is_asked = |name: Option<&str>| name.is_none_or(|name| self.is_entry(name));
        let known = query.expression.as_ref();
        let own = known.is_some_and(|known| !known.root_names().into_iter().any(is_asked));
        if own {
            RuleStatus::Fail
        } else {
            self.too_large()
        }
    }

    /// Whether a name is that of an entry of a context.
    fn is_entry(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
            || self.below.is_some_and(|below| below.is_entry(name))
    }

    /// How many layers stand below this one.
    pub(super) fn depth(&self) -> usize {
        self.below.map_or(0, |below| 1 + below.depth())
    }

    /// The value of a template.
    pub(crate) fn template(&self, template: &Template) -> Result<Value, TemplateError> {
        self.value(template).map(Cow::into_owned)
    }

    /// The value of a template that is a patch for a strategic merge.
    pub(super) fn patch(&self, template: &Template) -> Result<Value, TemplateError> {
        template
            .resolve_patch(&self.resolution())
            .map(Cow::into_owned)
    }

    /// The same, without a copy of what holds no variable.
    pub(crate) fn value<'t>(
        &self,
        template: &'t Template,
    ) -> Result<Cow<'t, Value>, TemplateError> {
        template.resolve(&self.resolution())
    }

    /// The value of a text.
    pub(crate) fn text(&self, text: &Text) -> Result<Value, TemplateError> {
        text.resolve(&self.resolution())
    }

    /// The value of a text that is an expression.
    pub(super) fn query(&self, query: &Query) -> Result<Value, QueryError> {
        let expression = self.expression(query)?;
        let value = expression.evaluate(self, self.ground.environment);
        value
            .map(Cow::into_owned)
            .map_err(|error| QueryError::Evaluation(expression.text().to_owned(), error))
    }

    /// What the image's name stands for, where the layer is about one.
    fn of_image_named(&self, name: &str) -> Option<&'a Value> {
        self.image.filter(|_| name == image::NAME)?.value()
    }

    /// A field of the predicate; never one whose name means something already.
    fn of_predicate(&self, name: &str) -> Option<&'a Value> {
        let field = self.predicate.get(name)?;
        let taken = is_reserved(name) || self.below.is_some_and(|below| below.has(name));
        (!taken).then_some(field)
    }

    /// Whether a value is given for a name for each element.
    fn varies(&self, name: &str) -> bool {
        let first = self.ground.given.of_elements.first();
        first.is_some_and(|names| names.contains_key(name))
    }

    /// What is given for a name: for the element, where the layer is about one and the name is given for each.
    fn given(&self, name: &str) -> Result<Option<&'a Value>, ScopeError> {
        let given = self.ground.given;
        match self.element.filter(|_| self.varies(name)) {
            None => Ok(given.names.get(name)),
            Some(index) => {
                let of_element = given.of_elements.get(index);
                let value = of_element.and_then(|names| names.get(name));
                value.map(Some).ok_or_else(|| {
                    ScopeError::Failed(format!("no value is given for `{name}` of element {index}"))
                })
            }
        }
    }

    fn resolution(&self) -> Resolution<'_> {
        Resolution {
            scope: self,
            environment: self.ground.environment,
            deletion: self.ground.deletion,
            here: self.here,
        }
    }

    /// The value of an entry of this layer.
    fn entry(&self, index: usize) -> Result<Option<Cow<'_, Value>>, ScopeError> {
        let (Some(entry), Some(loaded)) = (self.entries.get(index), self.loaded.get(index)) else {
            return Ok(None);
        };
        if loaded.value.get().is_none() {
            loaded.busy.set(true);
            let made = self.ground.request.making(|| {
                let value = self.load(entry);
                value.and_then(|value| self.counted(entry, value))
            });
            loaded.busy.set(false);
            let value = made.unwrap_or_else(|| {
                Err(ScopeError::Failed(format!(
                    "the context entry {} is needed by more than {CONTEXT_CHAIN} others, each for the next",
                    entry.name
                )))
            });
            if value == Err(ScopeError::Pending) {
                return Err(ScopeError::Pending);
            }
            // Nothing else sets it: the entry was busy in the meantime.
            drop(loaded.value.set(value));
        }
        match loaded.value.get() {
            Some(Ok(value)) => Ok(Some(Cow::Borrowed(value))),
            Some(Err(error)) => Err(error.clone()),
            None => Err(ScopeError::Failed("the value was not kept".to_owned())),
        }
    }

    /// The last entry of a name that is not being made.
    fn find_entry(&self, name: &str) -> Option<usize> {
        let free = |index: &usize| {
            self.entries
                .get(*index)
                .is_some_and(|entry| entry.name == name)
                && self
                    .loaded
                    .get(*index)
                    .is_some_and(|loaded| !loaded.busy.get())
        };
        (0..self.entries.len()).rev().find(free)
    }
}

impl Scope for Names<'_> {
    fn field(&self, name: &str) -> Result<Option<Cow<'_, Value>>, ScopeError> {
        let local = self.locals.iter().rev().find(|(local, _)| local == name);
        if let Some((_, value)) = local {
            return Ok(Some(Cow::Borrowed(value)));
        }
        if let Some(value) = self.of_image_named(name) {
            return Ok(Some(Cow::Borrowed(value)));
        }
        if let Some(value) = self.of_predicate(name) {
            return Ok(Some(Cow::Borrowed(value)));
        }
        if let Some(index) = self.find_entry(name) {
            let own = self.entries.get(index).is_some_and(load::is_own);
            // What the host was given stands for what it would have to fetch.
            let given = if own { None } else { self.given(name)? };
            let found = match given {
                Some(given) => Ok(Some(Cow::Borrowed(given))),
                None => self.entry(index),
            };
            if found != Err(ScopeError::Absent) {
                return found;
            }
        }
        let own = match self.below {
            Some(below) if self.element.is_some() && self.varies(name) => below.field(name)?,
            Some(below) => return below.field(name),
            None => self.ground.request.field(name)?,
        };
        Ok(match (self.given(name)?, own) {
            // What was given for a part of the request stands beside the rest of it.
            (Some(given), Some(own)) if given.is_object() && own.is_object() => {
                let mut own = own.into_owned();
                variables::merge(&mut own, given);
                Some(Cow::Owned(own))
            }
            (Some(given), _) => Some(Cow::Borrowed(given)),
            (None, own) => own,
        })
    }

    fn within(&self, name: &str, field: &str) -> Result<Within<'_>, ScopeError> {
        let here = self.locals.iter().any(|(local, _)| local == name)
            || self.entries.iter().any(|entry| entry.name == name)
            || self.of_image_named(name).is_some()
            || self.of_predicate(name).is_some()
            || self.given(name)?.is_some();
        Ok(match self.below {
            _ if here => Within::Unknown,
            Some(below) => below.within(name, field)?,
            None => self.ground.request.within(name, field),
        })
    }

    fn whole(&self) -> Result<Value, ScopeError> {
        let mut fields = Map::new();
        if let Some(below) = self.below {
            if let Value::Object(of_below) = below.whole()? {
                fields = of_below;
            }
        } else {
            fields = self.ground.request.whole()?;
            for (name, given) in &self.ground.given.names {
                let own = fields.entry(name.clone()).or_insert(Value::Null);
                variables::merge(own, given);
            }
        }
        let of_elements = self.ground.given.of_elements.iter().take(1);
        let of_elements = of_elements.filter(|_| self.element.is_some());
        let entries = self.entries.iter().map(|entry| &entry.name);
        for name in of_elements.flat_map(Map::keys).chain(entries) {
            // What has no source is not there; below, there may be something of its name.
            if let Some(value) = self.field(name)? {
                fields.insert(name.clone(), value.into_owned());
            }
        }
        for name in self.predicate.names() {
            if let Some(value) = self.of_predicate(name) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        if let Some(value) = self.of_image_named(image::NAME) {
            fields.insert(image::NAME.to_owned(), value.clone());
        }
        fields.extend(self.locals.iter().cloned());
        Ok(Value::Object(fields))
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum QueryError {
    /// The text of the expression has none.
    Text(TemplateError),
    /// It is no expression.
    Syntax(String, String),
    /// The evaluation failed.
    Evaluation(String, ExpressionError),
}

impl QueryError {
    /// Whether the host has to be asked first.
    pub(super) fn is_pending(&self) -> bool {
        match self {
            Self::Text(error) => error.is_pending(),
            Self::Syntax(..) => false,
            Self::Evaluation(_, error) => *error == ExpressionError::Scope(ScopeError::Pending),
        }
    }

    /// Whether a bound is the reason.
    pub(super) fn is_too_large(&self) -> bool {
        match self {
            Self::Text(error) => error.is_too_large(),
            Self::Syntax(..) => false,
            Self::Evaluation(_, error) => error.is_too_large(),
        }
    }

    /// Whether a map lacks a key that was asked for.
    pub(super) fn is_not_found(&self) -> bool {
        match self {
            Self::Text(error) => error.is_not_found(),
            Self::Syntax(..) => false,
            Self::Evaluation(_, error) => matches!(error, ExpressionError::NotFound(_)),
        }
    }
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(error) => write!(formatter, "{error}"),
            Self::Syntax(query, error) => write!(formatter, "incorrect query {query}: {error}"),
            Self::Evaluation(_, ExpressionError::Scope(error)) => write!(formatter, "{error}"),
            Self::Evaluation(_, error) => write!(formatter, "JMESPath query failed: {error}"),
        }
    }
}
