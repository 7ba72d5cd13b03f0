//! Gatekeeper's documents: templates, constraints, and what says which resources `data.inventory` holds.
//!
//! A constraint is a policy with one rule, which asks the template's modules. What Gatekeeper documents of `match` is
//! read as its own code reads it; what is not evaluated here (CEL, expansion) is refused by name.

mod constraint;
mod synced;
mod template;

use std::sync::Arc;

use crate::ast::Policy;
use crate::ast::gatekeeper::ConstraintTemplate;
use crate::ast::rego::InventoryKind;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Source;
use crate::yaml::Node;

use super::fields::{Reader, one_line};

/// What a document of Gatekeeper's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A `ConstraintTemplate`.
    Template,
    /// A constraint, of the kind that a template gave it.
    Constraint,
    /// A `Config` or a `SyncSet`.
    Synced,
}

/// What a document is; none where it is not Gatekeeper's.
pub fn document(document: &Node) -> Option<Document> {
    let text = |name| document.get(name).and_then(Node::as_str).unwrap_or("");
    let (group, _) = text("apiVersion").split_once('/')?;
    match (group, text("kind")) {
        ("templates.gatekeeper.sh", "ConstraintTemplate") => Some(Document::Template),
        ("constraints.gatekeeper.sh", _) => Some(Document::Constraint),
        ("config.gatekeeper.sh", "Config") | ("syncset.gatekeeper.sh", "SyncSet") => {
            Some(Document::Synced)
        }
        _ => None,
    }
}

/// Reads a template.
pub fn template(
    source: &Arc<Source>,
    document: &Node,
) -> (Option<ConstraintTemplate>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let template = template::read(&mut reader, document);
    (template, reader.into_diagnostics())
}

/// Reads a constraint of one of some templates; `synced` are the kinds that `data.inventory` holds.
pub fn constraint(
    source: &Arc<Source>,
    document: &Node,
    (templates, synced): (&[ConstraintTemplate], &[InventoryKind]),
) -> (Option<Policy>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let kind = document.get("kind").and_then(Node::as_str).unwrap_or("");
    let template = templates
        .iter()
        .find(|template| template.kind.value == kind);
    let policy = if let Some(template) = template {
        constraint::read(&mut reader, document, (template, synced))
    } else {
        let span = document.get("kind").map_or(document.span, |node| node.span);
        let message = format!("there is no template of kind `{}`", one_line(kind));
        reader
            .error(Code::InvalidValue, span, message)
            .set_help("load its `ConstraintTemplate` with it; one with errors does not count");
        None
    };
    (policy, reader.into_diagnostics())
}

/// Reads which kinds `data.inventory` holds.
pub fn synced(source: &Arc<Source>, document: &Node) -> (Vec<InventoryKind>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let kinds = synced::read(&mut reader, document);
    (kinds, reader.into_diagnostics())
}
