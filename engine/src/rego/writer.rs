//! Typed Rego as text, with a map from its lines to what they were made from.
//!
//! Every text that an author or a request wrote goes through [`literal`]; nothing else puts quotes around anything.

use std::fmt::Write as _;
use std::ops::Range;

use crate::source::Span;

use super::module::{Expression, Head, Module, Rule, Statement};

/// A line that grows beyond this is broken; regorus refuses lines of 1,024 bytes.
const LINE: usize = 96;
/// The longest piece of a text, as it is written: two of them fit a line.
const PIECE: usize = 400;

/// The text of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// The Rego.
    pub text: String,
    /// Lines, counted from one, and what they were made from.
    pub lines: Vec<(Range<usize>, Span)>,
}

impl Text {
    /// What the line was made from.
    pub fn span_of(&self, line: usize) -> Option<Span> {
        let found = self.lines.iter().find(|(lines, _)| lines.contains(&line));
        found.map(|(_, span)| *span)
    }
}

/// Writes a module.
pub fn write(module: &Module) -> Text {
    let mut writer = Writer::default();
    for comment in &module.comments {
        writer.comment(comment);
    }
    writer.text.push_str("package ");
    let path: Vec<&str> = module.package.iter().map(String::as_str).collect();
    writer.text.push_str(&path.join("."));
    writer.text.push_str("\n\nimport rego.v1\n");
    let mut lines = Vec::new();
    for rule in &module.rules {
        writer.text.push('\n');
        let start = writer.text.matches('\n').count() + 1;
        writer.rule(rule);
        let end = writer.text.matches('\n').count() + 1;
        if let Some(span) = rule.span {
            lines.push((start..end, span));
        }
    }
    Text {
        text: writer.text,
        lines,
    }
}

/// A text as Rego writes it; long ones as the concatenation of their pieces, one a line.
pub fn literal(text: &str) -> String {
    let pieces = pieces(text);
    match pieces.as_slice() {
        [piece] => format!("\"{piece}\""),
        pieces => {
            let lines: Vec<String> = pieces.iter().map(|piece| format!("\"{piece}\"")).collect();
            format!("concat(\"\", [\n\t\t{},\n\t])", lines.join(",\n\t\t"))
        }
    }
}

/// The pieces of a text, escaped; one at least.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for character in text.chars() {
        let written = escaped(character);
        if piece.len() + written.len() > PIECE {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.push_str(&written);
    }
    pieces.push(piece);
    pieces
}

/// A character between quotes: JSON's escapes, which are Rego's, and everything that is not printable by its number.
fn escaped(character: char) -> String {
    match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        ' '..='~' => character.to_string(),
        other if other.is_alphanumeric() => other.to_string(),
        other => {
            let mut escaped = String::new();
            for unit in other.encode_utf16(&mut [0; 2]) {
                let written = write!(escaped, "\\u{unit:04x}");
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
            escaped
        }
    }
}

#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    /// A comment is text of the author: one line of it, bounded, nothing unprintable.
    fn comment(&mut self, line: &str) {
        let clean: String = line
            .chars()
            .take(100)
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .collect();
        self.text.push_str("# ");
        self.text.push_str(clean.trim_end());
        self.text.push('\n');
    }

    fn rule(&mut self, rule: &Rule) {
        for comment in &rule.comments {
            self.comment(comment);
        }
        match &rule.head {
            Head::Contains(name, element) => {
                self.text.push_str(name);
                self.text.push_str(" contains ");
                self.text.push_str(&expression(element, 0));
            }
            Head::Value(name, value) => {
                self.text.push_str(name);
                self.value(value);
            }
            Head::Function(name, arguments, value) => {
                self.text.push_str(name);
                self.text.push('(');
                self.text.push_str(&arguments.join(", "));
                self.text.push(')');
                self.value(value);
            }
        }
        if rule.body.is_empty() {
            self.text.push('\n');
        } else {
            self.text.push_str(" if {\n");
            self.body(&rule.body, 1);
            self.text.push_str("}\n");
        }
    }

    fn value(&mut self, value: &Expression) {
        if *value != Expression::Bool(true) {
            self.text.push_str(" := ");
            self.text.push_str(&expression(value, 0));
        }
    }

    fn body(&mut self, body: &[Statement], depth: usize) {
        for statement in body {
            self.text.push_str(&statement_text(statement, depth));
        }
    }
}

