//! Judging what was expected against what came out, as Kyverno's runner does, and saying where a row tested nothing.
//!
//! Knows nothing of how policies were evaluated.

use regent_engine::admission::Operation;
use regent_engine::diagnostic::Diagnostic;
use regent_engine::response::RuleResponse;
use regent_engine::yaml_text;
use serde_json::Value;

use super::choose::choose;
use super::coverage::Coverage;
use super::definition::{Definition, ExpectedRow};
use super::folder::resources;
use crate::explain::Explanation;
use crate::offline::decode::closest;
use crate::offline::evaluate::{Answer, Evaluated, Prepared};
use crate::offline::patch;
use crate::offline::policies::Named;
use crate::offline::resources::Resource;
use crate::render::diff::unified;
use crate::render::place::Place;

/// The reason of a line whose patched object is not as expected.
pub const DIFFERENT: &str = "Resource diff";

/// What became of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Pass,
    /// Not as expected.
    Fail,
    /// No rule had anything to say about the resource; Kyverno's runner counts it as passed.
    Skip,
    /// It could not be tested: part of the language that this version does not run, a policy that does not load.
    Error,
}

impl Outcome {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Error => "error",
        }
    }

    /// Whether a run with such a line ends well.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Skip)
    }
}

/// One line of the table: a rule on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the policy, as the row has it.
    pub policy: String,
    /// Name of the rule, as the row has it.
    pub rule: String,
    /// The resource as `apiVersion/kind/namespace/name`.
    pub resource: String,
    /// What the row expects.
    pub expected: String,
    /// What the rule answered; none where none did.
    pub actual: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// In a few words, as Kyverno's runner says it.
    pub reason: String,
    /// What the rule said, or why the line failed.
    pub message: String,
    /// Why it is so, where that was asked for and the line is not as expected.
    pub explanation: Option<Explanation>,
}

impl Line {
    /// Whether it is as its row expects.
    fn is_expected(&self) -> bool {
        match self.outcome {
            Outcome::Pass => true,
            // Nothing matched: that is no mistake where it is what was expected.
            Outcome::Skip => self.expected == "skip",
            Outcome::Fail | Outcome::Error => false,
        }
    }

    /// The line with what a rule answered, and the rule's name.
    fn of_rule(self, rule: &RuleResponse) -> (Self, String) {
        let actual = Some(rule.status.name().to_owned());
        (Self { actual, ..self }, rule.rule.clone())
    }
}

/// A row's lines, and where the row misleads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Why its passing may mean nothing.
    pub warnings: Vec<String>,
    /// Where the row is.
    pub place: Place,
    /// Where the rule that it names is, or its policy.
    pub rule_place: Option<Place>,
}

/// An evaluation of all resources, with the operation that rows asked for.
pub type Runs = Vec<(Option<Operation>, Vec<Evaluated>)>;

/// Judges one row; what its lines went through that are as expected is added to the coverage.
pub fn judge(
    definition: &Definition,
    row: &ExpectedRow,
    prepared: &Prepared,
    runs: &Runs,
    mut coverage: Option<&mut Coverage>,
) -> Judged {
    let mut warnings = Vec::new();
    let chosen = choose(row, &prepared.resources, &mut warnings);
    let policy = policy_of(row, &prepared.policies);
    let mut lines = Vec::new();
    if let Some((reason, message)) = untestable(definition, policy, prepared) {
        let mut names: Vec<_> = chosen.iter().map(|resource| resource.key()).collect();
        if names.is_empty() {
            // What it would be tested on may be what is not supported.
            warnings.clear();
            names.push(row.resources.join(", "));
        }
        let untested = |name: &String| line(row, name, Outcome::Error, reason, &message);
        lines.extend(names.iter().map(untested));
    } else {
        warn_of_names(row, policy, &prepared.policies, &mut warnings);
        let judge = Judge { definition, row };
        for resource in &chosen {
            let evaluated = evaluations_of(row, resource, prepared, runs);
            let answers = answers_for(row, &evaluated);
            let made = judge.resource(resource, &answers, &mut warnings);
            if let Some(coverage) = &mut coverage {
                cover(coverage, &made, prepared, (policy, &evaluated));
            }
            let explain = |line| explained(line, prepared, (policy, &evaluated));
            lines.extend(made.into_iter().map(explain));
        }
    }
    if lines.is_empty() {
        let listed = row.resources.join(", ");
        let message = "no resource to test it on";
        lines.push(line(row, &listed, Outcome::Fail, "Not found", message));
    }
    Judged {
        lines,
        warnings,
        place: place(definition, row),
        rule_place: policy.map(|policy| policy.place(&row.rule)),
    }
}

