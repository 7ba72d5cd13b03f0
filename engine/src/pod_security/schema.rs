//! Kubernetes' types below Pods and what makes them: whether a resource has them.
//!
//! A value of the wrong type must not read as one that is not there, so a resource that Kubernetes could not decode is
//! an error, in the words of Go's decoder, with which Kyverno reads pods. Fields that no type has are passed over.

use std::sync::LazyLock;

use serde_json::Value;

use crate::go_format;
use crate::go_time::Time;
use crate::quantity::Quantity;

/// The types, one a line: `Name: field type, field type`.
///
/// A type is `bool`, `string`, `int32`, `int64`, `quantity`, `int-or-string`, `time`, `micro-time`, `any`, the name of
/// another, `[]` or `map:` before one, and `go.Name=` before one that Go calls by a name of its own. A field of an
/// embedded struct stands with the struct's name and a dot before it.
const TYPES: &str = include_str!("schema/types.txt");

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::read(TYPES));

/// Deeper than any type nests; a map or list inside of another adds to it.
const MAX_DEPTH: usize = 64;

struct Schema {
    structs: Vec<Struct>,
}

struct Struct {
    name: &'static str,
    fields: Vec<Field>,
}

struct Field {
    name: &'static str,
    embedded: Option<&'static str>,
    of: Type,
}

struct Type {
    /// What Go calls it.
    go: String,
    shape: Shape,
}

enum Shape {
    Bool,
    Text,
    Int32,
    Int64,
    Quantity,
    IntOrString,
    Time(&'static str),
    Any,
    /// By its index; none of a name that no line has, which nothing is of.
    Struct(Option<usize>),
    List(Box<Type>),
    Map(Box<Type>),
}

/// Why a resource is not of the type; none where it is.
pub(super) fn mismatch(root: &str, resource: &Value) -> Option<String> {
    let schema = &*SCHEMA;
    let Some(index) = schema.structs.iter().position(|one| one.name == root) else {
        return Some(format!("the type {root} is not known"));
    };
    let mut place = Place {
        schema,
        owner: None,
        path: Vec::new(),
        depth: 0,
        first: None,
    };
    let of = Type {
        go: format!("v1.{root}"),
        shape: Shape::Struct(Some(index)),
    };
    let fatal = place.read(&of, resource);
    fatal.err().or(place.first)
}

/// The field of a map by its name, or by its name in other letters, as Go finds it.
pub(super) fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = value.as_object()?;
    let found = fields.get(name).or_else(|| {
        let mut entries = fields.iter().rev();
        entries
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    });
    found.filter(|value| !value.is_null())
}

/// Where in a resource the decoder is.
struct Place {
    schema: &'static Schema,
    /// The struct of the last field.
    owner: Option<&'static str>,
    path: Vec<&'static str>,
    depth: usize,
    /// The first error after which the decoder went on.
    first: Option<String>,
}

impl Place {
    /// Reads a value; an error ends the reading, others are kept.
    ///
    /// Types that decode themselves end it, as in Go.
    fn read(&mut self, of: &Type, value: &Value) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the resource is nested too deeply".to_owned());
        }
        let read = self.read_value(of, value);
        self.depth -= 1;
        read
    }

    fn read_value(&mut self, of: &Type, value: &Value) -> Result<(), String> {
        let own = match (&of.shape, value) {
            (Shape::Any, _)
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Text | Shape::IntOrString, Value::String(_)) => return Ok(()),
            (Shape::Struct(index), Value::Object(fields)) => {
                return self.read_fields(*index, fields);
            }
            (Shape::List(of), Value::Array(items)) => {
                return items.iter().try_for_each(|item| self.read(of, item));
            }
            (Shape::Map(of), Value::Object(fields)) => {
                return fields.values().try_for_each(|value| self.read(of, value));
            }
            (Shape::Int32 | Shape::Int64, Value::Number(number)) => {
                if let Some(found) = not_an_integer(number, &of.shape) {
                    let message = self.describe(&found, &of.go);
                    self.first.get_or_insert(message);
                }
                return Ok(());
            }
            (Shape::Quantity, value) => not_a_quantity(value),
            (Shape::IntOrString, value) => self.not_an_int32(value),
            (Shape::Time(layout), value) => self.not_a_time(layout, value),
            (_, other) => {
                let message = self.describe(json_type(other), &of.go);
                self.first.get_or_insert(message);
                return Ok(());
            }
        };
        own.map_or(Ok(()), Err)
    }

    fn read_fields(
        &mut self,
        index: Option<usize>,
        fields: &serde_json::Map<String, Value>,
    ) -> Result<(), String> {
        let schema = self.schema;
        let Some(of) = index.and_then(|index| schema.structs.get(index)) else {
            return Err("a type is not known".to_owned());
        };
        let (owner, length) = (self.owner, self.path.len());
        for (key, value) in fields {
            let Some(field) = of.field(key) else { continue };
            self.owner = Some(of.name);
            self.path.extend(field.embedded);
            self.path.push(field.name);
            self.read(&field.of, value)?;
            self.path.truncate(length);
        }
        self.owner = owner;
        Ok(())
    }

    fn not_an_int32(&self, value: &Value) -> Option<String> {
        let found = match value {
            Value::Number(number) => not_an_integer(number, &Shape::Int32)?,
            other => json_type(other).to_owned(),
        };
        Some(self.describe(&found, "int32"))
    }

    fn not_a_time(&self, layout: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Time::parse(layout, text)
                .err()
                .map(|error| error.to_string()),
            other => Some(self.describe(json_type(other), "string")),
        }
    }

    /// What Go's decoder says.
    fn describe(&self, found: &str, wanted: &str) -> String {
        match self.owner {
            None => format!("json: cannot unmarshal {found} into Go value of type {wanted}"),
            Some(owner) => {
                let path = self.path.join(".");
                format!(
                    "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
                )
            }
        }
    }
}

