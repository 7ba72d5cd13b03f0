//! `PolicyException`.

use std::sync::Arc;

use crate::ast::condition::Conditions;
use crate::ast::exception::{Excepted, PolicyException};
use crate::ast::matching::Filters;
use crate::diagnostic::Code;
use crate::yaml::{Node, Value};

use super::condition::{self, Blocks};
use super::fields::{Fields, Reader};
use super::{matching, pod_security, policy};

pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Option<PolicyException> {
    let mut fields = reader.fields(document, "exception")?;
    fields.ignore(&["apiVersion", "kind"]);
    let metadata = fields.require(reader, "metadata");
    let spec = fields.require(reader, "spec");
    fields.finish(reader, &[]);
    let metadata = metadata.and_then(|node| policy::read_metadata(reader, node));
    let mut spec = spec.and_then(|node| reader.fields(node, "spec"))?;
    let background = spec.flag(reader, "background");
    let about = read_about(reader, &mut spec);
    let controls = spec.items(reader, "podSecurity");
    let pod_security = pod_security::excluded_controls(reader, controls);
    spec.finish(reader, &[]);
    let (metadata, about) = (metadata?, about?);
    Some(PolicyException {
        source: Arc::clone(reader.source()),
        span: document.span,
        name: metadata.name,
        namespace: metadata.namespace,
        background,
        matches: about.matches,
        conditions: about.conditions,
        exceptions: about.exceptions,
        pod_security: pod_security?,
    })
}

/// What an exception is about, and what a break-glass is, in the same words.
pub(super) struct About {
    pub(super) matches: Filters,
    pub(super) conditions: Option<Conditions>,
    pub(super) exceptions: Vec<Excepted>,
}

/// Reads `match`, `conditions` and `exceptions`.
pub(super) fn read_about(reader: &mut Reader<'_>, spec: &mut Fields<'_>) -> Option<About> {
    let matches = spec.require(reader, "match");
    let matches = matches.and_then(|node| matching::read_match_of_exception(reader, node));
    let written = spec.take("conditions");
    let conditions =
        written.map(|node| condition::read(reader, node, "conditions", Blocks::Refused));
    let exceptions = spec.require(reader, "exceptions");
    let exceptions = exceptions.map(|node| read_exceptions(reader, node));
    Some(About {
        matches: matches?,
        // Conditions that could not be read must not become none at all.
        conditions: conditions.map_or(Some(None), |read| read.map(Some))?,
        exceptions: exceptions??,
    })
}

fn read_exceptions(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Excepted>> {
    let items = reader.items(node, "exceptions");
    if items.is_empty() {
        if matches!(node.value, Value::List(_)) {
            let message = "the exception names no policy";
            reader.error(Code::MissingField, node.span, message);
        }
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| read_one(reader, item)).collect();
    read.into_iter().collect()
}

fn read_one(reader: &mut Reader<'_>, node: &Node) -> Option<Excepted> {
    let mut fields = reader.fields(node, "exceptions")?;
    let policy = fields.require(reader, "policyName");
    let policy = policy.and_then(|node| reader.text(node, "policyName"));
    if let Some(policy) = policy.as_ref().filter(|policy| policy.value.is_empty()) {
        let message = "`policyName` cannot be empty";
        reader.error(Code::InvalidValue, policy.span, message);
    }
    let rules = fields.require(reader, "ruleNames");
    let rules = rules.map(|node| reader.texts(node, "ruleNames"));
    fields.finish(reader, &[]);
    Some(Excepted {
        policy: policy?,
        rules: rules?,
    })
}
