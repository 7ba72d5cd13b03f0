//! The rules of a generated module that a place of a policy was written as.

use regent_engine::rego::evaluate::Program;
use regent_engine::source::{Source, Span};

/// More rules than this are not shown: what is left out is in `regent compile`.
const MOST_RULES: usize = 2;

/// The package, and the rules above which the author's line stands; of those, the ones that hold the text `leaf`.
pub(super) fn of(
    program: &Program,
    source: &Source,
    span: Span,
    leaf: Option<&str>,
) -> (String, Vec<String>) {
    let text = program.text();
    let package = text.lines().find_map(|line| line.strip_prefix("package "));
    let (line, _) = source.position(span.start);
    let mut rules: Vec<(usize, &str)> = text.split("\n\n").filter_map(placed).collect();
    // A value has the rule of the map that it stands in, which is the nearest above.
    rules.retain(|(at, _)| *at <= line);
    // Where there is a walk, what is wrong with one place is said by it, in the rules that ask.
    let walks = text.contains("\nwalked :=");
    let is_other =
        |rule: &str| rule.contains("\nwritten_") || (walks && rule.contains("as_wanted"));
    keep(&mut rules, |(_, rule)| !is_other(rule));
    if let Some(leaf) = leaf {
        keep(&mut rules, |(_, rule)| rule.contains(leaf));
    }
    let nearest = rules.iter().map(|(at, _)| *at).max();
    rules.retain(|(at, _)| Some(*at) == nearest);
    keep(&mut rules, |(_, rule)| rule.contains("regent."));
    let own = rules.iter().take(MOST_RULES);
    let own = own.map(|(_, rule)| rule.trim().to_owned()).collect();
    (package.unwrap_or("").to_owned(), own)
}

/// Keeps what is wanted, where there is any.
fn keep<'a>(rules: &mut Vec<(usize, &'a str)>, is_wanted: impl Fn(&(usize, &'a str)) -> bool) {
    if rules.iter().any(&is_wanted) {
        rules.retain(is_wanted);
    }
}

/// A rule with the author's line above it, and that line's number.
fn placed(rule: &str) -> Option<(usize, &str)> {
    let comment = rule.lines().filter_map(|line| line.strip_prefix("# "));
    let mut numbers = comment.filter_map(|comment| comment.split_once(": ")?.0.parse().ok());
    Some((numbers.next()?, rule))
}
