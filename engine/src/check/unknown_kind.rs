//! What it checks: an entry of `kinds` is read as its author meant it: a group is beside its version, kinds are singular
//! and spelt as in an object's `kind`, sub-resources are in lower case. Of Kubewarden's `rules` and Gatekeeper's `kinds`:
//! resources are plural and in lower case, kinds are not, and each is of one of the groups beside it.
//!
//! Why: `apps/Deployment` is the sub-resource `Deployment` of a kind `apps`, and `Pods` is a kind that no object has. Such an
//! entry matches nothing, and the rule is never asked. Kyverno looks each kind up in the cluster and refuses what is not
//! there; without a cluster this can only be said of what Kubernetes itself has, or never has.
//!
//! Example:
//!
//! ```yaml
//! - name: team
//!   match: {any: [{resources: {kinds: [apps/Deployment, Pods]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: team
//!   match: {any: [{resources: {kinds: [apps/*/Deployment, Pod]}}]}
//!   validate: {pattern: {metadata: {labels: {team: "?*"}}}}
//! ```

use std::sync::Arc;

use crate::ast::matching::{Filters, Kind, is_version};
use crate::ast::rego::WebhookRule;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span, Spanned};
use crate::suggest::MOST;
use crate::wildcard;

use super::Report;
use super::known_kinds::{
    described, group_meant, group_of, group_of_resource, is_group, meant, resource_meant,
};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    let source = &report.policy.source;
    for rule in report.rules() {
        if let Some(constraint) = rule.constraint() {
            // Gatekeeper and Kubewarden have groups, resources and kinds in fields of their own.
            let of_rules = constraint.rules.iter().flat_map(of_webhook);
            let all = of_constraint(&rule.matches).into_iter().chain(of_rules);
            found.extend(all.take(MOST).map(|problem| problem.say(source)));
            continue;
        }
        for filters in std::iter::once(&rule.matches).chain(&rule.excludes) {
            found.extend(problems(source, filters));
        }
    }
    for diagnostic in found {
        report.add(diagnostic);
    }
}

/// What is said of the kinds of a `match` or `exclude`.
pub(super) fn problems(source: &Arc<Source>, filters: &Filters) -> Vec<Diagnostic> {
    let resources = filters.filters.iter();
    let resources = resources.filter_map(|filter| filter.resources.as_ref());
    let kinds = resources.flat_map(|resources| &resources.kinds);
    let problems = kinds.filter_map(|kind| problem(kind).map(|help| (kind, help)));
    let diagnostics = problems.take(MOST).map(|(kind, help)| {
        let message = format!("`{}` matches nothing", kind.raw);
        Diagnostic::warning(Code::UnknownKind, source, kind.span, message).help(help)
    });
    diagnostics.collect()
}

/// What to write instead of a kind that no object has.
fn problem(kind: &Kind) -> Option<String> {
    let Kind {
        group,
        version,
        kind,
        subresource,
        ..
    } = kind;
    if subresource.contains(|letter: char| letter.is_ascii_uppercase()) {
        return Some(of_sub_resource(version, kind, subresource));
    }
    if is_version(subresource) && subresource != "*" {
        return Some(format!(
            "a version stands before its kind: `{subresource}/{kind}`"
        ));
    }
    if wildcard::has_wildcard(kind) {
        return None;
    }
    if !subresource.is_empty() && is_group(subresource) {
        return Some(format!("did you mean `{subresource}/*/{kind}`?"));
    }
    let named = |name: &str| {
        let whole = match (group.as_str(), version.as_str()) {
            ("*", "*") => name.to_owned(),
            ("*", version) => format!("{version}/{name}"),
            (group, version) => format!("{group}/{version}/{name}"),
        };
        match subresource.as_str() {
            "" => whole,
            subresource => format!("{whole}/{subresource}"),
        }
    };
    let meant = meant(group, kind);
    if let Some(meant) = meant {
        return Some(format!("did you mean `{}`?", named(meant)));
    }
    if let Some(own) = group_of(kind).filter(|own| is_group(group) && own != group) {
        return Some(format!("`{kind}` is of {}", described(own)));
    }
    let small = kind.starts_with(|letter: char| letter.is_ascii_lowercase());
    small.then(|| "a kind is spelt as in an object's `kind`, as `Pod` is".to_owned())
}

/// What matches nothing of what a constraint or a webhook names, and what to write instead.
struct Problem {
    span: Span,
    what: String,
    help: String,
}

impl Problem {
    fn say(self, source: &Arc<Source>) -> Diagnostic {
        let Self { span, what, help } = self;
        let message = format!("{what} matches nothing");
        Diagnostic::warning(Code::UnknownKind, source, span, message).help(help)
    }
}

