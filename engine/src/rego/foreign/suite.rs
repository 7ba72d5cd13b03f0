//! Tests written in Rego, as OPA has them: rules whose names begin with `test_`.
//!
//! Knows neither files nor how results are shown.

mod aliases;
mod cases;
pub mod coverage;
mod edit;
mod find;

use std::collections::BTreeMap;

use regorus::unstable::Module as Parsed;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use super::{
    CHECK_INTERVAL, Dialect, ForeignError, Strictness, Text, add, bounded, calls, engine,
    of_evaluation, of_host,
};
use crate::rego::evaluate::{Budget, Document, RegoError};
pub use cases::Case;

/// The most modules of one run; the largest collections of tests have some hundred.
pub const MAX_SUITE: usize = 2_000;

/// Modules with tests.
#[derive(Debug)]
pub struct Suite {
    /// With the modules read and the data added; a clone of it runs one test.
    engine: Engine,
    /// The tests, in the order of the modules.
    pub tests: Vec<Test>,
    /// The modules as they are read, and how many lines of each are its author's.
    texts: Vec<String>,
    lines: Vec<usize>,
    dialect: Dialect,
    data: Document,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its package, as `data.authz_test`.
    pub package: String,
    /// Its name; of several of one name, all but the first are numbered.
    pub name: String,
    /// Which module it is in, by its place in the list.
    pub module: usize,
    /// Line and column, both counted from one.
    pub place: (usize, usize),
    /// Whether it is run.
    pub state: State,
    rule: String,
    kind: Kind,
}

/// What the rule of a test is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// One that has a value.
    Value,
    /// One that has a value for each case, with the rule that says which cases were begun.
    Cases(String),
    /// One that has to be called, and is not.
    Function,
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
    /// What it is called in full: `data.package.name`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It is true, and so are all its cases.
    Passed,
    /// It is undefined, or anything but true.
    Failed,
    /// It could not be evaluated, and why.
    Broken(RegoError),
}

/// What came of a test.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// Its cases by name, where it has some.
    pub cases: BTreeMap<String, Case>,
    /// What it printed.
    pub printed: Vec<String>,
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
        let mut engine = read(modules, dialect)?;
        let parsed = engine.get_modules().iter();
        let parsed: Vec<&Parsed> = parsed.map(|module| &**module).collect();
        calls::look_over(&parsed, dialect)?;
        let found = find::tests(&parsed)?;
        let edited = modules.iter().zip(found.edits);
        let as_run: Vec<String> = edited
            .map(|(module, edits)| edit::apply(module.text, edits))
            .collect();
        if as_run.iter().ne(modules.iter().map(|module| module.text)) {
            let named = modules.iter().zip(&as_run);
            let named = named.map(|(module, text)| Text {
                name: module.name,
                text,
            });
            engine = read(&named.collect::<Vec<_>>(), dialect)?;
        }
        let data = Document::from_json(data);
        add_data(&mut engine, &data)?;
        Ok(Self {
            engine,
            tests: found.tests,
            texts: as_run,
            lines: modules.iter().map(|one| one.text.lines().count()).collect(),
            dialect,
            data,
        })
    }

    /// Runs a test. `now` is the time in nanoseconds since 1970.
    pub fn run(&self, test: &Test, moment: (i64, Budget)) -> Ran {
        let mut engine = self.engine.clone();
        let mut cases = BTreeMap::new();
        let ended = match ask(&mut engine, test, moment) {
            Ok(value) => cases::ended(test, &value, &mut cases),
            Err(error) => Ended::Broken(error),
        };
        let ended = match &test.kind {
            Kind::Cases(begun) if !matches!(ended, Ended::Broken(_)) => {
                match engine.eval_rule(begun.clone()) {
                    Ok(begun) => cases::with_begun(ended, &begun, &mut cases),
                    Err(error) => Ended::Broken(of_evaluation(&error)),
                }
            }
            Kind::Value | Kind::Function | Kind::Cases(_) => ended,
        };
        Ran {
            ended,
            cases,
            printed: engine.take_prints().unwrap_or_else(|_| Vec::new()),
        }
    }
}

/// The value of a test's rule.
fn ask(engine: &mut Engine, test: &Test, (now, budget): (i64, Budget)) -> Result<Value, RegoError> {
    if test.kind == Kind::Function {
        let message = format!("function {} used as reference, not called", test.path());
        return Err(RegoError::Failed(message));
    }
    bounded::tell_time(engine, now)?;
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: budget.time,
        check_interval: CHECK_INTERVAL,
    });
    let value = engine.eval_rule(test.rule.clone());
    value.map_err(|error| of_evaluation(&error))
}

/// An engine with modules, as OPA runs tests: a builtin that fails is undefined.
fn read(modules: &[Text<'_>], dialect: Dialect) -> Result<Engine, Vec<ForeignError>> {
    let host = |error: RegoError| vec![of_host(&error)];
    let mut engine = engine(dialect, Strictness::Lenient).map_err(host)?;
    engine.set_strict_builtin_errors(false);
    let added = modules.iter().enumerate();
    let errors: Vec<_> = added
        .filter_map(|(index, module)| add(&mut engine, index, module).err())
        .collect();
    if errors.is_empty() {
        Ok(engine)
    } else {
        Err(errors)
    }
}

fn add_data(engine: &mut Engine, data: &Document) -> Result<(), Vec<ForeignError>> {
    let added = engine.add_data(data.0.clone());
    added.map_err(|error| vec![ForeignError::new(0, None, error.to_string())])
}
