//! Fields of `request` and lists of `images` that expressions name and that there are not.
//!
//! Knows the fields that are the same for every request; of objects, and of what other roots hold, it knows nothing.

use crate::ast::Rule;
use crate::jmespath::Expression;
use crate::source::Span;
use crate::suggest;

use super::expressions::{all_variables, is_unknown_part, parsed};
use super::{Place, for_each_expression_text, for_each_text};

/// What a request may have.
const OF_REQUEST: [&str; 17] = [
    "uid",
    "kind",
    "resource",
    "subResource",
    "requestKind",
    "name",
    "namespace",
    "operation",
    "userInfo",
    "object",
    "oldObject",
    "dryRun",
    "options",
    "roles",
    "clusterRoles",
    "requestResource",
    "requestSubResource",
];
const OF_USER: [&str; 4] = ["username", "uid", "groups", "extra"];
const OF_KIND: [&str; 3] = ["group", "version", "kind"];
const OF_RESOURCE: [&str; 3] = ["group", "version", "resource"];
/// The lists of images that pods and what makes them have.
const OF_IMAGES: [&str; 4] = [
    "containers",
    "initContainers",
    "ephemeralContainers",
    "volumes",
];

/// A field that there is not.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnknownField {
    pub(super) span: Span,
    /// What has no such field.
    pub(super) of: String,
    pub(super) field: String,
    /// What to do about it.
    pub(super) help: String,
}

/// The fields that expressions of a rule name and that there are not, each once for each place.
pub(super) fn unknown(rule: &Rule) -> Vec<UnknownField> {
    let mut found = Vec::new();
    for_each_text(rule, &mut |place, text| {
        // Names in conditions of an attestation are fields of what is attested.
        if place == Place::Attestation {
            return;
        }
        for variable in all_variables(text) {
            if let Some((expression, _)) = parsed(variable) {
                in_expression(rule, &expression, variable.span, &mut found);
            }
        }
    });
    for_each_expression_text(rule, &mut |text| {
        let expression = text.literal().map(|text| Expression::parse(text.trim()));
        if let Some(Ok(expression)) = expression {
            in_expression(rule, &expression, text.span, &mut found);
        }
    });
    found.sort();
    found.dedup();
    found.truncate(suggest::MOST);
    found
}

fn in_expression(rule: &Rule, expression: &Expression, span: Span, found: &mut Vec<UnknownField>) {
    for path in expression.paths() {
        let Some((of, field, known)) = first_unknown(rule, &path) else {
            continue;
        };
        if is_unknown_part(field) {
            continue;
        }
        let names = known.iter().copied();
        let help = match suggest::nearest(field, names) {
            Some(nearest) => format!("did you mean `{of}.{nearest}`?"),
            // A values file may set what no request of a cluster has.
            None if of == "request" => continue,
            None => format!("`{of}` has `{}`", known.join("`, `")),
        };
        found.push(UnknownField {
            span,
            of,
            field: field.to_owned(),
            help,
        });
    }
}

/// The first field of a path that there is not, what has it not, and what that has.
fn first_unknown<'a>(rule: &'a Rule, path: &[&'a str]) -> Option<(String, &'a str, Vec<&'a str>)> {
    let (of, field, known): (String, &str, Vec<&str>) = match path {
        ["images", field, ..] => {
            let extracted = rule.image_extractors.iter().map(|one| one.name.as_str());
            let known = OF_IMAGES.into_iter().chain(extracted);
            ("images".to_owned(), field, known.collect())
        }
        [
            "request",
            within @ ("userInfo" | "kind" | "requestKind" | "resource" | "requestResource"),
            field,
            ..,
        ] => {
            let known: &[&str] = match *within {
                "userInfo" => &OF_USER,
                "resource" | "requestResource" => &OF_RESOURCE,
                _ => &OF_KIND,
            };
            (format!("request.{within}"), field, known.to_vec())
        }
        ["request", field, ..] => ("request".to_owned(), field, OF_REQUEST.to_vec()),
        _ => return None,
    };
    (!known.contains(&field)).then_some((of, field, known))
}
