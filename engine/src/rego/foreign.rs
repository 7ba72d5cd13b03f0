//! Modules that somebody else wrote, as they are: looked over when they are loaded, and run by the interpreter.
//!
//! Bytecode is wrong, without saying so, about parts of the language that our own programs do not use
//! ([`super::module`]); the interpreter is not. Knows nothing of what an answer means.

mod absent;
mod bounded;
mod calls;
mod doubtful;
mod nesting;
mod old;
pub mod suite;
mod walk;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::Arc;

use regorus::unstable::Module as Parsed;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use thiserror::Error;

use super::evaluate::{Budget, Document, RegoError};
use crate::suggest;

/// The longest module. Gatekeeper's library stays below 20 KiB a template; parsing takes time, and memory many times this.
pub const MAX_BYTES: usize = 256 * 1024;

/// The most modules of one rule: its own and its libraries.
pub const MAX_MODULES: usize = 64;

/// A module as it was written.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// What messages call it.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

/// Which Rego a module is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Without `if` and `contains`, as before OPA 1.0: what Gatekeeper's templates are written in where they do not say.
    V0,
    /// As OPA 1.0 and later.
    V1,
}

/// What an error of a builtin means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// There is no answer: nothing that went wrong is a pass.
    Strict,
    /// The expression is undefined, as in OPA and Gatekeeper.
    Lenient,
}

/// Why modules cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ForeignError {
    /// Which module, by its place in the list.
    pub module: usize,
    /// Line and column in its text, both counted from one.
    pub place: Option<(usize, usize)>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ForeignError {
    fn new(module: usize, place: Option<(usize, usize)>, message: impl Into<String>) -> Self {
        Self {
            module,
            place,
            message: message.into(),
            help: None,
        }
    }
}

/// Modules that can be asked.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// With the modules read and prepared; a clone of it answers one question.
    engine: Engine,
    entry_point: String,
    reads_inventory: bool,
    /// What the modules hold, and what they name and do not hold.
    found: Arc<calls::Found>,
}

impl Foreign {
    /// Reads modules and looks them over; `entry_point` is the path of the rule that answers, `package/rule` or
    /// `data.package.rule`, and `violation` of the first module's package where there is none.
    pub fn read(
        modules: &[Text<'_>],
        (dialect, strictness): (Dialect, Strictness),
        entry_point: Option<&str>,
    ) -> Result<Self, Vec<ForeignError>> {
        if modules.len() > MAX_MODULES {
            let message = format!("these are more than {MAX_MODULES} modules");
            return Err(vec![ForeignError::new(0, None, message)]);
        }
        let mut engine = engine(dialect, strictness).map_err(|error| vec![of_host(&error)])?;
        engine.set_strict_builtin_errors(strictness == Strictness::Strict);
        let mut errors = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            if let Err(error) = add(&mut engine, index, module) {
                errors.push(error);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let parsed: Vec<&Parsed> = engine
            .get_modules()
            .iter()
            .map(|module| &**module)
            .collect();
        let found = calls::look_over(&parsed, dialect)?;
        let entry_point = match entry_point {
            Some(path) => calls::rule_path(path),
            None => format!("{}.violation", found.package),
        };
        if !found.rules.contains(&entry_point) {
            let message = format!("there is no rule `{entry_point}`");
            let mut error = ForeignError::new(0, None, message);
            error.help = nearest(&entry_point, &found.rules);
            return Err(vec![error]);
        }
        prepare(&mut engine)?;
        Ok(Self {
            engine,
            entry_point: format!("data.{entry_point}"),
            reads_inventory: found.reads_inventory,
            found: Arc::new(found),
        })
    }

    /// The same with a document below `data`, beside which nothing is there but the modules: what they name and is nowhere
    /// is a mistake.
    pub fn with_data(mut self, data: Option<&Document>) -> Result<Self, Vec<ForeignError>> {
        let mut fields = vec!["inventory"];
        if let Some(data) = data.and_then(|data| data.0.as_object().ok()) {
            let keys = data.iter().filter_map(|(key, _)| key.as_string().ok());
            fields.extend(keys.map(|key| &**key));
        }
        let absent = self.found.elsewhere.of(data.map(|data| &data.0));
        let errors: Vec<_> = absent
            .map(|((module, place), path)| {
                let path = path.join(".");
                let message = format!("nothing is at `data.{path}`");
                let mut error = ForeignError::new(*module, Some(*place), message);
                let known = self.found.rules.iter().chain(&self.found.functions);
                let known = known.map(String::as_str).chain(fields.iter().copied());
                let nearest = suggest::nearest(&path, known);
                error.help = Some(match nearest {
                    Some(known) => format!("did you mean `data.{known}`?"),
                    None => "what stands below `data` is in the modules, or in the rule's `data`"
                        .to_owned(),
                });
                error
            })
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        if let Some(data) = data {
            let added = self.engine.add_data(data.0.clone());
            added.map_err(|error| vec![of_text(0, &error)])?;
            prepare(&mut self.engine)?;
        }
        Ok(self)
    }

    /// The same with `data.inventory`; the parts of a document are not copied.
    pub fn with_inventory(&self, inventory: Document) -> Result<Self, RegoError> {
        let mut with = self.clone();
        let data = Document::object([("inventory", inventory)]);
        with.engine
            .add_data(data.0)
            .map_err(|error| RegoError::Internal(error.to_string()))?;
        prepare(&mut with.engine).map_err(|errors| {
            let errors = errors.into_iter().map(|error| error.message);
            RegoError::Internal(errors.collect::<Vec<_>>().join("; "))
        })?;
        Ok(with)
    }

    /// What they name below `input` that no rule is asked with: that is undefined, whatever the request.
    pub fn doubts(&self) -> &[ForeignError] {
        &self.found.doubts
    }

    /// Whether they read `data.inventory`.
    pub fn reads_inventory(&self) -> bool {
        self.reads_inventory
    }

    /// The answer about an input; none where it is undefined. `now` is the time in nanoseconds since 1970.
    pub fn answer(
        &self,
        input: &Document,
        (now, budget): (i64, Budget),
    ) -> Result<Option<Document>, RegoError> {
        let mut engine = self.engine.clone();
        bounded::tell_time(&mut engine, now)?;
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: budget.time,
            check_interval: CHECK_INTERVAL,
        });
        engine.set_input(input.0.clone());
        let answer = engine
            .eval_rule(self.entry_point.clone())
            .map_err(|error| of_evaluation(&error))?;
        Ok((answer != Value::Undefined).then_some(Document(answer)))
    }
}

