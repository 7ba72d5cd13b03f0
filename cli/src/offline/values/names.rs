//! The names in values, so that values which are about nothing can be told from those that are used.
//!
//! Knows names of policies, rules, resources and namespaces; what values do is not asked here.

use std::sync::Arc;

use regent_engine::diagnostic::{Code, Diagnostic};
use regent_engine::source::{Source, Span};
use regent_engine::yaml::{Node, Value};

use crate::offline::decode::closest;
use crate::offline::policies::Named;
use crate::offline::resources::Resource;

/// A name that values have, and where it stands.
#[derive(Debug, Clone)]
pub struct Name {
    of: Of,
    text: String,
    span: Span,
    source: Arc<Source>,
}

/// What a name is the name of.
#[derive(Debug, Clone)]
enum Of {
    Policy,
    /// Of the policy of this name.
    Rule(String),
    Resource,
    Namespace,
}

/// The names in a document of values.
pub fn of(node: &Node, source: &Arc<Source>) -> Vec<Name> {
    let mut names = Vec::new();
    let mut add = |of: Of, node: &Node| {
        let Some(name) = field(node, "name") else {
            return String::new();
        };
        let text = name.as_str().unwrap_or_default().to_owned();
        names.push(Name {
            of,
            text: text.clone(),
            span: name.span,
            source: Arc::clone(source),
        });
        text
    };
    for policy in list(node, "policies") {
        let name = add(Of::Policy, policy);
        for rule in list(policy, "rules") {
            add(Of::Rule(name.clone()), rule);
        }
        for resource in list(policy, "resources") {
            add(Of::Resource, resource);
        }
    }
    for namespace in list(node, "namespaceSelector") {
        add(Of::Namespace, namespace);
    }
    names
}

/// A field, whose name is read without regard to case as everywhere in files of tests.
fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    let mut entries = entries.iter();
    let found = entries.find(|entry| entry.key.eq_ignore_ascii_case(name));
    found.map(|entry| &entry.value)
}

fn list<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    match field(node, name).map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

impl Name {
    /// What is to be said where there is nothing of this name; where values rename resources, of those nobody knows.
    pub fn unknown(
        &self,
        policies: &[Named],
        resources: &[Resource],
        renamed: bool,
    ) -> Option<Diagnostic> {
        let (what, known): (String, Vec<&str>) = match &self.of {
            Of::Policy => {
                let names = policies.iter().map(|policy| policy.name.as_str());
                ("no policy is named".to_owned(), names.collect())
            }
            Of::Rule(of) => {
                let policy = policies.iter().find(|policy| policy.name == *of)?;
                if policy.rules.is_empty() || policy.has_rule(&self.text) {
                    return None;
                }
                let names = policy.rules.iter().map(String::as_str);
                (format!("policy `{of}` has no rule"), names.collect())
            }
            Of::Resource | Of::Namespace if renamed => return None,
            Of::Resource => {
                let names = resources.iter().map(|resource| resource.name.as_str());
                ("no resource is named".to_owned(), names.collect())
            }
            Of::Namespace => {
                let names = resources.iter().flat_map(|resource| {
                    let itself = (resource.kind == "Namespace").then_some(resource.name.as_str());
                    std::iter::once(resource.namespace.as_str()).chain(itself)
                });
                ("no resource is in a namespace".to_owned(), names.collect())
            }
        };
        if known.contains(&self.text.as_str()) {
            return None;
        }
        let message = format!("values are about nothing: {what} `{}`", self.text);
        let told = Diagnostic::warning(Code::InvalidValue, &self.source, self.span, message);
        Some(match closest(&self.text, &known) {
            Some(meant) => told.help(format!("did you mean `{meant}`?")),
            None => told,
        })
    }
}
