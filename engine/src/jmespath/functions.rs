//! The functions of the language: the standard ones and Kyverno's.

#[expect(
    clippy::unnecessary_wraps,
    reason = "all functions in the table have one type"
)]
mod arithmetic;
#[expect(
    clippy::unnecessary_wraps,
    reason = "all functions in the table have one type"
)]
mod collection;
#[expect(
    clippy::unnecessary_wraps,
    reason = "all functions in the table have one type"
)]
mod encoding;
mod random;
#[expect(
    clippy::unnecessary_wraps,
    reason = "all functions in the table have one type"
)]
mod standard;
#[expect(
    clippy::unnecessary_wraps,
    reason = "all functions in the table have one type"
)]
mod text;
#[expect(
    clippy::unnecessary_wraps,
    reason = "all functions in the table have one type"
)]
mod time;
mod url;
mod x509;

use std::borrow::Cow;

use regex::Regex;
use serde_json::{Map, Number, Value};

use super::ExpressionError;
use super::interpreter::Current;
use super::interpreter::{Evaluator, null_if_unknown, size};
use super::parser::Node;
use crate::fuel;
use crate::go_format::{as_float, sprint};
use crate::go_regex::{self, RegexError};

/// What a regular expression of one character takes to compile, in units of fuel.
const REGEX: u64 = 2_000;

/// What each byte of a text takes that it is matched with.
const MATCH: u64 = 64;

/// Bytes of a function's arguments for a unit of fuel.
const BYTES: u64 = 2;

/// What a function takes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Number,
    String,
    Array,
    Object,
    NumberArray,
    StringArray,
    Reference,
    Any,
}

/// A function of the language.
pub(super) struct Function {
    name: &'static str,
    /// The types that each argument may have.
    arguments: &'static [&'static [Type]],
    /// Whether there may be more of the last one, whose types are then not checked beforehand.
    variadic: bool,
    /// Whether the first argument is a regular expression.
    pub(super) takes_regex: bool,
    pub(super) call: fn(&Arguments<'_>) -> Result<Value, ExpressionError>,
}

impl Function {
    /// Whether it takes no longer for larger lists and maps.
    fn is_short(&self) -> bool {
        matches!(self.name, "length" | "type")
    }

