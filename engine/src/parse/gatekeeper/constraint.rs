//! Constraints.

use std::sync::Arc;

use serde_json::Value;

use crate::ast::gatekeeper::ConstraintTemplate;
use crate::ast::matching::{Combination, Filter, Filters, Kind};
use crate::ast::rego::{Constraint, InventoryKind, RegoModules, Scope};
use crate::ast::validate::{Validate, ValidateBody};
use crate::ast::{Origin, Policy, PolicyKind, Rule, RuleBody, Settings};
use crate::diagnostic::Code;
use crate::parse::fields::{Fields, Reader};
use crate::parse::matching::selector;
use crate::parse::policy::read_metadata;
use crate::response::FailureAction;
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// Where Gatekeeper's webhook stands among the points of enforcement.
const WEBHOOK: &str = "validation.gatekeeper.sh";

/// What a violation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    DryRun,
    Warn,
    Deny,
}

const ACTIONS: [(&str, Action); 3] = [
    ("deny", Action::Deny),
    ("warn", Action::Warn),
    ("dryrun", Action::DryRun),
];

const SCOPES: [(&str, Option<Scope>); 3] = [
    ("*", None),
    ("Cluster", Some(Scope::Cluster)),
    ("Namespaced", Some(Scope::Namespaced)),
];

pub(super) fn read(
    reader: &mut Reader<'_>,
    document: &Node,
    (template, synced): (&ConstraintTemplate, &[InventoryKind]),
) -> Option<Policy> {
    let mut fields = reader.fields(document, "constraint")?;
    fields.ignore(&["apiVersion", "kind", "status"]);
    let metadata = fields.require(reader, "metadata");
    let metadata = metadata.and_then(|node| read_metadata(reader, node));
    let spec = fields.take("spec");
    fields.finish(reader, &[]);
    let name = metadata?.name;
    let mut action = Spanned::new(Action::Deny, name.span);
    let mut subject = Subject::everything(name.span);
    let mut parameters = None;
    if let Some(mut spec) = spec.and_then(|node| reader.fields(node, "spec")) {
        action = read_action(reader, &mut spec).unwrap_or(action);
        let written = spec.take("match");
        subject = written.map_or(Some(subject), |node| read_match(reader, node))?;
        parameters = spec.take("parameters").map(Node::to_json);
        spec.finish(reader, &[]);
    }
    let modules = RegoModules {
        source: Some(Arc::clone(&template.source)),
        parameters: parameters.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        inventory: inventory(&template.modules.inventory, synced),
        constraint: Some(subject.constraint),
        ..template.modules.clone()
    };
    Some(policy(
        reader,
        document,
        (template, name),
        (action, subject.filter, modules),
    ))
}

/// The kinds that the template asks for and that are synced for all.
fn inventory(asked: &[InventoryKind], synced: &[InventoryKind]) -> Vec<InventoryKind> {
    let mut kinds = asked.to_vec();
    let others = synced.iter().filter(|kind| !asked.contains(kind));
    kinds.extend(others.cloned());
    kinds
}

fn policy(
    reader: &Reader<'_>,
    document: &Node,
    (template, name): (&ConstraintTemplate, Spanned<String>),
    (action, filter, modules): (Spanned<Action>, Filter, RegoModules),
) -> Policy {
    let failure_action = match action.value {
        Action::Deny => FailureAction::Enforce,
        Action::Warn | Action::DryRun => FailureAction::Audit,
    };
    // Constraints of two templates may share a name.
    let key = format!("{}.{}", template.kind.value, name.value);
    Policy {
        source: Arc::clone(reader.source()),
        span: document.span,
        kind: PolicyKind::ClusterPolicy,
        namespace: None,
        annotations: std::collections::BTreeMap::new(),
        labels: std::collections::BTreeMap::new(),
        settings: Settings {
            emit_warning: Some(Spanned::new(action.value == Action::Warn, action.span)),
            ..Settings::default()
        },
        rules: vec![Rule {
            span: document.span,
            name: name.clone(),
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
            body: RuleBody::Validate(Validate {
                span: document.span,
                failure_action: Some(Spanned::new(failure_action, action.span)),
                failure_action_overrides: Vec::new(),
                // Gatekeeper judges an update as it judges a creation.
                allow_existing_violations: false,
                message: None,
                body: ValidateBody::Rego(Box::new(modules)),
            }),
        }],
        name: Spanned::new(key, name.span),
    }
}

