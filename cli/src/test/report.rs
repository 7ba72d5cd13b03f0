//! What a run of tests came to, as people and machines read it.

pub mod data;
pub mod human;
pub mod junit;
pub mod markdown;
pub mod sarif;

use super::rows::{Line, Outcome};
use super::run::TestResult;

/// Whether what misleads is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// As Kyverno's runner has it.
    Lenient,
    /// A line that tested nothing fails.
    Strict,
}

impl Strictness {
    /// What is said before that which misleads.
    pub const fn severity(self) -> &'static str {
        match self {
            Self::Lenient => "warning",
            Self::Strict => "error",
        }
    }
}

/// What is shown of lines, and how they are judged.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Whether what misleads is a failure.
    pub strictness: Strictness,
    /// Only what failed.
    pub failures_only: bool,
    /// Messages too.
    pub messages: bool,
}

impl Shown {
    /// Whether a line is shown at all.
    fn shows(self, line: &Line, warnings: &[String]) -> bool {
        !self.failures_only || !judged(line, warnings, self.strictness).is_good()
    }
}

/// How many lines came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// As expected.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
    /// Nothing matched.
    pub skipped: usize,
    /// Could not be tested.
    pub errors: usize,
}

impl Summary {
    /// Counts all lines, and what is an error besides them.
    pub fn of(results: &[TestResult], strictness: Strictness) -> Self {
        let mut summary = Self::default();
        for result in results {
            for (line, warnings) in result.lines() {
                *summary.count(judged(line, warnings, strictness)) += 1;
            }
            summary.errors += result.errors(strictness);
        }
        summary
    }

    /// Whether the run ends well.
    pub fn is_good(self) -> bool {
        self.failed == 0 && self.errors == 0
    }

    fn count(&mut self, outcome: Outcome) -> &mut usize {
        match outcome {
            Outcome::Pass => &mut self.passed,
            Outcome::Fail => &mut self.failed,
            Outcome::Skip => &mut self.skipped,
            Outcome::Error => &mut self.errors,
        }
    }
}

/// The outcome of a line, what misleads taken into account.
fn judged(line: &Line, warnings: &[String], strictness: Strictness) -> Outcome {
    if strictness == Strictness::Strict && line.outcome.is_good() && !warnings.is_empty() {
        Outcome::Fail
    } else {
        line.outcome
    }
}
