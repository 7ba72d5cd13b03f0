//! Coverage for people: how much, and then only what is missing.

use std::fmt::Write as _;

use super::{Branch, Coverage, ERROR, FAIL, PASS, RuleCoverage, SKIP, Ways};
use crate::render::human::printable;

/// The summary, and what no test made go one of its ways.
pub fn document(coverage: &Coverage) -> Result<String, std::fmt::Error> {
    let rules = coverage.rules().count();
    let covered = coverage.rules().filter(|rule| rule.is_covered()).count();
    let ways = || coverage.rules().flat_map(RuleCoverage::ways);
    let taken = ways().filter(|taken| *taken > 0).count();
    let mut text = format!(
        "\nCoverage: {covered} of {rules} rules, {taken} of {} ways of their branches\n",
        ways().count()
    );
    for (file, rules) in &coverage.files {
        let missing = rules.values().filter_map(missing);
        let missing: Vec<String> = missing.collect();
        if !missing.is_empty() {
            write!(text, "\n{}\n{}", printable(file), missing.concat())?;
        }
    }
    Ok(text)
}

/// What no test made of a rule; none where nothing is missing.
fn missing(rule: &RuleCoverage) -> Option<String> {
    let branches = rule.branches.iter();
    let gaps = branches.filter_map(|(branch, ways)| Some((ways.line, gap(*branch, *ways)?)));
    let mut gaps: Vec<(usize, String)> = gaps.collect();
    if gaps.is_empty() && rule.is_covered() {
        return None;
    }
    gaps.sort_by_key(|(line, _)| *line);
    let name = printable(&rule.name);
    let counts = [
        ("passed", PASS),
        ("failed", FAIL),
        ("skipped", SKIP),
        ("not decided", ERROR),
    ];
    let counts = counts.map(|(word, status)| format!("{word} {}", rule.count(status)));
    let mut lines = vec![format!(
        "  {:>4}  rule {name}: {}\n",
        rule.line,
        counts.join(", ")
    )];
    if rule.statuses.iter().all(|count| *count == 0)
        && rule.branches.values().all(|ways| ways.looked_at() == 0)
    {
        lines.push("        no row that passes is about it\n".to_owned());
        return Some(lines.concat());
    }
    lines.extend(
        gaps.iter()
            .map(|(line, gap)| format!("  {line:>4}    {gap}\n")),
    );
    Some(lines.concat())
}

fn gap(branch: Branch, ways: Ways) -> Option<String> {
    let name = branch.kind.name();
    let missing = match ways.wanted(branch) {
        [Some(0), Some(0)] if ways.error > 0 => "never decided",
        [Some(0), Some(0) | None] => "never looked at",
        [Some(0), _] => "never passed",
        [_, Some(0)] => "never failed",
        _ => return None,
    };
    Some(format!("{name}: {missing}"))
}

impl RuleCoverage {
    /// How often each way was taken that is open to a branch.
    fn ways(&self) -> impl Iterator<Item = usize> {
        let branches = self.branches.iter();
        branches.flat_map(|(branch, ways)| ways.wanted(*branch).into_iter().flatten())
    }
}
