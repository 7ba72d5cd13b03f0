//! A plain pattern spread out: what must hold of the values at each of some places of the resource.
//!
//! Rules that are judged together mostly look at the same places, and so the values at places are found once for all.
//! Says the same as the body of [`super::plain`], which was made of the pattern before.

use crate::ast::pattern::{Anchor, Pattern, PatternEntry, PatternNode};
use crate::program::together::{Pass, Place, Shape, Step, Wanted};

use super::is_star;
use super::plain::{is_needed, leaf, plain_key};

/// What a pattern demands; none where that cannot be spread.
pub(super) fn spread(pattern: &Pattern) -> Option<Pass> {
    let PatternNode::Map(entries) = &pattern.node else {
        return None;
    };
    let mut pass = Pass::default();
    map(&mut pass, entries, &Place::default())?;
    Some(pass)
}

/// The keys of the maps at a place.
fn map(pass: &mut Pass, entries: &[PatternEntry], place: &Place) -> Option<()> {
    // That they are maps is all that is asked then.
    if entries.is_empty() {
        pass.each.push((place.clone(), Wanted::Shape));
    }
    for entry in entries {
        let key = plain_key(entry)?.to_owned();
        let step = |needed, shape| place.then(Step::Key { key, needed, shape });
        let needed = match entry.anchor {
            None => true,
            Some(Anchor::Equality) => false,
            Some(Anchor::Negation) => {
                pass.each.push((step(false, Shape::There), Wanted::None));
                continue;
            }
            Some(Anchor::Condition | Anchor::Global | Anchor::Existence | Anchor::AddIfAbsent) => {
                return None;
            }
        };
        match &entry.value.node {
            PatternNode::Map(below) => map(pass, below, &step(needed, Shape::Map))?,
            PatternNode::List(items) => list(pass, items.first()?, step(needed, Shape::List))?,
            PatternNode::Scalar(_) if needed && is_star(&entry.value) => {
                pass.each.push((step(true, Shape::NotNull), Wanted::Shape));
            }
            // What is not there counts as null, and where that is as wanted, it is nothing that must be there.
            PatternNode::Scalar(scalar) => pass.each.push((
                step(needed && is_needed(entry), Shape::Scalar),
                Wanted::Scalar(leaf(scalar)?),
            )),
        }
    }
    Some(())
}

/// The elements of the lists at a place, each of which must be as the first of a pattern.
fn list(pass: &mut Pass, first: &Pattern, place: Place) -> Option<()> {
    match &first.node {
        PatternNode::Map(entries) => map(pass, entries, &place.then(Step::Items)),
        PatternNode::Scalar(scalar) => {
            pass.each.push((place, Wanted::Scalar(leaf(scalar)?)));
            Some(())
        }
        PatternNode::List(_) => None,
    }
}
