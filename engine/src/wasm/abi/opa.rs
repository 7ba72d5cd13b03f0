//! Modules that OPA compiled, of its ABI 1.0 to 1.3: Rego with its own memory, whose host answers some of its functions.

use std::sync::Arc;

use serde_json::Value;
use wasmtime::{Extern, Instance, Memory, MemoryType, Module, TypedFunc};

use super::length;
use crate::wasm::bounds;
use crate::wasm::builtins::Builtins;
use crate::wasm::call::{Outcome, Ran, Terms};
use crate::wasm::error::WasmError;
use crate::wasm::guest::{self, Ended, State, Stop, ended, ran};
use crate::wasm::linker::Imports;
use crate::wasm::memory::guarded;
use crate::wasm::runtime::Runtime;
use crate::wasm::text::reason;
use crate::wasm::verdict;

type Caller<'a> = wasmtime::Caller<'a, State>;
type Store = wasmtime::Store<State>;

/// The module that everything is imported from.
const ENV: &str = "env";

/// The size of a page of memory.
const PAGE: u64 = 65_536;

/// The most that a byte of JSON takes as a value, about.
const VALUE: u64 = 16;

/// What an evaluation takes beside its input, about.
const HEAP: u64 = 4 * PAGE;

/// The host functions; the memory is made for each call.
pub(in crate::wasm) fn define(imports: &mut Imports) {
    imports.function(ENV, "opa_abort", |caller: Caller<'_>, address: i32| {
        guarded(caller, |caller| -> Result<(), Stop> {
            let text = c_string(caller, address).unwrap_or_default();
            Err(Stop::Wrong(WasmError::Guest(reason(&text))))
        })
    });
    imports.function(ENV, "opa_println", |caller: Caller<'_>, address: i32| {
        guarded(caller, |caller| {
            let text = c_string(caller, address).ok_or(Stop::Wrong(WasmError::Pointer))?;
            caller.data_mut().log(&text);
            Ok(())
        })
    });
    imports.function(
        ENV,
        "opa_builtin0",
        |mut caller: Caller<'_>, id: i32, _context: i32| builtin(&mut caller, id, &[]),
    );
    imports.function(
        ENV,
        "opa_builtin1",
        |mut caller: Caller<'_>, id: i32, _context: i32, a: i32| builtin(&mut caller, id, &[a]),
    );
    imports.function(
        ENV,
        "opa_builtin2",
        |mut caller: Caller<'_>, id: i32, _context: i32, a: i32, b: i32| {
            builtin(&mut caller, id, &[a, b])
        },
    );
    imports.function(
        ENV,
        "opa_builtin3",
        |mut caller: Caller<'_>, id: i32, _context: i32, a: i32, b: i32, c: i32| {
            builtin(&mut caller, id, &[a, b, c])
        },
    );
    imports.function(
        ENV,
        "opa_builtin4",
        |mut caller: Caller<'_>, id: i32, _context: i32, a: i32, b: i32, c: i32, d: i32| {
            builtin(&mut caller, id, &[a, b, c, d])
        },
    );
}

/// The text up to a zero byte at an address.
fn c_string(caller: &Caller<'_>, address: i32) -> Option<Vec<u8>> {
    let memory = caller.data().memory?;
    text_at(memory.data(caller), address)
}

fn text_at(data: &[u8], address: i32) -> Option<Vec<u8>> {
    let start = usize::try_from(address.cast_unsigned()).ok()?;
    let rest = data.get(start..)?;
    let window = rest.get(..bounds::MESSAGE).unwrap_or(rest);
    let end = window.iter().position(|byte| *byte == 0)?;
    window.get(..end).map(<[u8]>::to_vec)
}

/// Stops a guest because of what it did.
fn wrong(state: &mut State, error: WasmError) -> wasmtime::Error {
    state.stop = Some(Stop::Wrong(error));
    wasmtime::Error::msg("stopped by its host")
}

/// A function of the guest that its host functions call.
fn export<Parameters, Results>(
    caller: &mut Caller<'_>,
    name: &str,
) -> Option<TypedFunc<Parameters, Results>>
where
    Parameters: wasmtime::WasmParams,
    Results: wasmtime::WasmResults,
{
    let function = caller.get_export(name).and_then(Extern::into_func)?;
    function.typed(&*caller).ok()
}

