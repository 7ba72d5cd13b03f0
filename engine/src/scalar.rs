//! Comparison of one value with one leaf of a pattern: `1..`, `"?*"`, `">=10Mi & <1Gi | !5"`.
//!
//! The leaf is parsed once, at load. Knows nothing of maps and lists of patterns, of anchors, or of variables.

mod contradiction;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::duration::Duration;
use crate::go_format;
use crate::quantity::Quantity;
use crate::wildcard;

/// A leaf of a pattern.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// The same boolean.
    Bool(bool),
    /// The same number, or its text.
    Number(f64),
    /// Zero, empty, false or null.
    Null,
    /// Any map.
    AnyMap,
    /// Nothing at all: a list is no leaf.
    Nothing,
    /// What a text says.
    Text(TextPattern),
}

/// A text with operators: alternatives of conditions that must all hold.
#[derive(Debug, Clone)]
pub struct TextPattern {
    /// The text as written; a string that equals it matches, whatever it says.
    pub text: String,
    /// Any of these; in each, all of those.
    pub alternatives: Vec<Vec<Atom>>,
}

/// One condition.
#[derive(Debug, Clone)]
pub enum Atom {
    /// Compared with one operand.
    Compare(Comparison),
    /// `a-b`: not below the first and not above the second.
    Within(Comparison, Comparison),
    /// `a!-b`: below the first or above the second.
    Outside(Comparison, Comparison),
}

/// How a value is compared with an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same, or of the form of a wildcard.
    Equal,
    /// `!`
    NotEqual,
    /// `>`
    More,
    /// `>=`
    MoreEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

/// A relation to an operand, and what the operand can be read as.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The relation.
    pub relation: Relation,
    /// The operand as text, without blanks around it.
    pub operand: String,
    /// The operand as a duration, if it is one.
    pub duration: Option<Duration>,
    /// The operand as a quantity, if it is one.
    pub quantity: Option<Quantity>,
}

impl Pattern {
    /// Parses a leaf as it stands in a policy, its variables already substituted.
    pub fn parse(leaf: &Value) -> Self {
        match leaf {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(go_format::as_float(value)),
            Value::String(text) => Self::Text(TextPattern::parse(text)),
            Value::Object(_) => Self::AnyMap,
            Value::Array(_) => Self::Nothing,
        }
    }
}

/// Whether a value is as a leaf says; a list is never, its elements are compared one by one by the caller.
pub fn matches(pattern: &Pattern, value: &Value) -> bool {
    match pattern {
        Pattern::Bool(expected) => value.as_bool() == Some(*expected),
        Pattern::Number(expected) => matches_number(*expected, value),
        Pattern::Null => match value {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Number(value) => value.as_f64() == Some(0.0),
            Value::String(value) => value.is_empty(),
            Value::Array(_) | Value::Object(_) => false,
        },
        Pattern::AnyMap => value.is_object(),
        Pattern::Nothing => false,
        Pattern::Text(pattern) => pattern.matches(value),
    }
}

