//! Events → tree, without recursion: depth and size are bounded before memory is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, ScalarStyle, Tag};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

use super::scalar::{self, ScalarError};
use super::{Bytes, Entry, MAX_DEPTH, MAX_NODES, Node, Reading, Value};

/// Builds the documents of one part of a text.
pub(super) struct Builder<'a> {
    source: &'a Arc<Source>,
    bytes: &'a Bytes<'a>,
    reading: Reading,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
}

/// A list or map that has begun.
struct Open {
    start: Span,
    anchor: usize,
    /// Nodes of the document when it began.
    nodes_before: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        keys: HashSet<String>,
        key: Option<Key>,
        merges: Vec<Node>,
    },
}

/// A key whose value is still to come.
enum Key {
    Plain {
        span: Span,
        text: String,
    },
    /// `<<`: the value is a map, or a list of maps, whose entries are taken over.
    Merge,
}

struct Anchored {
    node: Node,
    size: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a Arc<Source>, bytes: &'a Bytes<'a>, reading: Reading) -> Self {
        Self {
            source,
            bytes,
            reading,
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
        }
    }

    /// The documents that were complete.
    pub(super) fn finish(self) -> Vec<Node> {
        self.documents
    }

    /// Takes the next event.
    pub(super) fn take(
        &mut self,
        event: Event<'_>,
        span: saphyr_parser::Span,
    ) -> Result<(), Diagnostic> {
        let marks = span;
        let span = self.bytes.span(marks);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.nodes = 0;
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let merge = style == ScalarStyle::Plain && text == "<<";
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                // Where the last line has no end, the text has none either, which the parser adds.
                let text = match text.strip_suffix('\n') {
                    Some(whole) if is_block && self.bytes.ends_without_break(marks.end) => whole,
                    _ => &*text,
                };
                let node = self.scalar(text, style, tag.as_deref(), span)?;
                self.value(node, anchor, 1, merge)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(span, anchor, tag.as_deref(), Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    keys: HashSet::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.begin(span, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
        }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(Code::InvalidYaml, self.source, span, message)
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, Diagnostic> {
        let value = match tag {
            Some(tag) if tag.is_yaml_core_schema() && self.knows(tag) => {
                scalar::tagged(&tag.suffix, text)
            }
            // `!` alone says that the scalar is a text.
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => {
                Ok(Value::String(text.to_owned()))
            }
            Some(_) if self.reading == Reading::Go => Ok(Value::String(text.to_owned())),
            Some(_) => Err(ScalarError::Tag),
            None if style == ScalarStyle::Plain => scalar::plain(text),
            None => Ok(Value::String(text.to_owned())),
        };
        match value {
            Ok(value) => Ok(Node { span, value }),
            Err(ScalarError::NotFinite) => {
                Err(self.error(span, format!("`{text}` is not a number that JSON can hold")))
            }
            Err(ScalarError::Tag) => Err(self.error(span, "a tag that the value does not fit")),
            Err(ScalarError::Base64) => {
                Err(self.error(span, "!!binary value contains invalid base64 data"))
            }
        }
    }

    /// Whether a tag of YAML's own is one that is looked at.
    fn knows(&self, tag: &Tag) -> bool {
        self.reading == Reading::Strict || scalar::TAGS.contains(&tag.suffix.as_str())
    }

    fn begin(
        &mut self,
        start: Span,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.error(start, super::too_deep()));
        }
        let fits = match (tag, &content) {
            (None, _) => true,
            (Some(tag), Content::List(_)) => tag.is_yaml_core_schema() && tag.suffix == "seq",
            (Some(tag), Content::Map { .. }) => tag.is_yaml_core_schema() && tag.suffix == "map",
        };
        if !fits && self.reading == Reading::Strict {
            return Err(self.error(start, "a tag that the value does not fit"));
        }
        if let Some(Open {
            content: Content::Map { key: None, .. },
            ..
        }) = self.open.last()
        {
            return Err(self.error(start, "a key of a map must be a scalar"));
        }
        self.open.push(Open {
            start,
            anchor,
            nodes_before: self.nodes,
            content,
        });
        Ok(())
    }

    fn end(&mut self, end: Span) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else {
            return Err(self.error(end, "a list or map ends that did not begin"));
        };
        let size = self.nodes - open.nodes_before + 1;
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map {
                mut entries,
                mut keys,
                merges,
                ..
            } => {
                for merged in merges {
                    self.merge(merged, &mut entries, &mut keys)?;
                }
                Value::Map(entries)
            }
        };
        // A block ends where the next token begins; what belongs to it ends with its last entry.
        let last = match &value {
            Value::List(items) => items.iter().map(|item| item.span.end).max(),
            Value::Map(entries) => entries.iter().map(|entry| entry.value.span.end).max(),
            _ => None,
        };
        let written_end = end.end.max(last.unwrap_or(end.end));
        let closes = self.source.text.get(end.start..end.end);
        let span_end = match (closes, last) {
            (Some("]" | "}"), _) | (_, None) => written_end,
            (_, Some(last)) => last,
        };
        let span = Span::new(open.start.start, span_end.max(open.start.start));
        self.value(Node { span, value }, open.anchor, size, false)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self.error(span, "an alias of an anchor that is not complete here"));
        };
        let size = anchored.size;
        if self.nodes + size > MAX_NODES {
            return Err(self.too_many(span));
        }
        let node = anchored.node.clone();
        self.nodes += size - 1;
        self.value(node, 0, size, false)
    }

    fn too_many(&self, span: Span) -> Diagnostic {
        let message = format!("the document has more than {MAX_NODES} values, aliases included");
        self.error(span, message)
    }

    /// Puts a value where it belongs: into the innermost list or map, as its key, or as the document.
    fn value(
        &mut self,
        node: Node,
        anchor: usize,
        size: usize,
        merge: bool,
    ) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.too_many(node.span));
        }
        if anchor != 0 {
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, size });
        }
        let Some(mut open) = self.open.pop() else {
            if !node.is_null() {
                self.documents.push(node);
            }
            return Ok(());
        };
        let result = self.put(&mut open.content, node, merge);
        self.open.push(open);
        result
    }

    fn put(&self, content: &mut Content, node: Node, merge: bool) -> Result<(), Diagnostic> {
        match content {
            Content::List(items) => items.push(node),
            Content::Map {
                entries,
                keys,
                key,
                merges,
            } => match key.take() {
                None if merge => *key = Some(Key::Merge),
                None => {
                    let text = self.key(&node)?;
                    if !keys.insert(text.clone()) && self.reading == Reading::Strict {
                        return Err(self.duplicate(node.span, &text, entries));
                    }
                    // Of two, the last counts: as JSON there is one of a name.
                    *key = Some(Key::Plain {
                        span: node.span,
                        text,
                    });
                }
                Some(Key::Merge) => merges.push(node),
                Some(Key::Plain { span, text }) => entries.push(Entry {
                    key_span: span,
                    key: text,
                    value: node,
                }),
            },
        }
        Ok(())
    }

    /// A key as the text that JSON has for it.
    fn key(&self, node: &Node) -> Result<String, Diagnostic> {
        match &node.value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(flag) => Ok(flag.to_string()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => {
                let message = format!("a key of a map cannot be {}", node.value.describe());
                Err(self.error(node.span, message))
            }
        }
    }

    fn duplicate(&self, span: Span, key: &str, entries: &[Entry]) -> Diagnostic {
        let first = entries.iter().find(|entry| entry.key == key);
        let diagnostic = Diagnostic::error(
            Code::InvalidYaml,
            self.source,
            span,
            format!("the map has the key `{key}` twice"),
        );
        match first {
            Some(first) => diagnostic.label(first.key_span, "the first"),
            None => diagnostic,
        }
    }

    /// Takes over the entries of a merged map that the map does not have itself.
    fn merge(
        &mut self,
        merged: Node,
        entries: &mut Vec<Entry>,
        keys: &mut HashSet<String>,
    ) -> Result<(), Diagnostic> {
        let maps = match merged.value {
            Value::List(items) => items,
            _ => vec![merged],
        };
        for map in maps {
            let Value::Map(found) = map.value else {
                return Err(self.error(map.span, "`<<` merges maps only"));
            };
            let new = found
                .into_iter()
                .filter(|entry| keys.insert(entry.key.clone()));
            entries.extend(new);
        }
        Ok(())
    }
}
