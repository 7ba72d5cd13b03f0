//! What it checks: no text of the resource that is judged stands in a pattern by a variable.
//!
//! Why: what a variable brings into a pattern is read as a pattern, in Kyverno as here. Whoever writes the resource can write
//! `*`, `!x`, `>5` or `a | *` there, and so have the rule pass. Names, namespaces and kinds are not meant: Kubernetes keeps
//! such signs out of them.
//!
//! Example:
//!
//! ```yaml
//! - name: own-account
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     message: a Pod runs as the account that its annotation names
//!     pattern: {spec: {serviceAccountName: "{{ request.object.metadata.annotations.account }}"}}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: own-account
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     message: a Pod runs as the account that its annotation names
//!     deny:
//!       conditions:
//!         all:
//!           - key: "{{ request.object.spec.serviceAccountName == request.object.metadata.annotations.account }}"
//!             operator: Equals
//!             value: false
//! ```

use std::collections::BTreeSet;

use crate::ast::context::{ContextEntry, ContextSource};
use crate::ast::pattern::{Anchor, Pattern, PatternNode, PatternScalar};
use crate::ast::template::{Template, Text, Variable};
use crate::ast::validate::ValidateBody;
use crate::ast::{Rule, RuleBody};
use crate::diagnostic::Code;
use crate::jmespath::{CURRENT, Expression};

use super::expressions;
use super::{Report, for_each_block, for_each_context, for_each_pattern};

/// What Kubernetes lets nobody write freely: fields of an object.
const RESTRICTED: [&[&str]; 4] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
];

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        let mut variables = Vec::new();
        for_each_pattern(rule, &mut |pattern| in_values(pattern, &mut variables));
        if variables.is_empty() {
            continue;
        }
        let names = Names::of(rule);
        found.extend(variables.into_iter().filter(|one| names.bring(one)));
    }
    for variable in found {
        let message = format!(
            "`{}` brings a text of the resource into a pattern: whoever writes it chooses what matches",
            variable.written
        );
        let diagnostic = report.warning(Code::PatternFromResource, variable.span, message);
        report.add(diagnostic.help(
            "compare in an expression, `{{ a == b }}`, as the `key` of a condition of `deny`",
        ));
    }
}

/// The variables in the values of a pattern that are compared.
fn in_values<'a>(pattern: &'a Pattern, found: &mut Vec<&'a Variable>) {
    match &pattern.node {
        PatternNode::Map(entries) => {
            // What stands below a negation is never looked at.
            let compared = entries
                .iter()
                .filter(|entry| entry.anchor != Some(Anchor::Negation));
            compared.for_each(|entry| in_values(&entry.value, found));
        }
        PatternNode::List(items) => items.iter().for_each(|item| in_values(item, found)),
        PatternNode::Scalar(PatternScalar::Text(text)) => found.extend(text.variables()),
        PatternNode::Scalar(
            PatternScalar::Null | PatternScalar::Bool(_) | PatternScalar::Number(_),
        ) => {}
    }
}

/// The names of a rule by which texts of the resource come.
struct Names<'a>(BTreeSet<&'a str>);

impl<'a> Names<'a> {
    fn of(rule: &'a Rule) -> Self {
        let mut names = Self(BTreeSet::from([CURRENT]));
        let mut lists: Vec<&Text> = Vec::new();
        if let RuleBody::Validate(validate) = &rule.body
            && let ValidateBody::Foreach(blocks) = &validate.body
        {
            for_each_block(blocks, &mut |block| lists.push(&block.list));
        }
        let mut entries: Vec<&ContextEntry> = Vec::new();
        for_each_context(rule, &mut |entry| entries.push(entry));
        // A name may come from another one that stands further down; each round finds one at least, or is the last.
        loop {
            let before = names.0.len();
            if lists.iter().any(|list| names.give(&list.raw)) {
                names.0.insert("element");
            }
            let made: Vec<&ContextEntry> = entries
                .iter()
                .copied()
                .filter(|entry| names.make(&entry.source))
                .collect();
            let made = made.into_iter().map(|entry| entry.name.value.as_str());
            names.0.extend(made);
            if names.0.len() == before {
                return names;
            }
        }
    }

    /// Whether what stands behind a name comes from the resource.
    fn make(&self, source: &ContextSource) -> bool {
        let ContextSource::Variable {
            value,
            jmes_path,
            default,
        } = source
        else {
            return false;
        };
        let made = match (value, jmes_path) {
            (Some(value), _) => self.fill(value),
            (None, Some(path)) => self.give(&path.raw),
            (None, None) => false,
        };
        made || default.as_ref().is_some_and(|default| self.fill(default))
    }

    fn fill(&self, template: &Template) -> bool {
        let mut found = false;
        template.for_each_text(&mut |text| {
            found |= text.variables().any(|variable| self.bring(variable));
        });
        found
    }

    /// Whether a variable brings a text of the resource.
    fn bring(&self, variable: &Variable) -> bool {
        expressions::parsed(variable).is_some_and(|(parsed, _)| self.are_in(parsed))
    }

    /// The same of an expression that stands alone.
    fn give(&self, expression: &str) -> bool {
        Expression::parse(expression).is_ok_and(|parsed| self.are_in(parsed))
    }

    fn are_in(&self, expression: Expression) -> bool {
        let expression = expression.naming_current();
        let sources = expression.sources();
        sources.iter().any(|path| self.is_from_resource(path))
    }

    fn is_from_resource(&self, path: &[&str]) -> bool {
        match path {
            ["request", "object" | "oldObject", rest @ ..] => !RESTRICTED.contains(&rest),
            [first, ..] => self.0.contains(level(first)),
            [] => false,
        }
    }
}

/// `element` for the elements of all levels, `element0` and the others.
fn level(name: &str) -> &str {
    let rest = name.strip_prefix("element");
    let is_level = rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    if is_level { "element" } else { name }
}