/// Adds what was looked at for lines that are as expected: that nothing matched is one, where it is what is expected.
fn cover(
    coverage: &mut Coverage,
    made: &[(Line, String)],
    prepared: &Prepared,
    (policy, evaluated): (Option<&Named>, &[&Evaluated]),
) {
    let keys = policy.map(|policy| prepared.keys(&policy.name));
    let keys = keys.unwrap_or_default();
    for (_, rule) in made.iter().filter(|(line, _)| line.is_expected()) {
        let traces = evaluated.iter().flat_map(|one| &one.observed.traces);
        for trace in traces.filter(|one| one.rule == *rule && keys.contains(&one.policy)) {
            coverage.add(prepared, trace);
        }
    }
}

/// Where a row is.
pub fn place(definition: &Definition, row: &ExpectedRow) -> Place {
    Place::line_of(&definition.source, row.span)
}

/// The line of a row that could not be tested at all.
pub fn line(
    row: &ExpectedRow,
    resource: &str,
    outcome: Outcome,
    reason: &str,
    message: &str,
) -> Line {
    Line {
        policy: row.policy.clone(),
        rule: row.rule.clone(),
        resource: resource.to_owned(),
        expected: row.result.clone(),
        actual: None,
        outcome,
        reason: reason.to_owned(),
        message: message.to_owned(),
        explanation: None,
    }
}

/// The policy that a row names; only the last segment of `namespace/name` is compared.
fn policy_of<'a>(row: &ExpectedRow, policies: &'a [Named]) -> Option<&'a Named> {
    let name = base_name(&row.policy);
    policies.iter().find(|policy| policy.name == name)
}

fn base_name(policy: &str) -> &str {
    policy.rsplit('/').next().unwrap_or(policy)
}

/// Why a row cannot be tested, where it cannot.
fn untestable(
    definition: &Definition,
    policy: Option<&Named>,
    prepared: &Prepared,
) -> Option<(&'static str, String)> {
    let (exceptions, nameless) = (&prepared.unusable_exceptions, &prepared.nameless);
    if let Some(field) = definition.unsupported.first() {
        let message = format!("`{field}` of the test is not supported yet");
        return Some(("Not supported", message));
    }
    if !exceptions.is_empty() {
        let supported = exceptions.iter().any(|one| !one.code.is_unsupported());
        let reason = if supported {
            "Invalid exception"
        } else {
            "Not supported"
        };
        return Some((reason, lines(exceptions)));
    }
    if policy.is_none() && !nameless.is_empty() {
        // It may be the one that the row names.
        return Some(("Invalid policy", lines(nameless)));
    }
    let policy = policy.filter(|policy| !policy.runs())?;
    let reason = if policy.is_unsupported() {
        "Not supported"
    } else {
        "Invalid policy"
    };
    Some((reason, lines(&policy.errors)))
}

