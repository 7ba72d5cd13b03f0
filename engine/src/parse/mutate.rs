//! `mutate`.

use crate::ast::matching::Selector;
use crate::ast::mutate::{Mutate, MutateBody, MutateForeach, Order, Patch, Target};
use crate::ast::template::{Template, TemplateValue};
use crate::diagnostic::Code;
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

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Mutate> {
    let mut fields = reader.fields(node, "mutate")?;
    // When existing resources are changed is the business of a controller.
    fields.flag(reader, "mutateExistingOnPolicyUpdate");
    let targets = fields.items(reader, "targets");
    let targets: Vec<_> = targets.iter().map(|item| target(reader, item)).collect();
    let targets: Option<Vec<_>> = targets.into_iter().collect();
    let body = body(reader, &mut fields);
    let has_targets = fields.peek("targets").is_some();
    fields.finish(reader, &[]);
    if let (Some(MutateBody::Wasm(guest)), true) = (&body, has_targets) {
        let message = "`wasm` beside `targets` is not supported: a module is given the resource of the request";
        reader.error(Code::NotSupported, guest.span, message);
        return None;
    }
    Some(Mutate {
        span: node.span,
        targets: targets?,
        body: body?,
    })
}

/// What is done: exactly one of three.
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
        }
        [_] => {}
        [one, two, ..] => {
            let message = format!("one patch at a time: there is `{one}` and `{two}`");
            reader.error(Code::InvalidValue, fields.span, message);
        }
    }
    let [merge, json, foreach, wasm] = BODIES.map(|name| fields.take(name));
    if let Some(node) = merge {
        let patch = strategic_merge(reader, node)?;
        return Some(MutateBody::Patch(Patch::StrategicMerge(patch)));
    }
    if let Some(node) = json {
        let patch = json_patch::read(reader, node)?;
        return Some(MutateBody::Patch(Patch::Json(patch)));
    }
    if let Some(node) = wasm {
        return guest::read(reader, node).map(|guest| MutateBody::Wasm(Box::new(guest)));
    }
    let node = foreach?;
    let items = reader.items(node, "foreach");
    if items.is_empty() {
        if matches!(node.value, Value::List(_)) {
            reader.error(Code::InvalidValue, node.span, "`foreach` is empty");
        }
        return None;
    }
    let blocks: Vec<_> = items.iter().map(|item| block(reader, item)).collect();
    Some(MutateBody::Foreach(blocks.into_iter().flatten().collect()))
}

fn block(reader: &mut Reader<'_>, node: &Node) -> Option<MutateForeach> {
    let mut fields = reader.fields(node, "foreach")?;
    let list = fields.require(reader, "list");
    let list = list.and_then(|node| reader.text(node, "list"));
    let list = list.map(|text| template::text(reader, &text.value, text.span));
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
        return None;
    }
    Some(MutateForeach {
        span: node.span,
        list: list?,
        order,
        context,
        preconditions: preconditions.map_or(Some(None), |read| read.map(Some))?,
        body: body?,
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
    let selector: Option<Option<Selector>> = fields.take("selector").map_or(Some(None), |node| {
        matching::selector(reader, node, "selector").map(Some)
    });
    let context = context::read(reader, &mut fields);
    let preconditions = fields.take("preconditions");
    let preconditions =
        preconditions.map(|node| condition::read(reader, node, "preconditions", Blocks::Refused));
    fields.finish(reader, &["uid"]);
    let mut text = |written: crate::source::Spanned<String>| {
        template::text(reader, &written.value, written.span)
    };
    Some(Target {
        span: node.span,
        api_version: text(api_version?),
        kind: text(kind?),
        namespace: namespace.map(&mut text),
        name: name.map(&mut text),
        selector: selector?,
        context,
        preconditions: preconditions.map_or(Some(None), |read| read.map(Some))?,
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
