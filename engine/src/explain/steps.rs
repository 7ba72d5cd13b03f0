//! Conditions and patterns walked for a trace: each branch that was looked at, with its place and its values.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::conditions;
use crate::ast::condition::Condition;
use crate::ast::context::ContextEntry;
use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode, PatternScalar};
use crate::ast::template as written;
use crate::evaluation::Names;
use crate::pattern::{self, Mismatch, Seen, Status};
use crate::program::Conditions;
use crate::rego::evaluate::Program;
use crate::source::Span;
use crate::template::{Template, Text};
use crate::trace::{
    Branch, BranchKind, Element, Loads, Origin, Resolved, Step, in_words, of_expression,
};

/// What steps are made with.
pub(crate) struct Ground<'a> {
    pub(crate) names: &'a Names<'a>,
    /// Entries of contexts that may stand behind names.
    pub(crate) entries: &'a [&'a ContextEntry],
    /// The element that this is about, after those that it is in.
    pub(crate) elements: &'a [Element],
    /// What patterns are compared with.
    pub(crate) about: About,
    pub(crate) program: &'a Program,
}

/// What a pattern is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The whole object.
    Object,
    /// The element of a list.
    Element,
}

/// What conditions come to, with those that were looked at; `find` has what the author wrote at a place.
pub(crate) fn of_conditions<'c>(
    ground: &Ground<'_>,
    judged: &Conditions,
    find: impl Fn(Span) -> Option<(BranchKind, &'c Condition)>,
) -> (Result<bool, String>, Vec<Step>) {
    let (holds, looked) = conditions::look(judged, ground.names);
    let steps = looked.iter().filter_map(|looked| {
        let (kind, written) = find(looked.condition.span)?;
        let decides = match (&holds, &looked.holds) {
            (Ok(whole), Ok(one)) => whole == one,
            (Err(_), Err(_)) => true,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        };
        let operator = written.operator.value.operator.name();
        let value = looked.value.as_ref().map_or_else(
            || "what has no value".to_owned(),
            |value| shown(value, MAX_SHOWN),
        );
        let path = key_path(ground, &written.key);
        Some(Step {
            branch: Branch {
                kind,
                span: written.span,
            },
            held: looked.holds.clone(),
            decides,
            wanted: format!("{operator} {value}"),
            path,
            seen: looked.key.clone(),
            variables: variables(ground, &[&written.key, &written.value]),
            element: in_words(ground.elements),
            program: ground.program.clone(),
        })
    });
    let steps = steps.collect();
    (holds, steps)
}

/// What a pattern comes to, with the places of it that were compared.
pub(crate) fn of_pattern(
    ground: &Ground<'_>,
    (written, template): (&Pattern, &Arc<Template>),
    resource: &Value,
) -> (Result<(), Mismatch>, Vec<Step>) {
    let resolved = match ground.names.template(template) {
        Ok(resolved) => resolved,
        Err(error) => {
            let step = ground.step(BranchKind::Shape, written.span, Err(error.to_string()));
            let variables = variables(ground, &[&written.template()]);
            let broken = Mismatch {
                status: Status::Broken,
                path: String::new(),
                reason: error.to_string(),
            };
            return (Err(broken), vec![Step { variables, ..step }]);
        }
    };
    let (found, seen) = pattern::look(&resolved, resource);
    let mut nodes = Nodes::default();
    nodes.add(ground.names, written, &resolved);
    let reason = found.as_ref().err().map_or("", |one| one.reason.as_str());
    let blamed = blamed(&seen, reason);
    let steps = seen.iter().enumerate().filter_map(|(index, seen)| {
        let node = nodes.0.get(&seen.node)?;
        let (kind, span) = match seen.anchor {
            Some(anchor) => (BranchKind::Anchor(anchor), node.key?),
            None if node.is_leaf => (BranchKind::Leaf, node.pattern.span),
            None => (BranchKind::Shape, node.pattern.span),
        };
        let variables = if node.is_leaf {
            variables(ground, &[&node.pattern.template()])
        } else {
            Vec::new()
        };
        Some(Step {
            decides: found.is_ok() || blamed.contains(&index),
            wanted: wanted(seen, node),
            path: Some(pointer(ground, &seen.path)),
            seen: seen.value.clone().filter(|value| !value.is_null()),
            variables,
            ..ground.step(kind, span, Ok(seen.reason.is_none()))
        })
    });
    let steps = steps.collect();
    (found, steps)
}

