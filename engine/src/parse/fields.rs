//! Reading maps strictly: each field is taken once, and what was not taken is unknown or not supported.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Label};
use crate::source::{Source, Span, Spanned};
use crate::yaml::{Entry, Node, Value};

use crate::suggest;

/// The source that is read, and what was wrong so far.
pub(super) struct Reader<'a> {
    source: &'a Arc<Source>,
    diagnostics: Vec<Diagnostic>,
    /// Those among the diagnostics that only follow from another one.
    taken_back: BTreeSet<usize>,
}

/// A diagnostic that was just made, for advice to be added.
pub(super) struct Made<'r>(Option<&'r mut Diagnostic>);

impl Made<'_> {
    /// Adds advice.
    pub(super) fn set_help(self, help: impl Into<String>) {
        if let Some(diagnostic) = self.0 {
            diagnostic.help = Some(help.into());
        }
    }

    /// Adds another place, and what is to be said there.
    pub(super) fn label(mut self, span: Span, text: &str) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            let text = text.to_owned();
            diagnostic.labels.push(Label { span, text });
        }
        self
    }
}

/// A map whose fields are taken one by one.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    /// Where the map was written.
    pub(super) span: Span,
    /// What it is, for messages.
    what: &'static str,
    entries: &'n [Entry],
    known: Vec<&'static str>,
    /// What was said to be missing, and which fields would have been it.
    missing: Vec<(usize, Vec<&'static str>)>,
}

