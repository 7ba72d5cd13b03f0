//! Text → a tree in which everything has its place.
//!
//! Reads YAML as the API server and Kyverno's command line do (`sigs.k8s.io/yaml`): plain scalars are typed by YAML
//! 1.1's words (`scalar`), keys are texts, what is not JSON is refused. Stricter than they are where they guess
//! ([`Reading`]): a key twice in a map is an error.
//! Knows nothing of policies. The one place that turns character marks into bytes.

mod build;
mod json;
mod scalar;

use std::sync::Arc;

use saphyr_parser::{Marker, Parser, ScanError};
use serde_json::Number;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

use build::Builder;

/// The longest text that is read: etcd refuses objects over 1.5 MiB, and a file may hold some.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The deepest nesting of lists and maps; Kubernetes' schemas stay below 40.
pub const MAX_DEPTH: usize = 100;

/// The most nodes of a document, what aliases repeat included: bounds what a few nested aliases can grow to.
pub const MAX_NODES: usize = 200_000;

/// A located value.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it was written; for what an alias repeats, where the anchor is.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; whole ones are integers, also where they were written with a fraction of zero.
    Number(Number),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of writing, keys unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key was written.
    pub key_span: Span,
    /// The key as a text.
    pub key: String,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value of a key, if it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                let entry = entries.iter().find(|entry| entry.key == key);
                entry.map(|entry| &entry.value)
            }
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value without its places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect(),
        }
    }

    /// Whether it is null or was not written.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }
}

impl Value {
    /// What kind of value it is, with its article.
    pub const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// What is done where an author can hardly have meant what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It is an error.
    Strict,
    /// It is read as Go reads it: of a key that is there twice the last counts, and a tag that nobody knows says that a
    /// scalar is a text, and nothing of a list or a map.
    Go,
}

/// Reads the documents of a text. One that cannot be read is left out, with a diagnostic; empty ones are left out without.
pub fn parse(source: &Arc<Source>) -> (Vec<Node>, Vec<Diagnostic>) {
    read(source, Reading::Strict)
}

/// The same of a text that is data: what its author can hardly have meant is no error where it is none for Go.
pub fn parse_as_go(source: &Arc<Source>) -> (Vec<Node>, Vec<Diagnostic>) {
    read(source, Reading::Go)
}

fn read(source: &Arc<Source>, reading: Reading) -> (Vec<Node>, Vec<Diagnostic>) {
    let mut documents = Vec::new();
    let mut diagnostics = Vec::new();
    if source.text.len() > MAX_BYTES {
        diagnostics.push(Diagnostic::error(
            Code::InvalidYaml,
            source,
            Span::new(0, 0),
            format!("the text has more than {MAX_BYTES} bytes"),
        ));
        return (documents, diagnostics);
    }
    for range in split(&source.text) {
        let text = source.text.get(range.start..range.end).unwrap_or("");
        let (nodes, diagnostic) = parse_part(source, text, range.start, reading);
        documents.extend(nodes);
        diagnostics.extend(diagnostic);
    }
    (documents, diagnostics)
}

/// Cuts a text before each `---` at the start of a line, so that an error in one document does not hide the next.
///
/// Nothing else can start a line so: block scalars are indented, and quoted scalars may not contain it.
fn split(text: &str) -> Vec<Span> {
    let start = text.len() - text.trim_start_matches('\u{feff}').len();
    let mut parts = Vec::new();
    let mut begin = start;
    let mut offset = start;
    for line in text.get(start..).unwrap_or("").split_inclusive('\n') {
        let marker = line.strip_prefix("---");
        let starts =
            marker.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if starts && offset > begin {
            // Directives (`%YAML 1.2`) stand before the marker of the document that they are for.
            let before = text.get(begin..offset).unwrap_or("");
            if !only_directives(before) {
                parts.push(Span::new(begin, offset));
                begin = offset;
            }
        }
        offset += line.len();
    }
    if offset > begin {
        parts.push(Span::new(begin, offset));
    }
    parts
}

/// Whether a text has directives and besides them only comments and empty lines.
fn only_directives(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    let mut found = false;
    let rest = lines.all(|line| {
        found |= line.starts_with('%');
        line.is_empty() || line.starts_with('#') || line.starts_with('%')
    });
    found && rest
}

/// Reads one part of a text; `offset` is where it starts.
fn parse_part(
    source: &Arc<Source>,
    text: &str,
    offset: usize,
    reading: Reading,
) -> (Vec<Node>, Option<Diagnostic>) {
    match parse_text(source, text, &Bytes::new(text, offset), reading) {
        (_, Some(_)) if let Some(joined) = json::joined(text) => {
            let bytes = Bytes::with_table(text, offset, Some(joined.offsets));
            parse_text(source, &joined.text, &bytes, reading)
        }
        read => read,
    }
}

