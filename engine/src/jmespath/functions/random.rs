//! A text that matches a regular expression, drawn from the seed of the evaluation.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::Value;

use super::{Arguments, failed};
use crate::go_regex;
use crate::jmespath::ExpressionError;

/// How often `*` and `+` repeat at most where the expression sets no bound.
const MAX_REPEAT: u32 = 100;
/// Longest text drawn: names and passwords are short.
const MAX_LENGTH: usize = 64 * 1024;

pub(super) fn random(arguments: &Arguments<'_>) -> Result<Value, ExpressionError> {
    let pattern = arguments.text(0);
    if pattern.is_empty() {
        return Err(failed("no pattern provided"));
    }
    let translated = go_regex::translate(pattern).map_err(|error| failed(error.to_string()))?;
    let parsed = match regex_syntax::parse(&translated) {
        Ok(parsed) => parsed,
        Err(error) => return Err(failed(format!("error parsing regexp: {error}"))),
    };
    let draw = arguments.evaluator.draws.get();
    arguments.evaluator.draws.set(draw + 1);
    let mut source = Source {
        state: arguments.evaluator.environment.seed ^ draw.wrapping_mul(0x9E37_79B9_7F4A_7C15),
    };
    let mut text = String::new();
    write(&parsed, &mut source, &mut text)?;
    arguments.string(text)
}

/// `SplitMix64`: deterministic from its seed, and no secret depends on it.
struct Source {
    state: u64,
}

impl Source {
    /// A number below `bound`, which is not zero.
    fn below(&mut self, bound: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        u32::try_from(((mixed >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

fn write(node: &Hir, source: &mut Source, text: &mut String) -> Result<(), ExpressionError> {
    if text.len() > MAX_LENGTH {
        return Err(ExpressionError::LimitExceeded);
    }
    match node.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(member(class, source)),
        HirKind::Repetition(repetition) => {
            let most = repetition
                .max
                .unwrap_or(repetition.min.saturating_add(MAX_REPEAT));
            let count = repetition.min
                + source.below(most.saturating_sub(repetition.min).saturating_add(1));
            for _ in 0..count {
                write(&repetition.sub, source, text)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, source, text)?,
        HirKind::Concat(parts) => parts
            .iter()
            .try_for_each(|part| write(part, source, text))?,
        HirKind::Alternation(parts) => {
            let chosen = source.below(u32::try_from(parts.len()).unwrap_or(1));
            if let Some(part) = usize::try_from(chosen)
                .ok()
                .and_then(|chosen| parts.get(chosen))
            {
                write(part, source, text)?;
            }
        }
    }
    Ok(())
}

/// One character of a class, each with the same chance; printable ASCII where the class has any.
fn member(class: &Class, source: &mut Source) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
    };
    let printable: Vec<(u32, u32)> = ranges
        .iter()
        .map(|(start, end)| ((*start).max(0x20), (*end).min(0x7e)))
        .filter(|(start, end)| start <= end)
        .collect();
    let ranges = if printable.is_empty() {
        ranges
    } else {
        printable
    };
    let total: u32 = ranges.iter().map(|(start, end)| end - start + 1).sum();
    if total == 0 {
        return None;
    }
    let mut chosen = source.below(total);
    for (start, end) in ranges {
        let length = end - start + 1;
        if chosen < length {
            return char::from_u32(start + chosen);
        }
        chosen -= length;
    }
    None
}