/// Errors, a line each, with their places.
fn lines(errors: &[Diagnostic]) -> String {
    let line = |error: &Diagnostic| {
        let (line, column) = error.position();
        format!("{}:{line}:{column}: {}", error.source.name, error.message)
    };
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn warn_of_names(
    row: &ExpectedRow,
    policy: Option<&Named>,
    policies: &[Named],
    warnings: &mut Vec<String>,
) {
    let Some(policy) = policy else {
        let known: Vec<_> = policies.iter().map(|policy| policy.name.as_str()).collect();
        let meant = closest(base_name(&row.policy), &known)
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        warnings.push(format!("no policy is named `{}`{meant}", row.policy));
        return;
    };
    if !policy.rules.is_empty() && row.rule.is_empty() {
        let name = &policy.name;
        warnings.push(format!(
            "the row names no `rule`, so it is about none of policy `{name}`"
        ));
    } else if !policy.rules.is_empty() && !policy.has_rule(&row.rule) {
        let known: Vec<_> = policy.rules.iter().map(String::as_str).collect();
        let meant = closest(&row.rule, &known)
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        warnings.push(format!(
            "policy `{}` has no rule `{}`{meant}",
            policy.name, row.rule
        ));
    }
}

/// The line with why it is so, where it is not as expected and rules were watched.
fn explained(
    (line, rule): (Line, String),
    prepared: &Prepared,
    (policy, evaluated): (Option<&Named>, &[&Evaluated]),
) -> Line {
    if line.is_expected() || !prepared.watch().explanations {
        return line;
    }
    let keys = policy.map(|policy| prepared.keys(&policy.name));
    let keys = keys.unwrap_or_default();
    let of_key = |key: &String| {
        let mut all = evaluated.iter();
        all.find_map(|one| Explanation::of(prepared, one, (key, &rule)))
    };
    Line {
        explanation: keys.iter().find_map(of_key),
        ..line
    }
}

/// What became of a resource in the run with the row's operation.
fn evaluations_of<'a>(
    row: &ExpectedRow,
    resource: &Resource,
    prepared: &Prepared,
    runs: &'a Runs,
) -> Vec<&'a Evaluated> {
    let evaluated = runs
        .iter()
        .filter(|(operation, _)| *operation == row.operation)
        .flat_map(|(_, evaluated)| evaluated)
        .filter(|evaluated| {
            prepared
                .resources
                .get(evaluated.resource)
                .is_some_and(|candidate| std::ptr::eq(candidate, resource))
        });
    evaluated.collect()
}

/// What the row's policy answered.
fn answers_for<'a>(row: &ExpectedRow, evaluated: &[&'a Evaluated]) -> Vec<&'a Answer> {
    let name = base_name(&row.policy);
    evaluated
        .iter()
        .flat_map(|evaluated| &evaluated.answers)
        .filter(|answer| answer.policy == name)
        .collect()
}

struct Judge<'a> {
    definition: &'a Definition,
    row: &'a ExpectedRow,
}

