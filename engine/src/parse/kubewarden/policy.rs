//! `ClusterAdmissionPolicy` and `AdmissionPolicy`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::admission::Operation;
use crate::ast::matching::{Filter, Selector};
use crate::ast::rego::{Constraint, InventoryKind, WebhookRule};
use crate::ast::{Policy, PolicyKind, Settings};
use crate::diagnostic::Code;
use crate::parse::annotations;
use crate::parse::fields::{Fields, Reader, one_line};
use crate::parse::matching::selector;
use crate::parse::policy::{FAILURE_POLICIES, read_metadata};
use crate::source::Spanned;
use crate::yaml::{Node, Value};

use super::{Asked, MODES, Mode, Mutates, allow, read_kinds, read_module, rule, rules};

/// Requests that are the same under another version: the API server decides that before it asks.
const MATCH_POLICIES: [(&str, ()); 2] = [("Exact", ()), ("Equivalent", ())];

pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Option<Policy> {
    let kind = kind(reader, document)?;
    let mut fields = reader.fields(document, "policy")?;
    fields.ignore(&["apiVersion", "kind", "status"]);
    let metadata = fields.require(reader, "metadata");
    let metadata = metadata.and_then(|node| read_metadata(reader, node));
    let spec = fields.require(reader, "spec");
    fields.finish(reader, &[]);
    let mut spec = reader.fields(spec?, "spec")?;
    let settings = settings(reader, &mut spec);
    let about = About::read(reader, &mut spec, kind);
    let asked = asked(reader, &mut spec, kind);
    refuse_conditions(reader, &mut spec);
    // Which server runs it, and what the API server is told of it.
    spec.ignore(&["policyServer", "sideEffects"]);
    spec.finish(reader, &[]);
    let (metadata, about, mut asked) = (metadata?, about?, asked?);
    annotations::check(reader, metadata.name.span, &metadata.annotations);
    let filter = about.filter(document);
    if let Some(own) = &mut asked.guest.kubewarden {
        own.constraint = about.constraint();
    }
    let namespace = match kind {
        PolicyKind::ClusterPolicy => None,
        PolicyKind::Policy => Some(
            metadata
                .namespace
                .unwrap_or_else(|| Spanned::new("default".to_owned(), metadata.name.span)),
        ),
    };
    Some(Policy {
        source: Arc::clone(reader.source()),
        span: document.span,
        kind,
        namespace,
        annotations: metadata.annotations,
        labels: metadata.labels,
        settings,
        rules: vec![rule(metadata.name.clone(), document.span, filter, asked)],
        name: metadata.name,
    })
}

/// Which of the two kinds; the others are refused by name.
fn kind(reader: &mut Reader<'_>, document: &Node) -> Option<PolicyKind> {
    let text = |name| document.get(name).and_then(Node::as_str).unwrap_or("");
    let span = document.get("kind").map_or(document.span, |node| node.span);
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kind.ends_with("AdmissionPolicyGroup") {
        super::refuse_group(reader, span, &format!("`{}`", one_line(kind)));
        return None;
    }
    match (version, kind) {
        ("policies.kubewarden.io/v1", "ClusterAdmissionPolicy") => Some(PolicyKind::ClusterPolicy),
        ("policies.kubewarden.io/v1", "AdmissionPolicy") => Some(PolicyKind::Policy),
        _ => {
            let (version, kind) = (one_line(version), one_line(kind));
            let message = format!("`{kind}` of `{version}` is not supported");
            let made = reader.error(Code::NotSupported, span, message);
            made.set_help(
                "`ClusterAdmissionPolicy` and `AdmissionPolicy` of `policies.kubewarden.io/v1` are",
            );
            None
        }
    }
}

fn settings(reader: &mut Reader<'_>, spec: &mut Fields<'_>) -> Settings {
    spec.choice(reader, "matchPolicy", &MATCH_POLICIES);
    let timeout = spec.take("timeoutSeconds");
    Settings {
        failure_policy: spec.choice(reader, "failurePolicy", &FAILURE_POLICIES),
        webhook_timeout_seconds: timeout
            .and_then(|node| reader.integer(node, "timeoutSeconds", (1, 30))),
        background: spec.flag(reader, "backgroundAudit"),
        ..Settings::default()
    }
}

/// What the policy is about.
struct About {
    rules: Vec<WebhookRule>,
    labels: Option<Selector>,
    namespace_labels: Option<Selector>,
}

impl About {
    fn read(reader: &mut Reader<'_>, spec: &mut Fields<'_>, kind: PolicyKind) -> Option<Self> {
        let rules = spec.require(reader, "rules");
        let rules = rules.and_then(|node| rules::read(reader, node));
        let mut select = |name: &'static str| {
            let written = spec.take(name);
            written.map_or(Some(None), |node| selector(reader, node, name).map(Some))
        };
        let labels = select("objectSelector");
        let namespace_labels = match kind {
            PolicyKind::ClusterPolicy => select("namespaceSelector"),
            PolicyKind::Policy => Some(None),
        };
        Some(Self {
            rules: rules?,
            labels: labels?,
            namespace_labels: namespace_labels?,
        })
    }

    /// What the index narrows by, and the object's labels.
    fn filter(&self, document: &Node) -> Filter {
        let mut filter = Filter::everything(document.span);
        if let Some(resources) = &mut filter.resources {
            let any = self.rules.iter().any(|rule| rule.operations.is_empty());
            let named = self.rules.iter().filter(|_| !any);
            let operations: BTreeSet<Operation> = named
                .flat_map(|rule| rule.operations.iter().copied())
                .collect();
            resources.operations = operations
                .into_iter()
                .map(|operation| Spanned::new(operation, document.span))
                .collect();
            resources.selector.clone_from(&self.labels);
        }
        filter
    }

    fn constraint(self) -> Constraint {
        Constraint {
            namespace_selector: self.namespace_labels,
            rules: self.rules,
            ..Constraint::default()
        }
    }
}

/// What is asked of the module.
fn asked(reader: &mut Reader<'_>, spec: &mut Fields<'_>, kind: PolicyKind) -> Option<Asked> {
    let module = spec.require(reader, "module");
    let guest = read_module(reader, spec, module);
    let mutating = spec.require(reader, "mutating");
    let mutating = mutating.and_then(|node| reader.flag(node, "mutating"));
    let mode = spec.choice(reader, "mode", &MODES);
    let kinds: Option<Vec<InventoryKind>> = match kind {
        PolicyKind::ClusterPolicy => read_kinds(reader, spec),
        PolicyKind::Policy => Some(Vec::new()),
    };
    let mut guest = guest?;
    match kind {
        PolicyKind::ClusterPolicy => allow(&mut guest, kinds?),
        // Who may write policies of one namespace may not send the server anywhere.
        PolicyKind::Policy => {}
    }
    Some(Asked {
        guest,
        mode: mode.map_or(Mode::Protect, |mode| mode.value),
        mutates: if mutating?.value {
            Mutates::Yes
        } else {
            Mutates::No
        },
    })
}

/// Conditions are in CEL; none at all hold.
fn refuse_conditions(reader: &mut Reader<'_>, spec: &mut Fields<'_>) {
    let conditions = spec.take("matchConditions");
    let Some(node) =
        conditions.filter(|node| !matches!(&node.value, Value::List(items) if items.is_empty()))
    else {
        return;
    };
    let message = "`matchConditions` of `spec` is not supported yet: they are written in CEL";
    reader
        .error(Code::NotSupportedYet, node.span, message)
        .set_help("a `ClusterPolicy` has `preconditions` beside `validate.wasm`");
}