/// That a message has no text, and why; none where it has one.
pub(crate) fn of_message(ground: &Ground<'_>, message: &written::Text) -> Option<Step> {
    let reason = resolve(ground.names, &message.raw, message.span).err()?;
    let template = written::Template {
        span: message.span,
        value: written::TemplateValue::Text(message.clone()),
    };
    Some(Step {
        variables: variables(ground, &[&template]),
        ..ground.step(BranchKind::Message, message.span, Err(reason))
    })
}

/// Longest text of a value in words.
const MAX_SHOWN: usize = 200;

/// A value as JSON, shortened.
fn shown(value: &Value, most: usize) -> String {
    let mut text = value.to_string();
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// The innermost comparisons whose reasons are in that of the whole.
fn blamed(seen: &[Seen], reason: &str) -> Vec<usize> {
    let within = |index: usize, reason: &str| -> bool {
        let own = seen.get(index).and_then(|one| one.reason.as_deref());
        own.is_some_and(|own| reason.contains(own))
    };
    let all: Vec<usize> = (0..seen.len())
        .filter(|index| within(*index, reason))
        .collect();
    // An anchor says what the value below it said before.
    let is_innermost = |index: &usize| {
        let own = seen.get(*index).and_then(|one| one.reason.as_deref());
        let mut before = all.iter().filter(|earlier| *earlier < index);
        !before.any(|earlier| within(*earlier, own.unwrap_or("")))
    };
    all.iter().copied().filter(is_innermost).collect()
}

fn wanted(seen: &Seen, node: &Node<'_>) -> String {
    match (seen.anchor, &node.value) {
        (Some(Anchor::Negation), _) => "not to be there".to_owned(),
        (Some(Anchor::Existence), _) => "an element as this says".to_owned(),
        (Some(Anchor::Condition), _) if seen.value.is_none() => "to be there".to_owned(),
        (_, Value::Object(_)) => "a map as this says".to_owned(),
        (_, Value::Array(_)) => "a list as this says".to_owned(),
        (_, Value::String(text)) if text == "*" => "to be there".to_owned(),
        (_, value) => shown(value, MAX_SHOWN),
    }
}

/// Nodes of a resolved pattern by their addresses.
#[derive(Default)]
struct Nodes<'p>(BTreeMap<usize, Node<'p>>);

struct Node<'p> {
    pattern: &'p Pattern,
    /// Where its key was written, if it has one.
    key: Option<Span>,
    is_leaf: bool,
    value: Value,
}

impl<'p> Nodes<'p> {
    fn add(&mut self, names: &Names<'_>, pattern: &'p Pattern, resolved: &Value) {
        self.put(pattern, None, resolved);
        self.below(names, pattern, resolved);
    }

    fn put(&mut self, pattern: &'p Pattern, key: Option<Span>, resolved: &Value) {
        let node = Node {
            pattern,
            key,
            is_leaf: matches!(pattern.node, PatternNode::Scalar(_)),
            value: resolved.clone(),
        };
        self.0.insert(Seen::address(resolved), node);
    }

    fn entry(&mut self, names: &Names<'_>, entry: &'p PatternEntry, value: Option<&Value>) {
        if let Some(value) = value {
            self.put(&entry.value, Some(entry.span), value);
            self.below(names, &entry.value, value);
        }
    }

