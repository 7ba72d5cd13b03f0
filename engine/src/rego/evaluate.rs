//! The one door to regorus: texts become programs, programs answer about documents.
//!
//! Serving runs regorus' bytecode; the interpreter over the same text is the oracle, on demand. Knows nothing of what
//! the answers mean. An undefined answer is no answer: it is for the caller to say that this is an error.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program as Bytecode;
use regorus::rvm::vm::{RegoVM, VmError};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Rc, Value};
use thiserror::Error;

use super::builtins::{self, BUILTINS, Builtin, Call};
use super::bytecode;
use super::module::Module;
use super::record::Asked;
use super::sharing;
use super::writer;

/// What a program may spend on one answer.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Bytecode instructions.
    pub instructions: usize,
    /// Time, measured by regorus.
    pub time: Duration,
}

/// How answers are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Opinion {
    /// By bytecode.
    #[default]
    Bytecode,
    /// By bytecode, and by the interpreter over the same text: where they differ there is no answer.
    BytecodeAndInterpreter,
}

/// Why a program has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegoError {
    /// The time of the budget is over.
    #[error("the time for evaluating the rule is over")]
    Timeout,
    /// Another bound of the budget.
    #[error("the rule takes more steps than one may")]
    LimitExceeded,
    /// The program is not what this module makes, or bytecode and interpreter differ.
    #[error("the compiled rule did not run: {0}")]
    Internal(String),
    /// A module that somebody else wrote has no answer: a builtin failed, or two values claim to be the rule's.
    #[error("{0}")]
    Failed(String),
}

/// A document as programs see it; a clone is cheap, and parts are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Document(pub(super) Value);

impl Document {
    /// From JSON.
    pub fn from_json(json: &serde_json::Value) -> Self {
        Self(from_json(json))
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Self(Value::String(text.into()))
    }

    /// Null.
    pub const fn null() -> Self {
        Self(Value::Null)
    }

    /// True or false.
    pub const fn flag(flag: bool) -> Self {
        Self(Value::Bool(flag))
    }

    /// An object of documents.
    pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let fields: BTreeMap<Value, Value> = fields
            .into_iter()
            .map(|(name, field)| (Value::String(name.into()), field.0))
            .collect();
        Self(Value::from(fields))
    }

    /// An object whose names are documents; of two with one name, the last counts.
    pub fn named(fields: impl IntoIterator<Item = (Self, Self)>) -> Self {
        let fields: BTreeMap<Value, Value> = fields
            .into_iter()
            .map(|(name, field)| (name.0, field.0))
            .collect();
        Self(Value::from(fields))
    }

    /// A list of documents.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self(Value::from(
            items.into_iter().map(|item| item.0).collect::<Vec<Value>>(),
        ))
    }

    /// An object with the fields of another added, which win.
    #[must_use]
    pub fn with_fields_of(&self, other: &Self) -> Self {
        let mut fields = BTreeMap::new();
        for object in [self, other] {
            if let Ok(of_object) = object.0.as_object() {
                fields.extend(
                    of_object
                        .iter()
                        .map(|(name, field)| (name.clone(), field.clone())),
                );
            }
        }
        Self(Value::from(fields))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A field of an object.
    pub fn field(&self, name: &str) -> Option<Self> {
        let field = self.0.as_object().ok()?.get(&Value::from(name))?;
        Some(Self(field.clone()))
    }

    /// The numbers in a set of them.
    pub fn as_indexes(&self) -> Option<Vec<usize>> {
        let set = self.0.as_set().ok()?;
        set.iter()
            .map(|item| usize::try_from(item.as_u64().ok()?).ok())
            .collect()
    }

    /// What it holds.
    pub(super) fn value(&self) -> &Value {
        &self.0
    }

    /// A document that holds a value.
    pub(super) fn of(value: Value) -> Self {
        Self(value)
    }

    /// As JSON; none where it holds what JSON does not.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        to_json(&self.0)
    }
}

/// A compiled module and the rules of it that can be asked.
#[derive(Debug, Clone)]
pub struct Program {
    bytecode: Arc<Bytecode>,
    source: Arc<ProgramSource>,
    patterns: Arc<builtins::Patterns>,
    /// The interpreter with the text read, once somebody asked for its opinion.
    interpreter: Arc<OnceLock<Result<Engine, RegoError>>>,
}

#[derive(Debug)]
struct ProgramSource {
    text: String,
    entry_points: Vec<String>,
}

impl Program {
    /// Compiles a text; entry points are paths of its rules, as in `data.regent.rule.status`, asked by their index.
    pub fn compile(text: String, entry_points: Vec<String>) -> Result<Self, RegoError> {
        let compiled = || compiled(&text, &entry_points);
        Ok(Self {
            bytecode: sharing::bytecode(&text, &entry_points, compiled)?,
            source: Arc::new(ProgramSource { text, entry_points }),
            patterns: Arc::default(),
            interpreter: Arc::default(),
        })
    }

