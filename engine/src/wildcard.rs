//! Kyverno's wildcards: `*` is any run of characters, `?` is exactly one, and nothing else is special.
//!
//! Knows nothing of operators or of values; there is no escape, as there is none in Kyverno.

use crate::fuel;

/// After how many turns it is looked at whether there may be more.
const TURNS: u64 = 4096;

/// Whether `text` is of the form that `pattern` says, in time bounded by the product of their lengths, without allocating.
///
/// Within an evaluation that has spent what it may, nothing is, and the rule that asks has no answer.
///
/// Characters are Unicode scalar values, so `?` stands for `é` as well as for `e`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on when what follows the last `*` did not match: that `*`, taking one character more.
    let mut retry: Option<(usize, usize)> = None;
    let mut turns = 0;
    let matches = loop {
        turns += 1;
        match (pattern.get(at_pattern), text.get(at_text)) {
            (Some(b'*'), _) => {
                at_pattern += 1;
                if at_pattern == pattern.len() {
                    break true;
                }
                retry = Some((at_pattern, at_text));
                continue;
            }
            (Some(b'?'), Some(lead)) => {
                at_pattern += 1;
                at_text += width(*lead);
                continue;
            }
            (Some(expected), Some(actual)) if expected == actual => {
                at_pattern += 1;
                at_text += 1;
                continue;
            }
            (None, None) => break true,
            _ => {}
        }
        let Some((after_star, from)) = retry else {
            break false;
        };
        let Some(lead) = text.get(from) else {
            break false;
        };
        if turns >= TURNS {
            if !fuel::spend(turns) {
                return false;
            }
            turns = 0;
        }
        at_pattern = after_star;
        at_text = from + width(*lead);
        retry = Some((at_pattern, at_text));
    };
    // What is spent by then is no match, and its rule no pass.
    fuel::spend(turns) && matches
}

/// Whether `text` means more than itself when it is used as a pattern.
pub fn has_wildcard(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'*' | b'?'))
}

/// How many bytes the character takes that starts with `lead`.
const fn width(lead: u8) -> usize {
    match lead {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
