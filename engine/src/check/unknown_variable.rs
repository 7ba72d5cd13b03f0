//! What it checks: the names that expressions start from are set by something: the request, the rule's `context`, an element
//! of `foreach`. A name further inside of an expression is a warning only. So is a field that `request` or `images` does not have. A
//! variable that names nothing at all is a constant in disguise.
//!
//! Why: an expression over a name that nothing sets is an error on every request that reaches it. Kyverno refuses such
//! policies, and those with a variable that looks up and calls nothing.
//!
//! Example:
//!
//! ```yaml
//! - name: known-team
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         all:
//!           - key: "{{ teams.data.all }}"
//!             operator: AnyNotIn
//!             value: "{{ request.object.metadata.labels.team }}"
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: known-team
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   context:
//!     - name: teams
//!       configMap: {name: teams, namespace: default}
//!   validate:
//!     deny:
//!       conditions:
//!         all:
//!           - key: "{{ teams.data.all }}"
//!             operator: AnyNotIn
//!             value: "{{ request.object.metadata.labels.team }}"
//! ```

use std::collections::BTreeSet;

use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::mutate::MutateBody;
use crate::ast::template::Text;
use crate::ast::validate::ValidateBody;
use crate::ast::{Rule, RuleBody};
use crate::diagnostic::{Code, Severity};
use crate::jmespath::Expression;
use crate::source::Span;
use crate::suggest;

use super::expressions::{self, all_variables};
use super::reserved_name::{is_element, is_element_of};
use super::{Place, Report, for_each_context, for_each_text, known_fields};

/// Names that are always set, or that only a webhook sets.
const ALWAYS: [&str; 6] = [
    "request",
    "serviceAccountName",
    "serviceAccountNamespace",
    "images",
    "image",
    "@",
];

/// Names that `foreach` sets.
const ELEMENTS: [&str; 2] = ["element", "elementIndex"];

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        let names = declared(rule);
        // An entry of a context whose name could not be read may be what sets any of them.
        if names.contains("") {
            continue;
        }
        let levels = levels(rule);
        for_each_text(rule, &mut |place, text| {
            if place != Place::Attestation {
                in_text((place, levels), text, &names, &mut found);
            }
        });
    }
    found.sort();
    found.dedup();
    constants(report);
    fields(report);
    for Unknown {
        span,
        severity,
        name,
        nearest,
        outside,
    } in found
    {
        let diagnostic = if is_element(&name) {
            let message = if outside {
                format!("there is no `{name}` outside of `foreach`")
            } else {
                format!("there is no `{name}`: not so many `foreach` stand in each other here")
            };
            report.error(Code::ElementOutsideForeach, span, message)
        } else {
            let message = format!("nothing sets the name `{name}`");
            let made = match severity {
                Severity::Error => report.error(Code::UnknownVariable, span, message),
                Severity::Warning => report.warning(Code::UnknownVariable, span, message),
            };
            made.help(nearest.map_or_else(
                || "declare it in `context`, or start from `request`".to_owned(),
                |nearest| format!("did you mean `{nearest}`?"),
            ))
        };
        report.add(diagnostic);
    }
}

/// Says which variables look up nothing.
fn constants(report: &mut Report<'_>) {
    let mut constants: Vec<Span> = Vec::new();
    for rule in report.rules() {
        for_each_text(rule, &mut |_, text| {
            let variables = text.variables();
            constants.extend(
                variables
                    .filter(|one| is_constant(&one.expression))
                    .map(|one| one.span),
            );
        });
    }
    for span in constants {
        let message = "the variable looks up nothing";
        let diagnostic = report.error(Code::UnknownVariable, span, message);
        report.add(diagnostic.help("write the value itself, without braces"));
    }
}

/// Says which fields of the request there are not.
fn fields(report: &mut Report<'_>) {
    for rule in report.rules() {
        for unknown in known_fields::unknown(rule) {
            let message = format!("`{}` has no field `{}`", unknown.of, unknown.field);
            let diagnostic = report.warning(Code::UnknownVariable, unknown.span, message);
            report.add(diagnostic.help(unknown.help));
        }
    }
}

