//! Other resources of the cluster, as a host finds them: targets of a mutation, sources of copies.

use serde_json::Value;

use crate::ast::matching::{Selector, SelectorOperator};
use crate::go_format::sprint;
use crate::template::Text;
use crate::wildcard;

use super::names::Names;
use super::need::ObjectsNeed;

/// The value of a text; none as long as facts are outstanding.
pub(super) fn text(names: &Names<'_>, written: &Text) -> Result<Option<String>, String> {
    match names.text(written) {
        Ok(Value::String(text)) => Ok(Some(text)),
        Ok(other) => Ok(Some(sprint(&other).into_owned())),
        Err(error) if error.is_pending() => Ok(None),
        Err(error) => Err(format!("variable substitution failed: {error}")),
    }
}

/// Whether an object is one of those that were asked for: a host may answer with more.
pub(super) fn is_meant(need: &ObjectsNeed, object: &Value) -> bool {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
    };
    let fits = |wanted: Option<&String>, actual: &str| {
        wanted.is_none_or(|wanted| wildcard::matches(wanted, actual))
    };
    is_of_kind(&need.api_version, &need.kind, object)
        && fits(need.namespace.as_ref(), text("/metadata/namespace"))
        && fits(need.name.as_ref(), text("/metadata/name"))
}

/// Whether an object is of a kind; both may be wildcards.
pub(super) fn is_of_kind(api_version: &str, kind: &str, object: &Value) -> bool {
    let is = |wanted, field| {
        let actual = object.get(field).and_then(Value::as_str);
        wildcard::matches(wanted, actual.unwrap_or(""))
    };
    is(api_version, "apiVersion") && is(kind, "kind")
}

/// Whether an object is the one of a uid.
pub(super) fn has_uid(object: &Value, uid: &str) -> bool {
    object.pointer("/metadata/uid").and_then(Value::as_str) == Some(uid)
}

/// Whether an object's labels are as a selector says.
pub(super) fn is_selected(selector: Option<&Selector>, object: &Value) -> bool {
    let Some(selector) = selector else {
        return true;
    };
    let labels = object.pointer("/metadata/labels");
    let label = |name: &str| {
        labels
            .and_then(|labels| labels.get(name))
            .and_then(Value::as_str)
    };
    let by_labels = selector
        .match_labels
        .iter()
        .all(|(key, value)| label(&key.value) == Some(value.value.as_str()));
    by_labels
        && selector.match_expressions.iter().all(|requirement| {
            let label = label(&requirement.key.value);
            let mut values = requirement.values.iter();
            let among = label.is_some_and(|label| values.any(|value| value.value == label));
            match requirement.operator {
                SelectorOperator::In => among,
                SelectorOperator::NotIn => !among,
                SelectorOperator::Exists => label.is_some(),
                SelectorOperator::DoesNotExist => label.is_none(),
            }
        })
}
