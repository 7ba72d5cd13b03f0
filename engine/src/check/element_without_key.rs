//! What it checks: an element of a list in a strategic merge patch has one of the keys by which Kubernetes tells the elements of
//! that list apart, without an anchor.
//!
//! Why: elements are found by their keys. One that has none is about no element of the object, and would take the object's own
//! elements away, which is an error of the rule. An anchor says when an element counts, and does not stay in the patch; an
//! element with one is put into the patch by its `name`, which is a key of some lists only.
//!
//! Example:
//!
//! ```yaml
//! - name: ports
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   mutate:
//!     patchStrategicMerge: {spec: {containers: [{name: web, ports: [{(containerPort): 80, name: http}]}]}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: ports
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   mutate:
//!     patchStrategicMerge: {spec: {containers: [{name: web, ports: [{containerPort: 80, name: http}]}]}}
//! ```

use crate::ast::matching::Kind;
use crate::ast::pattern::Anchor;
use crate::ast::template::{Template, TemplateValue, Text};
use crate::ast::{Rule, RuleBody};
use crate::diagnostic::{Code, Diagnostic};
use crate::mutate::merge_keys::{ListMerge, Shape};
use crate::wildcard;

use super::{Report, for_each_merge};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found: Vec<Diagnostic> = Vec::new();
    for rule in report.rules() {
        let shapes = shapes(rule);
        for_each_merge(rule, &mut |patch| {
            for shape in &shapes {
                of_value(report, patch, *shape, &mut found);
            }
        });
    }
    found.dedup();
    for diagnostic in found {
        report.add(diagnostic);
    }
}

/// What is known of the objects that a rule changes.
fn shapes(rule: &Rule) -> Vec<Shape> {
    let RuleBody::Mutate(mutate) = &rule.body else {
        return Vec::new();
    };
    if mutate.targets.is_empty() {
        let resources = rule.matches.filters.iter().flat_map(|one| &one.resources);
        let kinds = resources.flat_map(|resources| &resources.kinds);
        return kinds.filter_map(of_kind).collect();
    }
    let of_target = |target: &crate::ast::mutate::Target| {
        Shape::of(target.api_version.literal()?, target.kind.literal()?)
    };
    mutate.targets.iter().filter_map(of_target).collect()
}

/// The versions of Kubernetes' own kinds whose lists have keys.
const VERSIONS: [&str; 7] = [
    "v1",
    "apps/v1",
    "batch/v1",
    "policy/v1",
    "storage.k8s.io/v1",
    "admissionregistration.k8s.io/v1",
    "apiregistration.k8s.io/v1",
];

fn of_kind(kind: &Kind) -> Option<Shape> {
    VERSIONS.into_iter().find_map(|version| {
        let (group, of_group) = version.split_once('/').unwrap_or(("", version));
        let is_meant = kind.subresource.is_empty()
            && wildcard::matches(&kind.group, group)
            && wildcard::matches(&kind.version, of_group);
        is_meant.then(|| Shape::of(version, &kind.kind)).flatten()
    })
}

fn of_value(report: &Report<'_>, patch: &Template, shape: Shape, found: &mut Vec<Diagnostic>) {
    let TemplateValue::Map(entries) = &patch.value else {
        return;
    };
    for (key, value) in entries {
        // Below an anchor stands what the object is like, or what it does not have.
        let (None, Some(name)) = (anchor(key), key.literal()) else {
            continue;
        };
        let (TemplateValue::List(items), Some((merge, of_items))) =
            (&value.value, shape.list(name))
        else {
            of_value(report, value, shape.field(name), found);
            continue;
        };
        for item in items {
            if let ListMerge::Keys(keys) = merge
                && is_about_nobody(item, keys)
            {
                found.push(diagnostic(report, item, name, keys));
            }
            of_value(report, item, of_items, found);
        }
    }
}

fn diagnostic(report: &Report<'_>, item: &Template, list: &str, keys: &[&str]) -> Diagnostic {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    let keys = quoted.join(" or ");
    let message = format!("this element of `{list}` has no {keys}, so that it is about none");
    let diagnostic = report.warning(Code::ElementWithoutKey, item.span, message);
    diagnostic.help(if has_anchor(item) {
        format!(
            "write {keys} without an anchor, in a `foreach` where its value is another for each"
        )
    } else {
        format!("write {keys}")
    })
}

/// Whether an element says something, and not about which.
fn is_about_nobody(item: &Template, keys: &[&str]) -> bool {
    let TemplateValue::Map(entries) = &item.value else {
        return false;
    };
    // A directive may be all that an element has, and what a key with variables becomes is not known.
    let is_known = |(key, _): &(Text, Template)| key.literal().is_some_and(|key| key != "$patch");
    let is_key = |(key, value): &(Text, Template)| {
        keys.contains(&key.raw.as_str()) && value.value != TemplateValue::Null
    };
    let is_named = has_anchor(item) && keys.contains(&"name");
    entries.iter().all(is_known) && !entries.iter().any(is_key) && !is_named && says(item)
}

/// Whether something of a value stays in the patch. What has a global anchor only says when the patch counts.
fn says(value: &Template) -> bool {
    match &value.value {
        TemplateValue::Map(entries) => {
            let is_global = |(key, _): &(Text, Template)| anchor(key) == Some(Anchor::Global);
            let stays = |(key, value): &(Text, Template)| {
                matches!(anchor(key), None | Some(Anchor::AddIfAbsent)) && says(value)
            };
            !entries.iter().any(is_global) && entries.iter().any(stays)
        }
        TemplateValue::List(items) => items.iter().any(says),
        TemplateValue::Null
        | TemplateValue::Bool(_)
        | TemplateValue::Number(_)
        | TemplateValue::Text(_) => true,
    }
}

fn has_anchor(value: &Template) -> bool {
    match &value.value {
        TemplateValue::Map(entries) => entries
            .iter()
            .any(|(key, value)| anchor(key).is_some() || has_anchor(value)),
        TemplateValue::List(items) => items.iter().any(has_anchor),
        TemplateValue::Null
        | TemplateValue::Bool(_)
        | TemplateValue::Number(_)
        | TemplateValue::Text(_) => false,
    }
}

/// The anchor of a key, of those that mean something in a patch.
fn anchor(key: &Text) -> Option<Anchor> {
    match Anchor::split(&key.raw) {
        (Some(anchor @ (Anchor::Condition | Anchor::Global | Anchor::AddIfAbsent)), _) => {
            Some(anchor)
        }
        _ => None,
    }
}
