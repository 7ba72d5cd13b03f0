//! Kubewarden's documents: policies as a cluster has them, and the file of a policy server.
//!
//! Each is a policy with one rule, which asks the module. What it is about is read as the API server reads a webhook;
//! what is not evaluated here (CEL, expressions over groups of policies) is refused by name.

mod policy;
mod rules;
mod server;

use std::sync::Arc;

use crate::ast::Policy;
use crate::ast::guest::{Changes, Guest, Kubewarden};
use crate::ast::matching::{Combination, Filter, Filters};
use crate::ast::mutate::{Mutate, MutateBody};
use crate::ast::rego::{Constraint, InventoryKind};
use crate::ast::validate::{Validate, ValidateBody};
use crate::ast::{Origin, Rule, RuleBody};
use crate::diagnostic::{Code, Diagnostic};
use crate::response::FailureAction;
use crate::source::{Source, Span, Spanned};
use crate::wasm::bounds;
use crate::yaml::{Node, Value};

use super::fields::{Fields, Reader};
use super::guest;

/// The group of its documents.
pub const GROUP: &str = "policies.kubewarden.io";

/// What a document of Kubewarden's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// An object of the cluster.
    Object,
    /// The file of a policy server: a map from names to policies.
    Server,
}

/// What a document is; none where it is not Kubewarden's.
pub fn document(document: &Node) -> Option<Document> {
    let Value::Map(entries) = &document.value else {
        return None;
    };
    if let Some(version) = document.get("apiVersion") {
        let (group, _) = version.as_str()?.split_once('/')?;
        return (group == GROUP).then_some(Document::Object);
    }
    // Nothing says what the file is, but that something in it is a module or a group of them.
    let is_policy = |node: &Node| {
        let module = ["module", "url"].iter().find_map(|name| node.get(name));
        let module = module.and_then(Node::as_str);
        let named = module.is_some_and(|module| SCHEMES.iter().any(|one| module.starts_with(one)));
        named || (node.get("policies").is_some() && node.get("expression").is_some())
    };
    let known = entries.iter().any(|entry| is_policy(&entry.value));
    (known && document.get("kind").is_none()).then_some(Document::Server)
}

/// How modules are named.
const SCHEMES: [&str; 5] = ["registry://", "oci://", "file://", "https://", "http://"];

/// Reads a document: the policies that could be read, and what is wrong.
pub fn parse(
    kind: Document,
    source: &Arc<Source>,
    document: &Node,
) -> Vec<(Option<Policy>, Vec<Diagnostic>)> {
    match kind {
        Document::Object => {
            let mut reader = Reader::new(source);
            let policy = policy::read(&mut reader, document);
            vec![(policy, reader.into_diagnostics())]
        }
        Document::Server => server::read(source, document),
    }
}

/// Whether what is refused is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Protect,
    Monitor,
}

const MODES: [(&str, Mode); 2] = [("protect", Mode::Protect), ("monitor", Mode::Monitor)];

/// Whether the module may change the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutates {
    Yes,
    No,
}

/// What a policy says of its module, under whichever names.
struct Asked {
    guest: Guest,
    mode: Mode,
    mutates: Mutates,
}

/// Questions to the cluster.
const OF_CLUSTER: [&str; 4] = [
    "kubernetes/get_resource",
    "kubernetes/list_resources_all",
    "kubernetes/list_resources_by_namespace",
    "kubernetes/can_i",
];

/// Questions about images.
const OF_IMAGES: &str = "oci/*";

