//! `BreakGlass`.

use std::sync::Arc;

use crate::ast::break_glass::BreakGlass;
use crate::ast::exception::PolicyException;
use crate::diagnostic::Code;
use crate::go_time::{RFC3339, Time};
use crate::source::Spanned;
use crate::yaml::Node;

use super::fields::{Fields, Reader};
use super::{exception, policy};

pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Option<BreakGlass> {
    let mut fields = reader.fields(document, "break-glass")?;
    fields.ignore(&["apiVersion", "kind"]);
    let metadata = fields.require(reader, "metadata");
    let spec = fields.require(reader, "spec");
    fields.finish(reader, &[]);
    let metadata = metadata.and_then(|node| policy::read_metadata(reader, node));
    let mut spec = spec.and_then(|node| reader.fields(node, "spec"))?;
    let reason = spec.require(reader, "reason");
    let reason = reason.and_then(|node| read_reason(reader, node));
    let ticket = spec.text(reader, "ticket");
    let starts_at = time(reader, &mut spec, "startsAt");
    let expires_at = time(reader, &mut spec, "expiresAt");
    let about = exception::read_about(reader, &mut spec);
    let images = images(reader, &mut spec);
    spec.finish(reader, &[]);
    let metadata = metadata?;
    if let Some(namespace) = &metadata.namespace {
        let message = "a break-glass is in no namespace";
        reader
            .error(Code::InvalidValue, namespace.span, message)
            .set_help("name namespaces in `match`");
    }
    let about = about?;
    let exception = PolicyException {
        source: Arc::clone(reader.source()),
        span: document.span,
        name: metadata.name,
        namespace: None,
        background: Some(Spanned::new(false, document.span)),
        matches: about.matches,
        conditions: about.conditions,
        exceptions: about.exceptions,
        pod_security: Vec::new(),
    };
    Some(BreakGlass {
        exception: Arc::new(exception),
        reason: reason?,
        ticket,
        starts_at: starts_at?,
        expires_at: expires_at?,
        images: images?,
    })
}

/// Why; that it is said is the least that is asked of whoever goes past a rule.
fn read_reason(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let reason = reader.text(node, "reason")?;
    if reason.value.trim().is_empty() {
        reader.error(Code::InvalidValue, reason.span, "`reason` cannot be empty");
        return None;
    }
    Some(reason)
}

fn time(
    reader: &mut Reader<'_>,
    spec: &mut Fields<'_>,
    name: &'static str,
) -> Option<Spanned<Time>> {
    let node = spec.require(reader, name)?;
    let text = reader.text(node, name)?;
    match Time::parse(RFC3339, &text.value) {
        Ok(time) => Some(Spanned::new(time, text.span)),
        Err(error) => {
            let message = format!("`{name}` is no time: {error}");
            reader
                .error(Code::InvalidValue, text.span, message)
                .set_help("write it as in `2026-11-27T22:00:00Z`");
            None
        }
    }
}

/// `images`. An empty list would read as all of them, and be written for none.
fn images(reader: &mut Reader<'_>, spec: &mut Fields<'_>) -> Option<Vec<Spanned<String>>> {
    let Some(node) = spec.take("images") else {
        return Some(Vec::new());
    };
    let images = reader.texts(node, "images");
    if images.is_empty() {
        let message = "`images` names no image";
        reader
            .error(Code::InvalidValue, node.span, message)
            .set_help("leave it out where the images do not matter");
        return None;
    }
    Some(images)
}
