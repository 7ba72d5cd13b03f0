//! Which rules, and which branches of rules, the rows of tests made go which way.
//!
//! Only what a row that passed looked at counts: an evaluation that nobody expects anything of tests nothing. Branches of
//! rules that autogen made are those of the rule that they came from.

mod lcov;
mod text;

use std::collections::BTreeMap;

use regent_engine::ast::{Origin, Rule, RuleBody};
use regent_engine::program::Policy;
use regent_engine::response::RuleStatus;
use regent_engine::source::{Source, Span};
use regent_engine::trace::{Branch, BranchKind, Trace, branches};

use crate::offline::evaluate::Prepared;

pub use lcov::document as lcov;
pub use text::document as text;

/// What was gone through of all policies, by their files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    files: BTreeMap<String, BTreeMap<Span, RuleCoverage>>,
}

/// What was gone through of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RuleCoverage {
    /// The policy and the rule, as `policy/rule`.
    name: String,
    /// Where its name is.
    line: usize,
    /// How often it passed, failed, was skipped, and could not be decided.
    statuses: [usize; 4],
    /// Whether a failure is among what it can come to.
    can_fail: bool,
    branches: BTreeMap<Branch, Ways>,
}

/// How often a branch went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ways {
    line: usize,
    pass: usize,
    fail: usize,
    error: usize,
}

const PASS: usize = 0;
const FAIL: usize = 1;
const SKIP: usize = 2;
const ERROR: usize = 3;

impl Coverage {
    /// All rules of the policies of a test, none of them gone through.
    pub fn of(prepared: &Prepared) -> Self {
        let mut coverage = Self::default();
        for policy in prepared.loaded.policies.policies() {
            let source = &policy.ast.source;
            let rules = coverage.files.entry(source.name.clone()).or_default();
            let written = policy.ast.rules.iter();
            for rule in written.filter(|rule| rule.origin == Origin::Written) {
                let key = policy.ast.key();
                rules
                    .entry(rule.span)
                    .or_insert_with(|| RuleCoverage::of(&key, rule, source));
            }
        }
        coverage
    }

    /// Adds what a rule looked at.
    pub fn add(&mut self, prepared: &Prepared, trace: &Trace) {
        let mut policies = prepared.loaded.policies.policies().iter();
        let policy = policies.find(|policy| policy.ast.key() == trace.policy);
        let span = policy.and_then(|policy| span_of(policy, &trace.rule));
        let rules = self.files.get_mut(&trace.source.name);
        let rule = rules
            .zip(span)
            .and_then(|(rules, span)| rules.get_mut(&span));
        if let Some(rule) = rule {
            rule.add(trace);
        }
    }

    /// Adds what another test went through.
    pub fn extend(&mut self, other: &Self) {
        for (file, rules) in &other.files {
            let known = self.files.entry(file.clone()).or_default();
            for (span, rule) in rules {
                match known.get_mut(span) {
                    Some(known) => known.extend(rule),
                    None => drop(known.insert(*span, rule.clone())),
                }
            }
        }
    }

    fn rules(&self) -> impl Iterator<Item = &RuleCoverage> {
        self.files.values().flat_map(BTreeMap::values)
    }
}

/// Where the author wrote a rule, by its name or that of one that was made from it.
fn span_of(policy: &Policy, rule: &str) -> Option<Span> {
    let mut rules = policy.ast.rules.iter();
    rules.find(|one| one.name.value == rule).map(|one| one.span)
}

impl RuleCoverage {
    fn of(policy: &str, rule: &Rule, source: &Source) -> Self {
        let line = |span: Span| source.position(span.start).0;
        let of_branch = |branch: Branch| {
            let ways = Ways {
                line: line(branch.span),
                ..Ways::default()
            };
            (branch, ways)
        };
        Self {
            name: format!("{policy}/{}", rule.name.value),
            line: line(rule.name.span),
            statuses: [0; 4],
            can_fail: match &rule.body {
                RuleBody::Validate(_) | RuleBody::VerifyImages(_) => true,
                RuleBody::Mutate(_) | RuleBody::Generate(_) => false,
            },
            branches: branches(rule).into_iter().map(of_branch).collect(),
        }
    }

    fn add(&mut self, trace: &Trace) {
        let status = trace.status.map(|status| match status {
            RuleStatus::Pass => PASS,
            RuleStatus::Fail | RuleStatus::Warn => FAIL,
            RuleStatus::Skip => SKIP,
            RuleStatus::Error => ERROR,
        });
        if let Some(count) = status.and_then(|status| self.statuses.get_mut(status)) {
            *count += 1;
        }
        for step in &trace.steps {
            let Some(ways) = self.branches.get_mut(&step.branch) else {
                continue;
            };
            match step.held {
                Ok(true) => ways.pass += 1,
                Ok(false) => ways.fail += 1,
                Err(_) => ways.error += 1,
            }
        }
    }

    fn extend(&mut self, other: &Self) {
        for (count, more) in self.statuses.iter_mut().zip(other.statuses) {
            *count += more;
        }
        for (branch, more) in &other.branches {
            let ways = self.branches.entry(*branch).or_insert(Ways {
                line: more.line,
                ..Ways::default()
            });
            ways.pass += more.pass;
            ways.fail += more.fail;
            ways.error += more.error;
        }
    }

    fn count(&self, status: usize) -> usize {
        self.statuses.get(status).copied().unwrap_or(0)
    }

    /// Whether it came to everything that it can come to.
    fn is_covered(&self) -> bool {
        self.count(PASS) > 0 && (!self.can_fail || self.count(FAIL) > 0)
    }
}

impl Ways {
    /// Which ways are to be taken of a branch: `deny` without conditions holds always, and that a rule is not about something
    /// is seldom worth a test.
    fn wanted(self, branch: Branch) -> [Option<usize>; 2] {
        match branch.kind {
            BranchKind::DenyAll | BranchKind::Match => [Some(self.pass), None],
            _ => [Some(self.pass), Some(self.fail)],
        }
    }

    fn looked_at(self) -> usize {
        self.pass + self.fail + self.error
    }
}
