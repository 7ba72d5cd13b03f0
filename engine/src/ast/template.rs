//! Values that may hold variables: texts with `{{ }}` in them, and trees of such texts.
//!
//! Knows how variables are delimited (`Text::parse`), not what stands between the delimiters.

use serde_json::Number;

use crate::source::Span;

/// A text that may hold variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where the author wrote it.
    pub span: Span,
    /// As written, variables and escapes included.
    pub raw: String,
    /// What it consists of; empty for the empty text. Adjacent literals are one part.
    pub parts: Vec<Part>,
}

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself; escapes (`\{{`) are undone.
    Literal(String),
    /// A variable.
    Variable(Variable),
}

/// `{{ expression }}`, or `{{- expression }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// From the first brace to the last; the whole text's span where its place cannot be told because YAML folded or
    /// unescaped the text.
    pub span: Span,
    /// As it was written, braces included.
    pub written: String,
    /// The expression between the braces, without the space around it.
    pub expression: String,
    /// The variables inside of the expression, which are resolved before it is one.
    pub inner: Vec<Variable>,
    /// Written `{{-`: what it resolves to is not searched for variables.
    pub shallow: bool,
}

/// A tree of values that may hold variables, keys included.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Where the author wrote it.
    pub span: Span,
    /// What it is.
    pub value: TemplateValue,
}

/// What a [`Template`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; whole ones are integers, also where they were written with a fraction of zero.
    Number(Number),
    /// A text.
    Text(Text),
    /// A list.
    List(Vec<Template>),
    /// A map in the order of writing; keys are unique as written.
    Map(Vec<(Text, Template)>),
}

impl Text {
    /// The text itself, if it holds no variable.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Its one variable, if it is nothing else: then the value keeps its type.
    pub fn whole_variable(&self) -> Option<&Variable> {
        match self.parts.as_slice() {
            [Part::Variable(variable)] => Some(variable),
            _ => None,
        }
    }

    /// Its variables in order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Literal(_) => None,
        })
    }
}

impl Template {
    /// Calls `visit` for each text of the tree, keys included, in order of writing.
    pub fn for_each_text<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        match &self.value {
            TemplateValue::Null | TemplateValue::Bool(_) | TemplateValue::Number(_) => {}
            TemplateValue::Text(text) => visit(text),
            TemplateValue::List(items) => {
                for item in items {
                    item.for_each_text(visit);
                }
            }
            TemplateValue::Map(entries) => {
                for (key, value) in entries {
                    visit(key);
                    value.for_each_text(visit);
                }
            }
        }
    }

    /// Whether any text of it holds a variable.
    pub fn has_variables(&self) -> bool {
        let mut found = false;
        self.for_each_text(&mut |text| found |= text.literal().is_none());
        found
    }

    /// The value itself, if it holds no variable.
    pub fn constant(&self) -> Option<serde_json::Value> {
        use serde_json::Value;
        Some(match &self.value {
            TemplateValue::Null => Value::Null,
            TemplateValue::Bool(flag) => Value::Bool(*flag),
            TemplateValue::Number(number) => Value::Number(number.clone()),
            TemplateValue::Text(text) => Value::String(text.literal()?.to_owned()),
            TemplateValue::List(items) => {
                let items = items.iter().map(Self::constant).collect::<Option<_>>()?;
                Value::Array(items)
            }
            TemplateValue::Map(entries) => {
                let entry = |(key, value): &(Text, Self)| {
                    Some((key.literal()?.to_owned(), value.constant()?))
                };
                Value::Object(entries.iter().map(entry).collect::<Option<_>>()?)
            }
        })
    }
}