    /// Counts the work of a call, which looks at all of its arguments: they may be large, and it may be made for each
    /// element of a list.
    pub(super) fn spend(&self, arguments: &[Argument<'_>]) -> Result<(), ExpressionError> {
        let texts = |argument: &Argument<'_>| matches!(argument, Argument::Value(value) if value.is_string());
        if self.is_short() && !arguments.iter().any(texts) {
            return Ok(());
        }
        let bytes = arguments.iter().map(|argument| match argument {
            Argument::Value(value) => size(value),
            Argument::Reference(_) => 0,
        });
        if fuel::spend(bytes.sum::<usize>() as u64 / BYTES) {
            Ok(())
        } else {
            Err(ExpressionError::LimitExceeded)
        }
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

/// An argument of a call.
pub(super) enum Argument<'v> {
    Value(Cow<'v, Value>),
    Reference(&'v Node),
}

/// The arguments of a call, their types checked.
pub(super) struct Arguments<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) values: &'a [Argument<'a>],
    pub(super) regex: Option<&'a Result<Regex, RegexError>>,
}

const STRING: &[Type] = &[Type::String];
const NUMBER: &[Type] = &[Type::Number];
const ARRAY: &[Type] = &[Type::Array];
const OBJECT: &[Type] = &[Type::Object];
const ANY: &[Type] = &[Type::Any];
const REFERENCE: &[Type] = &[Type::Reference];
const TEXT: &[Type] = &[Type::String, Type::Number];

/// A function with a fixed number of arguments.
const fn fixed(
    name: &'static str,
    arguments: &'static [&'static [Type]],
    call: fn(&Arguments<'_>) -> Result<Value, ExpressionError>,
) -> Function {
    Function {
        name,
        arguments,
        variadic: false,
        takes_regex: false,
        call,
    }
}

const fn variadic(
    name: &'static str,
    arguments: &'static [&'static [Type]],
    call: fn(&Arguments<'_>) -> Result<Value, ExpressionError>,
) -> Function {
    Function {
        name,
        arguments,
        variadic: true,
        takes_regex: false,
        call,
    }
}

const fn regex(
    name: &'static str,
    arguments: &'static [&'static [Type]],
    call: fn(&Arguments<'_>) -> Result<Value, ExpressionError>,
) -> Function {
    Function {
        name,
        arguments,
        variadic: false,
        takes_regex: true,
        call,
    }
}

/// All functions, in the order of their names.
static FUNCTIONS: &[Function] = &[
    fixed("abs", &[NUMBER], standard::abs),
    fixed("add", &[ANY, ANY], arithmetic::add),
    fixed("avg", &[&[Type::NumberArray]], standard::avg),
    fixed("base64_decode", &[STRING], encoding::base64_decode),
    fixed("base64_encode", &[STRING], encoding::base64_encode),
    fixed("ceil", &[NUMBER], standard::ceil),
    fixed("compare", &[STRING, STRING], text::compare),
    fixed(
        "contains",
        &[&[Type::Array, Type::String], ANY],
        standard::contains,
    ),
    fixed("divide", &[ANY, ANY], arithmetic::divide),
    fixed("ends_with", &[STRING, STRING], standard::ends_with),
    fixed("equal_fold", &[STRING, STRING], text::equal_fold),
    fixed("floor", &[NUMBER], standard::floor),
    fixed("image_normalize", &[STRING], text::image_normalize),
    fixed("is_external_url", &[STRING], url::is_external_url),
    fixed(
        "items",
        &[&[Type::Object, Type::Array], STRING, STRING],
        collection::items,
    ),
    fixed("join", &[STRING, &[Type::StringArray]], standard::join),
    fixed("keys", &[OBJECT], standard::keys),
    fixed("label_match", &[OBJECT, OBJECT], collection::label_match),
    fixed(
        "length",
        &[&[Type::String, Type::Array, Type::Object]],
        standard::length,
    ),
    fixed(
        "lookup",
        &[&[Type::Object, Type::Array], TEXT],
        collection::lookup,
    ),
    fixed("map", &[REFERENCE, ARRAY], standard::map),
    fixed(
        "max",
        &[&[Type::NumberArray, Type::StringArray]],
        standard::max,
    ),
    fixed("max_by", &[ARRAY, REFERENCE], standard::max_by),
    fixed("md5", &[STRING], encoding::md5),
    variadic("merge", &[OBJECT], standard::merge),
    fixed(
        "min",
        &[&[Type::NumberArray, Type::StringArray]],
        standard::min,
    ),
    fixed("min_by", &[ARRAY, REFERENCE], standard::min_by),
    fixed("modulo", &[ANY, ANY], arithmetic::modulo),
    fixed("multiply", &[ANY, ANY], arithmetic::multiply),
    variadic("not_null", &[ANY], standard::not_null),
    fixed(
        "object_from_lists",
        &[ARRAY, ARRAY],
        collection::object_from_lists,
    ),
    fixed("parse_json", &[STRING], encoding::parse_json),
    fixed("parse_yaml", &[STRING], encoding::parse_yaml),
    fixed("path_canonicalize", &[STRING], text::path_canonicalize),
    fixed("pattern_match", &[STRING, TEXT], text::pattern_match),
    fixed("random", &[STRING], random::random),
    regex("regex_match", &[STRING, TEXT], text::regex_match),
    regex(
        "regex_replace_all",
        &[STRING, TEXT, TEXT],
        text::regex_replace_all,
    ),
    regex(
        "regex_replace_all_literal",
        &[STRING, TEXT, TEXT],
        text::regex_replace_all_literal,
    ),
    fixed("replace", &[STRING, STRING, STRING, NUMBER], text::replace),
    fixed("replace_all", &[STRING, STRING, STRING], text::replace_all),
    fixed(
        "reverse",
        &[&[Type::Array, Type::String]],
        standard::reverse,
    ),
    fixed("round", &[NUMBER, NUMBER], arithmetic::round),
    fixed("semver_compare", &[STRING, STRING], text::semver_compare),
    fixed("sha1", &[STRING], encoding::sha1),
    fixed("sha256", &[STRING], encoding::sha256),
    fixed(
        "sort",
        &[&[Type::StringArray, Type::NumberArray]],
        standard::sort,
    ),
    fixed("sort_by", &[ARRAY, REFERENCE], standard::sort_by),
    fixed("split", &[STRING, STRING], text::split),
    fixed("starts_with", &[STRING, STRING], standard::starts_with),
    fixed("subtract", &[ANY, ANY], arithmetic::subtract),
    fixed("sum", &[ARRAY], arithmetic::sum),
    fixed("time_add", &[STRING, STRING], time::add),
    fixed("time_after", &[STRING, STRING], time::after),
    fixed("time_before", &[STRING, STRING], time::before),
    fixed("time_between", &[STRING, STRING, STRING], time::between),
    fixed("time_diff", &[STRING, STRING], time::diff),
    fixed("time_now", &[], time::now),
    fixed("time_now_utc", &[], time::now),
    fixed("time_parse", &[STRING, STRING], time::parse),
    fixed("time_since", &[STRING, STRING, STRING], time::since),
    fixed("time_to_cron", &[STRING], time::to_cron),
    fixed("time_truncate", &[STRING, STRING], time::truncate),
    fixed("time_utc", &[STRING], time::utc),
    fixed("to_array", &[ANY], standard::to_array),
    fixed("to_boolean", &[STRING], text::to_boolean),
    fixed("to_lower", &[STRING], text::to_lower),
    fixed("to_number", &[ANY], standard::to_number),
    fixed("to_string", &[ANY], standard::to_string),
    fixed("to_upper", &[STRING], text::to_upper),
    fixed("trim", &[STRING, STRING], text::trim),
    fixed("trim_prefix", &[STRING, STRING], text::trim_prefix),
    fixed("truncate", &[STRING, NUMBER], text::truncate),
    fixed("type", &[ANY], standard::type_name),
    fixed("values", &[OBJECT], standard::values),
    fixed("x509_decode", &[STRING], x509::decode),
];

/// Whether there is a function of that name.
pub fn exists(name: &str) -> bool {
    named(name).is_some()
}

/// The function of that name.
pub(super) fn named(name: &str) -> Option<&'static Function> {
    let at = FUNCTIONS
        .binary_search_by(|function| function.name.cmp(name))
        .ok()?;
    FUNCTIONS.get(at)
}