fn matches_number(expected: f64, value: &Value) -> bool {
    match value {
        Value::Number(actual) => actual.as_f64() == Some(expected),
        // A whole number is an integer in Kyverno, also where the author wrote `5.0`, and so must the text be.
        Value::String(actual) if is_integer(expected) => {
            go_format::parse_int(actual) == Some(go_format::truncate(expected))
        }
        Value::String(actual) => go_format::parse_float(actual) == Some(expected),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_integer(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0
}

impl TextPattern {
    /// Parses a text; every text means something.
    pub fn parse(text: &str) -> Self {
        let alternatives = text
            .split('|')
            .map(|alternative| {
                alternative
                    .trim_matches(' ')
                    .split('&')
                    .map(|atom| Atom::parse(atom.trim_matches(' ')))
                    .collect()
            })
            .collect();
        Self {
            text: text.to_owned(),
            alternatives,
        }
    }

    /// Whether strings are only compared as text here, without durations and quantities.
    pub fn is_textual(&self) -> bool {
        self.alternatives.iter().flatten().all(Atom::is_textual)
    }

    /// Whether a value is as the text says.
    pub fn matches(&self, value: &Value) -> bool {
        if value.as_str() == Some(&self.text) {
            return true;
        }
        let value = Operand::of(value);
        self.alternatives
            .iter()
            .any(|conditions| conditions.iter().all(|atom| atom.holds(&value)))
    }

    /// Whether a string is as the text says.
    pub fn matches_text(&self, value: &str) -> bool {
        if value == self.text {
            return true;
        }
        let value = Operand::of_text(value);
        self.alternatives
            .iter()
            .any(|conditions| conditions.iter().all(|atom| atom.holds(&value)))
    }
}

impl Atom {
    fn parse(text: &str) -> Self {
        // One character is never an operator, in Kyverno as here.
        if text.len() < 2 {
            return Self::Compare(Comparison::new(Relation::Equal, text));
        }
        for (mark, relation) in [
            (">=", Relation::MoreEqual),
            ("<=", Relation::LessEqual),
            (">", Relation::More),
            ("<", Relation::Less),
            ("!", Relation::NotEqual),
        ] {
            if let Some(operand) = text.strip_prefix(mark) {
                return Self::Compare(Comparison::new(relation, operand));
            }
        }
        match Range::parse(text) {
            Some(Range {
                low,
                high,
                outside: false,
            }) => Self::Within(
                Comparison::new(Relation::MoreEqual, low),
                Comparison::new(Relation::LessEqual, high),
            ),
            Some(Range {
                low,
                high,
                outside: true,
            }) => Self::Outside(
                Comparison::new(Relation::Less, low),
                Comparison::new(Relation::More, high),
            ),
            None => Self::Compare(Comparison::new(Relation::Equal, text)),
        }
    }

    /// Whether a string is compared as text only: as with `a*` and `!x`, and unlike `5`, `10Mi`, `<1h` and ranges.
    pub fn is_textual(&self) -> bool {
        match self {
            Self::Compare(comparison) => comparison.is_textual(),
            Self::Within(low, high) | Self::Outside(low, high) => {
                low.is_textual() && high.is_textual()
            }
        }
    }

    fn holds(&self, value: &Operand<'_>) -> bool {
        match self {
            Self::Compare(comparison) => comparison.holds(value),
            Self::Within(low, high) => low.holds(value) && high.holds(value),
            Self::Outside(low, high) => low.holds(value) || high.holds(value),
        }
    }
}

/// `a-b` or `a!-b`, each end a number with an optional sign and letters behind it.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    /// The lower end.
    pub low: &'a str,
    /// The upper end.
    pub high: &'a str,
    /// Whether it is what is outside that is meant.
    pub outside: bool,
}

impl<'a> Range<'a> {
    /// Takes a text apart, if it is a range.
    pub fn parse(text: &'a str) -> Option<Self> {
        let after_low = after_number(text)?;
        let low = text.get(..text.len() - after_low.len())?;
        let (outside, high) = match after_low.strip_prefix("!-") {
            Some(high) => (true, high),
            None => (false, after_low.strip_prefix('-')?),
        };
        after_number(high)?
            .is_empty()
            .then_some(Self { low, high, outside })
    }
}

/// What follows a sign, digits, decimals and letters at the start of `text`.
fn after_number(text: &str) -> Option<&str> {
    let digits = |text: &str| {
        text.bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(text.len())
    };
    // A bar is a sign in Kyverno's expression; it cannot reach a pattern, where it separates, but a range in a condition.
    let unsigned = text.strip_prefix(['-', '+', '|']).unwrap_or(text);
    let whole = digits(unsigned);
    if whole == 0 {
        return None;
    }
    let mut rest = unsigned.get(whole..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let decimals = digits(fraction);
        if decimals == 0 {
            return None;
        }
        rest = fraction.get(decimals..)?;
    }
    Some(rest.trim_start_matches(|letter: char| letter.is_ascii_alphabetic()))
}

impl Comparison {
    fn new(relation: Relation, operand: &str) -> Self {
        let operand = operand.trim();
        Self {
            relation,
            operand: operand.to_owned(),
            duration: Duration::read(operand),
            quantity: Quantity::parse(operand),
        }
    }

    /// Whether a string is compared as text only.
    pub fn is_textual(&self) -> bool {
        self.duration.is_none() && self.quantity.is_none()
    }

    fn holds(&self, value: &Operand<'_>) -> bool {
        if let Some(expected) = self.duration
            && let Some(actual) = value.duration()
        {
            return self.relation.holds(actual.cmp(&expected));
        }
        if let Some(expected) = &self.quantity
            && let Some(actual) = value.quantity()
        {
            return self.relation.holds(actual.cmp(expected));
        }
        match (self.relation, &value.text) {
            (Relation::Equal, Some(text)) => wildcard::matches(&self.operand, text),
            (Relation::NotEqual, Some(text)) => !wildcard::matches(&self.operand, text),
            // Texts have no order, and what has no text is neither equal nor unequal to one.
            _ => false,
        }
    }
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::More => order.is_gt(),
            Self::MoreEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
        }
    }
}

/// A value as a text pattern sees it.
struct Operand<'a> {
    /// As a number, a quantity or a duration is read from.
    numeric: Option<Cow<'a, str>>,
    /// As a wildcard is matched with.
    text: Option<Cow<'a, str>>,
}

impl<'a> Operand<'a> {
    fn of_text(text: &'a str) -> Self {
        Self {
            numeric: Some(Cow::Borrowed(text)),
            text: Some(Cow::Borrowed(text)),
        }
    }

    fn of(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::of_text(text),
            Value::Null => Self {
                numeric: Some(Cow::Borrowed("0")),
                text: None,
            },
            Value::Bool(value) => Self {
                numeric: None,
                text: Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            },
            Value::Number(number) => Self::of_number(number),
            Value::Array(_) | Value::Object(_) => Self {
                numeric: None,
                text: None,
            },
        }
    }

    /// Kyverno's numbers are floats by the time that they reach a pattern.
    fn of_number(number: &Number) -> Self {
        let float = go_format::as_float(number);
        Self {
            numeric: Some(Cow::Owned(format!("{float:.6}"))),
            text: Some(Cow::Owned(go_format::float_scientific(float))),
        }
    }

    fn duration(&self) -> Option<Duration> {
        Duration::read(self.numeric.as_deref()?)
    }

    fn quantity(&self) -> Option<Quantity> {
        Quantity::parse(self.numeric.as_deref()?)
    }
}

#[cfg(test)]
mod tests;
