//! Suites of Gatekeeper's own runner, `gator verify`, as they are: each test a template, a constraint, and cases.
//!
//! A case becomes a line: what it expects is that all its assertions hold.

mod case;
mod suite;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regent_engine::diagnostic::Diagnostic;
use regent_engine::load;
use regent_engine::policy_set::PolicySet;
use regent_engine::source::Source;
use regent_engine::yaml;

use super::coverage::Coverage;
use super::rows::{Judged, Line, Outcome};
use super::run::{Options, TestResult};
use crate::offline::documents::Documents;
use crate::render::place::Place;
use crate::sources;
use suite::{Case, Suite, Test};

/// What a suite says that it is.
pub const API_VERSION: &str = "test.gatekeeper.sh/v1alpha1";

/// Whether a file may be a suite, by its text: the rest is for who reads it.
pub fn may_be_suite(path: &Path) -> bool {
    sources::read_file(path).is_ok_and(|source| source.text.contains(API_VERSION))
}

/// Whether a file that was read is a suite.
pub fn is_suite(documents: &Documents) -> bool {
    let mut versions = documents.nodes.iter().map(|node| node.get("apiVersion"));
    versions.any(|version| version.and_then(yaml::Node::as_str) == Some(API_VERSION))
}

/// Runs the tests of a suite.
pub fn run_file(path: &Path, documents: Documents, options: &Options<'_>) -> Vec<TestResult> {
    let begun = Instant::now();
    match Suite::of(path, documents) {
        Ok(suite) => {
            let tests = suite.tests.iter();
            let results = tests.map(|test| run_test(&suite, test, options));
            // A test of which the selector leaves nothing says nothing.
            let empty = |result: &TestResult| result.rows.is_empty() && result.warnings.is_empty();
            results.filter(|result| !empty(result)).collect()
        }
        Err(diagnostics) => vec![TestResult {
            diagnostics,
            is_broken: true,
            ..empty(path, String::new(), begun.elapsed())
        }],
    }
}

fn empty(path: &Path, name: String, duration: Duration) -> TestResult {
    TestResult {
        path: path.to_owned(),
        name,
        sizes: (0, 0),
        rows: Vec::new(),
        diagnostics: Vec::new(),
        warnings: Vec::new(),
        is_broken: false,
        coverage: Coverage::default(),
        duration,
    }
}

fn run_test(suite: &Suite, test: &Test, options: &Options<'_>) -> TestResult {
    let begun = Instant::now();
    let mut result = empty(&suite.path, test.name.clone(), Duration::ZERO);
    result.sizes = (1, test.cases.len());
    if test.skip {
        result.warnings.push("the suite skips this test".to_owned());
        return result;
    }
    if test.expands {
        let message =
            "`expansion` is not supported: nothing is generated from other resources here";
        let outcome = (Outcome::Error, None, message.to_owned());
        result.rows = vec![judged(suite, test, None, ("", outcome))];
        return result;
    }
    match Loaded::of(suite, test) {
        Ok(loaded) if test.invalid => {
            let message = "the template and the constraint are valid, and were expected not to be";
            let outcome = (Outcome::Fail, None, message.to_owned());
            result.rows = vec![judged(suite, test, None, (&loaded.policy, outcome))];
        }
        Err(_) if test.invalid => {
            let outcome = (Outcome::Pass, None, String::new());
            result.rows = vec![judged(suite, test, None, ("", outcome))];
        }
        Ok(loaded) => {
            let chosen = |case: &&Case| {
                let selector = &options.selector;
                !case.skip && selector.includes(&loaded.policy, &test.name, &case.name)
            };
            let cases = test.cases.iter().filter(chosen);
            result.rows = cases
                .map(|case| {
                    let outcome = case::run(suite, &loaded, case, options);
                    judged(suite, test, Some(case), (&loaded.policy, outcome))
                })
                .collect();
        }
        Err(diagnostics) => {
            let message = "the template or the constraint cannot be used";
            let outcome = (Outcome::Error, None, message.to_owned());
            result.rows = vec![judged(suite, test, None, ("", outcome))];
            result.diagnostics = diagnostics;
            result.is_broken = true;
        }
    }
    result.duration = begun.elapsed();
    result
}