/// The names of all functions, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// How many arguments a function takes, as words, if a call of it with `given` arguments is refused whatever they are.
pub fn refused_count(name: &str, given: usize) -> Option<String> {
    let function = named(name)?;
    let wanted = function.arguments.len();
    // Without a declaration anything goes.
    let fits = match (wanted, function.variadic) {
        (0, _) => true,
        (_, true) => given >= wanted,
        (_, false) => given == wanted,
    };
    let least = if function.variadic { "at least " } else { "" };
    let ending = if wanted == 1 { "" } else { "s" };
    (!fits).then(|| format!("{least}{wanted} argument{ending}"))
}

/// How a function is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// The types that each argument may have, by their names in messages.
    pub arguments: Vec<Vec<&'static str>>,
    /// Whether there may be more of the last one.
    pub variadic: bool,
}

/// The signatures of all functions, in the order of their names.
pub fn signatures() -> impl Iterator<Item = Signature> {
    FUNCTIONS.iter().map(|function| Signature {
        name: function.name,
        arguments: function
            .arguments
            .iter()
            .map(|types| types.iter().map(|wanted| wanted.name()).collect())
            .collect(),
        variadic: function.variadic,
    })
}

impl Function {
    /// Whether the arguments are as many and of the types that it takes.
    pub(super) fn check(&self, arguments: &[Argument<'_>]) -> Result<(), ExpressionError> {
        // Without a declaration anything goes, as in Kyverno.
        if self.arguments.is_empty() {
            return Ok(());
        }
        if self.variadic {
            if arguments.len() < self.arguments.len() {
                return Err(failed("Invalid arity."));
            }
            let types = self.arguments.last().copied().unwrap_or(ANY);
            return arguments
                .iter()
                .try_for_each(|argument| check_type(argument, types));
        }
        if arguments.len() != self.arguments.len() {
            return Err(failed("incorrect number of args"));
        }
        arguments
            .iter()
            .zip(self.arguments)
            .try_for_each(|(argument, types)| check_type(argument, types))
    }
}

fn check_type(argument: &Argument<'_>, types: &[Type]) -> Result<(), ExpressionError> {
    if types.iter().any(|wanted| wanted.admits(argument)) {
        return Ok(());
    }
    let shown = match argument {
        Argument::Value(value) => sprint(value),
        Argument::Reference(_) => Cow::Borrowed("expression reference"),
    };
    let names: Vec<String> = types
        .iter()
        .map(|wanted| format!("{:?}", wanted.name()))
        .collect();
    Err(failed(format!(
        "Invalid type for: {shown}, expected: []jmespath.JpType{{{}}}",
        names.join(", ")
    )))
}

impl Type {
    fn admits(self, argument: &Argument<'_>) -> bool {
        let value = match argument {
            Argument::Reference(_) => return self == Self::Reference,
            Argument::Value(value) => &**value,
        };
        match self {
            Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
            Self::NumberArray => value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_number)),
            Self::StringArray => value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Reference => false,
            Self::Any => true,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
            Self::NumberArray => "array[number]",
            Self::StringArray => "array[string]",
            Self::Reference => "expref",
            Self::Any => "any",
        }
    }
}

