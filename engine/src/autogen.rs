//! Rules about Pods → rules about what makes Pods: Deployments and the others, and CronJobs. AST → AST.
//!
//! Follows Kyverno's autogen to the letter: when it is off for a whole policy, which filters change, and that
//! `request.object.spec` and `request.object.metadata` are rewritten wherever they stand in a text.
//! Spans stay those of the author's rule. Knows nothing of YAML.

mod rewrite;

use crate::ast::matching::{Filter, Filters, Kind};
use crate::ast::mutate::{MutateBody, Patch};
use crate::ast::pattern::{Pattern, PatternEntry, PatternNode};
use crate::ast::template::{Part, Template, TemplateValue, Text};
use crate::ast::validate::{Validate, ValidateBody};
use crate::ast::{Origin, PodPath, Policy, Rule, RuleBody};
use crate::source::{Span, Spanned};

/// The annotation that says for which controllers.
pub const ANNOTATION: &str = "pod-policies.kyverno.io/autogen-controllers";

/// Controllers with `spec.template`, as group, version and kind.
const CONTROLLERS: [(&str, &str, &str); 6] = [
    ("apps", "v1", "DaemonSet"),
    ("apps", "v1", "Deployment"),
    ("batch", "v1", "Job"),
    ("apps", "v1", "ReplicaSet"),
    ("*", "v1", "ReplicationController"),
    ("apps", "v1", "StatefulSet"),
];

const CRON_JOB: (&str, &str, &str) = ("batch", "v1", "CronJob");

/// The longest name of a rule.
const MAX_NAME: usize = 63;

/// Adds to a policy the rules that follow from those about Pods.
#[must_use]
pub fn autogen(mut policy: Policy) -> Policy {
    let requested = requested(&policy);
    if requested.is_empty() || !applies(&policy.rules) {
        return policy;
    }
    let templates: Vec<_> = CONTROLLERS
        .into_iter()
        .filter(|(_, _, kind)| requested.contains(kind))
        .collect();
    let mut generated = Vec::new();
    for rule in policy.rules.iter().filter(|rule| is_about_pods(rule)) {
        if !templates.is_empty() {
            generated.push(generate(rule, PodPath::Template, &templates));
        }
        if requested.contains(&CRON_JOB.2) {
            generated.push(generate(rule, PodPath::JobTemplate, &[CRON_JOB]));
        }
    }
    // Rules that an author saved under the names of these give way to them. Any other rule stays, whatever its name:
    // Kyverno leaves out all that begin with `autogen-`, without a word.
    policy.rules.retain(|rule| {
        let mut names = generated.iter().map(|made: &Rule| &made.name.value);
        !names.any(|name| *name == rule.name.value)
    });
    policy.rules.extend(generated);
    policy
}

/// The kinds that rules can be made for.
pub fn controllers() -> Vec<&'static str> {
    let all = CONTROLLERS.into_iter().chain([CRON_JOB]);
    all.map(|(_, _, kind)| kind).collect()
}

/// The kinds that the policy asks for; all where it does not say.
fn requested(policy: &Policy) -> Vec<&'static str> {
    let all = controllers().into_iter();
    match policy.annotations.get(ANNOTATION) {
        None => all.collect(),
        Some(written) => {
            let names: Vec<&str> = written.value.split(',').collect();
            all.filter(|kind| names.contains(kind)).collect()
        }
    }
}

/// Whether autogen is on: any one rule can turn it off for the whole policy.
fn applies(rules: &[Rule]) -> bool {
    let filters = || rules.iter().flat_map(all_filters);
    let supported = |filter: &Filter| {
        filter.resources.as_ref().is_none_or(|resources| {
            let mixes = resources.kinds.len() > 1 && resources.kinds.iter().any(is_pod);
            resources.names.is_empty()
                && resources.selector.is_none()
                && resources.annotations.is_empty()
                && !mixes
        })
    };
    let needed = |filter: &Filter| {
        let kinds = filter
            .resources
            .iter()
            .flat_map(|resources| &resources.kinds);
        kinds.into_iter().any(|kind| {
            let mut known = CONTROLLERS.into_iter().chain([CRON_JOB]);
            kind.raw == "Pod" || known.any(|(_, _, known)| kind.raw == known)
        })
    };
    let bodies = rules.iter().all(|rule| match &rule.body {
        // A module is given a whole request, and decides itself what in it is a pod.
        RuleBody::Validate(validate) => !matches!(validate.body, ValidateBody::Wasm(_)),
        RuleBody::VerifyImages(_) => true,
        // The paths of a JSON patch are not rewritten, and other resources than the rule's have no controllers.
        RuleBody::Mutate(mutate) => {
            mutate.targets.is_empty()
                && !mutate.body.has_json_patch()
                && !matches!(mutate.body, MutateBody::Wasm(_))
        }
        RuleBody::Generate(_) => false,
    });
    bodies && filters().all(supported) && filters().any(needed)
}

fn all_filters(rule: &Rule) -> impl Iterator<Item = &Filter> {
    let excludes = rule.excludes.iter().flat_map(|excludes| &excludes.filters);
    rule.matches.filters.iter().chain(excludes)
}

fn is_pod(kind: &Kind) -> bool {
    kind.kind == "Pod" && kind.subresource.is_empty()
}