/// Whether an expression looks up and calls nothing.
fn is_constant(expression: &str) -> bool {
    Expression::parse(expression)
        .is_ok_and(|expression| expression.root_names().is_empty() && expression.calls().is_empty())
}

/// How many `foreach` of a rule stand in each other at most.
fn levels(rule: &Rule) -> usize {
    fn of_blocks(blocks: &[Foreach]) -> usize {
        let below = blocks.iter().map(|block| match &block.body {
            ForeachBody::Foreach(inner) => of_blocks(inner),
            ForeachBody::Pattern(_) | ForeachBody::AnyPattern(_) | ForeachBody::Deny(_) => 0,
        });
        1 + below.max().unwrap_or(0)
    }
    fn of_patch(body: &MutateBody) -> usize {
        match body {
            MutateBody::Foreach(blocks) => {
                let below = blocks.iter().map(|block| of_patch(&block.body));
                1 + below.max().unwrap_or(0)
            }
            MutateBody::Patch(_) | MutateBody::Wasm(_) => 0,
        }
    }
    match &rule.body {
        RuleBody::Validate(validate) => match &validate.body {
            ValidateBody::Foreach(blocks) => of_blocks(blocks),
            _ => 0,
        },
        RuleBody::Mutate(mutate) => of_patch(&mutate.body),
        RuleBody::Generate(_) => 1,
        RuleBody::VerifyImages(_) => 0,
    }
}

/// A name that nothing sets.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Unknown {
    span: Span,
    severity: Severity,
    name: String,
    /// The name that is likely meant.
    nearest: Option<String>,
    /// Whether there are no elements where it stands.
    outside: bool,
}

/// Names that a rule declares anywhere: of which place they are set in is not looked at.
fn declared(rule: &Rule) -> BTreeSet<&str> {
    let mut names = BTreeSet::from(ALWAYS);
    for_each_context(rule, &mut |entry| {
        names.insert(&entry.name.value);
    });
    if matches!(&rule.body, RuleBody::Mutate(mutate) if !mutate.targets.is_empty()) {
        names.insert("target");
    }
    if let RuleBody::VerifyImages(entries) = &rule.body {
        let attestations = entries.iter().flat_map(|entry| &entry.attestations);
        let of_attestations = attestations.filter_map(|attestation| attestation.name.as_ref());
        names.extend(of_attestations.map(|name| name.value.as_str()));
    }
    names
}

fn in_text(
    (place, levels): (Place, usize),
    text: &Text,
    known: &BTreeSet<&str>,
    found: &mut Vec<Unknown>,
) {
    for variable in all_variables(text) {
        let Some((expression, written)) = expressions::parsed(variable) else {
            continue;
        };
        let expression = expression.naming_current();
        let first = first_name(&written);
        for name in expression.root_names().into_iter().flatten() {
            let is_known =
                known.contains(name) || (place == Place::Element && is_element_of(name, levels));
            if is_known || expressions::is_unknown_part(name) {
                continue;
            }
            let severity = if first == Some(name) {
                Severity::Error
            } else {
                Severity::Warning
            };
            let elements = ELEMENTS.iter().filter(|_| place == Place::Element);
            let names = known.iter().chain(elements).copied();
            let names = names.filter(|name| found.len() < suggest::MOST && *name != "@");
            let nearest = suggest::nearest(name, names).map(str::to_owned);
            found.push(Unknown {
                span: variable.span,
                severity,
                name: name.to_owned(),
                nearest,
                outside: place != Place::Element,
            });
        }
    }
}

/// The name that an expression starts with; none where it starts with a call or a literal.
fn first_name(expression: &str) -> Option<&str> {
    let end = expression
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(expression.len());
    let (name, rest) = expression.split_at_checked(end)?;
    (!name.is_empty() && !rest.starts_with('(')).then_some(name)
}