/// Answers a host function; the address 0 stands for undefined.
fn builtin(caller: &mut Caller<'_>, id: i32, arguments: &[i32]) -> wasmtime::Result<i32> {
    let Some(dump) =
        export::<i32, i32>(caller, "opa_value_dump").or_else(|| export(caller, "opa_json_dump"))
    else {
        return Err(wrong(caller.data_mut(), missing("opa_value_dump")));
    };
    let mut given = Vec::with_capacity(arguments.len());
    for address in arguments {
        let text = dump.call(&mut *caller, *address)?;
        match c_string(caller, text) {
            Some(text) => given.push(text),
            None => return Err(wrong(caller.data_mut(), WasmError::Pointer)),
        }
    }
    let state = caller.data();
    let (builtins, seconds) = (state.builtins.clone(), state.seconds);
    let Some(answer) = builtins.and_then(|known| known.call(id, &given, seconds)) else {
        return Ok(0);
    };
    let allocate = export::<i32, i32>(caller, "opa_malloc");
    let parse = export::<(i32, i32), i32>(caller, "opa_value_parse")
        .or_else(|| export(caller, "opa_json_parse"));
    let (Some(allocate), Some(parse)) = (allocate, parse) else {
        return Err(wrong(caller.data_mut(), missing("opa_value_parse")));
    };
    let length = length(answer.as_bytes());
    let place = allocate.call(&mut *caller, length)?;
    let memory = caller.data().memory;
    let start = usize::try_from(place.cast_unsigned()).unwrap_or(usize::MAX);
    let written = memory.map(|memory| memory.write(&mut *caller, start, answer.as_bytes()));
    if !matches!(written, Some(Ok(()))) {
        return Err(wrong(caller.data_mut(), WasmError::Pointer));
    }
    parse.call(caller, (place, length))
}

fn missing(name: &str) -> WasmError {
    WasmError::Abi(format!("it has no usable `{name}`"))
}

/// What is the same for all calls of a module.
#[derive(Debug, Clone)]
pub(in crate::wasm) struct Prepared {
    pub(in crate::wasm) builtins: Arc<Builtins>,
    pub(in crate::wasm) entry_points: Vec<(String, i32)>,
}

/// Asks a module for its entry points and the host functions that it needs.
pub(in crate::wasm) fn prepare(
    runtime: &Runtime,
    module: &Module,
    imports: &Imports,
    terms: Terms,
) -> Result<Prepared, WasmError> {
    let mut store = guest::store(runtime, State::new("", Vec::new(), terms));
    let listed = instantiate(&mut store, (module, imports), 0).and_then(|running| {
        let builtins = running.listed(&mut store, "builtins")?;
        Ok((builtins, running.listed(&mut store, "entrypoints")?))
    });
    let (builtins, entry_points) = match ended(&mut store, listed) {
        Ended::Returned(listed) => listed,
        Ended::Failed(error) => return Err(error),
        Ended::Asks(_) | Ended::Exit(_) => return Err(missing("entrypoints")),
    };
    let builtins = verdict::object(&builtins, "its list of host functions")?;
    let entry_points = verdict::object(&entry_points, "its list of entry points")?;
    let number = |number: &Value| {
        number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
    };
    let entry_points = entry_points.iter();
    let entry_points = entry_points.filter_map(|(name, at)| Some((name.clone(), number(at)?)));
    Ok(Prepared {
        builtins: Arc::new(Builtins::of(&builtins)?),
        entry_points: entry_points.collect(),
    })
}

/// A running module and its memory.
struct Running {
    instance: Instance,
    memory: Memory,
}

/// A memory as a module wants it, with room for so many bytes of JSON.
///
/// A guest makes room page by page as it needs it, each with a call of the kernel; room that is not touched costs nothing.
fn roomy(wanted: &MemoryType, given: usize, most: u64) -> MemoryType {
    let room = (given as u64).saturating_mul(VALUE) + HEAP;
    let most = wanted.maximum().unwrap_or(u64::MAX).min(most / PAGE);
    let pages = wanted.minimum().saturating_add(room / PAGE);
    let pages = pages.min(most).max(wanted.minimum());
    let number = |pages: u64| u32::try_from(pages).ok();
    number(pages).map_or_else(
        || wanted.clone(),
        |pages| MemoryType::new(pages, wanted.maximum().and_then(number)),
    )
}

/// Starts a module that is to be given so many bytes.
fn instantiate(
    store: &mut Store,
    (module, imports): (&Module, &Imports),
    bytes: usize,
) -> wasmtime::Result<Running> {
    let mut given = Vec::new();
    let mut own = None;
    let most = store.data().most_memory();
    for import in module.imports() {
        if let Some(wanted) = import.ty().memory() {
            let memory = Memory::new(&mut *store, roomy(wanted, bytes, most))?;
            own = Some(memory);
            given.push(Extern::Memory(memory));
        } else {
            let function = imports.linker.get_by_import(&mut *store, &import);
            given.push(function.ok_or_else(|| wasmtime::Error::msg("an import is missing"))?);
        }
    }
    store.data_mut().memory = own;
    let instance = Instance::new(&mut *store, module, &given)?;
    let memory = own.or_else(|| instance.get_memory(&mut *store, "memory"));
    let memory = memory.ok_or_else(|| wasmtime::Error::msg("it has no memory"))?;
    store.data_mut().memory = Some(memory);
    Ok(Running { instance, memory })
}

impl Running {
    fn one(&self, store: &mut Store, name: &str, argument: i32) -> wasmtime::Result<i32> {
        let function = self
            .instance
            .get_typed_func::<i32, i32>(&mut *store, name)?;
        function.call(store, argument)
    }