    /// Compiles a module; where a rule of it is too large for the registers of one body, with large rules in parts.
    pub fn of(module: &Module, entry_points: Vec<String>) -> Result<Self, RegoError> {
        let whole = Self::compile(writer::write(module).text, entry_points.clone());
        whole.or_else(|_| {
            let text = writer::write(&module.in_parts()).text;
            // regorus reads 20,000 lines at most.
            if text.lines().count() > MOST_LINES {
                return Err(RegoError::LimitExceeded);
            }
            Self::compile(text, entry_points)
        })
    }

    /// The same with the constant patterns that it compares with, read ahead.
    #[must_use]
    pub fn with_patterns<'a>(
        mut self,
        patterns: impl IntoIterator<Item = &'a serde_json::Value>,
    ) -> Self {
        self.patterns = Arc::new(builtins::Patterns::read(patterns));
        self
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// The path of an entry point.
    pub fn entry_point(&self, index: usize) -> Option<&str> {
        self.source.entry_points.get(index).map(String::as_str)
    }

    /// Whether both are run by the same bytecode.
    #[cfg(test)]
    pub(super) fn shares_bytecode_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytecode, &other.bytecode)
    }

    /// Whether it is the same one, not only one like it.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
    }
}

/// A text as bytecode.
fn compiled(text: &str, entry_points: &[String]) -> Result<Arc<Bytecode>, RegoError> {
    let internal = |error: String| RegoError::Internal(error);
    let mut engine = engine_with_builtins(&Arc::default())?;
    engine
        .add_policy("policy.rego".to_owned(), text.to_owned())
        .map_err(|error| internal(error.to_string()))?;
    let first = entry_points.first().map_or("", String::as_str);
    let name: Rc<str> = first.into();
    let names: Vec<&str> = entry_points.iter().map(String::as_str).collect();
    let compiled = engine
        .compile_with_entrypoint(&name)
        .map_err(|error| internal(error.to_string()))?;
    let awaited: Vec<(&str, usize)> = BUILTINS
        .iter()
        .map(|builtin| (builtin.name, usize::from(builtin.arity)))
        .collect();
    let bytecode = Compiler::compile_from_policy_with_host_await(&compiled, &names, &awaited)
        .map_err(|error| internal(error.to_string()))?;
    bytecode::tune(bytecode)
}

/// Runs programs over one document after the other; not shared between threads.
pub struct Machine {
    vm: RegoVM,
    /// Whether it has been given the data that programs see, which are none and stay.
    has_data: bool,
    opinion: Opinion,
    /// What it was asked, where that is to be known.
    record: Option<Vec<Asked>>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Machine")
            .field("opinion", &self.opinion)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine.
    pub fn new(opinion: Opinion, budget: Budget) -> Self {
        let mut vm = RegoVM::new();
        vm.set_max_instructions(budget.instructions);
        // A type error in a builtin ends the body that it is in: what is not computed is not a pass.
        vm.set_strict_builtin_errors(true);
        vm.set_execution_timer_config(Some(ExecutionTimerConfig {
            limit: budget.time,
            check_interval: CHECK_INTERVAL,
        }));
        Self {
            vm,
            has_data: false,
            opinion,
            record: None,
        }
    }

    /// The same, keeping what it is asked and what it answers behind what is in `record` already.
    #[must_use]
    pub fn recording(mut self, record: Vec<Asked>) -> Self {
        self.record = Some(record);
        self
    }

    /// Whether it keeps what it is asked.
    pub fn is_recording(&self) -> bool {
        self.record.is_some()
    }

    /// What it was asked, where it was recording.
    pub fn into_record(self) -> Option<Vec<Asked>> {
        self.record
    }

    /// The answer of an entry point of a program about a document; none where it is undefined.
    pub fn run(
        &mut self,
        program: &Program,
        entry_point: usize,
        input: &Document,
    ) -> Result<Option<Document>, RegoError> {
        let answer = self.answer(program, entry_point, input);
        if let Some(record) = &mut self.record {
            record.push(Asked {
                program: program.clone(),
                entry_point,
                input: input.clone(),
                answer: answer.clone(),
            });
        }
        answer
    }

    fn answer(
        &mut self,
        program: &Program,
        entry_point: usize,
        input: &Document,
    ) -> Result<Option<Document>, RegoError> {
        let answer = self.run_bytecode(program, entry_point, input)?;
        match self.opinion {
            Opinion::Bytecode => {}
            Opinion::BytecodeAndInterpreter => {
                let other = interpret(program, entry_point, input)?;
                if other != answer {
                    let text = format!("bytecode says {answer:?}, the interpreter {other:?}");
                    return Err(RegoError::Internal(text));
                }
            }
        }
        Ok(answer)
    }

