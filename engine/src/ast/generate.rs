//! `generate`: resources that come to be because of the one that the rule is about.

use crate::source::Span;

use super::condition::Conditions;
use super::context::ContextEntry;
use super::matching::Selector;
use super::template::{Template, Text};

/// `generate` of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Generate {
    /// Where it was written.
    pub span: Span,
    /// What is made.
    pub body: GenerateBody,
}

/// What is made.
#[derive(Debug, Clone, PartialEq)]
pub enum GenerateBody {
    /// One resource, or the copies of some.
    Resource(Box<Generated>),
    /// The same for each element of some lists; never empty.
    Foreach(Vec<GenerateForeach>),
}

/// A block of `generate.foreach`.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateForeach {
    /// Where it was written.
    pub span: Span,
    /// `list`: the expression of the elements.
    pub list: Text,
    /// `context`, made anew for each element.
    pub context: Vec<ContextEntry>,
    /// `preconditions`, of each element.
    pub preconditions: Option<Conditions>,
    /// What is made for each element.
    pub resource: Generated,
}

/// Where something is made, and what of.
#[derive(Debug, Clone, PartialEq)]
pub enum Generated {
    /// `data`: a new resource.
    Data {
        /// Which.
        resource: Reference,
        /// All but its identity.
        data: Template,
    },
    /// `clone`: the copy of one.
    Clone {
        /// Which.
        resource: Reference,
        /// `clone.name`.
        source_name: Text,
        /// `clone.namespace`.
        source_namespace: Option<Text>,
    },
    /// `cloneList`: copies of some, each under its own name.
    CloneList {
        /// Where they are made.
        namespace: Option<Text>,
        /// `cloneList.namespace`.
        source_namespace: Option<Text>,
        /// `cloneList.kinds`, as `v1/Secret`.
        kinds: Vec<Text>,
        /// `cloneList.selector`.
        selector: Option<Selector>,
    },
}

/// Which resource is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// `apiVersion`.
    pub api_version: Text,
    /// `kind`.
    pub kind: Text,
    /// `name`.
    pub name: Text,
    /// `namespace`.
    pub namespace: Option<Text>,
}

impl GenerateBody {
    /// The blocks of `foreach`; none where there is one resource.
    pub fn blocks(&self) -> &[GenerateForeach] {
        match self {
            Self::Resource(_) => &[],
            Self::Foreach(blocks) => blocks,
        }
    }
}

impl Generated {
    /// Calls `visit` for each text of it.
    pub fn for_each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        match self {
            Self::Data { resource, data } => {
                resource.for_each_text(visit);
                data.for_each_text(visit);
            }
            Self::Clone {
                resource,
                source_name,
                source_namespace,
            } => {
                resource.for_each_text(visit);
                visit(source_name);
                source_namespace.iter().for_each(visit);
            }
            Self::CloneList {
                namespace,
                source_namespace,
                kinds,
                selector: _,
            } => {
                let texts = namespace.iter().chain(source_namespace).chain(kinds);
                texts.for_each(visit);
            }
        }
    }
}

impl Reference {
    fn for_each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        for text in [&self.api_version, &self.kind, &self.name] {
            visit(text);
        }
        self.namespace.iter().for_each(visit);
    }
}