/// An error of a function, or of a call.
fn failed(message: impl Into<String>) -> ExpressionError {
    ExpressionError::Failed(message.into())
}

/// An error in the shape that Kyverno's functions give it.
fn failed_in(function: &str, message: impl std::fmt::Display) -> ExpressionError {
    ExpressionError::Failed(format!("JMESPath function '{function}': {message}"))
}

/// A number as a value; whole ones are integers, so that they print without a fraction wherever they go.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn number(value: f64) -> Result<Value, ExpressionError> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Ok(Value::from(value as i64));
    }
    Number::from_f64(value)
        .map(Value::Number)
        .ok_or_else(|| failed("json: unsupported value: the result is no finite number"))
}

impl Arguments<'_> {
    fn value(&self, index: usize) -> &Value {
        match self.values.get(index) {
            Some(Argument::Value(value)) => value,
            _ => &Value::Null,
        }
    }

    fn text(&self, index: usize) -> &str {
        self.value(index).as_str().unwrap_or("")
    }

    fn number(&self, index: usize) -> f64 {
        self.value(index).as_number().map_or(f64::NAN, as_float)
    }

    fn list(&self, index: usize) -> &[Value] {
        self.value(index).as_array().map_or(&[], Vec::as_slice)
    }

    fn fields(&self, index: usize) -> impl Iterator<Item = (&String, &Value)> {
        self.value(index)
            .as_object()
            .into_iter()
            .flat_map(Map::iter)
    }

    /// The argument that is an expression, on an item; an unknown key is null.
    fn apply(&self, index: usize, item: &Value) -> Result<Value, ExpressionError> {
        match self.values.get(index) {
            Some(Argument::Reference(node)) => {
                null_if_unknown(self.evaluator.run(node, Current::Value(item))).map(Cow::into_owned)
            }
            _ => Err(failed("an expression reference is missing")),
        }
    }

    /// The first argument as a regular expression; constants were compiled at load.
    fn with_regex<T>(&self, with: impl FnOnce(&Regex) -> T) -> Result<T, RegexError> {
        match self.regex {
            Some(Ok(regex)) => Ok(with(regex)),
            Some(Err(error)) => Err(error.clone()),
            None => {
                let pattern = self.text(0);
                // Where that is too much, the next step of the expression says so.
                let (pattern_bytes, bytes) = (pattern.len() as u64, self.text(1).len() as u64);
                fuel::spend(REGEX.saturating_mul(1 + pattern_bytes) + MATCH.saturating_mul(bytes));
                go_regex::compile_small(pattern).map(|regex| with(&regex))
            }
        }
    }

    /// Counts what a function is about to return.
    fn charged(&self, bytes: usize) -> Result<(), ExpressionError> {
        self.evaluator.charge(bytes)
    }

    /// A text as the result, its size counted.
    fn string(&self, text: String) -> Result<Value, ExpressionError> {
        self.charged(text.len())?;
        Ok(Value::String(text))
    }
}