    fn run_bytecode(
        &mut self,
        program: &Program,
        entry_point: usize,
        input: &Document,
    ) -> Result<Option<Document>, RegoError> {
        if !self.has_data {
            // Before the first program: there is none yet whose rules would be compared with what is in it.
            self.vm
                .set_data(Value::new_object())
                .map_err(|error| vm_error(&error))?;
            self.has_data = true;
        }
        // The stages of a rule follow each other: what is loaded stays.
        if !Arc::ptr_eq(self.vm.get_program(), &program.bytecode) {
            self.vm.load_program(Arc::clone(&program.bytecode));
        }
        self.vm.set_input(input.0.clone());
        let vm = &mut self.vm;
        let answer = bytecode::with_patterns(&program.patterns, || {
            vm.execute_entry_point_by_index(entry_point)
        })
        .map_err(|error| vm_error(&error))?;
        Ok((answer != Value::Undefined).then_some(Document(answer)))
    }
}

/// The longest text of a program, in lines.
const MOST_LINES: usize = 20_000;

/// Work units between two looks at the clock: rego.md measured 1 to 4 per cent for 64 to 256.
const CHECK_INTERVAL: NonZeroU32 = match NonZeroU32::new(128) {
    Some(units) => units,
    None => NonZeroU32::MIN,
};

/// The interpreter's answer, over the same text.
pub(super) fn interpret(
    program: &Program,
    entry_point: usize,
    input: &Document,
) -> Result<Option<Document>, RegoError> {
    let read = || {
        let mut engine = engine_with_builtins(&program.patterns)?;
        engine
            .add_policy("policy.rego".to_owned(), program.source.text.clone())
            .map_err(|error| RegoError::Internal(error.to_string()))?;
        Ok(engine)
    };
    let internal = |error: String| RegoError::Internal(error);
    let mut engine = program.interpreter.get_or_init(read).clone()?;
    engine.set_input(input.0.clone());
    let name = program.entry_point(entry_point);
    let name = name.ok_or_else(|| internal("no such entry point".to_owned()))?;
    let answer = engine
        .eval_rule(name.to_owned())
        .map_err(|error| internal(error.to_string()))?;
    Ok((answer != Value::Undefined).then_some(Document(answer)))
}

fn engine_with_builtins(patterns: &Arc<builtins::Patterns>) -> Result<Engine, RegoError> {
    let mut engine = Engine::new();
    for builtin in BUILTINS {
        let patterns = Arc::clone(patterns);
        engine
            .add_extension(
                builtin.name.to_owned(),
                builtin.arity,
                Box::new(move |arguments: Vec<Value>| Ok(answer(builtin, &arguments, &patterns))),
            )
            .map_err(|error| RegoError::Internal(error.to_string()))?;
    }
    Ok(engine)
}

/// What a host function answers.
pub(super) fn answer(
    builtin: Builtin,
    arguments: &[Value],
    patterns: &builtins::Patterns,
) -> Value {
    match builtin.call {
        Call::Rego(call) => call(arguments, patterns),
        Call::Json(call) => {
            let arguments: Vec<serde_json::Value> = arguments
                .iter()
                .map(|argument| to_json(argument).unwrap_or(serde_json::Value::Null))
                .collect();
            from_json(&call(&arguments))
        }
    }
}

fn vm_error(error: &VmError) -> RegoError {
    match error {
        VmError::TimeLimitExceeded { .. } => RegoError::Timeout,
        VmError::InstructionLimitExceeded { .. }
        | VmError::MemoryLimitExceeded { .. }
        | VmError::RegexSizeLimitExceeded { .. } => RegoError::LimitExceeded,
        other => RegoError::Internal(other.to_string()),
    }
}

pub(super) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::Number(number) => {
            if let Some(number) = number.as_i64() {
                Value::from(number)
            } else if let Some(number) = number.as_u64() {
                Value::from(number)
            } else {
                // A JSON number that is neither is a float by construction.
                number.as_f64().map_or(Value::Null, Value::from)
            }
        }
        serde_json::Value::String(text) => Value::String(text.as_str().into()),
        serde_json::Value::Array(items) => {
            Value::from(items.iter().map(from_json).collect::<Vec<Value>>())
        }
        serde_json::Value::Object(fields) => {
            let fields: BTreeMap<Value, Value> = fields
                .iter()
                .map(|(name, field)| (Value::String(name.as_str().into()), from_json(field)))
                .collect();
            Value::from(fields)
        }
    }
}

pub(super) fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => serde_json::Value::Bool(*flag),
        Value::Number(number) => {
            if let Some(number) = number.as_i64() {
                number.into()
            } else if let Some(number) = number.as_u64() {
                number.into()
            } else {
                number.as_f64()?.into()
            }
        }
        Value::String(text) => serde_json::Value::String((**text).to_owned()),
        Value::Array(items) => {
            serde_json::Value::Array(items.iter().map(to_json).collect::<Option<_>>()?)
        }
        Value::Set(items) => {
            serde_json::Value::Array(items.iter().map(to_json).collect::<Option<_>>()?)
        }
        Value::Object(fields) => {
            let field = |(name, field): (&Value, &Value)| match name {
                Value::String(name) => Some(((**name).to_owned(), to_json(field)?)),
                _ => None,
            };
            serde_json::Value::Object(fields.iter().map(field).collect::<Option<_>>()?)
        }
        Value::Undefined => return None,
    })
}
