//! Compiled bytecode made fit for serving: what it answers stays the same, what it costs does not.
//!
//! regorus leaves two things dear. It stops at each call of a host function and wants to be resumed, in a mode that is
//! slower as a whole; here such a call becomes a call of a builtin, in place. And it copies the description of a rule
//! each time that the rule is called; here that is stripped of names and of lists that say nothing.
//! The pin of regorus' version is what this stands on, and the interpreter, which knows nothing of it, is the oracle.

use std::cell::RefCell;
use std::sync::Arc;

use regorus::Value;
use regorus::rvm::Instruction;
use regorus::rvm::instructions::BuiltinCallParams;
use regorus::rvm::program::{BuiltinInfo, Program, RuleInfo};

use super::builtins::{BUILTINS, Builtin, Patterns};
use super::evaluate::{RegoError, answer};

thread_local! {
    /// The patterns of the program that runs on this thread: a builtin of regorus is a plain function, which holds nothing.
    static PATTERNS: RefCell<Arc<Patterns>> = RefCell::default();
}

/// The name under which bytecode calls the host, with a function's number and its arguments.
const HOST: &str = "regent.host";

/// Runs `job` with these patterns for the host functions that it calls.
pub(super) fn with_patterns<T>(patterns: &Arc<Patterns>, job: impl FnOnce() -> T) -> T {
    let before = PATTERNS.replace(Arc::clone(patterns));
    let done = job();
    // A panic in between leaves the patterns of a program that will not run on: the next one sets its own.
    PATTERNS.set(before);
    done
}

/// Makes a program fit for serving.
pub(super) fn tune(program: Arc<Program>) -> Result<Arc<Program>, RegoError> {
    let mut program = Arc::unwrap_or_clone(program);
    call_in_place(&mut program)?;
    for rule in &mut program.rule_infos {
        strip(rule);
    }
    // Places in the text, and the text, are for debuggers; errors of the bytecode do not name them.
    program.sources = Vec::new();
    program.instruction_spans = Vec::new();
    Ok(Arc::new(program))
}

/// Turns each stop for the host into a call.
fn call_in_place(program: &mut Program) -> Result<(), RegoError> {
    let mut host = None;
    for place in 0..program.instructions.len() {
        let Some(Instruction::HostAwait { dest, arg, id }) = program.instructions.get(place) else {
            continue;
        };
        let (dest, arg, id) = (*dest, *arg, *id);
        let number = place
            .checked_sub(1)
            .and_then(|before| number_of(program, before, id))
            .ok_or_else(|| internal("a call of the host names no function"))?;
        let literal = u16::try_from(program.literals.len())
            .map_err(|_too_many| internal("too many constants"))?;
        program.literals.push(Value::from(number));
        let builtin_index = match host {
            Some(index) => index,
            None => *host.insert(add_host(program)?),
        };
        let params_index = program
            .instruction_data
            .add_builtin_call_params(BuiltinCallParams {
                dest,
                builtin_index,
                num_args: 2,
                args: [id, arg, 0, 0, 0, 0, 0, 0],
            });
        let called = [
            Instruction::Load {
                dest: id,
                literal_idx: literal,
            },
            Instruction::BuiltinCall { params_index },
        ];
        for (instruction, place) in program.instructions.iter_mut().skip(place - 1).zip(called) {
            *instruction = place;
        }
    }
    program.recompute_host_await_presence();
    program.validate_limits().map_err(|error| internal(&error))
}

/// The number of the function whose name the instruction at `place` loads into `register`.
fn number_of(program: &Program, place: usize, register: u8) -> Option<usize> {
    let Instruction::Load { dest, literal_idx } = program.instructions.get(place)? else {
        return None;
    };
    let name = program.literals.get(usize::from(*literal_idx))?;
    let name = name.as_string().ok().filter(|_| *dest == register)?;
    BUILTINS.iter().position(|builtin| *builtin.name == **name)
}

/// Adds the one builtin that stands for all functions of the host.
fn add_host(program: &mut Program) -> Result<u16, RegoError> {
    if program.resolved_builtins.len() != program.builtin_info_table.len() {
        return Err(internal("builtins are not resolved"));
    }
    let index = u16::try_from(program.builtin_info_table.len())
        .map_err(|_too_many| internal("too many builtins"))?;
    program.builtin_info_table.push(BuiltinInfo {
        name: HOST.to_owned(),
        num_args: 2,
    });
    program
        .resolved_builtins
        .push((|_, _, arguments, _| Ok(call(arguments)?), 2));
    Ok(index)
}

/// Answers a call: the function's number, and its arguments as one array.
fn call(arguments: &[Value]) -> Result<Value, RegoError> {
    let [number, Value::Array(arguments)] = arguments else {
        return Err(internal("the host was called wrongly"));
    };
    let number = number
        .as_u64()
        .ok()
        .and_then(|number| usize::try_from(number).ok());
    let builtin: Builtin = number
        .and_then(|number| BUILTINS.get(number).copied())
        .ok_or_else(|| internal("no such host function"))?;
    if arguments.len() != usize::from(builtin.arity) {
        return Err(internal("the host was called wrongly"));
    }
    Ok(PATTERNS.with_borrow(|patterns| answer(builtin, arguments.iter(), patterns)))
}

/// Leaves of a rule's description what running it needs, so that copying it allocates nothing.
fn strip(rule: &mut RuleInfo) {
    rule.name = String::new();
    if let Some(function) = &mut rule.function_info {
        function.param_names = Vec::new();
    }
    if rule.destructuring_blocks.iter().all(Option::is_none) {
        rule.destructuring_blocks = Vec::new();
    }
    if !rule.else_bodies.iter().flatten().any(|is_else| *is_else) {
        rule.else_bodies = Vec::new();
    }
}

fn internal(message: &str) -> RegoError {
    RegoError::Internal(message.to_owned())
}
