//! A policy's head: metadata, and what `spec` holds beside the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::verify_images::{AttestorIdentity, KeyPlace, VerifyImages};
use crate::ast::{ApplyRules, FailureActionOverride, Policy, PolicyKind, Rule, RuleBody, Settings};
use crate::diagnostic::Code;
use crate::response::{FailureAction, FailurePolicy};
use crate::source::{Span, Spanned};
use crate::yaml::{Node, Value};

use super::fields::{Fields, Reader};
use super::{annotations, matching, rule};

/// Words of `failureAction`; the lower case ones are deprecated.
pub(super) const FAILURE_ACTIONS: [(&str, FailureAction); 4] = [
    ("Enforce", FailureAction::Enforce),
    ("Audit", FailureAction::Audit),
    ("enforce", FailureAction::Enforce),
    ("audit", FailureAction::Audit),
];

pub(super) const FAILURE_POLICIES: [(&str, FailurePolicy); 2] = [
    ("Fail", FailurePolicy::Fail),
    ("Ignore", FailurePolicy::Ignore),
];

/// What the API server writes into `metadata`, or what only it reads.
const METADATA_OF_THE_SERVER: [&str; 11] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Option<Policy> {
    let mut fields = reader.fields(document, "policy")?;
    fields.ignore(&["apiVersion", "status"]);
    let kind = match fields.take("kind").and_then(Node::as_str) {
        Some("Policy") => PolicyKind::Policy,
        _ => PolicyKind::ClusterPolicy,
    };
    let metadata = fields.require(reader, "metadata");
    let spec = fields.require(reader, "spec");
    fields.finish(reader, &[]);
    let metadata = metadata.and_then(|node| read_unnamed(reader, node));
    let spec = spec.and_then(|node| reader.fields(node, "spec"));
    // A policy without a name is still read, for what else is wrong.
    let mut spec = spec?;
    let rules = spec.require(reader, "rules");
    refuse_moved(reader, &spec, rules);
    let settings = read_settings(reader, &mut spec);
    spec.finish(reader, &[]);
    let rules = match rules {
        Some(node) => {
            let items = reader.items(node, "rules");
            if items.is_empty() && matches!(node.value, Value::List(_)) {
                reader.error(Code::MissingField, node.span, "`spec` has no rules");
            }
            items
        }
        None => &[],
    };
    let rules: Vec<_> = rules.iter().map(|node| rule::read(reader, node)).collect();
    let metadata = match (metadata, kind) {
        (Some((_, metadata)), _) => metadata,
        (None, PolicyKind::ClusterPolicy) => Metadata::unread(document.span),
        // In which namespace it is decides what it may reach.
        (None, PolicyKind::Policy) => return None,
    };
    let namespace = match kind {
        PolicyKind::ClusterPolicy => None,
        PolicyKind::Policy => Some(
            metadata
                .namespace
                .unwrap_or_else(|| Spanned::new("default".to_owned(), metadata.name.span)),
        ),
    };
    let mut rules: Vec<Rule> = rules.into_iter().flatten().collect();
    annotations::check(reader, metadata.name.span, &metadata.annotations);
    annotations::spread(&metadata.annotations, &mut rules);
    if let Some(namespace) = &namespace {
        refuse_foreign_secrets(reader, &namespace.value, &rules);
        refuse_overrides(reader, &settings, &rules);
    }
    Some(Policy {
        source: Arc::clone(reader.source()),
        span: document.span,
        kind,
        name: metadata.name,
        namespace,
        annotations: metadata.annotations,
        labels: metadata.labels,
        settings,
        rules,
    })
}

pub(super) struct Metadata {
    pub(super) name: Spanned<String>,
    pub(super) namespace: Option<Spanned<String>>,
    pub(super) annotations: BTreeMap<String, Spanned<String>>,
    pub(super) labels: BTreeMap<String, Spanned<String>>,
}

/// Settings that moved into the rules, written in both places.
fn refuse_moved(reader: &mut Reader<'_>, spec: &Fields<'_>, rules: Option<&Node>) {
    let Some(Value::List(rules)) = rules.map(|node| &node.value) else {
        return;
    };
    for (name, parent) in [
        ("generateExisting", "generate"),
        ("mutateExistingOnPolicyUpdate", "mutate"),
    ] {
        let new = |rule: &Node| {
            rule.get(parent)
                .is_some_and(|body| body.get(name).is_some())
        };
        if let Some(old) = spec.peek(name).filter(|_| rules.iter().any(new)) {
            let message = format!("`{name}` is also set in `{parent}` of a rule");
            reader
                .error(Code::ConflictingSettings, old.span, message)
                .set_help(format!("remove the deprecated `spec.{name}`"));
        }
    }
}

/// What failures mean in other namespaces is nothing that a policy of one can say.
fn refuse_overrides(reader: &mut Reader<'_>, settings: &Settings, rules: &[Rule]) {
    let of_rules = rules.iter().flat_map(|rule| match &rule.body {
        RuleBody::Validate(validate) => validate.failure_action_overrides.as_slice(),
        RuleBody::Mutate(_) | RuleBody::Generate(_) | RuleBody::VerifyImages(_) => &[],
    });
    let of_policy = &settings.validation_failure_action_overrides;
    for one in of_policy.iter().chain(of_rules) {
        let message = "only a ClusterPolicy has other failure actions for some namespaces";
        reader.error(Code::InvalidValue, one.span, message);
    }
}

