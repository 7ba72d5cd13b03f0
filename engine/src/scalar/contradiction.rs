//! Whether any value at all can be as an alternative of a leaf says.
//!
//! Numbers and durations are orders without gaps that matter: what a conjunction of comparisons with constants says is the
//! same for all values between two neighbouring constants, so that one of each stretch is enough. Only what is certain is
//! said: an alternative with a wildcard is taken to be possible.

use std::cmp::Ordering;

use super::{Atom, Comparison, Operand, Relation, TextPattern};
use crate::wildcard;

impl TextPattern {
    /// The alternatives that no value satisfies, but the text of the whole leaf itself.
    pub(crate) fn impossible(&self) -> Vec<&[Atom]> {
        let all = self.alternatives.iter().map(Vec::as_slice);
        all.filter(|atoms| !is_possible(atoms)).collect()
    }
}

/// The two orders that values are compared in.
#[derive(Clone, Copy)]
enum Scale {
    Quantities,
    Durations,
}

/// A stretch of a scale: the constants have odd numbers, what lies between and around them even ones.
#[derive(Clone, Copy)]
struct Stretch<'a> {
    scale: Scale,
    constants: &'a [&'a Comparison],
    number: usize,
}

fn is_possible(atoms: &[Atom]) -> bool {
    let all: Vec<&Comparison> = atoms.iter().flat_map(comparisons).collect();
    let wildcards = |one: &&&Comparison| wildcard::has_wildcard(&one.operand);
    if all.iter().filter(wildcards).any(|one| !is_never(one)) {
        return true;
    }
    let mut texts = all.iter().filter(|one| is_text(one));
    if let Some(text) = texts.find(|one| one.relation == Relation::Equal) {
        return holds(atoms, &text.operand);
    }
    // Any text that nobody named, and zero, which is a number and a duration.
    holds(atoms, "\u{1}") || holds(atoms, "0") || on_scales(atoms, &all)
}

fn comparisons(atom: &Atom) -> Vec<&Comparison> {
    match atom {
        Atom::Compare(one) => vec![one],
        Atom::Within(low, high) | Atom::Outside(low, high) => vec![low, high],
    }
}

/// `!*`, which is what no text is.
fn is_never(one: &Comparison) -> bool {
    one.relation == Relation::NotEqual && one.operand.bytes().all(|byte| byte == b'*')
}

fn is_text(one: &Comparison) -> bool {
    one.is_textual() && !wildcard::has_wildcard(&one.operand)
}

fn holds(atoms: &[Atom], text: &str) -> bool {
    let operand = Operand::of_text(text);
    atoms.iter().all(|atom| atom.holds(&operand))
}

fn on_scales(atoms: &[Atom], all: &[&Comparison]) -> bool {
    [Scale::Quantities, Scale::Durations]
        .into_iter()
        .any(|scale| {
            let mut constants: Vec<&Comparison> = all.to_vec();
            constants.retain(|one| compare(scale, one, one).is_some());
            let order = |left: &&Comparison, right: &&Comparison| {
                compare(scale, left, right).unwrap_or(Ordering::Equal)
            };
            constants.sort_by(order);
            constants.dedup_by(|left, right| compare(scale, left, right) == Some(Ordering::Equal));
            (0..=2 * constants.len()).any(|number| {
                let stretch = Stretch {
                    scale,
                    constants: &constants,
                    number,
                };
                atoms.iter().all(|atom| stretch.satisfies(atom))
            })
        })
}

/// How two constants lie on a scale; none where one is not on it.
fn compare(scale: Scale, left: &Comparison, right: &Comparison) -> Option<Ordering> {
    match scale {
        Scale::Quantities => Some(left.quantity.as_ref()?.cmp(right.quantity.as_ref()?)),
        Scale::Durations => Some(left.duration?.cmp(&right.duration?)),
    }
}

impl Stretch<'_> {
    fn satisfies(&self, atom: &Atom) -> bool {
        match atom {
            Atom::Compare(one) => self.holds(one),
            Atom::Within(low, high) => self.holds(low) && self.holds(high),
            Atom::Outside(low, high) => self.holds(low) || self.holds(high),
        }
    }

    fn holds(&self, one: &Comparison) -> bool {
        let same = |known: &&Comparison| compare(self.scale, known, one) == Some(Ordering::Equal);
        match self.constants.iter().position(same) {
            Some(index) => one.relation.holds(self.number.cmp(&(2 * index + 1))),
            // A value of this scale is text to what is not on it.
            None => one.relation == Relation::NotEqual && !is_never(one),
        }
    }
}