    fn none(&self, store: &mut Store, name: &str) -> wasmtime::Result<i32> {
        let function = self.instance.get_typed_func::<(), i32>(&mut *store, name)?;
        function.call(store, ())
    }

    fn two(&self, store: &mut Store, name: &str, arguments: (i32, i32)) -> wasmtime::Result<i32> {
        let function = self
            .instance
            .get_typed_func::<(i32, i32), i32>(&mut *store, name)?;
        function.call(store, arguments)
    }

    fn set(&self, store: &mut Store, name: &str, arguments: (i32, i32)) -> wasmtime::Result<()> {
        let function = self
            .instance
            .get_typed_func::<(i32, i32), ()>(&mut *store, name)?;
        function.call(store, arguments)
    }

    /// What a function without arguments lists, as JSON.
    fn listed(&self, store: &mut Store, name: &str) -> wasmtime::Result<Vec<u8>> {
        let value = self.none(store, name)?;
        let text = self.one(store, "opa_json_dump", value)?;
        self.text(store, text)
    }

    fn text(&self, store: &mut Store, address: i32) -> wasmtime::Result<Vec<u8>> {
        let text = text_at(self.memory.data(&*store), address);
        text.ok_or_else(|| wrong(store.data_mut(), WasmError::Pointer))
    }

    fn put(&self, store: &mut Store, place: i32, bytes: &[u8]) -> wasmtime::Result<()> {
        let start = usize::try_from(place.cast_unsigned()).unwrap_or(usize::MAX);
        let written = self.memory.write(&mut *store, start, bytes);
        written.map_err(|_out_of_bounds| wrong(store.data_mut(), WasmError::Pointer))
    }

    /// Puts JSON into the guest's memory as one of its values.
    fn value(&self, store: &mut Store, json: &[u8]) -> wasmtime::Result<i32> {
        let length = length(json);
        let place = self.one(store, "opa_malloc", length)?;
        self.put(store, place, json)?;
        let value = self.two(store, "opa_json_parse", (place, length))?;
        if value == 0 {
            return Err(wasmtime::Error::msg("it could not read its input"));
        }
        Ok(value)
    }

    /// The newer way: one call with the input behind the heap.
    fn evaluate_at_once(
        &self,
        store: &mut Store,
        (entry_point, input, data): (i32, &[u8], i32),
    ) -> wasmtime::Result<i32> {
        let heap = self.none(store, "opa_heap_ptr_get")?;
        let end = u64::from(heap.cast_unsigned()).saturating_add(input.len() as u64);
        let size = self.memory.data_size(&*store) as u64;
        if end > size {
            let pages = (end - size).div_ceil(PAGE);
            self.memory.grow(&mut *store, pages)?;
        }
        self.put(store, heap, input)?;
        let length = length(input);
        let evaluate = self
            .instance
            .get_typed_func::<(i32, i32, i32, i32, i32, i32, i32), i32>(&mut *store, "opa_eval")?;
        let after = heap.wrapping_add(length);
        evaluate.call(store, (0, entry_point, data, heap, length, after, 0))
    }

    /// The older way, of ABI 1.0 and 1.1.
    fn evaluate_in_steps(
        &self,
        store: &mut Store,
        (entry_point, input, data): (i32, &[u8], i32),
    ) -> wasmtime::Result<i32> {
        let input = self.value(store, input)?;
        let context = self.none(store, "opa_eval_ctx_new")?;
        self.set(store, "opa_eval_ctx_set_input", (context, input))?;
        self.set(store, "opa_eval_ctx_set_data", (context, data))?;
        self.set(store, "opa_eval_ctx_set_entrypoint", (context, entry_point))?;
        self.one(store, "eval", context)?;
        let result = self.one(store, "opa_eval_ctx_get_result", context)?;
        self.one(store, "opa_json_dump", result)
    }
}

/// Evaluates an entry point; the answer is what OPA has as the result set.
pub(in crate::wasm) fn call(
    runtime: &Runtime,
    (module, imports, prepared): (&Module, &Imports, &Prepared),
    (entry_point, input, data): (i32, Vec<u8>, &[u8]),
    terms: Terms,
) -> Ran<Vec<u8>> {
    let mut state = State::new("", input, terms);
    state.builtins = Some(Arc::clone(&prepared.builtins));
    let mut store = guest::store(runtime, state);
    let input = std::mem::take(&mut store.data_mut().payload);
    let bytes = input.len().saturating_add(data.len());
    let said = instantiate(&mut store, (module, imports), bytes).and_then(|running| {
        let data = running.value(&mut store, data)?;
        let asked = (entry_point, input.as_slice(), data);
        let text = if running.instance.get_func(&mut store, "opa_eval").is_some() {
            running.evaluate_at_once(&mut store, asked)?
        } else {
            running.evaluate_in_steps(&mut store, asked)?
        };
        running.text(&mut store, text)
    });
    let outcome = match ended(&mut store, said).returned() {
        Ok(text) => Ok(Outcome::Answered(text)),
        Err(otherwise) => otherwise,
    };
    ran(store, outcome)
}
