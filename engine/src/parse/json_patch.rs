//! `patchesJson6902`: a text that holds the operations as JSON or YAML, with variables in it.
//!
//! Kyverno puts the values of variables into the text and reads it then, so that a value can become an operation. Here the
//! text is read first, with a number in the place of each variable that occurs nowhere else in it.

use crate::ast::mutate::{JsonPatch, Step};
use crate::ast::template::{Template, TemplateValue, Text};
use crate::diagnostic::{Code, Severity};
use crate::source::{Source, Span};
use crate::yaml::{self, Node, Value};

use super::fields::Reader;
use super::template;

const OPERATIONS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<JsonPatch> {
    let text = reader.text(node, "patchesJson6902")?;
    let marked = Marked::new(&text.value);
    let source = Source::new("patchesJson6902", marked.text.clone());
    let (documents, diagnostics) = yaml::parse(&source);
    let mut sound = true;
    let lines = Lines::of(reader, node.span, (&source, &text.value));
    for diagnostic in &diagnostics {
        if diagnostic.severity == Severity::Error {
            sound = false;
            let message = format!("`patchesJson6902` cannot be read: {}", diagnostic.message);
            let line = lines
                .as_ref()
                .and_then(|lines| lines.line(diagnostic.position().0));
            reader.error(Code::InvalidValue, line.unwrap_or(node.span), message);
        }
    }
    let [document] = documents.as_slice() else {
        if sound {
            reader.error(
                Code::InvalidValue,
                node.span,
                "`patchesJson6902` is one list of operations",
            );
        }
        return None;
    };
    let mut patch = JsonPatch {
        span: node.span,
        operations: Template {
            span: node.span,
            value: TemplateValue::Null,
        },
        quoted: Vec::new(),
        plain: Vec::new(),
    };
    let mut steps = Vec::new();
    patch.operations = marked.template(reader, document, &mut steps, &mut patch);
    if let Some(lines) = &lines {
        place(&mut patch.operations, document, (&source, lines));
    }
    (sound && check(reader, &patch.operations)).then_some(patch)
}

/// Says where each operation begins.
fn place(operations: &mut Template, document: &Node, (marked, lines): (&Source, &Lines<'_>)) {
    let (TemplateValue::List(items), Value::List(nodes)) = (&mut operations.value, &document.value)
    else {
        return;
    };
    for (item, node) in items.iter_mut().zip(nodes) {
        let (line, _) = marked.position(node.span.start);
        item.span = lines.line(line).unwrap_or(item.span);
    }
}

/// Where the lines of the text are that was written line by line, as `|` and `|-` have it.
struct Lines<'a> {
    start: usize,
    whole: &'a str,
}

impl<'a> Lines<'a> {
    /// None where the text was written in another way.
    fn of(reader: &Reader<'a>, span: Span, (marked, raw): (&Source, &str)) -> Option<Self> {
        let whole = reader.source().text.get(span.start..span.end)?;
        let written = whole.trim_end().lines().map(str::trim);
        let same = written.eq(raw.trim_end().lines().map(str::trim))
            && marked.text.lines().count() == raw.lines().count();
        let start = span.start;
        same.then_some(Self { start, whole })
    }

    /// A line of the text, counted from one; the last one where it is behind that.
    fn line(&self, line: usize) -> Option<Span> {
        let mut start = self.start;
        let mut before = self.whole.split_inclusive('\n').take(line);
        let mut last = before.next()?;
        for line in before {
            start += last.len();
            last = line;
        }
        start += last.len() - last.trim_start().len();
        Some(Span::new(start, start + last.trim().len()))
    }
}

/// A text whose variables are marked by numbers.
struct Marked {
    text: String,
    /// What all marks begin with: digits that are not in the text.
    prefix: String,
    variables: Vec<String>,
}

/// Digits of the variable's number in a mark.
const WIDTH: usize = 4;

impl Marked {
    fn new(raw: &str) -> Self {
        let mut prefix = "7".to_owned();
        while raw.contains(&prefix) || prefix.len() < 8 {
            prefix.push('7');
        }
        let mut marked = Self {
            text: String::new(),
            prefix,
            variables: Vec::new(),
        };
        let mut rest = raw;
        while let Some(at) = rest.find("{{") {
            let (before, braces) = rest.split_at(at);
            marked.text.push_str(before);
            let length = length_of_variable(braces).filter(|_| !before.ends_with('\\'));
            let Some(length) = length else {
                marked.text.push_str("{{");
                rest = braces.get(2..).unwrap_or("");
                continue;
            };
            let (variable, after) = braces.split_at(length);
            let number = marked.variables.len();
            let mark = format!("{}{number:0WIDTH$}", marked.prefix);
            marked.text.push_str(&mark);
            marked.variables.push(variable.to_owned());
            rest = after;
        }
        marked.text.push_str(rest);
        marked
    }

