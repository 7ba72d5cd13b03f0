//! Tree → AST, keeping on after an error: an author sees everything that is wrong at once.
//!
//! Every field of Kyverno's is either read or refused by name; nothing is ignored that means something.
//! Knows what the language looks like, not whether it makes sense: that is `check`'s business.

mod annotations;
mod attestor;
mod break_glass;
pub mod builders;
mod condition;
mod context;
mod exception;
mod extractor;
mod fields;
mod foreach;
pub mod gatekeeper;
mod generate;
mod guest;
mod json_patch;
mod key;
pub mod kubewarden;
mod matching;
mod module_verify;
mod mutate;
mod notary;
mod pattern;
mod pod_security;
mod policy;
mod reference;
mod registry_credentials;
mod rego;
mod rule;
mod slsa;
mod template;
mod validate;
mod verify_images;

use std::sync::Arc;

use crate::ast::Policy;
use crate::ast::break_glass::{self as glass, BreakGlass};
use crate::ast::exception::PolicyException;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Source;
use crate::suggest;
use crate::yaml::{Node, Value};

use fields::Reader;

/// Reads a document. There is a policy whenever enough of it could be read to check the rest; where an error is among
/// the diagnostics it is not to be run.
pub fn parse(source: &Arc<Source>, document: &Node) -> (Option<Policy>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let policy = read(&mut reader, document);
    (policy, reader.into_diagnostics())
}

/// The elements of a `List`, as `kubectl get -o yaml` writes one; anything else is one itself, and an empty one too, so
/// that it is said to be no policy.
pub fn unlisted(document: &Node) -> &[Node] {
    let is = |name, text| document.get(name).and_then(Node::as_str) == Some(text);
    match document.get("items").map(|items| &items.value) {
        Some(Value::List(items))
            if is("kind", "List") && is("apiVersion", "v1") && !items.is_empty() =>
        {
            items
        }
        _ => std::slice::from_ref(document),
    }
}

/// Whether a document is a `PolicyException` that [`exception`] reads.
pub fn is_exception(document: &Node) -> bool {
    let text = |name| document.get(name).and_then(Node::as_str).unwrap_or("");
    let known = ["kyverno.io/v2", "kyverno.io/v2beta1"].contains(&text("apiVersion"));
    known && text("kind") == "PolicyException"
}

/// Reads a `PolicyException`; where an error is among the diagnostics it is not to be applied.
pub fn exception(
    source: &Arc<Source>,
    document: &Node,
) -> (Option<PolicyException>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let exception = exception::read(&mut reader, document);
    (exception, reader.into_diagnostics())
}

/// Whether a document is a `BreakGlass` that [`break_glass`] reads.
pub fn is_break_glass(document: &Node) -> bool {
    let text = |name| document.get(name).and_then(Node::as_str).unwrap_or("");
    text("apiVersion") == glass::API_VERSION && text("kind") == glass::KIND
}

/// Reads a `BreakGlass`; where an error is among the diagnostics it lets nothing in.
pub fn break_glass(source: &Arc<Source>, document: &Node) -> (Option<BreakGlass>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let read = break_glass::read(&mut reader, document);
    (read, reader.into_diagnostics())
}

/// Says what a document is that is no exception of ours.
pub fn no_exception(source: &Arc<Source>, document: &Node) -> Vec<Diagnostic> {
    let mut reader = Reader::new(source);
    let text = |name| document.get(name).and_then(Node::as_str).unwrap_or("");
    let (version, kind) = (text("apiVersion"), text("kind"));
    let span = document.get("kind").map_or(document.span, |node| node.span);
    let (code, message) = if kind == "PolicyException" {
        let (code, yet) = if version.starts_with("policies.kyverno.io/") {
            (Code::NotSupportedYet, " yet: it is for policies in CEL")
        } else {
            (Code::NotSupported, "")
        };
        let message = format!("`{kind}` of `{version}` is not supported{yet}");
        (code, message)
    } else {
        let message = format!("`{kind}` of `{version}` is no exception");
        (Code::InvalidValue, message)
    };
    reader
        .error(code, span, message)
        .set_help("`PolicyException` of `kyverno.io/v2` and `v2beta1` is, and `BreakGlass` of `regent.dev/v1`");
    reader.into_diagnostics()
}

fn read(reader: &mut Reader<'_>, document: &Node) -> Option<Policy> {
    let Value::Map(_) = &document.value else {
        let message = format!("a policy is a map, this is {}", document.value.describe());
        reader.error(Code::InvalidValue, document.span, message);
        return None;
    };
    let text = |name| document.get(name).and_then(Node::as_str).unwrap_or("");
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", ""));
    match (group, version, text("kind")) {
        ("kyverno.io", "v1" | "v2beta1", "ClusterPolicy" | "Policy") => {
            policy::read(reader, document)
        }
        (_, _, kind) => {
            refuse_kind(reader, document, group, kind);
            None
        }
    }
}

/// Says what a document is that is no policy of ours.
fn refuse_kind(reader: &mut Reader<'_>, document: &Node, group: &str, kind: &str) {
    let place = |name| document.get(name).map(|node| node.span);
    let span = place("kind")
        .or(place("apiVersion"))
        .unwrap_or(document.span);
    for name in ["apiVersion", "kind"] {
        if document.get(name).and_then(Node::as_str).is_none() {
            let message = format!("the document has no `{name}`");
            reader.error(Code::MissingField, document.span, message);
            return;
        }
    }
    let api_version = document.get("apiVersion").and_then(Node::as_str);
    let api_version = api_version.unwrap_or("");
    let policy_kinds = ["policies.kyverno.io", "kyverno.io"].contains(&group)
        || (group == "admissionregistration.k8s.io" && kind.contains("AdmissionPolicy"));
    let known = ["ClusterPolicy", "Policy", "PolicyException"];
    let nearest = suggest::nearest(kind, known);
    if group == "kyverno.io"
        && let Some(nearest) = nearest.filter(|nearest| *nearest != kind)
    {
        let message = format!("there is no kind `{kind}` of `{api_version}`");
        reader
            .error(Code::InvalidValue, span, message)
            .set_help(format!("did you mean `{nearest}`?"));
    } else if policy_kinds {
        let (code, yet) = if group == "kyverno.io" {
            (Code::NotSupported, "")
        } else {
            (Code::NotSupportedYet, " yet: it is written in CEL")
        };
        let message = format!("`{kind}` of `{api_version}` is not supported{yet}");
        reader
            .error(code, span, message)
            .set_help("what is read is `ClusterPolicy` and `Policy` of `kyverno.io/v1`, and what Gatekeeper and Kubewarden have");
    } else {
        let message = format!("`{kind}` of `{api_version}` is no policy");
        let of_ours = ["ClusterPolicy", "Policy"].contains(&kind);
        let help = if of_ours && suggest::nearest(api_version, ["kyverno.io/v1"]).is_some() {
            "did you mean `kyverno.io/v1`?"
        } else if group == "regent.dev" || kind.eq_ignore_ascii_case("BreakGlass") {
            "did you mean `BreakGlass` of `regent.dev/v1`?"
        } else {
            "a policy is a `ClusterPolicy` or a `Policy` of `kyverno.io/v1`"
        };
        reader
            .error(Code::InvalidValue, span, message)
            .set_help(help);
    }
}

#[cfg(test)]
mod tests;