/// A policy of one namespace reads no secret of another.
fn refuse_foreign_secrets(reader: &mut Reader<'_>, own: &str, rules: &[Rule]) {
    let entries = rules.iter().flat_map(|rule| match &rule.body {
        RuleBody::VerifyImages(entries) => entries.as_slice(),
        RuleBody::Validate(_) | RuleBody::Mutate(_) | RuleBody::Generate(_) => &[],
    });
    for attestor in entries.flat_map(VerifyImages::all_attestors) {
        let AttestorIdentity::RemoteKey(key) = &attestor.identity else {
            continue;
        };
        let KeyPlace::Secret { namespace, .. } = &key.place;
        if namespace != own {
            let message = format!("a policy of namespace `{own}` reads no secret of `{namespace}`");
            reader.error(Code::InvalidKey, key.span, message);
        }
    }
}

impl Metadata {
    /// What stands for one that could not be read.
    fn unread(span: Span) -> Self {
        Self {
            name: Spanned::new(String::new(), span),
            namespace: None,
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// An annotation.
    pub(super) fn annotation(&self, name: &str) -> Option<&Spanned<String>> {
        self.annotations.get(name)
    }
}

/// `metadata`; none where it has no name.
pub(super) fn read_metadata(reader: &mut Reader<'_>, node: &Node) -> Option<Metadata> {
    let (name, metadata) = read_unnamed(reader, node)?;
    name.map(|name| Metadata { name, ..metadata })
}

/// The name, which may be missing, and everything else.
fn read_unnamed(
    reader: &mut Reader<'_>,
    node: &Node,
) -> Option<(Option<Spanned<String>>, Metadata)> {
    let mut fields = reader.fields(node, "metadata")?;
    let name = fields.require(reader, "name");
    let name = name.and_then(|node| reader.text(node, "name"));
    let namespace = fields.text(reader, "namespace");
    let annotations = fields.text_map(reader, "annotations");
    let labels = fields.text_map(reader, "labels");
    fields.ignore(&METADATA_OF_THE_SERVER);
    fields.finish(reader, &[]);
    let by_key = |pairs: Vec<(Spanned<String>, Spanned<String>)>| {
        pairs
            .into_iter()
            .map(|(key, value)| (key.value, value))
            .collect()
    };
    let metadata = Metadata {
        name: (name.clone()).unwrap_or_else(|| Spanned::new(String::new(), node.span)),
        namespace,
        annotations: by_key(annotations),
        labels: by_key(labels),
    };
    Some((name, metadata))
}

fn read_settings(reader: &mut Reader<'_>, spec: &mut Fields<'_>) -> Settings {
    let seconds = |reader: &mut Reader<'_>, node: &Node, name| reader.integer(node, name, (1, 30));
    let apply = [("All", ApplyRules::All), ("One", ApplyRules::One)];
    let mut settings = Settings {
        apply_rules: spec.choice(reader, "applyRules", &apply),
        failure_policy: spec.choice(reader, "failurePolicy", &FAILURE_POLICIES),
        webhook_timeout_seconds: spec
            .take("webhookTimeoutSeconds")
            .and_then(|node| seconds(reader, node, "webhookTimeoutSeconds")),
        webhook_failure_policy: None,
        webhook_configuration_timeout_seconds: None,
        validation_failure_action: spec.choice(reader, "validationFailureAction", &FAILURE_ACTIONS),
        validation_failure_action_overrides: overrides(
            reader,
            spec,
            "validationFailureActionOverrides",
        ),
        emit_warning: spec.flag(reader, "emitWarning"),
        admission: spec.flag(reader, "admission"),
        background: spec.flag(reader, "background"),
    };
    let configuration = spec.take("webhookConfiguration");
    if let Some(mut fields) =
        configuration.and_then(|node| reader.fields(node, "webhookConfiguration"))
    {
        settings.webhook_failure_policy = fields.choice(reader, "failurePolicy", &FAILURE_POLICIES);
        settings.webhook_configuration_timeout_seconds = fields
            .take("timeoutSeconds")
            .and_then(|node| seconds(reader, node, "timeoutSeconds"));
        fields.finish(reader, &["matchConditions"]);
    }
    // `schemaValidation` has had no effect since Kyverno 1.11.
    spec.ignore(&["schemaValidation"]);
    // What a controller does with resources that exist already, and how, is not the engine's business.
    for name in [
        "generateExisting",
        "mutateExistingOnPolicyUpdate",
        "useServerSideApply",
    ] {
        spec.flag(reader, name);
    }
    spec.refuse_true(reader, "generateExistingOnPolicyUpdate");
    settings
}

/// `failureActionOverrides`, under either of its names.
pub(super) fn overrides(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    name: &'static str,
) -> Vec<FailureActionOverride> {
    let items = fields.items(reader, name);
    let read = items.iter().map(|item| override_of(reader, item));
    read.collect::<Vec<_>>().into_iter().flatten().collect()
}

fn override_of(reader: &mut Reader<'_>, node: &Node) -> Option<FailureActionOverride> {
    let mut fields = reader.fields(node, "failureActionOverrides")?;
    let action = fields.require(reader, "action");
    let action = action.and_then(|node| reader.choice(node, "action", &FAILURE_ACTIONS));
    let namespaces = fields.texts(reader, "namespaces");
    let selector = fields.take("namespaceSelector");
    let namespace_selector =
        selector.and_then(|node| matching::selector(reader, node, "namespaceSelector"));
    fields.finish(reader, &[]);
    Some(FailureActionOverride {
        span: node.span,
        action: action?,
        namespaces,
        namespace_selector,
    })
}
