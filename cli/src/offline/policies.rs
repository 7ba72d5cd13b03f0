//! Policies as their files name them, so that a row which names none of them can be told from one that matched nothing.
//!
//! Knows three fields of a policy; what it means is the engine's business.

use std::sync::Arc;

use regent_engine::diagnostic::Diagnostic;
use regent_engine::load::POLICY_GROUPS;
use regent_engine::parse::{self, kubewarden};
use regent_engine::source::{Source, Span};
use regent_engine::yaml::{self, Node, Value};

use crate::render::place::Place;

/// One policy of a file.
#[derive(Debug, Clone)]
pub struct Named {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, for a kind that has one.
    pub namespace: Option<String>,
    /// `kind`.
    pub kind: String,
    /// Its API group.
    pub group: String,
    /// Whether one of its rules changes resources.
    pub mutates: bool,
    /// Whether one of its rules generates resources.
    pub generates: bool,
    /// The text that holds it.
    pub source: Arc<Source>,
    /// Where its name stands.
    pub span: Span,
    /// Names of its rules; none for kinds without.
    pub rules: Vec<String>,
    /// Where the names of its rules stand.
    pub rule_spans: Vec<Span>,
    /// Why it does not run.
    pub errors: Vec<Diagnostic>,
}

impl Named {
    /// Whether it is a policy at all, or was meant to be one: a file may hold other documents besides.
    pub fn is_policy(&self) -> bool {
        POLICY_GROUPS.contains(&self.group.as_str()) || POLICY_KINDS.contains(&self.kind.as_str())
    }

    /// Whether it is evaluated.
    pub fn runs(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether it is the policy of this name and namespace.
    ///
    /// A `Policy` without a namespace is in one all the same, and who loaded it says in which.
    pub fn is(&self, name: &str, namespace: Option<&str>) -> bool {
        let same_namespace = match (self.namespace.as_deref(), namespace) {
            (Some(written), Some(loaded)) => written == loaded,
            _ => true,
        };
        self.name == name && same_namespace
    }

    /// Whether it does not run only for what this version does not do yet.
    pub fn is_unsupported(&self) -> bool {
        !self.runs() && self.errors.iter().all(|error| error.code.is_unsupported())
    }

    /// Where a rule is named, by its own name or that of a rule which was generated from it; where the policy is, if it has
    /// no such rule.
    pub fn place(&self, rule: &str) -> Place {
        let span = self.rule_index(rule).and_then(|at| self.rule_spans.get(at));
        Place::line_of(&self.source, span.copied().unwrap_or(self.span))
    }

    /// Whether a row's rule is one of its, by its own name or that of a rule which was generated from it.
    pub fn has_rule(&self, rule: &str) -> bool {
        self.rule_index(rule).is_some()
    }

    fn rule_index(&self, rule: &str) -> Option<usize> {
        let base = rule
            .strip_prefix("autogen-cronjob-")
            .or_else(|| rule.strip_prefix("autogen-"))
            .unwrap_or(rule);
        self.rules
            .iter()
            .position(|known| known == rule || known == base)
    }
}

/// The policies of some texts, each with the errors that were found in it; then the errors of what may be a policy, and
/// cannot be read far enough to have a name, and those of texts in which nothing is a policy: who named one as policies
/// meant some.
pub fn named(texts: &[Arc<Source>], diagnostics: &[Diagnostic]) -> (Vec<Named>, Vec<Diagnostic>) {
    let (mut policies, mut nameless) = (Vec::new(), Vec::new());
    for text in texts {
        let errors: Vec<_> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error() && Arc::ptr_eq(&diagnostic.source, text))
            .collect();
        let (mut known, mut holds_policy) = (Vec::new(), false);
        let (documents, _) = yaml::parse(text);
        for node in documents.iter().flat_map(parse::unlisted) {
            let found = policies_of(text, node);
            let may_be = may_be_policy(node);
            holds_policy |= may_be || found.iter().any(|(policy, _)| policy.is_policy());
            if found.is_empty() && !may_be {
                known.push(node.span);
            }
            for (mut policy, span) in found {
                let own = errors.iter().filter(|error| is_about(error, span));
                policy.errors = own.copied().cloned().collect();
                policies.push(policy);
                known.push(span);
            }
        }
        if !holds_policy {
            known.clear();
        }
        let of_none = |error: &&&Diagnostic| !known.iter().any(|span| is_about(error, *span));
        nameless.extend(errors.iter().filter(of_none).copied().cloned());
    }
    (policies, nameless)
}

