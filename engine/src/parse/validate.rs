//! `validate`.

use crate::ast::pattern::Pattern;
use crate::ast::validate::{Deny, Validate, ValidateBody};
use crate::diagnostic::Code;
use crate::source::Span;
use crate::yaml::{Node, Value};

use super::condition::{self, Blocks};
use super::fields::Reader;
use super::{foreach, guest, pattern, pod_security, policy, rego, template};

/// Fields of `validate` that say what is demanded, in the order in which Kyverno looks for them.
const DEMANDS: [&str; 10] = [
    "rego",
    "manifests",
    "podSecurity",
    "cel",
    "assert",
    "deny",
    "pattern",
    "anyPattern",
    "foreach",
    "wasm",
];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, key: Span) -> Option<Validate> {
    let mut fields = reader.fields(node, "validate")?;
    let failure_action = fields.choice(reader, "failureAction", &policy::FAILURE_ACTIONS);
    let failure_action_overrides = policy::overrides(reader, &mut fields, "failureActionOverrides");
    let allow_existing = fields.flag(reader, "allowExistingViolations");
    let message = fields.text(reader, "message");
    let message = message.map(|text| template::text(reader, &text.value, text.span));
    fields.demand_one(
        reader,
        &DEMANDS,
        key,
        "`pattern`, `anyPattern`, `deny`, `foreach`, `podSecurity`, `rego` and `wasm`",
    );
    let pattern = fields.take("pattern");
    let any_pattern = fields.take("anyPattern");
    let deny = fields.take("deny");
    let pod_security = fields.take("podSecurity");
    let foreach = fields.take("foreach");
    let rego = fields.take("rego");
    let wasm = fields.take("wasm");
    fields.finish(reader, &["cel", "manifests", "assert"]);
    let body = if let Some(node) = pod_security {
        let read = pod_security::read(reader, node);
        read.map(|read| ValidateBody::PodSecurity(Box::new(read)))
    } else if let Some(node) = rego {
        let read = rego::read(reader, node);
        read.map(|read| ValidateBody::Rego(Box::new(read)))
    } else if let Some(node) = deny {
        read_deny(reader, node).map(ValidateBody::Deny)
    } else if let Some(node) = pattern {
        Some(ValidateBody::Pattern(pattern::read(reader, node)))
    } else if let Some(node) = any_pattern {
        read_any_pattern(reader, node).map(ValidateBody::AnyPattern)
    } else if let Some(node) = wasm {
        guest::read(reader, node).map(|read| ValidateBody::Wasm(Box::new(read)))
    } else {
        let read = foreach.and_then(|node| foreach::read(reader, node));
        read.map(ValidateBody::Foreach)
    };
    // A demand that could not be read is an error by now, and the rule never runs: what else is wrong with it can be said.
    let body = body.unwrap_or(ValidateBody::Deny(Deny {
        span: node.span,
        conditions: None,
    }));
    Some(Validate {
        span: node.span,
        failure_action,
        failure_action_overrides,
        allow_existing_violations: allow_existing.is_none_or(|allow| allow.value),
        message,
        body,
    })
}

/// `anyPattern`; never empty.
pub(super) fn read_any_pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Pattern>> {
    let items = reader.items(node, "anyPattern");
    if items.is_empty() {
        if matches!(node.value, Value::List(_)) {
            reader.error(Code::InvalidValue, node.span, "`anyPattern` is empty");
        }
        return None;
    }
    Some(
        items
            .iter()
            .map(|item| pattern::read(reader, item))
            .collect(),
    )
}

/// `deny`; no conditions deny everything.
pub(super) fn read_deny(reader: &mut Reader<'_>, node: &Node) -> Option<Deny> {
    let mut fields = reader.fields(node, "deny")?;
    let conditions = fields.take("conditions");
    fields.finish(reader, &[]);
    let conditions =
        conditions.map(|node| condition::read(reader, node, "conditions", Blocks::Allowed));
    Some(Deny {
        span: node.span,
        // Conditions that could not be read must not become a denial of everything, nor of nothing.
        conditions: conditions.map_or(Some(None), |read| read.map(Some))?,
    })
}