impl Struct {
    fn field(&self, key: &str) -> Option<&Field> {
        let mut exact = self.fields.iter();
        exact.find(|field| field.name == key).or_else(|| {
            let mut fields = self.fields.iter();
            fields.find(|field| field.name.eq_ignore_ascii_case(key))
        })
    }
}

impl Schema {
    fn read(text: &'static str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        let lines: Vec<(&str, &str)> = lines.collect();
        let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
        let structs = lines.iter().map(|(name, fields)| Struct {
            name,
            fields: fields
                .split(", ")
                .filter_map(|field| read_field(field, &names))
                .collect(),
        });
        Self {
            structs: structs.collect(),
        }
    }
}

fn read_field(text: &'static str, names: &[&str]) -> Option<Field> {
    let (name, of) = text.split_once(' ')?;
    let (embedded, name) = match name.split_once('.') {
        Some((embedded, name)) => (Some(embedded), name),
        None => (None, name),
    };
    let of = read_type(of, names);
    Some(Field { name, embedded, of })
}

fn read_type(text: &'static str, names: &[&str]) -> Type {
    if let Some(of) = text.strip_prefix("[]") {
        let of = read_type(of, names);
        return Type {
            go: format!("[]{}", of.go),
            shape: Shape::List(Box::new(of)),
        };
    }
    if let Some(of) = text.strip_prefix("map:") {
        let of = read_type(of, names);
        return Type {
            go: format!("map[string]{}", of.go),
            shape: Shape::Map(Box::new(of)),
        };
    }
    if let Some((go, of)) = text.split_once('=') {
        let of = read_type(of, names);
        let go = go.to_owned();
        return Type { go, ..of };
    }
    let (go, shape) = match text {
        "bool" => ("bool", Shape::Bool),
        "string" => ("string", Shape::Text),
        "int32" => ("int32", Shape::Int32),
        "int64" => ("int64", Shape::Int64),
        "quantity" => ("resource.Quantity", Shape::Quantity),
        "int-or-string" => ("intstr.IntOrString", Shape::IntOrString),
        "time" => ("v1.Time", Shape::Time("2006-01-02T15:04:05Z07:00")),
        "micro-time" => (
            "v1.MicroTime",
            Shape::Time("2006-01-02T15:04:05.000000Z07:00"),
        ),
        "any" => ("any", Shape::Any),
        name => {
            let index = names.iter().position(|known| *known == name);
            return Type {
                go: format!("v1.{name}"),
                shape: Shape::Struct(index),
            };
        }
    };
    Type {
        go: go.to_owned(),
        shape,
    }
}

/// Names of types that have no line.
#[cfg(test)]
pub(super) fn unknown_types() -> Vec<String> {
    fn inner(of: &Type) -> &Type {
        match &of.shape {
            Shape::List(of) | Shape::Map(of) => inner(of),
            _ => of,
        }
    }
    let fields = SCHEMA.structs.iter().flat_map(|one| &one.fields);
    let unknown = fields.map(|field| inner(&field.of));
    let unknown = unknown.filter(|of| matches!(of.shape, Shape::Struct(None)));
    unknown.map(|of| of.go.clone()).collect()
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn not_a_quantity(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => go_format::number(number),
        other => other.to_string(),
    };
    let unreadable = Quantity::parse(&text).is_none();
    unreadable.then(|| {
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            .to_owned()
    })
}

/// What Go calls a number that is no whole one of the size.
fn not_an_integer(number: &serde_json::Number, shape: &Shape) -> Option<String> {
    let text = go_format::number(number);
    let fits = go_format::parse_int(&text)
        .is_some_and(|number| matches!(shape, Shape::Int64) || i32::try_from(number).is_ok());
    (!fits).then(|| format!("number {text}"))
}