/// Fields of Kyverno's that are not supported, by name.
pub(super) type Unsupported = &'static [&'static str];

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Arc<Source>) -> Self {
        Self {
            source,
            diagnostics: Vec::new(),
            taken_back: BTreeSet::new(),
        }
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let said = self.diagnostics.into_iter().enumerate();
        said.filter(|(index, _)| !self.taken_back.contains(index))
            .map(|(_, diagnostic)| diagnostic)
            .collect()
    }

    /// How many things were wrong so far.
    pub(super) fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|one| one.is_error()).count()
    }

    pub(super) fn source(&self) -> &'a Arc<Source> {
        self.source
    }

    /// Says what is wrong.
    pub(super) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> Made<'_> {
        self.diagnostics
            .push(Diagnostic::error(code, self.source, span, message));
        Made(self.diagnostics.last_mut())
    }

    /// Says what is likely not meant.
    pub(super) fn warning(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
    ) -> Made<'_> {
        self.diagnostics
            .push(Diagnostic::warning(code, self.source, span, message));
        Made(self.diagnostics.last_mut())
    }

    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, this is {}", node.value.describe());
        let written = self.source.text.get(node.span.start..node.span.end);
        let help = match &node.value {
            Value::Bool(_) | Value::Number(_) if wanted == "a text" => {
                "put it in quotes".to_owned()
            }
            Value::Map(_) if wanted == "a list" => {
                "put `-` before its first field: that makes it the only entry of a list".to_owned()
            }
            Value::String(text) if wanted == "a list" && *text == one_line(text) => {
                format!("write `[{}]`", written.unwrap_or(text))
            }
            _ => String::new(),
        };
        let made = self.error(Code::InvalidValue, node.span, message);
        if !help.is_empty() {
            made.set_help(help);
        }
    }

    /// The fields of a map.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<Fields<'n>> {
        if let Value::Map(entries) = &node.value {
            Some(Fields {
                span: node.span,
                what,
                entries,
                known: Vec::new(),
                missing: Vec::new(),
            })
        } else {
            self.wrong_type(node, &format!("`{what}`"), "a map");
            None
        }
    }

    /// A text.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        if let Value::String(text) = &node.value {
            Some(Spanned::new(text.clone(), node.span))
        } else {
            self.wrong_type(node, &format!("`{what}`"), "a text");
            None
        }
    }

    /// A boolean.
    pub(super) fn flag(&mut self, node: &Node, what: &str) -> Option<Spanned<bool>> {
        if let Value::Bool(flag) = node.value {
            Some(Spanned::new(flag, node.span))
        } else {
            self.wrong_type(node, &format!("`{what}`"), "a boolean");
            None
        }
    }

    /// A whole number within bounds, both included.
    pub(super) fn integer(
        &mut self,
        node: &Node,
        what: &str,
        bounds: (u32, u32),
    ) -> Option<Spanned<u32>> {
        let (least, most) = bounds;
        let Value::Number(number) = &node.value else {
            self.wrong_type(node, &format!("`{what}`"), "a number");
            return None;
        };
        let number = number
            .as_u64()
            .and_then(|number| u32::try_from(number).ok());
        match number {
            Some(number) if (least..=most).contains(&number) => {
                Some(Spanned::new(number, node.span))
            }
            _ => {
                let message = format!("`{what}` must be between {least} and {most}");
                self.error(Code::InvalidValue, node.span, message);
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            items
        } else {
            self.wrong_type(node, &format!("`{what}`"), "a list");
            &[]
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, node: &Node, what: &str) -> Vec<Spanned<String>> {
        let items = self.items(node, what);
        let texts = items.iter().map(|item| self.text(item, what));
        texts.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// A map from texts to texts.
    pub(super) fn text_map(
        &mut self,
        node: &Node,
        what: &str,
    ) -> Vec<(Spanned<String>, Spanned<String>)> {
        let Value::Map(entries) = &node.value else {
            self.wrong_type(node, &format!("`{what}`"), "a map");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for entry in entries {
            if let Some(value) = self.text(&entry.value, &format!("{what}.{}", entry.key)) {
                texts.push((Spanned::new(entry.key.clone(), entry.key_span), value));
            }
        }
        texts
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        words: &[(&'static str, T)],
    ) -> Option<Spanned<T>> {
        let text = self.text(node, what)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if let Some((_, value)) = found {
            return Some(Spanned::new(*value, node.span));
        }
        let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let message = format!("`{what}` cannot be `{}`", one_line(&text.value));
        let help = match suggest::nearest(&text.value, words.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("it is one of {}", names.join(", ")),
        };
        self.error(Code::InvalidValue, node.span, message)
            .set_help(help);
        None
    }
}

impl<'n> Fields<'n> {
    fn entry(&mut self, name: &'static str) -> Option<&'n Entry> {
        self.known.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name);
        entry.filter(|entry| !entry.value.is_null())
    }

    /// The value of a field, if it was written and is not null.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// Refuses a field that was written without a value, where leaving it out would say less than its author meant.
    pub(super) fn refuse_empty(&self, reader: &mut Reader<'_>, names: &[&str]) -> bool {
        let empty: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.value.is_null() && names.contains(&entry.key.as_str()))
            .collect();
        for entry in &empty {
            let message = format!("`{}` has no value", entry.key);
            let made = reader.error(Code::InvalidValue, entry.value.span, message);
            made.set_help("write what it demands, or leave it out where nothing is demanded");
        }
        empty.is_empty()
    }

    /// The value of a field, without taking it.
    pub(super) fn peek(&self, name: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| entry.key == name);
        entry
            .map(|entry| &entry.value)
            .filter(|node| !node.is_null())
    }

    /// Whether nothing was written, or only nulls.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| entry.value.is_null())
    }

    /// Says what is wrong where not exactly one of the fields that say what is demanded was written; `known` are those that
    /// are supported.
    pub(super) fn demand_one(
        &mut self,
        reader: &mut Reader<'_>,
        names: &[&'static str],
        span: Span,
        known: &str,
    ) {
        let what = self.what;
        let written = self.entries.iter();
        let mut written =
            written.filter(|entry| !entry.value.is_null() && names.contains(&entry.key.as_str()));
        match (written.next(), written.next()) {
            (None, _) => {
                let message = format!("`{what}` demands nothing: it has none of {known}");
                reader.error(Code::MissingField, span, message);
                self.unless_misspelt(reader, names);
            }
            (Some(_), None) => {}
            (Some(one), Some(two)) => {
                let message = format!(
                    "`{what}` demands one thing: it has `{}` and `{}`",
                    one.key, two.key
                );
                reader
                    .error(Code::InvalidValue, two.key_span, message)
                    .label(one.key_span, "the other one")
                    .set_help("keep one of them; what else is demanded has its own rule");
            }
        }
    }

    /// Takes back what was said last, that there is none of some fields, if one of them turns out to be there, misspelt.
    pub(super) fn unless_misspelt(&mut self, reader: &Reader<'_>, names: &[&'static str]) {
        if let Some(last) = reader.diagnostics.len().checked_sub(1) {
            self.missing.push((last, names.to_vec()));
        }
    }

    /// Takes fields that mean nothing to an engine.
    pub(super) fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend_from_slice(names);
    }

    /// The value of a field that must be there.
    pub(super) fn require(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Option<&'n Node> {
        let found = self.take(name);
        if found.is_none() {
            let message = format!("`{}` has no `{name}`", self.what);
            reader.error(Code::MissingField, self.start(), message);
            self.unless_misspelt(reader, &[name]);
        }
        found
    }

    /// Where the name of a field was written, if it was.
    pub(super) fn key_span(&self, name: &str) -> Option<Span> {
        let entry = self.entries.iter().find(|entry| entry.key == name);
        entry.map(|entry| entry.key_span)
    }

    /// The first line of the map, where something that is missing is reported.
    fn start(&self) -> Span {
        let first = self.entries.first();
        first.map_or(self.span, |entry| entry.key_span)
    }

    /// A text, if the field was written.
    pub(super) fn text(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Option<Spanned<String>> {
        self.take(name).and_then(|node| reader.text(node, name))
    }

    /// A boolean, if the field was written.
    pub(super) fn flag(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Option<Spanned<bool>> {
        self.take(name).and_then(|node| reader.flag(node, name))
    }

    /// A list of texts, empty if the field was not written.
    pub(super) fn texts(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Vec<Spanned<String>> {
        self.take(name)
            .map_or_else(Vec::new, |node| reader.texts(node, name))
    }

    /// A map of texts, empty if the field was not written.
    pub(super) fn text_map(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Vec<(Spanned<String>, Spanned<String>)> {
        self.take(name)
            .map_or_else(Vec::new, |node| reader.text_map(node, name))
    }

    /// The items of a list, empty if the field was not written.
    pub(super) fn items(&mut self, reader: &mut Reader<'_>, name: &'static str) -> &'n [Node] {
        self.take(name).map_or(&[], |node| reader.items(node, name))
    }

    /// One of some words, if the field was written.
    pub(super) fn choice<T: Copy>(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<Spanned<T>> {
        self.take(name)
            .and_then(|node| reader.choice(node, name, words))
    }

    /// A field that is supported only while it is false.
    pub(super) fn refuse_true(&mut self, reader: &mut Reader<'_>, name: &'static str) {
        if let Some(entry) = self.entry(name) {
            let written = reader.flag(&entry.value, name);
            if written.is_some_and(|flag| flag.value) {
                not_supported(reader, entry.key_span, name, self.what);
            }
        }
    }

    /// Refuses what was not taken: by name what Kyverno has, as unknown what it has not.
    pub(super) fn finish(self, reader: &mut Reader<'_>, unsupported: Unsupported) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) || (entry.value.is_null() && unsupported.contains(&key)) {
                continue;
            }
            if unsupported.contains(&key) {
                not_supported(reader, entry.key_span, key, self.what);
                continue;
            }
            let message = format!("`{}` has no field `{}`", self.what, one_line(key));
            let names = self.known.iter().chain(unsupported).copied();
            let nearest = suggest::nearest(key, names);
            let made = reader.error(Code::UnknownField, entry.key_span, message);
            if let Some(nearest) = nearest {
                made.set_help(format!("did you mean `{nearest}`?"));
                let missing = self.missing.iter();
                let same = missing.filter(|(_, names)| names.contains(&nearest));
                reader.taken_back.extend(same.map(|(index, _)| *index));
            }
        }
    }
}

/// Fields that hold CEL.
const IN_CEL: [&str; 3] = ["cel", "celPreconditions", "matchConditions"];

fn not_supported(reader: &mut Reader<'_>, span: Span, name: &str, what: &str) {
    if IN_CEL.contains(&name) {
        let message = format!("`{name}` of `{what}` is not supported yet: it is written in CEL");
        reader.error(Code::NotSupportedYet, span, message);
        return;
    }
    let message = format!("`{name}` of `{what}` is not supported");
    reader.error(Code::NotSupported, span, message);
}

/// User text for a message: one line, and not too long.
pub(super) fn one_line(text: &str) -> String {
    const MOST: usize = 80;
    let mut line: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(MOST)
        .collect();
    if text.chars().count() > MOST {
        line.push('…');
    }
    line
}
