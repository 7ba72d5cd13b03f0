//! What a policy or an exception excuses: controls, for some images, down to fields and values.
//!
//! Kyverno evaluates the part of the pod that an exclusion is about by itself, and takes each error that it finds there
//! once off what the whole pod has. So an exclusion without images, whose part is the pod with one container that says
//! nothing, excuses one container's missing field and not the same of a second. An error is the same only with the same
//! value: that a field is missing does not excuse what one says, nor does one port another.

use std::collections::{BTreeMap, BTreeSet};

use crate::wildcard;

use super::control::Control;
use super::pod::Pod;
use super::violation::{BadValue, FieldError, Violation};
use super::{Level, Version, evaluate};

/// One thing that is excused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Of which control.
    pub control: &'static Control,
    /// Images of the containers that it is for, as wildcards; the pod itself where there are none.
    pub images: Vec<String>,
    /// The field, indices as `*`; any where none is named.
    pub restricted_field: Option<String>,
    /// The values that are excused, as wildcards; any where there are none.
    pub values: Vec<String>,
}

/// What remains of violations when exclusions have been taken off, in order.
pub fn apply(
    (level, version): (Level, Version),
    exclusions: &[Exclusion],
    mut violations: Vec<Violation>,
    pod: &Pod,
) -> Vec<Violation> {
    for exclusion in exclusions {
        let part = if exclusion.images.is_empty() {
            pod.without_containers()
        } else {
            pod.with_images(|image| any(&exclusion.images, image))
        };
        for excused in evaluate(level, version, &part) {
            if exclusion.control.checks.contains(&excused.check) {
                take_off(exclusion, &excused, &mut violations);
            }
        }
    }
    violations
}

fn take_off(exclusion: &Exclusion, excused: &Violation, violations: &mut Vec<Violation>) {
    let Some(at) = violations
        .iter()
        .position(|violation| violation.check == excused.check)
    else {
        return;
    };
    let Some(violation) = violations.get_mut(at) else {
        return;
    };
    let of_containers = !exclusion.images.is_empty();
    let key = |error: &FieldError| Same {
        path: error.wildcard_path(),
        bad: error.bad.clone(),
        container: error.container.clone().filter(|_| of_containers),
    };
    let mut places = Places::of(&violation.errors, key);
    let mut empty = false;
    for error in &excused.errors {
        let same = key(error);
        if !covers(exclusion, error, &same.path) {
            continue;
        }
        if let Some(found) = places.take_first(&same) {
            // The last comes to its place, as in Kyverno, whose messages show the order.
            violation.errors.swap_remove(found);
            if let Some(moved) = violation.errors.get(found) {
                places.moved(&key(moved), violation.errors.len(), found);
            }
        }
        empty = violation.errors.is_empty();
    }
    if empty {
        violations.remove(at);
    }
}

/// By what an error is the same as another one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Same {
    /// Indices as `*`.
    path: String,
    bad: BadValue,
    /// Where containers are told apart.
    container: Option<String>,
}

/// Where errors stand in their list, so that none is looked for through all of it: whoever writes a pod says how many there
/// are.
struct Places(BTreeMap<Same, BTreeSet<usize>>);

impl Places {
    fn of(errors: &[FieldError], key: impl Fn(&FieldError) -> Same) -> Self {
        let mut places = BTreeMap::new();
        for (index, error) in errors.iter().enumerate() {
            let of_same: &mut BTreeSet<usize> = places.entry(key(error)).or_default();
            of_same.insert(index);
        }
        Self(places)
    }

    /// The first place of an error, which is no longer one.
    fn take_first(&mut self, same: &Same) -> Option<usize> {
        self.0.get_mut(same)?.pop_first()
    }

    /// Takes note that an error stands somewhere else now.
    fn moved(&mut self, same: &Same, from: usize, to: usize) {
        if let Some(of_same) = self.0.get_mut(same) {
            of_same.remove(&from);
            of_same.insert(to);
        }
    }
}

/// Whether an exclusion is about a field with its values.
fn covers(exclusion: &Exclusion, error: &FieldError, path: &str) -> bool {
    let field = exclusion.restricted_field.as_deref();
    let values = || error.values();
    field.is_none_or(|field| field == path)
        && (exclusion.values.is_empty()
            || values().iter().all(|value| any(&exclusion.values, value)))
}

fn any(patterns: &[String], text: &str) -> bool {
    let mut patterns = patterns.iter();
    patterns.any(|pattern| wildcard::matches(pattern, text))
}