fn has_pod(filter: &Filter) -> bool {
    let mut kinds = filter
        .resources
        .iter()
        .flat_map(|resources| &resources.kinds);
    kinds.any(is_pod)
}

/// Whether a rule is about Pods, and excludes Pods if it excludes kinds at all.
fn is_about_pods(rule: &Rule) -> bool {
    let has_kinds = |filter: &Filter| {
        let resources = filter.resources.as_ref();
        resources.is_some_and(|resources| !resources.kinds.is_empty())
    };
    let excludes_fit = rule.excludes.as_ref().is_none_or(|excludes| {
        !excludes.filters.iter().any(has_kinds) || excludes.filters.iter().any(has_pod)
    });
    let asks_modules = matches!(
        &rule.body,
        RuleBody::Validate(Validate {
            body: ValidateBody::Rego(_),
            ..
        })
    );
    // A module looks for the pod where its author says, and nobody can rewrite that.
    !asks_modules
        && !rule.name.value.starts_with("autogen-")
        && rule.matches.filters.iter().any(has_pod)
        && excludes_fit
}

fn generate(rule: &Rule, pod: PodPath, kinds: &[(&str, &str, &str)]) -> Rule {
    let prefix = match pod {
        PodPath::Template => "autogen-",
        PodPath::JobTemplate => "autogen-cronjob-",
    };
    let mut rule = rule.clone();
    let base = rule.name.value;
    let name: String = cut(&format!("{prefix}{base}"));
    rule.name = Spanned::new(name, rule.name.span);
    rule.origin = Origin::Autogen { base, pod };
    replace_kinds(&mut rule.matches, pod, kinds);
    if let Some(excludes) = &mut rule.excludes {
        replace_kinds(excludes, pod, kinds);
    }
    match &mut rule.body {
        RuleBody::Validate(validate) => wrap_patterns(validate, pod),
        RuleBody::Mutate(mutate) => wrap_patches(&mut mutate.body, pod),
        RuleBody::VerifyImages(_) | RuleBody::Generate(_) => {}
    }
    rewrite::rule(&mut rule, pod);
    rule
}

/// At most 63 bytes, as Kyverno cuts, but never inside of a character.
fn cut(name: &str) -> String {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name).to_owned()
}

/// Puts the controllers where Pods were. In a CronJob's rule Kyverno does so in all filters.
fn replace_kinds(filters: &mut Filters, pod: PodPath, kinds: &[(&str, &str, &str)]) {
    for filter in &mut filters.filters {
        let replace = pod == PodPath::JobTemplate || has_pod(filter);
        let Some(resources) = filter.resources.as_mut().filter(|_| replace) else {
            continue;
        };
        let span = resources
            .kinds
            .first()
            .map_or(resources.span, |kind| kind.span);
        resources.kinds = kinds.iter().map(|kind| controller(*kind, span)).collect();
    }
}

fn controller((group, version, kind): (&str, &str, &str), span: Span) -> Kind {
    let raw = if group == "*" {
        format!("{version}/{kind}")
    } else {
        format!("{group}/{version}/{kind}")
    };
    Kind {
        span,
        raw,
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        subresource: String::new(),
    }
}

fn wrap_patterns(validate: &mut Validate, pod: PodPath) {
    match &mut validate.body {
        ValidateBody::Pattern(pattern) => wrap(pattern, pod),
        ValidateBody::AnyPattern(patterns) => {
            for pattern in patterns {
                wrap(pattern, pod);
            }
        }
        // Elements of `foreach` are found by an expression, which is rewritten.
        ValidateBody::Deny(_)
        | ValidateBody::Foreach(_)
        | ValidateBody::PodSecurity(_)
        | ValidateBody::Rego(_)
        | ValidateBody::Wasm(_) => {}
    }
}

fn wrap_patches(body: &mut MutateBody, pod: PodPath) {
    match body {
        MutateBody::Patch(Patch::StrategicMerge(patch)) => wrap_template(patch, pod),
        MutateBody::Patch(Patch::Json(_)) | MutateBody::Wasm(_) => {}
        MutateBody::Foreach(blocks) => {
            for block in blocks {
                // Kyverno loses the order on the way.
                block.order = None;
                wrap_patches(&mut block.body, pod);
            }
        }
    }
}

/// Puts a tree below the fields that lead to the pod.
fn wrap_template(template: &mut Template, pod: PodPath) {
    let span = template.span;
    for field in pod.fields().iter().rev() {
        let value = std::mem::replace(&mut template.value, TemplateValue::Null);
        let key = Text {
            span,
            raw: (*field).to_owned(),
            parts: vec![Part::Literal((*field).to_owned())],
        };
        template.value = TemplateValue::Map(vec![(key, Template { span, value })]);
    }
}

/// Puts a pattern below the fields that lead to the pod.
fn wrap(pattern: &mut Pattern, pod: PodPath) {
    let span = pattern.span;
    for field in pod.fields().iter().rev() {
        let inner = Pattern {
            span,
            node: std::mem::replace(&mut pattern.node, PatternNode::Map(Vec::new())),
        };
        pattern.node = PatternNode::Map(vec![PatternEntry {
            span,
            raw: (*field).to_owned(),
            anchor: None,
            key: Text {
                span,
                raw: (*field).to_owned(),
                parts: vec![Part::Literal((*field).to_owned())],
            },
            value: inner,
        }]);
    }
}

#[cfg(test)]
mod tests;
