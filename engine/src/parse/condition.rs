//! Conditions in their three shapes.

use crate::ast::condition::{Condition, ConditionBlock, Conditions, Operator, OperatorName};
use crate::ast::template::{Template, TemplateValue};
use crate::diagnostic::Code;
use crate::source::{Span, Spanned};
use crate::yaml::{Node, Value};

use super::fields::{Reader, one_line};
use super::template;
use crate::suggest;

/// Whether a list of `{any, all}` is a shape that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    /// `deny` and attestations take it.
    Allowed,
    /// `preconditions` do not.
    Refused,
}

/// Conditions of any shape. Of those that could not be read, which is an error by now, there is what could be.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &'static str,
    blocks: Blocks,
) -> Option<Conditions> {
    let items = match &node.value {
        Value::Map(_) => return block(reader, node, what).map(Conditions::Block),
        Value::List(items) => items,
        other => {
            let message = format!(
                "`{what}` must be a map with `any` or `all`, this is {}",
                other.describe()
            );
            reader.error(Code::InvalidValue, node.span, message);
            return None;
        }
    };
    let is_block = |item: &Node| item.get("any").is_some() || item.get("all").is_some();
    if !items.iter().any(is_block) {
        return conditions(reader, node, what).map(Conditions::List);
    }
    if blocks == Blocks::Refused {
        let message = format!("`{what}` cannot be a list of `any` and `all`");
        reader
            .error(Code::InvalidValue, node.span, message)
            .set_help("put `any` and `all` directly below it");
        return None;
    }
    let blocks: Vec<_> = items.iter().map(|item| block(reader, item, what)).collect();
    Some(Conditions::Blocks(blocks.into_iter().flatten().collect()))
}

fn block(reader: &mut Reader<'_>, node: &Node, what: &'static str) -> Option<ConditionBlock> {
    let mut fields = reader.fields(node, what)?;
    let (any, all) = (fields.take("any"), fields.take("all"));
    fields.finish(reader, &[]);
    let any = any.map(|node| conditions(reader, node, "any"));
    let all = all.map(|node| conditions(reader, node, "all"));
    // An unreadable part must not look like one that was not written.
    Some(ConditionBlock {
        span: node.span,
        any: any.map_or(Some(None), |read| read.map(Some))?,
        all: all.map_or(Some(None), |read| read.map(Some))?,
    })
}

fn conditions(reader: &mut Reader<'_>, node: &Node, what: &'static str) -> Option<Vec<Condition>> {
    let Value::List(items) = &node.value else {
        reader.items(node, what);
        return None;
    };
    let read: Vec<_> = items.iter().map(|item| condition(reader, item)).collect();
    Some(read.into_iter().flatten().collect())
}

fn condition(reader: &mut Reader<'_>, node: &Node) -> Option<Condition> {
    let mut fields = reader.fields(node, "condition")?;
    for name in ["key", "value"] {
        if fields.peek(name).is_none() {
            let message = format!("a condition without a `{name}`");
            reader.error(Code::MissingField, node.span, message);
            fields.unless_misspelt(reader, &[name]);
        }
    }
    let key = side(reader, fields.take("key"), node.span);
    let value = side(reader, fields.take("value"), node.span);
    let operator = fields.require(reader, "operator");
    let operator = operator.and_then(|node| operator_name(reader, node));
    let message = fields.text(reader, "message");
    let message = message.map(|text| template::text(reader, &text.value, text.span));
    fields.finish(reader, &[]);
    Some(Condition {
        span: node.span,
        key,
        operator: operator.unwrap_or_else(|| {
            // The condition is never judged; what else is wrong with it can be said.
            let operator = Operator::Equals;
            let name = OperatorName {
                operator,
                exact: true,
            };
            Spanned::new(name, node.span)
        }),
        value,
        message,
    })
}

fn side(reader: &mut Reader<'_>, node: Option<&Node>, condition: Span) -> Template {
    match node {
        Some(node) => template::template(reader, node),
        None => Template {
            span: condition,
            value: TemplateValue::Null,
        },
    }
}

fn operator_name(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<OperatorName>> {
    let text = reader.text(node, "operator")?;
    let same = |operator: &Operator| operator.name().eq_ignore_ascii_case(&text.value);
    if let Some(operator) = Operator::ALL.into_iter().find(same) {
        let exact = operator.name() == text.value;
        return Some(Spanned::new(OperatorName { operator, exact }, node.span));
    }
    let message = format!("there is no operator `{}`", one_line(&text.value));
    let names = Operator::ALL.map(Operator::name);
    let nearest = suggest::nearest(&text.value, names);
    let made = reader.error(Code::UnknownOperator, node.span, message);
    made.set_help(match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("the operators are {}", names.join(", ")),
    });
    None
}
