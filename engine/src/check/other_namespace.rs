//! What it checks: a `Policy` makes, copies and changes resources of its own namespace only, and names that namespace; the
//! `ConfigMap`s of its `context` are of it too.
//!
//! Why: whoever may write policies in one namespace must not reach another by them.
//! Kyverno refuses such policies.
//!
//! Example:
//!
//! ```yaml
//! apiVersion: kyverno.io/v1
//! kind: Policy
//! metadata: {name: example, namespace: shop}
//! spec:
//!   rules:
//!     - name: copy
//!       match: {any: [{resources: {kinds: [ConfigMap]}}]}
//!       generate:
//!         apiVersion: v1
//!         kind: Secret
//!         name: registry
//!         namespace: shop
//!         clone: {name: registry, namespace: platform}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! apiVersion: kyverno.io/v1
//! kind: ClusterPolicy
//! metadata: {name: example}
//! spec:
//!   rules:
//!     - name: copy
//!       match: {any: [{resources: {kinds: [ConfigMap], namespaces: [shop]}}]}
//!       generate:
//!         apiVersion: v1
//!         kind: Secret
//!         name: registry
//!         namespace: shop
//!         clone: {name: registry, namespace: platform}
//! ```

use crate::ast::context::ContextSource;
use crate::ast::generate::{GenerateBody, Generated};
use crate::ast::template::Text;
use crate::ast::{PolicyKind, RuleBody};
use crate::diagnostic::Code;
use crate::source::Span;

use super::{Report, for_each_context};

pub(super) fn check(report: &mut Report<'_>) {
    let policy = report.policy;
    let (PolicyKind::Policy, Some(own)) = (policy.kind, &policy.namespace) else {
        return;
    };
    let mut found = Vec::new();
    let mut look = |what: &str, span: Span, namespace: Option<&Text>| {
        let written = namespace.map(|text| text.raw.as_str());
        if written != Some(own.value.as_str()) {
            let span = namespace.map_or(span, |text| text.span);
            let where_to = written.map_or("no namespace".to_owned(), |name| format!("`{name}`"));
            found.push((
                span,
                format!("a policy of namespace `{}` {what} {where_to}", own.value),
            ));
        }
    };
    for rule in report.rules() {
        for_each_context(rule, &mut |entry| {
            let ContextSource::ConfigMap { namespace, .. } = &entry.source else {
                return;
            };
            // What a variable says is known, and refused, when it is read.
            if let Some(text) = namespace.as_ref().filter(|text| text.literal().is_some()) {
                look("reads nothing of", text.span, Some(text));
            }
        });
        match &rule.body {
            RuleBody::Mutate(mutate) => {
                for target in &mutate.targets {
                    look("changes nothing in", target.span, target.namespace.as_ref());
                }
            }
            RuleBody::Generate(generate) => match &generate.body {
                GenerateBody::Resource(one) => of_generated(one, generate.span, &mut look),
                GenerateBody::Foreach(blocks) => {
                    for block in blocks {
                        of_generated(&block.resource, block.span, &mut look);
                    }
                }
            },
            RuleBody::Validate(_) | RuleBody::VerifyImages(_) => {}
        }
    }
    for (span, message) in found {
        let diagnostic = report.error(Code::OtherNamespace, span, message);
        report.add(diagnostic.help("a ClusterPolicy may, with `namespaces` in its `match`"));
    }
}

fn of_generated(made: &Generated, span: Span, look: &mut impl FnMut(&str, Span, Option<&Text>)) {
    let (to, from) = match made {
        Generated::Data { resource, .. } => (resource.namespace.as_ref(), None),
        Generated::Clone {
            resource,
            source_namespace,
            ..
        } => (resource.namespace.as_ref(), Some(source_namespace.as_ref())),
        Generated::CloneList {
            namespace,
            source_namespace,
            ..
        } => (namespace.as_ref(), Some(source_namespace.as_ref())),
    };
    look("makes nothing in", span, to);
    if let Some(from) = from {
        look("copies nothing from", span, from);
    }
}
