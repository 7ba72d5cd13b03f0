//! Explanations for a person: the policy's own lines with what was seen there, then variables and Rego.

use std::collections::BTreeSet;

use regent_engine::diagnostic::Label;
use regent_engine::response::RuleStatus;
use regent_engine::trace::{Origin, Resolved};

use super::human::{self, Mark, Style, printable};
use crate::explain::{self, Explanation, Part};
use crate::io::Colours;
use crate::render::table::{Tint, tinted};

/// More than this is not read by anybody; what is left out is counted.
const MOST_PARTS: usize = 6;

/// Longest value of a variable that is shown.
const MOST_LETTERS: usize = 300;

/// An explanation, with a line break at its end.
pub fn render(explanation: &Explanation, style: Style) -> String {
    let shown: Vec<&Part> = explanation.parts.iter().take(MOST_PARTS).collect();
    let (labels, besides) = labels(&shown);
    let mut text = human::report(
        (mark(explanation.status), &explanation.title),
        (&explanation.source, &labels),
        style,
    );
    let mut lines: Vec<String> = besides;
    lines.extend(variables(explanation, &shown, style.colours));
    lines.extend(rego(&shown, style.colours));
    let others = explanation.parts.len() - shown.len();
    if others > 0 {
        lines.push(format!("and {others} more, which machine output lists"));
    }
    for line in lines {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// What a rule answered, at one glance.
const fn mark(status: Option<RuleStatus>) -> Mark {
    match status {
        Some(RuleStatus::Pass) => Mark::Passed,
        Some(RuleStatus::Skip) | None => Mark::Skipped,
        Some(RuleStatus::Warn) => Mark::Warning,
        Some(RuleStatus::Fail | RuleStatus::Error) => Mark::Error,
    }
}

/// What is said at each place; more than one thing at the same place is said below.
fn labels(parts: &[&Part]) -> (Vec<Label>, Vec<String>) {
    let (mut labels, mut besides) = (Vec::<Label>::new(), Vec::new());
    for part in parts {
        let text = part.sentence();
        if labels.iter().any(|label| label.span == part.span) {
            besides.push(printable(&format!("besides: {text}")));
        } else {
            let span = part.span;
            labels.push(Label { span, text });
        }
    }
    (labels, besides)
}

fn variables(explanation: &Explanation, parts: &[&Part], colours: Colours) -> Vec<String> {
    let mut shown: Vec<&Resolved> = Vec::new();
    let mut lines = Vec::new();
    for variable in parts.iter().flat_map(|part| &part.variables) {
        if shown.contains(&variable) {
            continue;
        }
        let said = match &variable.value {
            Ok(value) => format!("is {}", shortened(&value.to_string())),
            Err(reason) => format!("has no value: {reason}"),
        };
        let lead = if shown.is_empty() { "where" } else { "     " };
        let (line, _) = explanation.source.position(variable.span.start);
        let name = match variable.origin {
            Origin::Expression => format!("{{{{ {} }}}}", variable.name),
            Origin::Context(_) => format!("context `{}`", variable.name),
        };
        let name = printable(&name);
        let name = tinted(&name, Tint::Good, colours);
        lines.push(format!("{lead} {name} (line {line}) {}", printable(&said)));
        if let Some(help) = explain::help(variable) {
            lines.push(format!("        {}", printable(&help)));
        }
        shown.push(variable);
    }
    lines
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_LETTERS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The rules of each package, each once.
fn rego(parts: &[&Part], colours: Colours) -> Vec<String> {
    let mut packages: Vec<(&str, Vec<&str>)> = Vec::new();
    for part in parts {
        let rules = part.rego.iter().map(String::as_str);
        match packages.iter_mut().find(|(name, _)| *name == part.package) {
            Some((_, known)) => known.extend(rules),
            None => packages.push((part.package.as_str(), rules.collect())),
        }
    }
    let mut lines = Vec::new();
    for (package, mut rules) in packages {
        let mut seen = BTreeSet::new();
        rules.retain(|rule| seen.insert(*rule));
        if rules.is_empty() {
            continue;
        }
        lines.push(format!("in Rego, {}:", printable(package)));
        for line in rules.iter().flat_map(|rule| rule.lines()) {
            lines.push(format!(
                "  {}",
                tinted(&printable(line), Tint::Aside, colours)
            ));
        }
    }
    lines
}
