//! `mutate`.

use crate::ast::matching::Selector;
use crate::ast::mutate::{Mutate, MutateBody, MutateForeach, Order, Patch, Target};
use crate::ast::template::{Template, TemplateValue};
use crate::diagnostic::Code;
use crate::source::{Span, Spanned};
use crate::yaml::{Node, Value};

use super::condition::{self, Blocks};
use super::fields::{Fields, Reader};
use super::{context, guest, json_patch, matching, template};

/// Fields that say what is done.
const BODIES: [&str; 4] = ["patchStrategicMerge", "patchesJson6902", "foreach", "wasm"];

const ORDERS: [(&str, Order); 2] = [
    ("Ascending", Order::Ascending),
    ("Descending", Order::Descending),
];

/// What of it could not be read is an error by now, and the rule never runs: something harmless stands for it, so that what
/// else is wrong with the rule can be said.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Mutate> {
    let mut fields = reader.fields(node, "mutate")?;
    // When existing resources are changed is the business of a controller.
    fields.flag(reader, "mutateExistingOnPolicyUpdate");
    let targets = fields.items(reader, "targets");
    let targets: Vec<_> = targets.iter().map(|item| target(reader, item)).collect();
    let body = body(reader, &mut fields);
    let has_targets = fields.peek("targets").is_some();
    fields.finish(reader, &[]);
    if let (Some(MutateBody::Wasm(guest)), true) = (&body, has_targets) {
        let message = "`wasm` beside `targets` is not supported: a module is given the resource of the request";
        reader.error(Code::NotSupported, guest.span, message);
    }
    Some(Mutate {
        span: node.span,
        targets: targets.into_iter().flatten().collect(),
        body: body.unwrap_or_else(|| unread(node.span)),
    })
}

/// What stands for a patch that could not be read.
fn unread(span: Span) -> MutateBody {
    MutateBody::Patch(Patch::StrategicMerge(Template {
        span,
        value: TemplateValue::Map(Vec::new()),
    }))
}