/// `enforcementAction`, or of `scopedEnforcementActions` the strictest that is about the webhook.
fn read_action(reader: &mut Reader<'_>, spec: &mut Fields<'_>) -> Option<Spanned<Action>> {
    let words: Vec<(&'static str, Option<Action>)> = ACTIONS
        .iter()
        .map(|(word, action)| (*word, Some(*action)))
        .chain([("scoped", None)])
        .collect();
    let written = spec.choice(reader, "enforcementAction", &words);
    let scoped = spec.items(reader, "scopedEnforcementActions");
    let scoped: Vec<_> = scoped
        .iter()
        .map(|item| read_scoped(reader, item))
        .collect();
    let written = written?;
    if let Some(action) = written.value {
        return Some(Spanned::new(action, written.span));
    }
    let strictest = scoped.into_iter().flatten().max();
    if strictest.is_none() {
        let message = format!("no scoped action is about `{WEBHOOK}`: nothing is refused");
        reader.warning(Code::NeverEvaluated, written.span, message);
    }
    Some(Spanned::new(
        strictest.unwrap_or(Action::DryRun),
        written.span,
    ))
}

/// An entry of `scopedEnforcementActions`: its action, where it is about the webhook.
fn read_scoped(reader: &mut Reader<'_>, node: &Node) -> Option<Action> {
    let mut fields = reader.fields(node, "scopedEnforcementActions")?;
    let action = fields.choice(reader, "action", &ACTIONS);
    let mut names = Vec::new();
    for point in fields.items(reader, "enforcementPoints") {
        let mut point = reader.fields(point, "enforcementPoints")?;
        names.extend(point.text(reader, "name"));
        point.finish(reader, &[]);
    }
    fields.finish(reader, &[]);
    let here = names
        .iter()
        .any(|name| [WEBHOOK, "*"].contains(&name.value.as_str()));
    action.filter(|_| here).map(|action| action.value)
}

/// What a constraint is about.
struct Subject {
    filter: Filter,
    constraint: Constraint,
}

impl Subject {
    fn everything(span: Span) -> Self {
        Self {
            filter: Filter::everything(span),
            constraint: Constraint::default(),
        }
    }
}

fn read_match(reader: &mut Reader<'_>, node: &Node) -> Option<Subject> {
    let mut fields = reader.fields(node, "match")?;
    let mut subject = Subject::everything(node.span);
    let mut kinds = Vec::new();
    for item in fields.items(reader, "kinds") {
        kinds.extend(read_kinds(reader, item)?);
    }
    let scope = fields.choice(reader, "scope", &SCOPES);
    let name = fields
        .text(reader, "name")
        .filter(|name| !name.value.is_empty());
    let select = |reader: &mut Reader<'_>, fields: &mut Fields<'_>, what| {
        let written = fields.take(what);
        written.map_or(Some(None), |node| selector(reader, node, what).map(Some))
    };
    let labels = select(reader, &mut fields, "labelSelector");
    let of_namespace = select(reader, &mut fields, "namespaceSelector");
    let namespaces = fields.texts(reader, "namespaces");
    let excluded = fields.texts(reader, "excludedNamespaces");
    let source = fields.text(reader, "source");
    fields.finish(reader, &[]);
    if let Some(source) = source.filter(|source| source.value == "Generated") {
        let message =
            "the constraint is about generated resources only, and none are generated here";
        reader.warning(Code::NeverEvaluated, source.span, message);
        return None;
    }
    if let Some(resources) = &mut subject.filter.resources {
        resources.kinds = kinds;
        resources.names = name.into_iter().collect();
        resources.selector = labels?;
    }
    subject.constraint = Constraint {
        scope: scope.and_then(|scope| Some(Spanned::new(scope.value?, scope.span))),
        namespaces: Some(namespaces).filter(|namespaces| !namespaces.is_empty()),
        excluded_namespaces: excluded,
        namespace_selector: of_namespace?,
        rules: Vec::new(),
    };
    Some(subject)
}

/// An entry of `kinds`: each of its kinds in each of its groups; `*` and nothing at all are any.
fn read_kinds(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Kind>> {
    let mut fields = reader.fields(node, "kinds")?;
    let groups = fields.texts(reader, "apiGroups");
    let kinds = fields.texts(reader, "kinds");
    fields.finish(reader, &[]);
    let words = |written: Vec<Spanned<String>>| -> Vec<Spanned<String>> {
        if written.is_empty() || written.iter().any(|one| one.value == "*") {
            vec![Spanned::new("*".to_owned(), node.span)]
        } else {
            written
        }
    };
    let groups = words(groups);
    let each = words(kinds).into_iter().flat_map(|kind| {
        let groups = groups.iter();
        groups.map(move |group| Kind {
            span: kind.span,
            raw: kind.value.clone(),
            group: group.value.clone(),
            version: "*".to_owned(),
            kind: kind.value.clone(),
            subresource: String::new(),
        })
    });
    Some(each.collect())
}