fn indent(depth: usize) -> String {
    "\t".repeat(depth)
}

/// A statement with its indentation and its line feed.
fn statement_text(statement: &Statement, depth: usize) -> String {
    let tabs = indent(depth);
    match statement {
        Statement::Holds(value) => format!("{tabs}{}\n", expression(value, depth)),
        Statement::Not(value) => format!("{tabs}not {}\n", expression(value, depth)),
        Statement::Assign(name, value) => format!("{tabs}{name} := {}\n", expression(value, depth)),
        Statement::Some(name, of) => format!("{tabs}some {name} in {}\n", expression(of, depth)),
        Statement::SomeIndexed(index, name, of) => {
            format!("{tabs}some {index}, {name} in {}\n", expression(of, depth))
        }
        Statement::Every(name, of, body) => {
            let lines: String = body
                .iter()
                .map(|inner| statement_text(inner, depth + 1))
                .collect();
            format!(
                "{tabs}every {name} in {} {{\n{lines}{tabs}}}\n",
                expression(of, depth)
            )
        }
    }
}

fn expression(value: &Expression, depth: usize) -> String {
    match value {
        Expression::Null => "null".to_owned(),
        Expression::Bool(flag) => flag.to_string(),
        Expression::Number(number) => number.to_string(),
        Expression::Text(text) => literal(text),
        Expression::Name(name) => name.clone(),
        Expression::Field(base, name) => {
            let base = expression(base, depth);
            if is_identifier(name) {
                format!("{base}.{name}")
            } else {
                format!("{base}[{}]", literal(name))
            }
        }
        Expression::Index(base, key) => {
            format!("{}[{}]", expression(base, depth), expression(key, depth))
        }
        Expression::Call(name, arguments) => {
            format!("{name}({})", items(arguments, depth).join(", "))
        }
        Expression::Binary(left, operator, right) => format!(
            "{} {} {}",
            expression(left, depth),
            operator.text(),
            expression(right, depth)
        ),
        Expression::Array(values) => bracketed(('[', ']'), &items(values, depth), depth),
        Expression::Set(values) if values.is_empty() => "set()".to_owned(),
        Expression::Set(values) => bracketed(('{', '}'), &items(values, depth), depth),
        Expression::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", literal(key), expression(value, depth)))
                .collect();
            bracketed(('{', '}'), &entries, depth)
        }
        Expression::Collect(value, body) => {
            let body: Vec<String> = body
                .iter()
                .map(|statement| statement_text(statement, 0).trim_end().to_owned())
                .collect();
            format!("[{} | {}]", expression(value, depth), body.join("; "))
        }
    }
}

fn items(values: &[Expression], depth: usize) -> Vec<String> {
    values
        .iter()
        .map(|value| expression(value, depth))
        .collect()
}

/// On one line where that is short, else one item a line.
fn bracketed((open, close): (char, char), items: &[String], depth: usize) -> String {
    let short = format!("{open}{}{close}", items.join(", "));
    if short.len() <= LINE && !short.contains('\n') {
        return short;
    }
    let inner = indent(depth + 1);
    let outer = indent(depth);
    let lines = items.join(&format!(",\n{inner}"));
    format!("{open}\n{inner}{lines},\n{outer}{close}")
}

/// Words that cannot stand after a dot.
const KEYWORDS: [&str; 17] = [
    "as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null",
    "package", "set", "some", "true", "with", "data",
];

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !KEYWORDS.contains(&name)
}
