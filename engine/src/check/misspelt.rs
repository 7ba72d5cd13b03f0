//! What is likely meant by a text in which an operator or a unit is misspelt.

use crate::duration::Duration;
use crate::quantity::Quantity;
use crate::scalar::{Range, TextPattern};

/// Operators as other languages have them, with what they are here.
const OPERATORS: [(&str, &str); 6] = [
    ("!=", "!"),
    ("<>", "!"),
    ("=>", ">="),
    ("=<", "<="),
    ("==", ""),
    ("=", ""),
];

/// Units as people write them, in lower case, with what Kubernetes or a duration has for them.
const UNITS: [(&str, &str); 15] = [
    ("k", "k"),
    ("kb", "k"),
    ("ki", "Ki"),
    ("kib", "Ki"),
    ("mb", "M"),
    ("mi", "Mi"),
    ("mib", "Mi"),
    ("g", "G"),
    ("gb", "G"),
    ("gi", "Gi"),
    ("gib", "Gi"),
    ("t", "T"),
    ("tb", "T"),
    ("ti", "Ti"),
    ("tib", "Ti"),
];

/// The text that is likely meant; all of it can match something.
pub(super) fn meant(literal: &str) -> Option<String> {
    let single = literal.replace("&&", "&").replace("||", "|");
    let both = |alternative: &str| {
        let atoms: Vec<String> = alternative.split('&').map(of_atom).collect();
        atoms.join("&")
    };
    let alternatives: Vec<String> = single.split('|').map(both).collect();
    let meant = alternatives.join("|");
    let possible = TextPattern::parse(&meant).impossible().is_empty();
    (meant != literal && possible).then_some(meant)
}

/// An operator of another language that a part of the text begins with, and that is text here.
pub(super) fn foreign_operator(literal: &str) -> Option<&'static str> {
    let mut parts = literal.split(['|', '&']).map(str::trim);
    parts.find_map(|part| {
        let (written, _) = taken_apart(part);
        let mut known = OPERATORS.iter().map(|(foreign, _)| *foreign);
        let foreign = known.find(|foreign| *foreign == written)?;
        part.starts_with(foreign).then_some(foreign)
    })
}

/// The operator that a part begins with, without the blanks inside of it, and what it is applied to.
fn taken_apart(part: &str) -> (String, &str) {
    let operand = part.trim_start_matches(['<', '>', '=', '!', ' ']);
    let written = part.get(..part.len() - operand.len()).unwrap_or("");
    (written.replace(' ', ""), operand)
}

fn of_atom(atom: &str) -> String {
    let trimmed = atom.trim();
    let (written, operand) = taken_apart(trimmed);
    let foreign = OPERATORS.iter().find(|(foreign, _)| *foreign == written);
    let operator = foreign.map_or(written.as_str(), |(_, own)| own);
    let meant = match (operator, Range::parse(trimmed)) {
        (_, Some(Range { low, high, outside })) => {
            let between = if outside { "!-" } else { "-" };
            format!("{}{between}{}", of_operand(low), of_operand(high))
        }
        (">" | ">=" | "<" | "<=", None) => format!("{operator}{}", of_operand(operand)),
        (_, None) => format!("{operator}{operand}"),
    };
    atom.replacen(trimmed, &meant, 1)
}

/// A number with its unit as it is written in Kubernetes, where it is none as it stands.
fn of_operand(operand: &str) -> String {
    if Quantity::parse(operand).is_some() || Duration::read(operand).is_some() {
        return operand.to_owned();
    }
    let close = operand.replace([' ', ',', '_'], "");
    let unit = close.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic());
    let number = close.get(..close.len() - unit.len()).unwrap_or("");
    let lower = unit.to_ascii_lowercase();
    if let ("d", Ok(days)) = (lower.as_str(), number.parse::<u16>()) {
        return format!("{}h", u32::from(days) * 24);
    }
    let known = UNITS.iter().find(|(written, _)| *written == lower);
    known.map_or_else(|| close.clone(), |(_, own)| format!("{number}{own}"))
}