/// Reads a text; `bytes` says where its characters stand in the source.
fn parse_text(
    source: &Arc<Source>,
    text: &str,
    bytes: &Bytes<'_>,
    reading: Reading,
) -> (Vec<Node>, Option<Diagnostic>) {
    let mut builder = Builder::new(source, bytes, reading);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let result = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(scan_error(source, bytes, &error)),
        };
        if let Err(diagnostic) = result {
            return (builder.finish(), Some(diagnostic));
        }
    }
    (builder.finish(), None)
}

fn scan_error(source: &Arc<Source>, bytes: &Bytes<'_>, error: &ScanError) -> Diagnostic {
    let at = bytes.offset(*error.marker());
    if open_brackets(source.text.get(bytes.offset..at).unwrap_or("")) > MAX_DEPTH {
        let message = too_deep();
        return Diagnostic::error(Code::InvalidYaml, source, Span::new(at, at), message);
    }
    let at = following_tab(bytes, error).unwrap_or(at);
    let line_start = source.text.get(..at).and_then(|before| before.rfind('\n'));
    let indentation = source
        .text
        .get(line_start.map_or(0, |start| start + 1)..)
        .unwrap_or("");
    let tab = indentation
        .chars()
        .take_while(|character| character.is_whitespace() && *character != '\n')
        .any(|character| character == '\t');
    let diagnostic = Diagnostic::error(
        Code::InvalidYaml,
        source,
        Span::new(at, at),
        format!("this is not YAML: {}", error.info()),
    );
    if tab {
        diagnostic.help("the line is indented with a tab; YAML wants spaces")
    } else {
        diagnostic
    }
}

/// The tab that the line below an error begins with, if that is what is wrong: a scalar that goes on there is said to be
/// wrong where it begins.
fn following_tab(bytes: &Bytes<'_>, error: &ScanError) -> Option<usize> {
    let at = bytes.offset(*error.marker()) - bytes.offset;
    let line_end = at + bytes.text.get(at..)?.find('\n')?;
    let (before, below) = bytes.text.split_at_checked(line_end)?;
    let blank = below.get(1..)?.find(|letter: char| letter != ' ')?;
    let tab = line_end + 1 + blank;
    if !bytes.text.get(tab..)?.starts_with('\t') {
        return None;
    }
    let mut events = Parser::new_from_str(before);
    // After an error there is nothing more to read.
    let first = std::iter::from_fn(|| events.next_event()).find_map(Result::err);
    let is_wrong_without =
        first.is_some_and(|found| found.marker().index() == error.marker().index());
    (!is_wrong_without).then_some(bytes.offset + tab)
}

/// What is wrong with a text that is nested too deep.
fn too_deep() -> String {
    format!("lists and maps are nested more than {MAX_DEPTH} deep")
}

/// How many more brackets and braces are opened than closed: told only where reading failed, so that those in texts do
/// no harm.
fn open_brackets(text: &str) -> usize {
    text.bytes().fold(0, |open: usize, byte| match byte {
        b'[' | b'{' => open + 1,
        b']' | b'}' => open.saturating_sub(1),
        _ => open,
    })
}

/// Turns marks, which count characters, into offsets in bytes.
struct Bytes<'a> {
    text: &'a str,
    offset: usize,
    /// Offset of each character, only where some character has more than one byte.
    table: Option<Vec<usize>>,
    /// Where the last line begins, if something is on it.
    last_line: Option<usize>,
}

impl<'a> Bytes<'a> {
    fn new(text: &'a str, offset: usize) -> Self {
        let table = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self::with_table(text, offset, table)
    }

    fn with_table(text: &'a str, offset: usize, table: Option<Vec<usize>>) -> Self {
        let last_line = text.rsplit('\n').next().unwrap_or("");
        let start = text.len() - last_line.len();
        Self {
            text,
            offset,
            table,
            last_line: (!last_line.trim().is_empty()).then_some(start),
        }
    }

    fn offset(&self, mark: Marker) -> usize {
        let at = match &self.table {
            None => mark.index(),
            Some(table) => table.get(mark.index()).copied().unwrap_or(self.text.len()),
        };
        self.offset + at.min(self.text.len())
    }

    /// Whether what is written at a mark goes on to the end of the text, and that is no end of a line.
    fn ends_without_break(&self, mark: Marker) -> bool {
        let end = self.offset(mark) - self.offset;
        self.last_line.is_some_and(|start| end > start)
    }

    /// The span without the space that the scanner leaves at its end.
    fn span(&self, span: saphyr_parser::Span) -> Span {
        let (start, end) = (self.offset(span.start), self.offset(span.end));
        let written = self
            .text
            .get(start - self.offset..end.max(start) - self.offset)
            .unwrap_or("");
        Span::new(start, start + written.trim_end().len())
    }
}

#[cfg(test)]
mod tests;