    /// Puts the variables back.
    fn unmarked(&self, text: &str) -> String {
        let mut whole = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(&self.prefix) {
            let (before, mark) = rest.split_at(at);
            whole.push_str(before);
            let digits = mark.get(self.prefix.len()..self.prefix.len() + WIDTH);
            let number = digits.and_then(|digits| digits.parse::<usize>().ok());
            let variable = number.and_then(|number| self.variables.get(number));
            whole.push_str(variable.map_or("", String::as_str));
            rest = mark.get(self.prefix.len() + WIDTH..).unwrap_or("");
        }
        whole.push_str(rest);
        whole
    }

    fn is_mark(&self, text: &str) -> bool {
        text.len() == self.prefix.len() + WIDTH && text.starts_with(&self.prefix)
    }

    fn template(
        &self,
        reader: &mut Reader<'_>,
        node: &Node,
        steps: &mut Vec<Step>,
        patch: &mut JsonPatch,
    ) -> Template {
        let span = patch.span;
        let text = |reader: &mut Reader<'_>, text: &str| -> Text {
            template::text(reader, &self.unmarked(text), span)
        };
        let value = match &node.value {
            Value::Null => TemplateValue::Null,
            Value::Bool(flag) => TemplateValue::Bool(*flag),
            Value::Number(number) => {
                let written = number.to_string();
                if self.is_mark(&written) {
                    patch.plain.push(steps.clone());
                    TemplateValue::Text(text(reader, &written))
                } else {
                    TemplateValue::Number(number.clone())
                }
            }
            Value::String(written) => {
                if self.is_mark(written) {
                    patch.quoted.push(steps.clone());
                }
                TemplateValue::Text(text(reader, written))
            }
            Value::List(items) => {
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    steps.push(Step::Element(index));
                    list.push(self.template(reader, item, steps, patch));
                    steps.pop();
                }
                TemplateValue::List(list)
            }
            Value::Map(entries) => {
                let mut map = Vec::new();
                for entry in entries {
                    steps.push(Step::Field(entry.key.clone()));
                    let value = self.template(reader, &entry.value, steps, patch);
                    steps.pop();
                    map.push((text(reader, &entry.key), value));
                }
                TemplateValue::Map(map)
            }
        };
        Template { span, value }
    }
}

/// The length of the variable that a text begins with: its braces stand in pairs.
fn length_of_variable(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Says what is wrong with operations as far as it is known without the values of variables.
fn check(reader: &mut Reader<'_>, operations: &Template) -> bool {
    if let TemplateValue::Text(text) = &operations.value
        && text.whole_variable().is_some()
    {
        // The author computes the operations.
        return true;
    }
    let TemplateValue::List(items) = &operations.value else {
        reader.error(
            Code::InvalidValue,
            operations.span,
            "`patchesJson6902` is a list of operations",
        );
        return false;
    };
    let mut sound = true;
    for item in items {
        sound &= check_one(reader, item);
    }
    sound
}

fn check_one(reader: &mut Reader<'_>, item: &Template) -> bool {
    let TemplateValue::Map(fields) = &item.value else {
        reader.error(
            Code::InvalidValue,
            item.span,
            "an operation of a JSON patch is a map",
        );
        return false;
    };
    let field = |name: &str| fields.iter().find(|(key, _)| key.raw == name);
    let text = |name: &str| match field(name).map(|(_, value)| &value.value) {
        Some(TemplateValue::Text(text)) => Some(text),
        _ => None,
    };
    let Some(op) = text("op").and_then(Text::literal) else {
        let message = "an operation of a JSON patch has an `op`, without variables";
        reader.error(Code::MissingField, item.span, message);
        return false;
    };
    if !OPERATIONS.contains(&op) {
        let message = format!("a JSON patch has no operation `{op}`");
        reader
            .error(Code::InvalidValue, item.span, message)
            .set_help(format!("it is one of `{}`", OPERATIONS.join("`, `")));
        return false;
    }
    let mut sound = true;
    let pointers = if matches!(op, "move" | "copy") {
        &["path", "from"][..]
    } else {
        &["path"]
    };
    for name in pointers {
        sound &= check_pointer(reader, item.span, (op, name), text(name));
    }
    if matches!(op, "add" | "replace") && field("value").is_none() {
        let message = format!("the operation `{op}` has no `value`");
        reader.error(Code::MissingField, item.span, message);
        sound = false;
    }
    sound
}

fn check_pointer(
    reader: &mut Reader<'_>,
    span: Span,
    (op, name): (&str, &str),
    pointer: Option<&Text>,
) -> bool {
    let Some(pointer) = pointer else {
        let message = format!("the operation `{op}` has no `{name}`");
        reader.error(Code::MissingField, span, message);
        return false;
    };
    if pointer.raw.starts_with('/') || pointer.whole_variable().is_some() {
        return true;
    }
    let message = format!(
        "the path `{}` of a JSON patch does not begin with `/`",
        pointer.raw
    );
    reader.error(Code::InvalidValue, span, message);
    false
}
