//! `mutate`: what a resource is changed into.

use crate::source::{Span, Spanned};

use super::condition::Conditions;
use super::context::ContextEntry;
use super::guest::Guest;
use super::matching::Selector;
use super::template::{Template, Text};

/// `mutate` of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Mutate {
    /// Where it was written.
    pub span: Span,
    /// `targets`: what is changed instead of the resource that the rule is about; none where it is that resource.
    pub targets: Vec<Target>,
    /// What is done.
    pub body: MutateBody,
}

/// What is done to a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum MutateBody {
    /// One patch.
    Patch(Patch),
    /// A patch for each element of some lists; never empty.
    Foreach(Vec<MutateForeach>),
    /// What a module makes of it; never in a block of `foreach`, nor of `targets`.
    Wasm(Box<Guest>),
}

/// A patch.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// `patchStrategicMerge`, anchors included.
    StrategicMerge(Template),
    /// `patchesJson6902`.
    Json(JsonPatch),
}

/// `patchesJson6902`: a text that holds operations as JSON or YAML.
///
/// The text is read with its variables in place, so that what a variable resolves to is a value and never an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPatch {
    /// Where it was written.
    pub span: Span,
    /// The operations, a list of maps.
    pub operations: Template,
    /// Values that are one variable in quotes: each is a text, whatever it resolves to.
    pub quoted: Vec<Vec<Step>>,
    /// Values that are one variable without quotes: a text that is a number or a boolean is one.
    pub plain: Vec<Vec<Step>>,
}

/// A step from a value to one in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A field.
    Field(String),
    /// An element.
    Element(usize),
}

/// A block of `mutate.foreach`.
#[derive(Debug, Clone, PartialEq)]
pub struct MutateForeach {
    /// Where it was written.
    pub span: Span,
    /// `list`: the expression of the elements.
    pub list: Text,
    /// `order`; without it the last element comes first in a strategic merge, and the first in a JSON patch.
    pub order: Option<Spanned<Order>>,
    /// `context`, made anew for each element.
    pub context: Vec<ContextEntry>,
    /// `preconditions`, of each element.
    pub preconditions: Option<Conditions>,
    /// What is done for each element.
    pub body: MutateBody,
}

/// In which order elements are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// The first comes first.
    Ascending,
    /// The last comes first.
    Descending,
}

/// An entry of `targets`.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where it was written.
    pub span: Span,
    /// `apiVersion`.
    pub api_version: Text,
    /// `kind`.
    pub kind: Text,
    /// `namespace`, with wildcards.
    pub namespace: Option<Text>,
    /// `name`, with wildcards; any where it was not written.
    pub name: Option<Text>,
    /// `uid`; any where it was not written.
    pub uid: Option<Text>,
    /// `selector`.
    pub selector: Option<Selector>,
    /// `context`, made anew for each target.
    pub context: Vec<ContextEntry>,
    /// `preconditions`, of each target.
    pub preconditions: Option<Conditions>,
}

impl MutateForeach {
    /// The order that counts.
    pub fn order(&self) -> Order {
        match (&self.order, &self.body) {
            (Some(order), _) => order.value,
            (None, MutateBody::Patch(Patch::StrategicMerge(_))) => Order::Descending,
            (
                None,
                MutateBody::Patch(Patch::Json(_)) | MutateBody::Foreach(_) | MutateBody::Wasm(_),
            ) => Order::Ascending,
        }
    }
}

impl Patch {
    /// The tree of texts that it is.
    pub fn template(&self) -> &Template {
        match self {
            Self::StrategicMerge(template) => template,
            Self::Json(patch) => &patch.operations,
        }
    }

    /// The same, to be changed.
    pub fn template_mut(&mut self) -> &mut Template {
        match self {
            Self::StrategicMerge(template) => template,
            Self::Json(patch) => &mut patch.operations,
        }
    }
}

impl MutateBody {
    /// Whether any patch of it is a JSON patch.
    pub fn has_json_patch(&self) -> bool {
        match self {
            Self::Patch(Patch::Json(_)) => true,
            Self::Patch(Patch::StrategicMerge(_)) | Self::Wasm(_) => false,
            Self::Foreach(blocks) => blocks.iter().any(|block| block.body.has_json_patch()),
        }
    }
}

impl Target {
    /// Calls `visit` for each text of the entry, apart from its conditions.
    pub fn for_each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        visit(&self.api_version);
        visit(&self.kind);
        for text in [&self.namespace, &self.name, &self.uid]
            .into_iter()
            .flatten()
        {
            visit(text);
        }
        for entry in &self.context {
            entry.for_each_text(visit);
        }
    }
}
