//! Rego's terms as text: JSON, and sets as `{1, 2}` and `set()`. The form in which OPA's modules and their host exchange values.

use std::collections::BTreeMap;

use regorus::Value;

use super::evaluate::{Document, from_json, to_json};

/// Deeper than any document that the API server takes.
const MOST_DEPTH: usize = 200;

/// Reads a term; none where it is not one.
pub(crate) fn parse(bytes: &[u8]) -> Option<Document> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    (reader.at == bytes.len()).then_some(Document::of(value))
}

/// Writes a term.
pub(crate) fn write(document: &Document) -> String {
    let mut text = String::new();
    put(document.value(), &mut text);
    text
}

fn put(value: &Value, text: &mut String) {
    match value {
        Value::Set(items) if items.is_empty() => text.push_str("set()"),
        Value::Set(items) => list(items.iter(), ('{', '}'), text),
        Value::Array(items) => list(items.iter(), ('[', ']'), text),
        Value::Object(fields) => {
            text.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                put(name, text);
                text.push(':');
                put(field, text);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Undefined => {
            let json = to_json(value).unwrap_or(serde_json::Value::Null);
            text.push_str(&json.to_string());
        }
    }
}

fn list<'a>(
    items: impl Iterator<Item = &'a Value>,
    (open, close): (char, char),
    text: &mut String,
) {
    text.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        put(item, text);
    }
    text.push(close);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MOST_DEPTH {
            return None;
        }
        match self.peek()? {
            b'[' => {
                self.at += 1;
                Some(Value::from(self.items(b']', depth)?))
            }
            b'{' => {
                self.at += 1;
                self.object_or_set(depth)
            }
            b's' => {
                let word = self.bytes.get(self.at..)?.strip_prefix(b"set()")?;
                self.at = self.bytes.len() - word.len();
                Some(Value::new_set())
            }
            _ => self.scalar(),
        }
    }

    fn items(&mut self, close: u8, depth: usize) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        if self.take(close) {
            return Some(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(close) {
                return Some(items);
            }
            if !self.take(b',') {
                return None;
            }
        }
    }

    fn object_or_set(&mut self, depth: usize) -> Option<Value> {
        if self.take(b'}') {
            return Some(Value::new_object());
        }
        let first = self.value(depth + 1)?;
        if !self.take(b':') {
            let mut items = std::collections::BTreeSet::from([first]);
            if self.take(b'}') {
                return Some(Value::from(items));
            }
            if !self.take(b',') || self.peek() == Some(b'}') {
                return None;
            }
            items.extend(self.items(b'}', depth)?);
            return Some(Value::from(items));
        }
        let mut fields = BTreeMap::from([(first, self.value(depth + 1)?)]);
        while !self.take(b'}') {
            if !self.take(b',') {
                return None;
            }
            let name = self.value(depth + 1)?;
            if !self.take(b':') {
                return None;
            }
            fields.insert(name, self.value(depth + 1)?);
        }
        Some(Value::from(fields))
    }

    /// A text, a number, a boolean or null, as JSON has them.
    fn scalar(&mut self) -> Option<Value> {
        let rest = self.bytes.get(self.at..)?;
        let mut values =
            serde_json::Deserializer::from_slice(rest).into_iter::<serde_json::Value>();
        let value = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(from_json(&value))
    }
}

#[cfg(test)]
mod tests;
