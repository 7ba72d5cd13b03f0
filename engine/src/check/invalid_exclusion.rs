//! What it checks: an exclusion of `podSecurity` names images where its control is about containers and none where it is
//! about the pod, a field together with values, and a control that the level has; and an exception with `podSecurity` names
//! rules with `podSecurity` only, since it excuses any other as a whole.
//!
//! Why: one that does not would excuse nothing, or more than is meant.
//!
//! Example:
//!
//! ```yaml
//! - name: baseline
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     podSecurity:
//!       level: baseline
//!       exclude:
//!         - controlName: Capabilities
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: baseline
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     podSecurity:
//!       level: baseline
//!       exclude:
//!         - controlName: Capabilities
//!           images: ["registry.example/network/*"]
//! ```

use std::sync::Arc;

use crate::ast::exception::{Excepted, PolicyException};
use crate::ast::pod_security::ExcludedControl;
use crate::ast::validate::ValidateBody;
use crate::ast::{Origin, Policy, Rule, RuleBody};
use crate::diagnostic::{Code, Diagnostic};
use crate::pod_security::Level;
use crate::pod_security::control::Reach;
use crate::source::{Source, Span, Spanned};
use crate::wildcard;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for rule in report.rules() {
        let RuleBody::Validate(validate) = &rule.body else {
            continue;
        };
        let ValidateBody::PodSecurity(demand) = &validate.body else {
            continue;
        };
        for exclusion in &demand.exclude {
            for diagnostic in problems(&report.policy.source, exclusion) {
                report.add(diagnostic);
            }
            let control = exclusion.control.value;
            if control.restricted_only && demand.level.value != Level::Restricted {
                let message = format!(
                    "level `{}` has no control `{}`",
                    demand.level.value.name(),
                    control.name
                );
                let code = Code::InvalidExclusion;
                report.add(report.error(code, exclusion.control.span, message));
            }
        }
    }
}

/// What is wrong with an exclusion, whatever it is excluded from.
pub(super) fn problems(source: &Arc<Source>, exclusion: &ExcludedControl) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut say = |span: Span, message: String, help: &str| {
        let diagnostic = Diagnostic::error(Code::InvalidExclusion, source, span, message);
        found.push(diagnostic.help(help));
    };
    let control = exclusion.control.value;
    let name = control.name;
    match (control.reach, exclusion.images.first()) {
        (Reach::Containers, None) => say(
            exclusion.control.span,
            format!("control `{name}` is about containers, and no `images` are named"),
            "name the images of the containers, or `*` for all",
        ),
        (Reach::Pod, Some(image)) => say(
            image.span,
            format!("control `{name}` is about the pod, which has no image"),
            "leave `images` out",
        ),
        (Reach::Both | Reach::Pod, None) | (Reach::Both | Reach::Containers, Some(_)) => {}
    }
    match (&exclusion.restricted_field, exclusion.values.first()) {
        (Some(field), None) => say(
            field.span,
            "`restrictedField` has no `values`".to_owned(),
            "say which values are excused, or `*` for all",
        ),
        (None, Some(value)) => say(
            value.span,
            "`values` without a `restrictedField`".to_owned(),
            "say of which field they are",
        ),
        (Some(_), Some(_)) | (None, None) => {}
    }
    found
}

/// Rules that an exception names beside its controls, and that have none: it excuses them as a whole, as in Kyverno.
pub(super) fn excused_as_a_whole<'a>(
    exception: &'a PolicyException,
    excepted: &'a Excepted,
    policy: &'a Policy,
) -> impl Iterator<Item = Diagnostic> + use<'a> {
    let names = excepted.rules.iter();
    let names = names.filter(|_| !exception.pod_security.is_empty());
    names.filter_map(|name| {
        let rule = excused(policy, name)?;
        let message = format!(
            "`podSecurity` says nothing of rule `{}`, which is excused as a whole",
            rule.name.value
        );
        let code = Code::InvalidExclusion;
        let warning = Diagnostic::warning(code, &exception.source, name.span, message);
        Some(
            warning
                .help("name it in an exception of its own, or only rules with `podSecurity` here"),
        )
    })
}

/// The first rule of a name that has no `podSecurity`.
fn excused<'a>(policy: &'a Policy, name: &Spanned<String>) -> Option<&'a Rule> {
    let has_controls = |rule: &Rule| {
        let RuleBody::Validate(validate) = &rule.body else {
            return false;
        };
        matches!(validate.body, ValidateBody::PodSecurity(_))
    };
    let mut rules = policy.rules.iter();
    rules.find(|rule| {
        rule.origin == Origin::Written
            && !has_controls(rule)
            && wildcard::matches(&name.value, &rule.name.value)
    })
}
