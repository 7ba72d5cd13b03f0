//! The rules of `ARCHITECTURE.md` and `HOUSE-STYLE` that no compiler holds.

mod content;
mod dependencies;
mod diagnostics;
mod invariants;
mod licences;
mod policy_checks;
mod sources;
mod threats;
