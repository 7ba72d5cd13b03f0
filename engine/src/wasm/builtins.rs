//! OPA's host functions, answered as modules of Rego are ([`crate::rego::foreign`]): the same function means the same in both, with the
//! same bounds, and what is refused there is refused here.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::limits;
use crate::rego::evaluate::Document;
use crate::rego::foreign::{Dialect, Foreign, Strictness, Text};
use crate::rego::term;

use super::error::WasmError;
use super::text::clean;

/// The most arguments of a function.
const MOST_ARGUMENTS: usize = 4;

/// The functions that a module asks for, by its numbers for them.
#[derive(Debug)]
pub(super) struct Builtins {
    by_number: BTreeMap<i32, Builtin>,
}

#[derive(Debug)]
struct Builtin {
    name: String,
    /// A module for each number of arguments, made when it is first needed.
    modules: [OnceLock<Option<Foreign>>; MOST_ARGUMENTS + 1],
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
                modules: Default::default(),
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
        if builtin.name == "trace" {
            return Some("true".to_owned());
        }
        let module = builtin.module(arguments.len())?;
        let arguments: Option<Vec<Document>> =
            arguments.iter().map(|bytes| term::parse(bytes)).collect();
        // The engine reads no clock: it is told the time.
        let now = seconds.saturating_mul(1_000_000_000);
        let input = Document::list(arguments?);
        let answer = module.answer(&input, (now, limits::FOREIGN));
        answer.ok().flatten().map(|answer| term::write(&answer))
    }
}

impl Builtin {
    fn is_known(&self) -> bool {
        let is_name = self
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
        self.name == "trace"
            || (is_name && (0..=MOST_ARGUMENTS).any(|count| self.module(count).is_some()))
    }

    fn module(&self, count: usize) -> Option<&Foreign> {
        self.modules
            .get(count)?
            .get_or_init(|| {
                let arguments: Vec<String> = (0..count).map(|at| format!("input[{at}]")).collect();
                let arguments = arguments.join(", ");
                // INVARIANT: the name is letters, digits, dots and underscores, so it is a name and nothing else.
                let text = format!("package opa\n\nanswer := {}({arguments})\n", self.name);
                let module = Text {
                    name: "builtin.rego",
                    text: &text,
                };
                let wanted = (Dialect::V0, Strictness::Lenient);
                Foreign::read(&[module], wanted, Some("opa/answer")).ok()
            })
            .as_ref()
    }
}
