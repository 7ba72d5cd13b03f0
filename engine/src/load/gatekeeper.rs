//! Documents of Gatekeeper's, until all of them are there: a constraint may stand before its template.

use std::sync::Arc;

use crate::ast::gatekeeper::ConstraintTemplate;
use crate::ast::rego::InventoryKind;
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::gatekeeper::{self, Document};
use crate::source::Source;
use crate::{compile, yaml};

/// What could be read so far.
#[derive(Debug, Default)]
pub(super) struct Gatekeeper {
    /// Templates without errors.
    pub(super) templates: Vec<ConstraintTemplate>,
    /// Kinds that `data.inventory` holds.
    pub(super) synced: Vec<InventoryKind>,
    /// Constraints, unread.
    pub(super) constraints: Vec<(Arc<Source>, yaml::Node)>,
}

impl Gatekeeper {
    /// Takes a document.
    pub(super) fn document(
        &mut self,
        kind: Document,
        source: &Arc<Source>,
        document: &yaml::Node,
    ) -> Vec<Diagnostic> {
        match kind {
            Document::Template => self.template(source, document),
            Document::Constraint => {
                self.constraints
                    .push((Arc::clone(source), document.clone()));
                Vec::new()
            }
            Document::Synced => {
                let (kinds, said) = gatekeeper::synced(source, document);
                self.synced.extend(kinds);
                said
            }
        }
    }

    fn template(&mut self, source: &Arc<Source>, document: &yaml::Node) -> Vec<Diagnostic> {
        let (template, mut said) = gatekeeper::template(source, document);
        let Some(template) = template else {
            return said;
        };
        said.extend(compile::template(&template));
        let mut known = self.templates.iter();
        if let Some(other) = known.find(|other| other.kind.value == template.kind.value) {
            let kind = &template.kind;
            let (line, _) = other.source.position(other.kind.span.start);
            let message = format!(
                "there is a template of kind `{}` already, at {}:{line}",
                kind.value, other.source.name
            );
            let code = Code::DuplicatePolicy;
            said.push(Diagnostic::error(code, source, kind.span, message));
        }
        if !said.iter().any(Diagnostic::is_error) {
            self.templates.push(template);
        }
        said
    }
}