/// Of the kinds of Gatekeeper's `match`, each of which stands once for each of its groups.
fn of_constraint(filters: &Filters) -> Vec<Problem> {
    let resources = filters.filters.iter();
    let resources = resources.filter_map(|filter| filter.resources.as_ref());
    let kinds: Vec<&Kind> = resources.flat_map(|resources| &resources.kinds).collect();
    let same = kinds.chunk_by(|one, other| one.span == other.span && one.raw == other.raw);
    same.filter_map(|same| {
        let kind = same.first()?;
        let groups: Vec<&str> = same.iter().map(|one| one.group.as_str()).collect();
        let (what, help) = of_kind(&kind.raw, &groups)?;
        let span = kind.span;
        Some(Problem { span, what, help })
    })
    .collect()
}

fn of_kind(kind: &str, groups: &[&str]) -> Option<(String, String)> {
    let of_groups = || format!("`{kind}` of {}", listed(groups));
    let no_groups: Option<Vec<String>> = groups.iter().map(|group| group_meant(group)).collect();
    if let Some(first) = no_groups.and_then(|helps| helps.into_iter().next()) {
        return Some((of_groups(), first));
    }
    if wildcard::has_wildcard(kind) {
        return None;
    }
    let of_kubernetes = groups.iter().all(|group| *group == "*" || is_group(group));
    if let Some(meant) = meant("*", kind).filter(|_| of_kubernetes) {
        return Some((format!("`{kind}`"), format!("did you mean `{meant}`?")));
    }
    let elsewhere = group_of(kind)
        .filter(|own| of_kubernetes && !groups.contains(&"*") && !groups.contains(own));
    if let Some(own) = elsewhere {
        return Some((of_groups(), format!("`{kind}` is of {}", described(own))));
    }
    let small = kind.starts_with(|letter: char| letter.is_ascii_lowercase());
    let help = "a kind is spelt as in an object's `kind`, as `Pod` is";
    small.then(|| (format!("`{kind}`"), help.to_owned()))
}

/// Groups as they are written.
fn listed(groups: &[&str]) -> String {
    let written = groups.iter().map(|group| match *group {
        "" => "`\"\"`".to_owned(),
        group => format!("`{group}`"),
    });
    written.collect::<Vec<_>>().join(", ")
}

/// Of an entry of Kubewarden's `rules`.
fn of_webhook(rule: &WebhookRule) -> Vec<Problem> {
    let problem = |word: &Spanned<String>, help: String| Problem {
        span: word.span,
        what: format!("`{}`", word.value),
        help,
    };
    let groups = rule.groups.iter();
    let groups = groups.filter_map(|group| Some(problem(group, group_meant(&group.value)?)));
    let mut found: Vec<Problem> = groups.collect();
    for version in &rule.versions {
        if let Some((_, alone)) = version.value.split_once('/') {
            let help = format!("a version is written without its group: `{alone}`");
            found.push(problem(version, help));
        }
    }
    let groups: Vec<&str> = rule.groups.iter().map(|one| one.value.as_str()).collect();
    for (resource, subresource) in &rule.resources {
        found.extend(of_resource(resource, subresource, &groups));
    }
    found
}

fn of_resource(resource: &Spanned<String>, sub: &str, groups: &[&str]) -> Option<Problem> {
    let name = resource.value.as_str();
    let written = |name: &str| match sub {
        "" => name.to_owned(),
        sub => format!("{name}/{sub}"),
    };
    let problem = |what, help| {
        let span = resource.span;
        Some(Problem { span, what, help })
    };
    let what = format!("`{}`", written(name));
    if name == "*" {
        return None;
    }
    let of_kubernetes = groups.iter().all(|group| is_group(group));
    if let Some(meant) = resource_meant(name).filter(|_| of_kubernetes) {
        return problem(what, format!("did you mean `{}`?", written(&meant)));
    }
    let lower = written(name).to_ascii_lowercase();
    if lower != written(name) {
        return problem(what, format!("resources are in lower case: `{lower}`"));
    }
    let elsewhere = group_of_resource(name)
        .filter(|own| of_kubernetes && !groups.is_empty() && !groups.contains(own))?;
    let what = format!("{what} of {}", listed(groups));
    problem(what, format!("`{name}` are of {}", described(elsewhere)))
}

/// Of `apps/Deployment`, which is read as the sub-resource `Deployment` of a kind `apps`.
fn of_sub_resource(version: &str, kind: &str, subresource: &str) -> String {
    let is_group = kind.starts_with(|letter: char| letter.is_ascii_lowercase());
    if is_group && version == "*" && meant("*", kind).is_none() {
        // `core` is what people call the group that has no name.
        let group = if kind == "core" { "" } else { kind };
        return match group {
            "" => format!("did you mean `v1/{subresource}`?"),
            group => format!(
                "it is read as the sub-resource `{subresource}` of a kind `{group}`; did you mean `{group}/*/{subresource}`?"
            ),
        };
    }
    format!(
        "sub-resources are in lower case: `{kind}/{}`",
        subresource.to_ascii_lowercase()
    )
}