/// What is done: exactly one of four. Of several, which is an error, all are read, for what is wrong with them.
fn body(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<MutateBody> {
    let written: Vec<&str> = BODIES
        .into_iter()
        .filter(|name| fields.peek(name).is_some())
        .collect();
    match written.as_slice() {
        [] => {
            let message = format!(
                "a patch is missing: there is none of `{}`",
                BODIES.join("`, `")
            );
            reader.error(Code::MissingField, fields.span, message);
            fields.unless_misspelt(reader, &BODIES);
        }
        [_] => {}
        [one, two, ..] => {
            let message = format!("one patch at a time: there is `{one}` and `{two}`");
            reader.error(Code::InvalidValue, fields.span, message);
        }
    }
    let mut bodies = Vec::new();
    for name in BODIES {
        let read = fields.take(name).and_then(|node| match name {
            "patchStrategicMerge" => {
                let patch = strategic_merge(reader, node);
                patch.map(|patch| MutateBody::Patch(Patch::StrategicMerge(patch)))
            }
            "patchesJson6902" => {
                let patch = json_patch::read(reader, node);
                patch.map(|patch| MutateBody::Patch(Patch::Json(patch)))
            }
            "foreach" => blocks(reader, node).map(MutateBody::Foreach),
            _ => guest::read(reader, node).map(|guest| MutateBody::Wasm(Box::new(guest))),
        });
        bodies.extend(read);
    }
    bodies.into_iter().next()
}

fn blocks(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<MutateForeach>> {
    let items = reader.items(node, "foreach");
    if items.is_empty() {
        if matches!(node.value, Value::List(_)) {
            reader.error(Code::InvalidValue, node.span, "`foreach` is empty");
        }
        return None;
    }
    let blocks: Vec<_> = items.iter().map(|item| block(reader, item)).collect();
    Some(blocks.into_iter().flatten().collect())
}

fn block(reader: &mut Reader<'_>, node: &Node) -> Option<MutateForeach> {
    let mut fields = reader.fields(node, "foreach")?;
    let list = template::list(reader, &mut fields, node.span);
    let order = fields.choice(reader, "order", &ORDERS);
    let context = context::read(reader, &mut fields);
    let preconditions = fields.take("preconditions");
    let preconditions =
        preconditions.map(|node| condition::read(reader, node, "preconditions", Blocks::Refused));
    let body = body(reader, &mut fields);
    fields.finish(reader, &[]);
    if let Some(MutateBody::Wasm(guest)) = &body {
        let message = "`wasm` in `foreach` is not supported: a module is given the whole resource";
        reader.error(Code::NotSupported, guest.span, message);
    }
    Some(MutateForeach {
        span: node.span,
        list,
        order,
        context,
        preconditions: preconditions.flatten(),
        body: body.unwrap_or_else(|| unread(node.span)),
    })
}

fn target(reader: &mut Reader<'_>, node: &Node) -> Option<Target> {
    let mut fields = reader.fields(node, "targets")?;
    let api_version = fields.require(reader, "apiVersion");
    let api_version = api_version.and_then(|node| reader.text(node, "apiVersion"));
    let kind = fields.require(reader, "kind");
    let kind = kind.and_then(|node| reader.text(node, "kind"));
    let namespace = fields.text(reader, "namespace");
    let name = fields.text(reader, "name");
    let uid = fields.text(reader, "uid");
    let selector: Option<Option<Selector>> = fields.take("selector").map_or(Some(None), |node| {
        matching::selector(reader, node, "selector").map(Some)
    });
    let context = context::read(reader, &mut fields);
    let preconditions = fields.take("preconditions");
    let preconditions =
        preconditions.map(|node| condition::read(reader, node, "preconditions", Blocks::Refused));
    fields.finish(reader, &[]);
    let mut text = |written: Spanned<String>| template::text(reader, &written.value, written.span);
    let unread = || Spanned::new("*".to_owned(), node.span);
    Some(Target {
        span: node.span,
        api_version: text(api_version.unwrap_or_else(unread)),
        kind: text(kind.unwrap_or_else(unread)),
        namespace: namespace.map(&mut text),
        name: name.map(&mut text),
        uid: uid.map(&mut text),
        selector: selector.flatten(),
        context,
        preconditions: preconditions.flatten(),
    })
}

/// Directives of strategic merge that kustomize, and so Kyverno, takes for fields of the object.
const UNKNOWN_DIRECTIVES: [&str; 3] = [
    "$retainKeys",
    "$setElementOrder/",
    "$deleteFromPrimitiveList/",
];

fn strategic_merge(reader: &mut Reader<'_>, node: &Node) -> Option<Template> {
    let Value::Map(_) = &node.value else {
        let message = format!(
            "`patchStrategicMerge` must be a map, this is {}",
            node.value.describe()
        );
        reader.error(Code::InvalidValue, node.span, message);
        return None;
    };
    let patch = template::template(reader, node);
    directives(reader, &patch);
    Some(patch)
}

fn directives(reader: &mut Reader<'_>, patch: &Template) {
    match &patch.value {
        TemplateValue::Map(entries) => {
            for (key, value) in entries {
                let unknown = |directive: &&&str| key.raw.starts_with(**directive);
                if UNKNOWN_DIRECTIVES.iter().find(unknown).is_some() {
                    let message = format!("the directive `{}` is not supported", key.raw);
                    reader
                        .error(Code::NotSupported, key.span, message)
                        .set_help("Kyverno would put it into the object as a field; `$patch: delete`, `replace` and `merge` are supported");
                }
                directives(reader, value);
            }
        }
        TemplateValue::List(items) => {
            for item in items {
                directives(reader, item);
            }
        }
        TemplateValue::Null
        | TemplateValue::Bool(_)
        | TemplateValue::Number(_)
        | TemplateValue::Text(_) => {}
    }
}
