//! `validate.foreach`.

use crate::ast::foreach::{Foreach, ForeachBody};
use crate::ast::validate::Deny;
use crate::diagnostic::Code;
use crate::yaml::{Node, Value};

use super::condition::{self, Blocks};
use super::fields::Reader;
use super::{context, pattern, template, validate};

const DEMANDS: [&str; 4] = ["deny", "pattern", "anyPattern", "foreach"];

/// The blocks, as many as could be read; none where there is nothing of the kind.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Foreach>> {
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

fn block(reader: &mut Reader<'_>, node: &Node) -> Option<Foreach> {
    let mut fields = reader.fields(node, "foreach")?;
    let list = template::list(reader, &mut fields, node.span);
    let element_scope = fields.flag(reader, "elementScope");
    let context = context::read(reader, &mut fields);
    let preconditions = fields.take("preconditions");
    let preconditions =
        preconditions.map(|node| condition::read(reader, node, "preconditions", Blocks::Refused));
    fields.demand_one(
        reader,
        &DEMANDS,
        node.span,
        "`pattern`, `anyPattern`, `deny` and `foreach`",
    );
    let demands = DEMANDS.map(|name| (name, fields.take(name)));
    fields.finish(reader, &[]);
    let demand = demands
        .into_iter()
        .find_map(|(name, node)| node.map(|node| (name, node)));
    let body = demand.and_then(|(name, node)| body(reader, name, node));
    // What could not be read is an error by now: something harmless stands for it, so that all errors can be said.
    Some(Foreach {
        span: node.span,
        list,
        element_scope,
        context,
        preconditions: preconditions.flatten(),
        body: body.unwrap_or(ForeachBody::Deny(Deny {
            span: node.span,
            conditions: None,
        })),
    })
}

fn body(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<ForeachBody> {
    Some(match name {
        "deny" => ForeachBody::Deny(validate::read_deny(reader, node)?),
        "pattern" => ForeachBody::Pattern(pattern::read(reader, node)),
        "anyPattern" => ForeachBody::AnyPattern(validate::read_any_pattern(reader, node)?),
        _ => ForeachBody::Foreach(read(reader, node)?),
    })
}