impl Judge<'_> {
    /// Lines, each with the name of the rule that it is about.
    fn resource(
        &self,
        resource: &Resource,
        answers: &[&Answer],
        warnings: &mut Vec<String>,
    ) -> Vec<(Line, String)> {
        let mut lines = Vec::new();
        let mut is_missing = false;
        for answer in answers {
            for rule in answer.rules.iter().filter(|rule| self.is_about(rule)) {
                match self.check(answer, rule) {
                    Check::Is(outcome, reason, message) => lines.push(
                        line(self.row, &resource.key(), outcome, &reason, &message).of_rule(rule),
                    ),
                    Check::NotInManifest => is_missing = true,
                }
            }
        }
        if lines.is_empty() && is_missing {
            let path = self.row.patched_resources.as_deref().unwrap_or("");
            let key = resource.key();
            warnings.push(format!("`{key}` is not in `{path}`, so nothing is tested"));
            let message = format!("the object is not in `{path}`");
            let line = line(self.row, &key, Outcome::Skip, "Excluded", &message);
            lines.push((line, self.row.rule.clone()));
        } else if lines.is_empty() {
            if self.row.result != "skip" {
                warnings.push(format!(
                    "expects `{}` of `{}`, and passes because no rule matched it",
                    self.row.result,
                    resource.key()
                ));
            }
            let message = "no rule matched the resource";
            let key = resource.key();
            let line = line(self.row, &key, Outcome::Skip, "Excluded", message);
            lines.push((line, self.row.rule.clone()));
        }
        lines
    }

    fn is_about(&self, rule: &RuleResponse) -> bool {
        let wanted = self.row.rule.as_str();
        let base = rule
            .rule
            .strip_prefix("autogen-cronjob-")
            .or_else(|| rule.rule.strip_prefix("autogen-"));
        rule.rule == wanted || base == Some(wanted)
    }

    fn check(&self, answer: &Answer, rule: &RuleResponse) -> Check {
        if let Some(error) = &answer.patch_error {
            return Check::Is(Outcome::Fail, "Resource error".to_owned(), error.clone());
        }
        if let Some(path) = &self.row.patched_resources {
            match self.compare(path, answer) {
                Compared::Same => {}
                Compared::NotInManifest if self.row.fail_on_missing_resources => {
                    let message = format!("the object is not in `{path}`");
                    return Check::Is(Outcome::Fail, "Resource error".to_owned(), message);
                }
                Compared::NotInManifest => return Check::NotInManifest,
                Compared::Different(difference) => {
                    let message =
                        format!("the patched object is not as in `{path}`:\n{difference}");
                    return Check::Is(Outcome::Fail, DIFFERENT.to_owned(), message);
                }
                Compared::Unreadable(message) => {
                    return Check::Is(Outcome::Fail, "Resource error".to_owned(), message);
                }
            }
        }
        let actual = rule.status.name();
        // A rule that ended otherwise says best why nothing was generated.
        let generated = self.row.generated_resources.iter();
        for path in generated.filter(|_| actual == self.row.result) {
            if let Some(failed) = self.generated(path, rule) {
                return failed;
            }
        }
        if actual == self.row.result {
            Check::Is(Outcome::Pass, "Ok".to_owned(), rule.message.clone())
        } else {
            let reason = format!("Want {}, got {actual}", self.row.result);
            Check::Is(Outcome::Fail, reason, rule.message.clone())
        }
    }

    /// Why the objects of a file were not generated, if they were not.
    fn generated(&self, path: &str, rule: &RuleResponse) -> Option<Check> {
        let failed = |reason: &str, message: String| {
            Some(Check::Is(Outcome::Fail, reason.to_owned(), message))
        };
        let mut found = Vec::new();
        let expected = resources(self.definition, &[path.to_owned()], &mut found);
        if let Some(diagnostic) = found.first() {
            return failed("Resource error", diagnostic.message.clone());
        }
        let made: Vec<Resource> = {
            let made = rule.generated.iter().cloned();
            made.map(|object| Resource::new(object, "")).collect()
        };
        for expected in expected {
            let key = expected.key();
            let Some(actual) = made.iter().find(|made| made.key() == key) else {
                let message = format!("`{key}` of `{path}` is not generated");
                return failed("Resource diff", message);
            };
            let expected = patch::comparable(&expected.object);
            let places = patch::differences(&expected, &patch::comparable(&actual.object));
            if !places.is_empty() {
                let places = places.join("\n");
                let message = format!("the generated object is not as in `{path}`:\n{places}");
                return failed("Resource diff", message);
            }
        }
        None
    }

    fn compare(&self, path: &str, answer: &Answer) -> Compared {
        let mut found = Vec::new();
        let expected = resources(self.definition, &[path.to_owned()], &mut found);
        if let Some(diagnostic) = found.first() {
            return Compared::Unreadable(diagnostic.message.clone());
        }
        let actual = Resource::new(Value::clone(&answer.patched), "");
        let Some(expected) = expected
            .iter()
            .find(|expected| expected.key() == actual.key())
        else {
            return Compared::NotInManifest;
        };
        let expected = patch::comparable(&expected.object);
        let actual = patch::comparable(&actual.object);
        if expected == actual {
            return Compared::Same;
        }
        let difference = unified(
            &yaml_text::document(&expected),
            &yaml_text::document(&actual),
        );
        let difference =
            difference.unwrap_or_else(|| patch::differences(&expected, &actual).join("\n"));
        Compared::Different(difference)
    }
}

enum Check {
    Is(Outcome, String, String),
    NotInManifest,
}

enum Compared {
    Same,
    NotInManifest,
    Different(String),
    Unreadable(String),
}
