//! OPA's host functions, answered by the Rego engine that also judges policies: the same function means the same in both.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::limits;
use crate::rego::evaluate::{Document, Machine, Opinion, Program};
use crate::rego::term;

use super::error::WasmError;
use super::text::clean;

/// The most arguments of a function.
const MOST_ARGUMENTS: usize = 4;

/// Functions that would bring what is not in the request: there are none.
const REFUSED: [&str; 4] = [
    "http.send",
    "net.lookup_ip_addr",
    "opa.runtime",
    "rand.intn",
];

/// The functions that a module asks for, by its numbers for them.
#[derive(Debug)]
pub(super) struct Builtins {
    by_number: BTreeMap<i32, Builtin>,
}

#[derive(Debug)]
struct Builtin {
    name: String,
    /// A program for each number of arguments, made when it is first needed.
    programs: [OnceLock<Option<Program>>; MOST_ARGUMENTS + 1],
}

impl Builtins {
    /// Those that a module lists; one that nobody answers keeps it from being loaded.
    pub(super) fn of(
        listed: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, WasmError> {
        let mut by_number = BTreeMap::new();
        for (name, number) in listed {
            let unknown = || WasmError::UnknownImport {
                module: "opa".to_owned(),
                name: clean(name, 80),
            };
            let number = number
                .as_i64()
                .and_then(|number| i32::try_from(number).ok());
            let number = number.ok_or_else(unknown)?;
            let builtin = Builtin {
                name: name.clone(),
                programs: Default::default(),
            };
            if !builtin.is_known() {
                return Err(unknown());
            }
            by_number.insert(number, builtin);
        }
        Ok(Self { by_number })
    }

    /// What a function answers, as a term; none where it is undefined, as Rego has it for arguments that it cannot take.
    pub(super) fn call(&self, number: i32, arguments: &[Vec<u8>], seconds: i64) -> Option<String> {
        let builtin = self.by_number.get(&number)?;
        // The engine reads no clock: it is told the time.
        if builtin.name == "time.now_ns" {
            return Some(seconds.saturating_mul(1_000_000_000).to_string());
        }
        if builtin.name == "trace" {
            return Some("true".to_owned());
        }
        let program = builtin.program(arguments.len())?;
        let arguments: Option<Vec<Document>> =
            arguments.iter().map(|bytes| term::parse(bytes)).collect();
        let mut machine = Machine::new(Opinion::Bytecode, limits::PROGRAM);
        let answer = machine.run(program, 0, &Document::list(arguments?));
        answer.ok().flatten().map(|answer| term::write(&answer))
    }
}

impl Builtin {
    fn is_known(&self) -> bool {
        let is_name = self
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
        let is_told = matches!(self.name.as_str(), "time.now_ns" | "trace");
        is_told
            || (is_name
                && !REFUSED.contains(&self.name.as_str())
                && (0..=MOST_ARGUMENTS).any(|count| self.program(count).is_some()))
    }

    fn program(&self, count: usize) -> Option<&Program> {
        self.programs
            .get(count)?
            .get_or_init(|| {
                let arguments: Vec<String> = (0..count).map(|at| format!("input[{at}]")).collect();
                let arguments = arguments.join(", ");
                // INVARIANT: the name is letters, digits, dots and underscores, so it is a name and nothing else.
                let text = format!("package opa\n\nanswer := {}({arguments})\n", self.name);
                Program::compile(text, vec!["data.opa.answer".to_owned()]).ok()
            })
            .as_ref()
    }
}