/// The fields that a policy and an entry of a policy server's file have in common.
fn read_module(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    module: Option<&Node>,
) -> Option<Guest> {
    let span = fields.span;
    let settings = fields.take("settings");
    let message = fields.text(reader, "message");
    let seconds = fields
        .take("timeoutEvalSeconds")
        .map_or(Some(None), |node| {
            let most = u32::try_from(bounds::MOST_TIMEOUT.as_secs()).unwrap_or(1);
            reader
                .integer(node, "timeoutEvalSeconds", (1, most))
                .map(Some)
        });
    let json = settings.map_or(Some(serde_json::json!({})), |node| {
        guest::read_settings(reader, node)
    });
    let module = module.and_then(|node| reader.text(node, "module"))?;
    let module = Spanned::new(with_scheme(&module.value), module.span);
    guest::check_module(reader, &module, None)?;
    let timeout = seconds?.map_or(TIMEOUT, |seconds| {
        std::time::Duration::from_secs(seconds.value.into())
    });
    Some(Guest {
        span,
        module,
        digest: None,
        verify: None,
        abi: None,
        settings: json?,
        settings_span: settings.map_or(span, |node| node.span),
        timeout: Some(timeout),
        memory: None,
        capabilities: Vec::new(),
        kubewarden: Some(Kubewarden {
            constraint: Constraint::default(),
            message: message.map(|text| text.value),
            kinds: Vec::new(),
            changes: Changes::Refused,
        }),
    })
}

/// The time of one call where the policy does not say, as Kubewarden's server has it: modules are written for that.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// Kubewarden takes a module without a scheme for one in a registry.
fn with_scheme(module: &str) -> String {
    if module.is_empty() || module.contains("://") {
        module.to_owned()
    } else {
        format!("registry://{module}")
    }
}

/// `contextAwareResources`: the kinds that the module may ask the cluster for.
fn read_kinds(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Vec<InventoryKind>> {
    let items = fields.items(reader, "contextAwareResources");
    let kinds = items.iter().map(|item| {
        let mut fields = reader.fields(item, "contextAwareResources")?;
        let version = fields.require(reader, "apiVersion");
        let version = version.and_then(|node| reader.text(node, "apiVersion"));
        let kind = fields.require(reader, "kind");
        let kind = kind.and_then(|node| reader.text(node, "kind"));
        fields.finish(reader, &[]);
        let version = version?.value;
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        Some(InventoryKind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind?.value,
        })
    });
    kinds.collect::<Vec<_>>().into_iter().collect()
}

/// Lets the module ask for kinds of the cluster, and about images.
fn allow(guest: &mut Guest, kinds: Vec<InventoryKind>) {
    let span = guest.module.span;
    let names = if kinds.is_empty() {
        &[][..]
    } else {
        &OF_CLUSTER
    };
    let names = names.iter().chain([&OF_IMAGES]);
    guest.capabilities = names
        .map(|name| Spanned::new((*name).to_owned(), span))
        .collect();
    if let Some(own) = &mut guest.kubewarden {
        own.kinds = kinds;
    }
}

/// The rule that asks the module.
fn rule(name: Spanned<String>, span: Span, filter: Filter, asked: Asked) -> Rule {
    let Asked {
        mut guest,
        mode,
        mutates,
    } = asked;
    let body = match (mode, mutates) {
        (Mode::Protect, Mutates::Yes) => RuleBody::Mutate(Mutate {
            span,
            targets: Vec::new(),
            body: MutateBody::Wasm(Box::new(guest)),
        }),
        (mode, mutates) => {
            // Who only looks on changes nothing either.
            if let (Mutates::Yes, Some(own)) = (mutates, &mut guest.kubewarden) {
                own.changes = Changes::Ignored;
            }
            let action = match mode {
                Mode::Protect => FailureAction::Enforce,
                Mode::Monitor => FailureAction::Audit,
            };
            RuleBody::Validate(Validate {
                span,
                failure_action: Some(Spanned::new(action, name.span)),
                failure_action_overrides: Vec::new(),
                // Kubewarden judges an update as it judges a creation.
                allow_existing_violations: false,
                message: None,
                body: ValidateBody::Wasm(Box::new(guest)),
            })
        }
    };
    Rule {
        span,
        name,
        origin: Origin::Written,
        matches: Filters {
            span: filter.span,
            combination: Combination::Any,
            filters: vec![filter],
        },
        excludes: None,
        context: Vec::new(),
        preconditions: None,
        image_extractors: Vec::new(),
        report_properties: Vec::new(),
        body,
    }
}

/// Says that a group of policies is not supported.
fn refuse_group(reader: &mut Reader<'_>, span: Span, what: &str) {
    let message =
        format!("{what} is not supported: its expression says which of its policies must hold");
    reader
        .error(Code::NotSupported, span, message)
        .set_help("where all of them must hold, write one policy for each");
}
