//! What it checks: an exclusion of `podSecurity` names images where its control is about containers and none where it is
//! about the pod, a field together with values, and a control that the level has.
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

use crate::ast::RuleBody;
use crate::ast::pod_security::ExcludedControl;
use crate::ast::validate::ValidateBody;
use crate::diagnostic::{Code, Diagnostic};
use crate::pod_security::Level;
use crate::pod_security::control::Reach;
use crate::source::{Source, Span};

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
