//! `generate`.

use crate::ast::generate::{Generate, GenerateBody, GenerateForeach, Generated, Reference};
use crate::ast::template::Text;
use crate::diagnostic::Code;
use crate::yaml::{Node, Value};

use super::condition::{self, Blocks};
use super::fields::{Fields, Reader};
use super::{context, matching, template};

/// Fields that say what is made.
const BODIES: [&str; 4] = ["data", "clone", "cloneList", "foreach"];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Generate> {
    let mut fields = reader.fields(node, "generate")?;
    // When resources are made, kept the same and removed is the business of a controller.
    for name in [
        "generateExisting",
        "synchronize",
        "orphanDownstreamOnPolicyDelete",
    ] {
        fields.flag(reader, name);
    }
    let foreach = fields.take("foreach");
    let body = match foreach {
        Some(foreach) => {
            let others = BODIES.iter().filter(|name| **name != "foreach");
            for other in others.filter(|name| fields.peek(name).is_some()) {
                let message = format!("`generate` makes one thing: it has `foreach` and `{other}`");
                reader.error(Code::InvalidValue, foreach.span, message);
            }
            blocks(reader, foreach).map(GenerateBody::Foreach)
        }
        None => generated(reader, &mut fields)
            .map(|resource| GenerateBody::Resource(Box::new(resource))),
    };
    fields.finish(reader, &["uid"]);
    Some(Generate {
        span: node.span,
        body: body?,
    })
}

fn blocks(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<GenerateForeach>> {
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

fn block(reader: &mut Reader<'_>, node: &Node) -> Option<GenerateForeach> {
    let mut fields = reader.fields(node, "foreach")?;
    let list = template::list(reader, &mut fields, node.span);
    let context = context::read(reader, &mut fields);
    let preconditions = fields.take("preconditions");
    let preconditions =
        preconditions.map(|node| condition::read(reader, node, "preconditions", Blocks::Refused));
    let resource = generated(reader, &mut fields);
    fields.finish(reader, &["uid"]);
    Some(GenerateForeach {
        span: node.span,
        list,
        context,
        preconditions: preconditions.flatten(),
        resource: resource?,
    })
}

/// What is made: exactly one of three.
fn generated(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Generated> {
    let span = fields.span;
    let written: Vec<&str> = BODIES
        .into_iter()
        .filter(|name| *name != "foreach" && fields.peek(name).is_some())
        .collect();
    match written.as_slice() {
        [] => {
            let message = "`generate` makes nothing: it has none of `data`, `clone`, `cloneList` and `foreach`";
            reader.error(Code::MissingField, span, message);
            fields.unless_misspelt(reader, &BODIES);
        }
        [_] => {}
        [one, two, ..] => {
            let message = format!("`generate` makes one thing: it has `{one}` and `{two}`");
            reader.error(Code::InvalidValue, span, message);
        }
    }
    if let Some(node) = fields.take("cloneList") {
        let namespace = text(reader, fields, "namespace");
        // Each copy has the type and the name of what it is copied from.
        for name in ["apiVersion", "kind", "name"] {
            if let Some(node) = fields.take(name) {
                let message = format!("`{name}` has no meaning beside `cloneList`");
                reader.error(Code::InvalidValue, node.span, message);
            }
        }
        return clone_list(reader, node, namespace);
    }
    let data = fields.take("data");
    let clone = fields.take("clone");
    let resource = reference(reader, fields);
    if let Some(node) = data {
        let Value::Map(_) = &node.value else {
            let message = format!("`data` must be a map, this is {}", node.value.describe());
            reader.error(Code::InvalidValue, node.span, message);
            return None;
        };
        let data = template::template(reader, node);
        return Some(Generated::Data {
            resource: resource?,
            data,
        });
    }
    let mut clone = reader.fields(clone?, "clone")?;
    let source_name = required(reader, &mut clone, "name");
    let source_namespace = text(reader, &mut clone, "namespace");
    clone.finish(reader, &[]);
    Some(Generated::Clone {
        resource: resource?,
        source_name: source_name?,
        source_namespace,
    })
}

fn clone_list(reader: &mut Reader<'_>, node: &Node, namespace: Option<Text>) -> Option<Generated> {
    let mut fields = reader.fields(node, "cloneList")?;
    let source_namespace = text(reader, &mut fields, "namespace");
    let kinds = fields.texts(reader, "kinds");
    if kinds.is_empty() {
        reader.error(Code::MissingField, node.span, "`cloneList` has no `kinds`");
    }
    let kinds: Vec<Text> = kinds
        .iter()
        .map(|kind| template::text(reader, &kind.value, kind.span))
        .collect();
    let selector = fields.take("selector").map_or(Some(None), |node| {
        matching::selector(reader, node, "selector").map(Some)
    });
    fields.finish(reader, &[]);
    (!kinds.is_empty()).then_some(Generated::CloneList {
        namespace,
        source_namespace,
        kinds,
        selector: selector?,
    })
}

fn reference(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Reference> {
    let api_version = required(reader, fields, "apiVersion");
    let kind = required(reader, fields, "kind");
    let name = required(reader, fields, "name");
    let namespace = text(reader, fields, "namespace");
    Some(Reference {
        api_version: api_version?,
        kind: kind?,
        name: name?,
        namespace,
    })
}

fn text(reader: &mut Reader<'_>, fields: &mut Fields<'_>, name: &'static str) -> Option<Text> {
    let written = fields.text(reader, name)?;
    Some(template::text(reader, &written.value, written.span))
}

fn required(reader: &mut Reader<'_>, fields: &mut Fields<'_>, name: &'static str) -> Option<Text> {
    let node = fields.require(reader, name)?;
    let written = reader.text(node, name)?;
    Some(template::text(reader, &written.value, written.span))
}
