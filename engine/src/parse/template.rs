//! Texts with variables in them, and trees of such texts.

use crate::ast::template::{Part, Template, TemplateValue, Text, Variable};
use crate::diagnostic::Code;
use crate::limits;
use crate::source::{Source, Span, Spanned};
use crate::yaml::{Node, Value};

use super::fields::{Fields, Reader};

/// A tree of texts with variables.
pub(super) fn template(reader: &mut Reader<'_>, node: &Node) -> Template {
    let value = match &node.value {
        Value::Null => TemplateValue::Null,
        Value::Bool(flag) => TemplateValue::Bool(*flag),
        Value::Number(number) => TemplateValue::Number(number.clone()),
        Value::String(raw) => TemplateValue::Text(text(reader, raw, node.span)),
        Value::List(items) => {
            TemplateValue::List(items.iter().map(|item| template(reader, item)).collect())
        }
        Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| {
                let key = text(reader, &entry.key, entry.key_span);
                (key, template(reader, &entry.value))
            });
            TemplateValue::Map(pairs.collect())
        }
    };
    Template {
        span: node.span,
        value,
    }
}

/// A text with variables.
pub(super) fn text(reader: &mut Reader<'_>, raw: &str, span: Span) -> Text {
    let (text, problem) = take_apart(raw, span, reader.source());
    match problem {
        None => {}
        Some(Problem::Open(span)) => {
            reader
                .error(Code::InvalidExpression, span, "`{{` without its `}}`")
                .set_help(
                    "write `\\{{` for two braces that begin no variable; in a map of an expression is no other map",
                );
        }
        Some(Problem::Empty(span)) => {
            reader.error(Code::InvalidExpression, span, "a variable without a name");
        }
    }
    text
}

/// The `list` of a `foreach`; an empty one stands for what could not be read, which is an error by now.
pub(super) fn list(reader: &mut Reader<'_>, fields: &mut Fields<'_>, block: Span) -> Text {
    let list = fields.require(reader, "list");
    let read = list.and_then(|node| reader.text(node, "list"));
    let read = read.unwrap_or_else(|| Spanned::new("`[]`".to_owned(), block));
    let list = text(reader, &read.value, read.span);
    let of_request = |variable: &Variable| {
        let roots = ["request.", "element", "images.", "target."];
        roots
            .iter()
            .any(|root| variable.expression.starts_with(root))
    };
    if let Some(variable) = list.whole_variable().filter(|one| of_request(one)) {
        let message = "`list` is an expression itself: in braces its value is no list";
        let made = reader.warning(Code::InvalidValue, list.span, message);
        made.set_help(format!("write `{}`", variable.expression));
    }
    list
}

/// What is wrong with a text's variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    Open(Span),
    Empty(Span),
}

/// Cuts a text into literals and variables.
fn take_apart(raw: &str, span: Span, source: &Source) -> (Text, Option<Problem>) {
    let written = source.text.get(span.start..span.end).unwrap_or("");
    let mut places = Places {
        written,
        span,
        from: 0,
    };
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut problem = None;
    let mut open = None;
    let mut rest = raw;
    while let Some(at) = rest.find("{{") {
        let (before, braces) = rest.split_at(at);
        let escaped = before.ends_with('\\');
        let Some(length) = variable_length(braces, 0) else {
            // Not a variable here; the second brace may still begin one.
            open.get_or_insert_with(|| places.find("{{"));
            literal.push_str(before);
            literal.push('{');
            rest = braces.get(1..).unwrap_or("");
            continue;
        };
        let (variable, after) = braces.split_at(length);
        if escaped {
            literal.push_str(before.strip_suffix('\\').unwrap_or(before));
            literal.push_str(variable);
        } else {
            literal.push_str(before);
            let variable = read_variable(variable, places.find(variable), source, 0);
            if variable.expression.is_empty() {
                problem.get_or_insert(Problem::Empty(variable.span));
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Variable(variable));
        }
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    if let Some(open) = open {
        problem.get_or_insert(Problem::Open(open));
    }
    let raw = raw.to_owned();
    (Text { span, raw, parts }, problem)
}

/// A variable, braces included, that is in as many others.
fn read_variable(written: &str, span: Span, source: &Source, nesting: usize) -> Variable {
    let inner = written.get(2..written.len() - 2).unwrap_or("");
    let (expression, shallow) = match inner.strip_prefix('-') {
        Some(inner) => (inner.trim(), true),
        None => (inner.trim(), false),
    };
    Variable {
        span,
        written: written.to_owned(),
        expression: expression.to_owned(),
        inner: inner_variables(inner, span, source, nesting + 1),
        shallow,
    }
}

/// The variables in what stands between a variable's braces; none where they are nested deeper than any is resolved.
fn inner_variables(between: &str, span: Span, source: &Source, nesting: usize) -> Vec<Variable> {
    let mut variables = Vec::new();
    if nesting >= limits::VARIABLE_NESTING || !between.contains("{{") {
        return variables;
    }
    let mut places = Places {
        written: source.text.get(span.start..span.end).unwrap_or(""),
        span,
        from: 2,
    };
    let mut rest = between;
    while let Some((_, braces)) = rest.find("{{").and_then(|at| rest.split_at_checked(at)) {
        let length = variable_length(braces, nesting);
        let split = length.and_then(|length| braces.split_at_checked(length));
        let Some((variable, after)) = split else {
            // The second brace may begin one.
            rest = braces.get(1..).unwrap_or("");
            continue;
        };
        let place = places.find(variable);
        variables.push(read_variable(variable, place, source, nesting));
        rest = after;
    }
    variables
}

/// The length of the variable that a text begins with, as it is resolved: variables in it are part of it, and so are maps
/// of the expression's own, with no other map inside.
fn variable_length(text: &str, nesting: usize) -> Option<usize> {
    let mut rest = text.strip_prefix("{{")?;
    let mut in_map = false;
    loop {
        let (_, brace) = rest.split_at_checked(rest.find(['{', '}'])?)?;
        if let Some(after) = brace.strip_prefix('}') {
            if in_map {
                in_map = false;
                rest = after;
                continue;
            }
            let after = after.strip_prefix('}')?;
            return Some(text.len() - after.len());
        }
        let nested = if nesting + 1 < limits::VARIABLE_NESTING {
            variable_length(brace, nesting + 1)
        } else {
            None
        };
        // One brace begins a map, whose first key may be a variable.
        let braces = brace.bytes().take_while(|byte| *byte == b'{').take(4);
        if nested.is_none() && (in_map || !matches!(braces.count(), 1 | 3)) {
            return None;
        }
        in_map |= nested.is_none();
        rest = brace.get(nested.unwrap_or(1)..)?;
    }
}

/// Finds pieces of a text where its author wrote it, which works unless YAML folded or unescaped the piece.
struct Places<'a> {
    written: &'a str,
    span: Span,
    from: usize,
}

impl Places<'_> {
    fn find(&mut self, piece: &str) -> Span {
        let rest = self.written.get(self.from..).unwrap_or("");
        let Some(at) = rest.find(piece) else {
            return self.span;
        };
        let start = self.span.start + self.from + at;
        self.from += at + piece.len();
        Span::new(start, start + piece.len())
    }
}

#[cfg(test)]
mod tests;
