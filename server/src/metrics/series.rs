//! A bounded set of series, found by one hash of their labels.
//!
//! Knows nothing of what the labels mean, but that the first two (kind and namespace) are the ones that users multiply.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::{PoisonError, RwLock};

/// Stands for the kinds and namespaces that no longer get a series of their own.
const OTHER: &str = "_other";

/// Bytes of a label: a kind and a namespace are shorter, and what a review may say is bounded where it is read. Whatever comes
/// by another way is not kept whole either.
const MAX_LABEL: usize = 256;

/// Makes the series of a label set.
type Make<T> = Box<dyn Fn(&[&str]) -> T + Send + Sync>;

/// The label sets that were seen, each with its series.
pub(super) struct Bounded<T> {
    limit: usize,
    hasher: RandomState,
    make: Make<T>,
    seen: RwLock<HashMap<u64, T>>,
}

impl<T> fmt::Debug for Bounded<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bounded")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<T> Bounded<T> {
    pub(super) fn new(limit: usize, make: impl Fn(&[&str]) -> T + Send + Sync + 'static) -> Self {
        Self {
            limit,
            hasher: RandomState::new(),
            make: Box::new(make),
            seen: RwLock::new(HashMap::new()),
        }
    }

    /// Hands the series of `labels` to `record`.
    // Two label sets of one hash would share a series; with a keyed 64-bit hash and ten thousand sets that is a chance of 1 in 10^11.
    pub(super) fn with<const N: usize>(&self, labels: &[&str; N], record: impl Fn(&T)) {
        let mut labels = labels.map(cut);
        let key = self.key(&labels);
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = seen.get(&key) {
            record(series);
            return;
        }
        let full = seen.len() >= self.limit;
        drop(seen);
        if full {
            for label in labels.iter_mut().take(2) {
                *label = OTHER;
            }
        }
        let key = self.key(&labels);
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        // Policies and rules are not bounded by users: their `_other` series may pass the limit, by as many as there are rules.
        record(seen.entry(key).or_insert_with(|| (self.make)(&labels)));
    }

    fn key(&self, labels: &[&str]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for label in labels {
            label.hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn cut(label: &str) -> &str {
    let end = label.floor_char_boundary(MAX_LABEL);
    label.get(..end).unwrap_or(label)
}
