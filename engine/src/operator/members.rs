//! Whether texts are among the members of a list, where either may be a wildcard.
//!
//! Both sides may be a resource's, and ten thousand of each are a hundred million pairs: what has no wildcard is looked up,
//! and what has one is compared for as long as the evaluation may spend something.

use std::collections::HashSet;

use crate::fuel;
use crate::wildcard::{self, has_wildcard};

/// What a text takes to be put in or looked up, in units of fuel.
const LOOKUP: u64 = 40;
/// Pairs that are compared one by one: fewer than that are quicker than a set.
const FEW: usize = 64;

/// The members of a list.
pub(super) enum Members<'v> {
    Few(Vec<&'v str>),
    Many {
        all: Vec<&'v str>,
        plain: HashSet<&'v str>,
        wildcards: Vec<&'v str>,
    },
}

impl<'v> Members<'v> {
    /// Of a list in which so many texts will be looked for.
    pub(super) fn of(all: Vec<&'v str>, keys: usize) -> Self {
        fuel::spend(LOOKUP * all.len() as u64);
        if all.len().saturating_mul(keys) <= FEW || keys <= 1 {
            return Self::Few(all);
        }
        let (wildcards, plain) = all.iter().partition::<Vec<_>, _>(|text| has_wildcard(text));
        Self::Many {
            plain: plain.into_iter().collect(),
            wildcards,
            all,
        }
    }

    /// Whether one of them is the text, or matches it, or is matched by it.
    pub(super) fn has(&self, key: &str) -> bool {
        fuel::spend(LOOKUP);
        let matched_by = |members: &[&str]| any(members, |member| wildcard::matches(member, key));
        let matches = |members: &[&str]| any(members, |member| wildcard::matches(key, member));
        match self {
            Self::Few(all) => matched_by(all) || has_wildcard(key) && matches(all),
            Self::Many {
                all,
                plain,
                wildcards,
            } => plain.contains(key) || matched_by(wildcards) || has_wildcard(key) && matches(all),
        }
    }

    /// Whether one of them is the text.
    pub(super) fn has_exactly(&self, key: &str) -> bool {
        fuel::spend(LOOKUP);
        match self {
            Self::Few(all) => any(all, |member| member == key),
            Self::Many {
                plain, wildcards, ..
            } => plain.contains(key) || has_wildcard(key) && any(wildcards, |member| member == key),
        }
    }
}

/// Whether it is so for one of them; where all is spent there is no answer to look for.
fn any(members: &[&str], mut is_so: impl FnMut(&str) -> bool) -> bool {
    let mut members = members.iter();
    members.any(|member| fuel::is_spent() || fuel::spend(1) && is_so(member)) && !fuel::is_spent()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuel::Tank;

    /// Sets and lists say the same, whatever is a wildcard.
    #[test]
    fn many_members_mean_what_few_mean() {
        let texts = ["", "a", "b", "ab", "a*", "*b", "?", "*", "a?", "abc", "é"];
        let lists = (0..texts.len()).flat_map(|from| (from..texts.len()).map(move |to| (from, to)));
        for (list, key) in lists.flat_map(|ends| texts.map(|key| (ends, key))) {
            let list = texts.get(list.0..list.1).unwrap();
            let few = Members::of(list.to_vec(), 1);
            let many = Members::of(list.to_vec(), 1_000);
            let matches = |one: &&str| wildcard::matches(one, key) || wildcard::matches(key, one);
            let expected = (list.iter().any(matches), list.contains(&key));
            for members in [few, many] {
                let found = (members.has(key), members.has_exactly(key));
                assert_eq!(found, expected, "{key} in {list:?}");
            }
        }
    }

    /// As many pairs as an object of a megabyte has: what must be compared ends with the fuel.
    #[test]
    fn wildcards_are_compared_while_there_is_fuel() {
        let wildcards: Vec<String> = (0..200_000).map(|number| format!("{number}*")).collect();
        let members: Vec<&str> = wildcards.iter().map(String::as_str).collect();
        let _tank = Tank::fill(20_000_000);
        let members = Members::of(members, 200_000);
        assert!(!fuel::is_spent());
        let found = (0..200_000).filter(|_| members.has("nobody")).count();
        assert_eq!((found, fuel::is_spent()), (0, true));
    }
}