/// Whether an error is about what stands at a place; one without a place may be about any, so it is about all.
fn is_about(error: &Diagnostic, place: Span) -> bool {
    error.labels.first().is_none_or(|label| {
        let start = label.span.start;
        start >= place.start && start <= place.end
    })
}

/// Whether a document says that it is a policy, has the kind of one, or does not say what it is. A list may hold some.
fn may_be_policy(node: &Node) -> bool {
    let text = |name| node.get(name).and_then(Node::as_str);
    let is_of_kind =
        text("kind").is_some_and(|kind| kind == "List" || POLICY_KINDS.contains(&kind));
    is_of_kind
        || text("apiVersion").is_none_or(|version| {
            let group = version.split_once('/').map_or("", |(group, _)| group);
            POLICY_GROUPS.contains(&group)
        })
}

/// The policies of a document, each with where it stands: one, but for the file of a policy server.
fn policies_of(source: &Arc<Source>, node: &Node) -> Vec<(Named, Span)> {
    let of_server = kubewarden::document(node) == Some(kubewarden::Document::Server);
    if let (Value::Map(entries), true) = (&node.value, of_server) {
        let policies = entries.iter().map(|entry| {
            let name = (entry.key_span, entry.key.clone());
            let mutates = entry.value.get("allowedToMutate").is_some_and(is_true);
            let policy = Named {
                mutates,
                ..single(source, name, (kubewarden::GROUP, String::new()))
            };
            (
                policy,
                Span::new(entry.key_span.start, entry.value.span.end),
            )
        });
        return policies.collect();
    }
    let policy = policy(source, node);
    policy
        .into_iter()
        .map(|policy| (policy, node.span))
        .collect()
}

fn is_true(node: &Node) -> bool {
    matches!(node.value, Value::Bool(true))
}

fn policy(source: &Arc<Source>, node: &Node) -> Option<Named> {
    let metadata = node.get("metadata")?;
    let text = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
    let rules = node
        .get("spec")
        .and_then(|spec| spec.get("rules"))
        .map(|rules| &rules.value);
    let rules = match rules {
        Some(Value::List(rules)) => rules.as_slice(),
        _ => &[],
    };
    let version = text(node.get("apiVersion")).unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let kind = text(node.get("kind")).unwrap_or_default();
    let namespace = (kind != "ClusterPolicy")
        .then(|| text(metadata.get("namespace")))
        .flatten();
    let (names, rule_spans) = rules
        .iter()
        .filter_map(|rule| rule.get("name"))
        .filter_map(|name| Some((name.as_str()?.to_owned(), name.span)))
        .unzip();
    let name = metadata.get("name")?;
    let own = name.as_str()?.to_owned();
    if group == CONSTRAINTS {
        let rule = own.clone();
        // As the engine names it.
        let own = format!("{kind}.{own}");
        return Some(Named {
            rules: vec![rule],
            ..single(source, (name.span, own), (CONSTRAINTS, kind))
        });
    }
    if group == kubewarden::GROUP {
        let mutates = node.get("spec").and_then(|spec| spec.get("mutating"));
        return Some(Named {
            namespace,
            mutates: mutates.is_some_and(is_true),
            ..single(source, (name.span, own), (kubewarden::GROUP, kind))
        });
    }
    Some(Named {
        name: own,
        source: Arc::clone(source),
        span: name.span,
        namespace,
        kind,
        group: group.to_owned(),
        mutates: rules.iter().any(|rule| rule.get("mutate").is_some()),
        generates: rules.iter().any(|rule| rule.get("generate").is_some()),
        rules: names,
        rule_spans,
        errors: Vec::new(),
    })
}

/// Kinds that are policies whatever group is written before them: who misspells that meant a policy.
const POLICY_KINDS: [&str; 2] = ["ClusterPolicy", "Policy"];

/// The group of Gatekeeper's constraints.
const CONSTRAINTS: &str = "constraints.gatekeeper.sh";

/// A policy with one rule of its name.
fn single(
    source: &Arc<Source>,
    (span, name): (Span, String),
    (group, kind): (&str, String),
) -> Named {
    Named {
        name: name.clone(),
        source: Arc::clone(source),
        span,
        namespace: None,
        kind,
        group: group.to_owned(),
        mutates: false,
        generates: false,
        rules: vec![name],
        rule_spans: vec![span],
        errors: Vec::new(),
    }
}
