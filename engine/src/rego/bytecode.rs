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

use super::builtins::{BUILTINS, Patterns};
use super::evaluate::{RegoError, answer};

thread_local! {
    /// The patterns of the program that runs on this thread: a builtin of regorus is a plain function, which holds nothing.
    static PATTERNS: RefCell<Arc<Patterns>> = RefCell::default();
}

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
    // Made into a value each time that the program is loaded into a machine.
    program.metadata.compiler_version = String::new();
    program.metadata.compiled_at = String::new();
    program.metadata.source_info = String::new();
    Ok(Arc::new(program))
}

/// Turns each stop for the host into a call.
///
/// For a stop there are six instructions: the arguments become a list, which is where the answer goes too; where there is no
/// list, as an argument is undefined, the rest is jumped over; then the function's name is loaded, and the host is waited
/// for. A builtin takes its arguments as they are and answers nothing where one is undefined: the call stands where the list
/// was made, and the rest is jumped over.
fn call_in_place(program: &mut Program) -> Result<(), RegoError> {
    let mut indexes = [None; BUILTINS.len()];
    for last in 0..program.instructions.len() {
        let Some(Instruction::HostAwait { .. }) = program.instructions.get(last) else {
            continue;
        };
        let stop = last
            .checked_sub(STOP - 1)
            .and_then(|first| Stop::read(program, first))
            .ok_or_else(|| internal("the host is called in an unknown way"))?;
        let known = indexes.get_mut(stop.function);
        let known = known.ok_or_else(|| internal("no such host function"))?;
        let builtin_index = match *known {
            Some(index) => index,
            None => *known.insert(add_host_function(program, stop.function)?),
        };
        stop.replace(program, builtin_index)?;
    }
    program.recompute_host_await_presence();
    program.validate_limits().map_err(|error| internal(&error))
}
/// How many instructions a stop takes.
const STOP: usize = 6;

/// A stop for the host: `STOP` instructions from `first` on.
struct Stop {
    first: usize,
    /// The function's place among [`BUILTINS`].
    function: usize,
    arguments: Vec<u8>,
    dest: u8,
    /// A register that the instructions use among themselves.
    scratch: u8,
}

impl Stop {
    /// Reads the instructions; none where they are not what is known of regorus.
    fn read(program: &Program, first: usize) -> Option<Self> {
        let instructions = program.instructions.get(first..first + STOP)?;
        let [
            Instruction::ArrayCreate { params_index },
            Instruction::Move { dest, src },
            Instruction::Not {
                dest: scratch,
                operand,
            },
            Instruction::AnyOfNext { check, .. },
            Instruction::Load {
                dest: name,
                literal_idx,
            },
            Instruction::HostAwait {
                dest: answer,
                arg,
                id,
            },
        ] = instructions
        else {
            return None;
        };
        let data = &program.instruction_data;
        let list = data.get_array_create_params(*params_index)?;
        let alike = [*src, *operand, *arg] == [list.dest; 3]
            && [*check, *name, *id] == [*scratch; 3]
            && dest == answer;
        let literal = program.literals.get(usize::from(*literal_idx))?;
        let literal = literal.as_string().ok().filter(|_| alike)?;
        let mut builtins = BUILTINS.iter();
        Some(Self {
            first,
            function: builtins.position(|builtin| *builtin.name == **literal)?,
            arguments: list.elements.clone(),
            dest: *dest,
            scratch: *scratch,
        })
    }

    /// Puts a call there, and a jump to the last of the instructions, which does nothing.
    fn replace(&self, program: &mut Program, builtin_index: u16) -> Result<(), RegoError> {
        let mut args = [0; 8];
        let places = args.iter_mut().zip(&self.arguments);
        places.for_each(|(place, register)| *place = *register);
        let num_args = u8::try_from(self.arguments.len())
            .map_err(|_too_many| internal("too many arguments"))?;
        let end = self.first + STOP - 1;
        let end_pc = u16::try_from(end).map_err(|_too_far| internal("too many instructions"))?;
        let params_index = program
            .instruction_data
            .add_builtin_call_params(BuiltinCallParams {
                dest: self.dest,
                builtin_index,
                num_args,
                args,
            });
        let scratch = self.scratch;
        let nothing = Instruction::LoadTrue { dest: scratch };
        let jump = Instruction::AnyOfNext {
            check: scratch,
            result: scratch,
            end_pc,
        };
        let called = [
            Instruction::BuiltinCall { params_index },
            nothing,
            jump,
            nothing,
            nothing,
            nothing,
        ];
        let places = program.instructions.iter_mut().skip(self.first);
        places
            .zip(called)
            .for_each(|(place, instruction)| *place = instruction);
        Ok(())
    }
}

/// Adds a function of the host to the builtins of a program.
fn add_host_function(program: &mut Program, number: usize) -> Result<u16, RegoError> {
    if program.resolved_builtins.len() != program.builtin_info_table.len() {
        return Err(internal("builtins are not resolved"));
    }
    let index = u16::try_from(program.builtin_info_table.len())
        .map_err(|_too_many| internal("too many builtins"))?;
    let builtin = BUILTINS.get(number);
    let builtin = builtin.ok_or_else(|| internal("no such host function"))?;
    let arity = builtin.arity;
    program.builtin_info_table.push(BuiltinInfo {
        name: builtin.name.to_owned(),
        num_args: u16::from(arity),
    });
    // A builtin of regorus is a plain function: each of ours is one that knows its number.
    let calls = &mut program.resolved_builtins;
    match number {
        0 => calls.push((|_, _, arguments, _| Ok(call(0, arguments)?), arity)),
        1 => calls.push((|_, _, arguments, _| Ok(call(1, arguments)?), arity)),
        2 => calls.push((|_, _, arguments, _| Ok(call(2, arguments)?), arity)),
        3 => calls.push((|_, _, arguments, _| Ok(call(3, arguments)?), arity)),
        4 => calls.push((|_, _, arguments, _| Ok(call(4, arguments)?), arity)),
        _ => return Err(internal("no such host function")),
    }
    Ok(index)
}

/// Answers a call of the function of a number.
fn call(number: usize, arguments: &[Value]) -> Result<Value, RegoError> {
    let builtin = BUILTINS.get(number).copied();
    let builtin = builtin.ok_or_else(|| internal("no such host function"))?;
    if arguments.len() != usize::from(builtin.arity) {
        return Err(internal("the host was called wrongly"));
    }
    Ok(PATTERNS.with_borrow(|patterns| answer(builtin, arguments, patterns)))
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
