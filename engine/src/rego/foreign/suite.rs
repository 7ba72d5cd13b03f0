//! Tests written in Rego, as OPA has them: rules whose names begin with `test_`.
//!
//! Knows neither files nor how results are shown.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module as Parsed, Rule, RuleHead};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use super::calls::{path, rule_name};
use super::{
    CHECK_INTERVAL, Dialect, ForeignError, Strictness, Text, add, bounded, calls, engine,
    of_evaluation, of_host,
};
use crate::rego::evaluate::{Budget, Document, RegoError};

/// The most modules of one run; the largest collections of tests have some hundred.
pub const MAX_SUITE: usize = 2_000;

/// What a name of a test begins with.
const TEST: &str = "test_";

/// What the name of a test begins with that is not to be run yet.
const TO_DO: &str = "todo_test_";

/// Modules with tests.
#[derive(Debug)]
pub struct Suite {
    /// With the modules read and the data added; a clone of it runs one test.
    engine: Engine,
    /// The tests, in the order of the modules.
    pub tests: Vec<Test>,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its package, as `data.authz_test`.
    pub package: String,
    /// Its name.
    pub name: String,
    /// Which module it is in, by its place in the list.
    pub module: usize,
    /// Line and column, both counted from one.
    pub place: (usize, usize),
    /// Whether it is run.
    pub state: State,
}

/// Whether a test is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Ready,
    /// Its name says that it is not finished.
    ToDo,
}

impl Test {
    /// `data.package.name`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It is true.
    Passed,
    /// It is undefined, or anything but true.
    Failed,
    /// It could not be evaluated, and why.
    Broken(RegoError),
}

impl Suite {
    /// Reads modules and looks them over; `data` is below `data`.
    pub fn read(
        modules: &[Text<'_>],
        dialect: Dialect,
        data: &serde_json::Value,
    ) -> Result<Self, Vec<ForeignError>> {
        if modules.len() > MAX_SUITE {
            let message = format!("these are more than {MAX_SUITE} modules");
            return Err(vec![ForeignError::new(0, None, message)]);
        }
        let host = |error: RegoError| vec![of_host(&error)];
        let mut engine = engine(dialect, Strictness::Lenient).map_err(host)?;
        // As OPA runs tests.
        engine.set_strict_builtin_errors(false);
        let added = modules.iter().enumerate();
        let errors: Vec<_> = added
            .filter_map(|(index, module)| add(&mut engine, index, module).err())
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let parsed = engine.get_modules().iter();
        let parsed: Vec<&Parsed> = parsed.map(|module| &**module).collect();
        calls::look_over(&parsed, dialect)?;
        let tests = tests(&parsed)?;
        engine
            .add_data(Document::from_json(data).0)
            .map_err(|error| vec![ForeignError::new(0, None, error.to_string())])?;
        Ok(Self { engine, tests })
    }

    /// Runs a test; gives what it printed, too. `now` is the time in nanoseconds since 1970.
    pub fn run(&self, test: &Test, (now, budget): (i64, Budget)) -> (Ended, Vec<String>) {
        let mut engine = self.engine.clone();
        if let Err(error) = bounded::tell_time(&mut engine, now) {
            return (Ended::Broken(error), Vec::new());
        }
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: budget.time,
            check_interval: CHECK_INTERVAL,
        });
        let ended = match engine.eval_rule(test.path()) {
            Ok(Value::Bool(true)) => Ended::Passed,
            Ok(_) => Ended::Failed,
            Err(error) => Ended::Broken(of_evaluation(&error)),
        };
        (ended, engine.take_prints().unwrap_or_else(|_| Vec::new()))
    }
}

/// The tests of modules; those that would be told apart by nothing are refused.
fn tests(modules: &[&Parsed]) -> Result<Vec<Test>, Vec<ForeignError>> {
    let mut tests: Vec<Test> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut errors = Vec::new();
    let mut defaults = BTreeSet::new();
    for (module, parsed) in modules.iter().enumerate() {
        let package = format!("data.{}", path(&parsed.package.refr));
        for rule in &parsed.policy {
            let name = rule_name(rule);
            let own = name.split('.').next().unwrap_or("").to_owned();
            let state = match (own.starts_with(TEST), own.starts_with(TO_DO)) {
                (true, _) => State::Ready,
                (_, true) => State::ToDo,
                (false, false) => continue,
            };
            let span = rule.span();
            let place = (span.line as usize, span.col as usize);
            let test = Test {
                package: package.clone(),
                name: own,
                module,
                place,
                state,
            };
            let path = test.path();
            if matches!(&**rule, Rule::Default { .. }) {
                defaults.insert(path);
                continue;
            }
            if let Some(wrong) = unlike(rule, &name, &test.name) {
                errors.push(ForeignError::new(module, Some(place), wrong));
            } else if known.insert(path.clone(), module).is_some() {
                let message = format!("there is a test `{path}` already");
                let mut error = ForeignError::new(module, Some(place), message);
                error.help = Some("give each test a name of its own".to_owned());
                errors.push(error);
            } else {
                tests.push(test);
            }
        }
    }
    let alone = defaults.iter().find(|path| !known.contains_key(*path));
    if let Some(path) = alone {
        let message = format!("the test `{path}` has a default and no rule");
        errors.push(ForeignError::new(0, None, message));
    }
    if errors.is_empty() {
        Ok(tests)
    } else {
        Err(errors)
    }
}

/// What a rule is that is named as a test and is none.
fn unlike(rule: &Rule, full: &str, name: &str) -> Option<String> {
    let Rule::Spec { head, .. } = rule else {
        return None;
    };
    let is_complete = match head {
        // A reference that goes on is a test of several cases.
        RuleHead::Compr { refr, .. } => full == name && !is_partial(refr),
        RuleHead::Set { .. } | RuleHead::Func { .. } => false,
    };
    (!is_complete).then(|| {
        format!("the test `{name}` is not one rule without arguments: tests of several cases are not supported")
    })
}

/// Whether a head has keys.
fn is_partial(head: &Expr) -> bool {
    matches!(head, Expr::RefDot { .. } | Expr::RefBrack { .. })
}
