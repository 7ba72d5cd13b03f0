//! What it checks: conditions compare something of the request, with what it can be compared with: a key and a value are not
//! both constant, what is ordered is a number, a quantity, a duration or a version, and `any` has a condition.
//!
//! Why: a text without double braces is that text, and no expression. A condition that never holds refuses nothing, and the
//! rule looks as if it were in force.
//!
//! Example:
//!
//! ```yaml
//! - name: host-network
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         any:
//!           - {key: request.object.spec.hostNetwork, operator: Equals, value: true}
//!           - {key: "{{ request.object.spec.terminationGracePeriodSeconds }}", operator: GreaterThan, value: 1day}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: host-network
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   validate:
//!     deny:
//!       conditions:
//!         any:
//!           - {key: "{{ request.object.spec.hostNetwork }}", operator: Equals, value: true}
//!           - {key: "{{ request.object.spec.terminationGracePeriodSeconds }}", operator: GreaterThan, value: 24h}
//! ```

use serde_json::Value;

use crate::ast::condition::{Condition, Conditions};
use crate::ast::foreach::ForeachBody;
use crate::ast::template::{Template, TemplateValue};
use crate::ast::validate::{Deny, ValidateBody};
use crate::ast::{Rule, RuleBody};
use crate::diagnostic::{Code, Diagnostic};
use crate::operator::{self, Operator};
use crate::suggest::MOST;

use super::reserved_name::is_element;
use super::{Report, dead, for_each_block, for_each_condition};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    for rule in report.rules() {
        let said = dead::never(rule);
        for_each_condition(rule, &mut |_, condition| {
            if !said.iter().any(|one| one.span == condition.span) {
                found.extend(of_condition(report, condition));
            }
        });
        for_each_deny(rule, &mut |deny| {
            for block in deny.conditions.iter().flat_map(empty_any) {
                let message = "`any` is empty: it never holds, and nothing is refused";
                found.push(report.warning(Code::ConstantCondition, block, message));
            }
        });
    }
    for diagnostic in found.into_iter().take(MOST) {
        report.add(diagnostic);
    }
}

fn of_condition(report: &Report<'_>, condition: &Condition) -> Option<Diagnostic> {
    // An operator that could not be read, which is another error, stands where its condition does.
    if condition.operator.span == condition.span {
        return None;
    }
    let warning = |message: String| {
        let span = condition.span;
        report.warning(Code::ConstantCondition, span, message)
    };
    let (key, value) = (condition.key.constant(), condition.value.constant());
    if let (Some(_), Some(_)) = (&key, &value) {
        let result = match dead::holds(condition) {
            Some(false) => "never holds",
            Some(true) => "always holds",
            None => "is the same for every request",
        };
        let meant = meant(condition);
        // A condition that always holds may be meant to.
        if meant.is_none() && result != "never holds" {
            return None;
        }
        let made = warning(format!("what is compared is constant: this {result}"));
        return Some(with_help(made, meant));
    }
    let name = &condition.operator.value;
    let operator = Operator::parse(name.operator.name()).filter(|_| name.exact)?;
    let constant = key.or(value)?;
    if operator::can_be_ordered(operator, &constant) {
        return None;
    }
    let shown = match &constant {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (what, help) = match operator {
        Operator::DurationOrdering(_) => {
            ("no duration", "durations are written `90s`, `30m`, `24h`")
        }
        _ => (
            "no number, quantity, duration or version",
            "quantities are written `500m`, `1Gi`, durations `30m`, `24h`",
        ),
    };
    Some(warning(format!("`{shown}` is {what}: this never holds")).help(help))
}

/// The same with what to write, where a text looks as if it were meant for an expression.
pub(super) fn with_help(diagnostic: Diagnostic, meant: Option<String>) -> Diagnostic {
    match meant {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic,
    }
}

/// The variable that is likely meant by a side of a condition.
pub(super) fn meant(condition: &Condition) -> Option<String> {
    [&condition.key, &condition.value]
        .into_iter()
        .find_map(as_variable)
}

fn as_variable(side: &Template) -> Option<String> {
    let TemplateValue::Text(text) = &side.value else {
        return None;
    };
    let literal = text.literal()?.trim();
    let inner = literal
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let expression = inner.unwrap_or(literal).trim();
    let end = expression.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let (root, rest) = expression.split_at_checked(end?)?;
    let is_known = matches!(root, "request" | "images" | "image" | "target") || is_element(root);
    let is_path = rest.starts_with(['.', '[']) && !rest.ends_with(['.', '[']);
    (is_known && is_path).then(|| format!("{{{{ {expression} }}}}"))
}

/// Calls `visit` for each `deny` of a rule.
fn for_each_deny<'a>(rule: &'a Rule, visit: &mut dyn FnMut(&'a Deny)) {
    match &rule.body {
        RuleBody::Validate(validate) => match &validate.body {
            ValidateBody::Deny(deny) => visit(deny),
            ValidateBody::Foreach(blocks) => for_each_block(blocks, &mut |block| {
                if let ForeachBody::Deny(deny) = &block.body {
                    visit(deny);
                }
            }),
            ValidateBody::Pattern(_)
            | ValidateBody::AnyPattern(_)
            | ValidateBody::PodSecurity(_)
            | ValidateBody::Rego(_)
            | ValidateBody::Wasm(_) => {}
        },
        RuleBody::VerifyImages(_) | RuleBody::Mutate(_) | RuleBody::Generate(_) => {}
    }
}

/// Where an `any` without conditions stands.
fn empty_any(conditions: &Conditions) -> Vec<crate::source::Span> {
    let blocks = match conditions {
        Conditions::List(_) => &[],
        Conditions::Block(block) => std::slice::from_ref(block),
        Conditions::Blocks(blocks) => blocks.as_slice(),
    };
    let empty = blocks
        .iter()
        .filter(|block| block.any.as_ref().is_some_and(Vec::is_empty));
    empty.map(|block| block.span).collect()
}