    fn below(&mut self, names: &Names<'_>, pattern: &'p Pattern, resolved: &Value) {
        match (&pattern.node, resolved) {
            (PatternNode::Map(entries), Value::Object(fields)) => {
                for entry in entries {
                    let value = fields.get(&key_of(names, &entry.raw));
                    self.entry(names, entry, value);
                }
            }
            (PatternNode::List(items), Value::Array(values)) => {
                for (item, value) in items.iter().zip(values) {
                    self.put(item, None, value);
                    self.below(names, item, value);
                }
            }
            // What a variable brought in stands where the variable does.
            (PatternNode::Scalar(PatternScalar::Text(_)), Value::Object(fields)) => {
                for value in fields.values() {
                    self.put(pattern, Some(pattern.span), value);
                    self.below(names, pattern, value);
                }
            }
            (PatternNode::Scalar(PatternScalar::Text(_)), Value::Array(values)) => {
                for value in values {
                    self.put(pattern, Some(pattern.span), value);
                    self.below(names, pattern, value);
                }
            }
            _ => {}
        }
    }
}

/// A key as it is once its variables are known.
fn key_of(names: &Names<'_>, raw: &str) -> String {
    let span = Span::new(0, 0);
    match resolve(names, raw, span) {
        Ok(Value::String(key)) => key,
        Ok(_) | Err(_) => raw.to_owned(),
    }
}

fn resolve(names: &Names<'_>, raw: &str, span: Span) -> Result<Value, String> {
    let text = written::Text {
        span,
        raw: raw.to_owned(),
        parts: Vec::new(),
    };
    let (text, _) = Text::compile(&text);
    names.text(&text).map_err(|error| {
        if error.is_pending() {
            "nobody asked for it, since the rule was decided before".to_owned()
        } else {
            error.to_string()
        }
    })
}

/// How the variables of some templates were resolved, and the names of contexts that they use.
fn variables(ground: &Ground<'_>, templates: &[&written::Template]) -> Vec<Resolved> {
    let mut written = Vec::new();
    for template in templates {
        template.for_each_text(&mut |text| written.extend(text.variables()));
    }
    let mut found: Vec<Resolved> = Vec::new();
    for variable in written {
        let (name, span) = (variable.expression.clone(), variable.span);
        if found.iter().all(|known| known.name != name) {
            let value = resolve(ground.names, &format!("{{{{{name}}}}}"), span);
            found.push(Resolved {
                origin: Origin::Expression,
                name,
                span,
                value,
            });
        }
    }
    let used: Vec<Resolved> = ground
        .entries
        .iter()
        .filter(|entry| found.iter().any(|one| uses(&one.name, &entry.name.value)))
        .map(|entry| Resolved {
            origin: Origin::Context(Loads::from(&entry.source)),
            name: entry.name.value.clone(),
            span: entry.name.span,
            value: resolve(
                ground.names,
                &format!("{{{{ {} }}}}", entry.name.value),
                entry.name.span,
            ),
        })
        .collect();
    found.extend(used);
    found
}

/// Whether a name is a word of an expression.
fn uses(expression: &str, name: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    let mut words = expression.split(|letter| !is_word(letter));
    words.any(|word| word == name)
}

/// Where in the resource a condition's key reads, if it is one variable.
fn key_path(ground: &Ground<'_>, key: &written::Template) -> Option<String> {
    let written::TemplateValue::Text(text) = &key.value else {
        return None;
    };
    of_expression(&text.whole_variable()?.expression, ground.elements)
}

/// The path of a walk as a JSON pointer; that of an element starts at the object where its list is a plain path.
fn pointer(ground: &Ground<'_>, path: &str) -> String {
    let own = path.strip_suffix('/').unwrap_or(path);
    let is_of_element = ground.about == About::Element;
    let above = is_of_element.then(|| of_expression("element", ground.elements));
    match above.flatten() {
        Some(above) => format!("{above}{own}"),
        None => own.to_owned(),
    }
}

impl Ground<'_> {
    /// A step without values.
    pub(crate) fn step(&self, kind: BranchKind, span: Span, held: Result<bool, String>) -> Step {
        Step {
            branch: Branch { kind, span },
            held,
            decides: true,
            wanted: String::new(),
            path: None,
            seen: None,
            variables: Vec::new(),
            element: in_words(self.elements),
            program: self.program.clone(),
        }
    }
}
