//! Coverage as lcov writes it: a record for each file of policies, a function for each rule.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::{Coverage, RuleCoverage};
use crate::render::human::printable;

/// The records of all files.
pub fn document(coverage: &Coverage) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for (file, rules) in &coverage.files {
        let rules: Vec<&RuleCoverage> = rules.values().collect();
        writeln!(text, "TN:\nSF:{}", printable(file))?;
        functions(&rules, &mut text)?;
        branches(&rules, &mut text)?;
        lines(&rules, &mut text)?;
        writeln!(text, "end_of_record")?;
    }
    Ok(text)
}

fn functions(rules: &[&RuleCoverage], text: &mut String) -> fmt::Result {
    for rule in rules {
        writeln!(text, "FN:{},{}", rule.line, printable(&rule.name))?;
    }
    for rule in rules {
        writeln!(text, "FNDA:{},{}", rule.asked(), printable(&rule.name))?;
    }
    let hit = rules.iter().filter(|rule| rule.asked() > 0).count();
    writeln!(text, "FNF:{}\nFNH:{hit}", rules.len())
}

/// For each branch of a rule the way on which it is as wanted, then the other; `-` where it was never looked at.
fn branches(rules: &[&RuleCoverage], text: &mut String) -> fmt::Result {
    let (mut found, mut hit) = (0, 0);
    let all = rules.iter().flat_map(|rule| &rule.branches).enumerate();
    for (block, (branch, ways)) in all {
        for (way, taken) in ways.wanted(*branch).into_iter().flatten().enumerate() {
            let count = if ways.looked_at() == 0 {
                "-".to_owned()
            } else {
                taken.to_string()
            };
            writeln!(text, "BRDA:{},{block},{way},{count}", ways.line)?;
            found += 1;
            hit += usize::from(taken > 0);
        }
    }
    writeln!(text, "BRF:{found}\nBRH:{hit}")
}

/// Lines on which a rule or a branch begins, and how often they were looked at.
fn lines(rules: &[&RuleCoverage], text: &mut String) -> fmt::Result {
    let mut lines: BTreeMap<usize, usize> = BTreeMap::new();
    for rule in rules {
        *lines.entry(rule.line).or_default() += rule.asked();
        for ways in rule.branches.values() {
            *lines.entry(ways.line).or_default() += ways.looked_at();
        }
    }
    for (line, count) in &lines {
        writeln!(text, "DA:{line},{count}")?;
    }
    let hit = lines.values().filter(|count| **count > 0).count();
    writeln!(text, "LF:{}\nLH:{hit}", lines.len())
}

impl RuleCoverage {
    /// How often it answered.
    fn asked(&self) -> usize {
        self.statuses.iter().sum()
    }
}