/// Work units between two looks at the clock, as for our own programs.
const CHECK_INTERVAL: NonZeroU32 = match NonZeroU32::new(128) {
    Some(units) => units,
    None => NonZeroU32::MIN,
};

fn engine(dialect: Dialect, strictness: Strictness) -> Result<Engine, RegoError> {
    let mut engine = Engine::new();
    engine.set_rego_v0(dialect == Dialect::V0);
    // What a module prints is for its author's terminal, and never for the server's.
    engine.set_gather_prints(true);
    bounded::add(&mut engine, strictness)?;
    if dialect == Dialect::V0 {
        old::add(&mut engine, strictness)?;
    }
    Ok(engine)
}

/// The first query makes what all need: how statements are ordered, and where loops are. Clones share it.
fn prepare(engine: &mut Engine) -> Result<(), Vec<ForeignError>> {
    let prepared = engine.eval_query("true".to_owned(), false);
    prepared.map_err(|error| vec![of_text(0, &error)]).map(drop)
}

fn add(engine: &mut Engine, index: usize, module: &Text<'_>) -> Result<(), ForeignError> {
    if module.text.len() > MAX_BYTES {
        let message = format!("the module has more than {MAX_BYTES} bytes");
        return Err(ForeignError::new(index, None, message));
    }
    if let Some(place) = nesting::too_deep(module.text) {
        let message = format!(
            "brackets are nested deeper than {}, which takes a parser of Rego too long",
            nesting::MAX_DEPTH
        );
        let mut error = ForeignError::new(index, Some(place), message);
        error.help = Some("give the inner values names of their own".to_owned());
        return Err(error);
    }
    let added = engine.add_policy(module.name.to_owned(), module.text.to_owned());
    added.map_err(|error| of_text(index, &error)).map(drop)
}

/// What regorus says of a text, as `--> file:line:column` and `error: …`, taken apart.
fn of_text(index: usize, error: &dyn Display) -> ForeignError {
    let text = error.to_string();
    let place = text.lines().find_map(|line| {
        let mut parts = line.trim().strip_prefix("--> ")?.rsplit(':');
        let column: usize = parts.next()?.parse().ok()?;
        let line: usize = parts.next()?.parse().ok()?;
        Some((line, column))
    });
    let said = text.lines().find_map(|line| line.strip_prefix("error: "));
    ForeignError::new(index, place, said.unwrap_or(&text).to_owned())
}

/// What regorus says of an evaluation, in one line.
fn of_evaluation(error: &dyn Display) -> RegoError {
    let text = error.to_string();
    if text.contains("execution exceeded time limit") {
        return RegoError::Timeout;
    }
    let of_text = of_text(0, error);
    let message = match of_text.place {
        Some((line, column)) => format!("line {line}, column {column}: {}", of_text.message),
        None => of_text.message,
    };
    RegoError::Failed(message)
}

fn of_host(error: &RegoError) -> ForeignError {
    ForeignError::new(0, None, error.to_string())
}

fn nearest(wanted: &str, rules: &BTreeSet<String>) -> Option<String> {
    let name = wanted.rsplit('.').next()?;
    let mut alike = rules
        .iter()
        .filter(|rule| rule.rsplit('.').next() == Some(name));
    let known = alike.next().or_else(|| rules.first())?;
    Some(format!("there is `{known}`"))
}

#[cfg(test)]
mod tests;
