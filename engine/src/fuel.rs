//! What an evaluation may still spend on work that no compiled program counts: wildcards, expressions, regular expressions
//! that are only known at run time.
//!
//! Each of these has a bound of its own; but both sides of a comparison may be a resource's text, and lists multiply. It is
//! counted for the thread, since wildcards are compared at the bottom of everything, and an evaluation does not change
//! threads between its start and what it needs next. Where nobody filled it, nothing is counted.

use std::cell::Cell;

thread_local! {
    static TANK: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Counted from when it is made until it is dropped.
#[derive(Debug)]
pub(crate) struct Tank {
    before: Option<u64>,
}

impl Tank {
    /// So much, in units of about a nanosecond.
    pub(crate) fn fill(units: u64) -> Self {
        Self {
            before: TANK.replace(Some(units)),
        }
    }
}

impl Drop for Tank {
    fn drop(&mut self) {
        TANK.set(self.before);
    }
}

/// Spends some; says whether there was as much.
pub(crate) fn spend(units: u64) -> bool {
    match TANK.get() {
        None => true,
        Some(left) => {
            TANK.set(Some(left.saturating_sub(units)));
            left > units
        }
    }
}

/// Whether all is spent: what was answered since is no answer.
pub(crate) fn is_spent() -> bool {
    TANK.get() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_is_spent_once_and_what_was_there_before_comes_back() {
        assert!(spend(u64::MAX) && !is_spent());
        let outer = Tank::fill(10);
        assert!(spend(4) && !is_spent());
        {
            let _inner = Tank::fill(3);
            assert!(!spend(3) && is_spent());
            assert!(!spend(1) && is_spent());
        }
        assert!(!is_spent() && spend(5));
        assert!(!spend(1) && is_spent());
        drop(outer);
        assert!(!is_spent() && spend(1));
    }
}
