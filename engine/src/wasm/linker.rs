//! The functions that guests of each kind may import. Whatever else a module imports keeps it from being loaded.

use std::collections::BTreeSet;

use wasmtime::{Engine, IntoFunc, Linker, Module};

use super::abi;
use super::error::WasmError;
use super::guest::State;
use super::metadata::Abi;
use super::runtime::internal;

/// Functions with the names that they have.
pub(super) struct Imports {
    pub(super) linker: Linker<State>,
    known: BTreeSet<(&'static str, &'static str)>,
    failed: Option<WasmError>,
}

impl Imports {
    /// All that guests of a kind may import.
    pub(super) fn of(engine: &Engine, abi: Abi) -> Result<Self, WasmError> {
        let mut imports = Self {
            linker: Linker::new(engine),
            known: BTreeSet::new(),
            failed: None,
        };
        match abi {
            Abi::Wapc => {
                abi::wapc::define(&mut imports);
                abi::wasi::define(&mut imports);
            }
            Abi::Wasi => {
                abi::wasi::define(&mut imports);
                abi::wasi::define_host(&mut imports);
            }
            Abi::Opa | Abi::Gatekeeper => abi::opa::define(&mut imports),
        }
        match imports.failed {
            Some(error) => Err(error),
            None => Ok(imports),
        }
    }

    /// Adds a function.
    pub(super) fn function<Parameters, Arguments>(
        &mut self,
        module: &'static str,
        name: &'static str,
        function: impl IntoFunc<State, Parameters, Arguments>,
    ) {
        self.known.insert((module, name));
        if let Err(error) = self.linker.func_wrap(module, name, function) {
            self.failed = Some(internal(&error));
        }
    }

    /// Says what of a module's imports there is not; the memory of OPA's modules is made for each call.
    pub(super) fn check(&self, module: &Module, abi: Abi) -> Result<(), WasmError> {
        let unknown = module.imports().find(|import| {
            let name = (import.module(), import.name());
            let is_memory = matches!(abi, Abi::Opa | Abi::Gatekeeper)
                && name == ("env", "memory")
                && import.ty().memory().is_some();
            !is_memory && !self.known.iter().any(|known| *known == name)
        });
        match unknown {
            None => Ok(()),
            Some(import) => Err(WasmError::UnknownImport {
                module: super::text::clean(import.module(), 80),
                name: super::text::clean(import.name(), 80),
            }),
        }
    }
}