/// What came of a case: whether it is as expected, what the constraint said, and why.
type CaseOutcome = (Outcome, Option<String>, String);

fn judged(
    suite: &Suite,
    test: &Test,
    case: Option<&Case>,
    (policy, (outcome, actual, message)): (&str, CaseOutcome),
) -> Judged {
    let expected = match case {
        Some(case) => case.expected(),
        None if test.invalid => "invalid".to_owned(),
        None => "valid".to_owned(),
    };
    let line = Line {
        policy: policy.to_owned(),
        rule: test.name.clone(),
        resource: case.map_or_else(String::new, |case| case.name.clone()),
        expected,
        actual,
        outcome,
        reason: if outcome.is_good() {
            "Ok"
        } else {
            "Not as expected"
        }
        .to_owned(),
        message,
        explanation: None,
    };
    Judged {
        lines: vec![line],
        warnings: Vec::new(),
        place: Place::line_of(&suite.source, case.map_or(test.span, |case| case.span)),
        rule_place: None,
    }
}

/// A template and a constraint of a test, loaded.
struct Loaded {
    sources: Vec<Arc<Source>>,
    policies: Arc<PolicySet>,
    policy: String,
    /// Whether `gator` is among the points where the constraint is enforced.
    is_enforced: bool,
}

impl Loaded {
    fn of(suite: &Suite, test: &Test) -> Result<Self, Vec<Diagnostic>> {
        let mut sources = Vec::new();
        for name in [&test.template, &test.constraint] {
            let path = suite.folder().join(name);
            sources.push(sources::read_file(&path).map_err(|error| vec![*error])?);
        }
        let is_enforced = sources.last().is_some_and(is_enforced);
        let policies = policies(&sources)?;
        let policy = policies.policies().first();
        let policy = policy.map_or_else(String::new, |policy| policy.ast.name.value.clone());
        Ok(Self {
            sources,
            policies,
            policy,
            is_enforced,
        })
    }

    /// The same with some kinds of resources in the inventory.
    fn with_inventory(
        &self,
        kinds: &[(String, String, String)],
    ) -> Result<Arc<PolicySet>, Vec<Diagnostic>> {
        if kinds.is_empty() {
            return Ok(Arc::clone(&self.policies));
        }
        let mut text = "apiVersion: config.gatekeeper.sh/v1alpha1\nkind: Config\nmetadata: {name: config}\nspec:\n  sync:\n    syncOnly:\n".to_owned();
        for (group, version, kind) in kinds {
            let entry = serde_json::json!({"group": group, "version": version, "kind": kind});
            text.push_str("      - ");
            text.push_str(&entry.to_string());
            text.push('\n');
        }
        let mut sources = self.sources.clone();
        sources.push(Source::new("inventory", text));
        policies(&sources)
    }
}

/// Whether a constraint has anything to say to `gator`: one with scoped actions names where they count.
fn is_enforced(constraint: &Arc<Source>) -> bool {
    let (documents, _) = yaml::parse(constraint);
    let spec = documents.first().and_then(|document| document.get("spec"));
    let action = spec.and_then(|spec| spec.get("enforcementAction"));
    if action.and_then(yaml::Node::as_str) != Some("scoped") {
        return true;
    }
    let actions = spec.and_then(|spec| spec.get("scopedEnforcementActions"));
    let actions = actions.map_or(serde_json::Value::Null, yaml::Node::to_json);
    let actions = actions.as_array().into_iter().flatten();
    let points = actions.filter_map(|action| action.get("enforcementPoints")?.as_array());
    let mut names = points
        .flatten()
        .filter_map(|point| point.get("name")?.as_str());
    names.any(|name| ["gator.gatekeeper.sh", "*"].contains(&name))
}

/// The policies of some texts, of which none may have an error.
fn policies(sources: &[Arc<Source>]) -> Result<Arc<PolicySet>, Vec<Diagnostic>> {
    let loaded = load::load(sources, &load::Environment::default());
    let errors: Vec<Diagnostic> = loaded
        .diagnostics
        .into_iter()
        .filter(Diagnostic::is_error)
        .collect();
    if errors.is_empty() {
        Ok(loaded.policies)
    } else {
        Err(errors)
    }
}
