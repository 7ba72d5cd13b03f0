//! The guest's own work: the same module with the same compiler's settings in a bare host, which checks and bounds nothing.
//!
//! Kubewarden's and OPA's modules have an instance at hand, made beforehand, and are called again and again. A command
//! runs once, so its instance is made for each call, and only what it does is timed.

use std::time::Instant;

use serde_json::{Value, json};
use wasmtime::{
    Caller, Config, Engine, Error, Extern, Instance, InstancePre, Linker, Memory, Module, Result,
    Store,
};

use super::calls::nanoseconds;

/// What a bare host keeps.
#[derive(Default)]
pub(crate) struct State {
    operation: &'static str,
    payload: Vec<u8>,
    read: usize,
    answer: Vec<u8>,
}

/// A guest in a bare host.
pub(crate) enum Floor {
    Wapc {
        store: Store<State>,
        instance: Instance,
    },
    Command {
        pre: InstancePre<State>,
        payload: Vec<u8>,
    },
    Opa(Box<Opa>),
}

/// One of OPA's modules with its data.
pub(crate) struct Opa {
    store: Store<State>,
    instance: Instance,
    memory: Memory,
    input: Vec<u8>,
    data: i32,
    heap: i32,
}

/// The settings of the engine's own runtime.
fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    Engine::new(&config)
}

fn store(engine: &Engine, state: State) -> Store<State> {
    let mut store = Store::new(engine, state);
    // Nobody counts time here.
    store.set_epoch_deadline(1);
    store
}

impl Floor {
    pub(crate) fn new(wasm: &[u8], request: &Value, settings: &Value) -> Result<Self> {
        let engine = engine()?;
        let module = Module::from_binary(&engine, wasm)?;
        let payload = json!({"request": request, "settings": settings}).to_string();
        let payload = payload.into_bytes();
        let gives = |name: &str| module.get_export(name).is_some();
        if gives("__guest_call") {
            let state = State {
                operation: "validate",
                payload,
                ..State::default()
            };
            let mut store = store(&engine, state);
            let mut linker = wapc(&engine)?;
            linker.define_unknown_imports_as_traps(&module)?;
            let instance = linker.instantiate(&mut store, &module)?;
            if let Ok(start) = instance.get_typed_func::<(), ()>(&mut store, "wapc_init") {
                start.call(&mut store, ())?;
            }
            return Ok(Self::Wapc { store, instance });
        }
        if gives("opa_eval") {
            let input = json!({"review": request, "parameters": settings}).to_string();
            return Ok(Self::Opa(Box::new(Opa::new(&engine, &module, input)?)));
        }
        let mut linker = command(&engine)?;
        linker.define_unknown_imports_as_traps(&module)?;
        Ok(Self::Command {
            pre: linker.instantiate_pre(&module)?,
            payload,
        })
    }

    /// Runs once; the nanoseconds that the guest took.
    pub(crate) fn run(&mut self) -> Result<u64> {
        let (took, answer) = match self {
            Self::Wapc { store, instance } => {
                let call =
                    instance.get_typed_func::<(i32, i32), i32>(&mut *store, "__guest_call")?;
                let length = i32::try_from(store.data().payload.len())?;
                let started = Instant::now();
                call.call(&mut *store, (8, length))?;
                (
                    nanoseconds(started),
                    std::mem::take(&mut store.data_mut().answer),
                )
            }
            Self::Command { pre, payload } => {
                let state = State {
                    operation: "validate",
                    payload: payload.clone(),
                    ..State::default()
                };
                let mut store = store(pre.module().engine(), state);
                let instance = pre.instantiate(&mut store)?;
                let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
                let started = Instant::now();
                // Whether it returns or exits: its answer says whether it ran.
                drop(start.call(&mut store, ()));
                (
                    nanoseconds(started),
                    std::mem::take(&mut store.data_mut().answer),
                )
            }
            Self::Opa(opa) => opa.run()?,
        };
        let is_acceptance = answer.windows(15).any(|part| part == b"\"accepted\":true")
            || answer.windows(16).any(|part| part == b"\"accepted\": true")
            || answer == b"[{\"result\":[]}]";
        if is_acceptance {
            return Ok(took);
        }
        let answer = String::from_utf8_lossy(&answer);
        Err(Error::msg(format!("it did not accept: {answer}")))
    }
}

fn memory(caller: &mut Caller<'_, State>) -> Result<Memory> {
    let found = caller.get_export("memory").and_then(Extern::into_memory);
    found.ok_or_else(|| Error::msg("no memory"))
}

fn place(pointer: i32) -> usize {
    usize::try_from(pointer.cast_unsigned()).unwrap_or(usize::MAX)
}

fn wapc(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        "wapc",
        "__guest_request",
        |mut caller: Caller<'_, State>, operation: i32, payload: i32| {
            let (data, state) = memory(&mut caller)?.data_and_store_mut(&mut caller);
            for (at, bytes) in [
                (operation, state.operation.as_bytes()),
                (payload, &state.payload),
            ] {
                let start = place(at);
                let room = data.get_mut(start..start.saturating_add(bytes.len()));
                let room = room.ok_or_else(|| Error::msg("outside"))?;
                room.copy_from_slice(bytes);
            }
            Ok(())
        },
    )?;
    linker.func_wrap("wapc", "__guest_response", answered)?;
    linker.func_wrap("wapc", "__guest_error", answered)?;
    linker.func_wrap(
        "wapc",
        "__host_call",
        |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32| 1,
    )?;
    linker.func_wrap("wapc", "__host_response_len", || 0)?;
    linker.func_wrap("wapc", "__host_response", |_: i32| ())?;
    Ok(linker)
}

fn answered(mut caller: Caller<'_, State>, pointer: i32, length: i32) -> Result<()> {
    let (data, state) = memory(&mut caller)?.data_and_store_mut(&mut caller);
    let start = place(pointer);
    let bytes = data.get(start..start.saturating_add(place(length)));
    let bytes = bytes.ok_or_else(|| Error::msg("outside"))?;
    state.answer = bytes.to_vec();
    Ok(())
}

/// Where commands import from.
const WASI: &str = "wasi_snapshot_preview1";

/// What a command in C or Rust calls to read, answer and end.
fn command(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        WASI,
        "args_sizes_get",
        |mut caller: Caller<'_, State>, count: i32, size: i32| {
            let memory = memory(&mut caller)?;
            memory.write(&mut caller, place(count), &2_u32.to_le_bytes())?;
            memory.write(&mut caller, place(size), &21_u32.to_le_bytes())?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        WASI,
        "args_get",
        |mut caller: Caller<'_, State>, places: i32, texts: i32| {
            let memory = memory(&mut caller)?;
            memory.write(&mut caller, place(texts), b"policy.wasm\0validate\0")?;
            memory.write(&mut caller, place(places), &texts.to_le_bytes())?;
            memory.write(&mut caller, place(places + 4), &(texts + 12).to_le_bytes())?;
            Ok(0)
        },
    )?;
    streams(&mut linker)?;
    linker.func_wrap(WASI, "proc_exit", |status: i32| -> Result<()> {
        Err(Error::msg(format!("exit {status}")))
    })?;
    Ok(linker)
}

/// Standard input and output.
fn streams(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        WASI,
        "fd_read",
        |mut caller: Caller<'_, State>, _stream: i32, list: i32, count: i32, done: i32| {
            let memory = memory(&mut caller)?;
            let pieces = pieces(memory.data(&caller), (list, count))?;
            let (data, state) = memory.data_and_store_mut(&mut caller);
            let mut total = 0;
            for (start, length) in pieces {
                let rest = state.payload.get(state.read..).unwrap_or(&[]);
                let given = rest.get(..length).unwrap_or(rest);
                let room = data.get_mut(start..start.saturating_add(given.len()));
                let room = room.ok_or_else(|| Error::msg("outside"))?;
                room.copy_from_slice(given);
                state.read += given.len();
                total += u32::try_from(given.len())?;
            }
            memory.write(&mut caller, place(done), &total.to_le_bytes())?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_write",
        |mut caller: Caller<'_, State>, _stream: i32, list: i32, count: i32, done: i32| {
            let memory = memory(&mut caller)?;
            let pieces = pieces(memory.data(&caller), (list, count))?;
            let (data, state) = memory.data_and_store_mut(&mut caller);
            let mut total = 0;
            for (start, length) in pieces {
                let bytes = data.get(start..start.saturating_add(length));
                let bytes = bytes.ok_or_else(|| Error::msg("outside"))?;
                state.answer.extend_from_slice(bytes);
                total += u32::try_from(length)?;
            }
            memory.write(&mut caller, place(done), &total.to_le_bytes())?;
            Ok(0)
        },
    )?;
    linker.func_wrap(WASI, "fd_seek", |_: i32, _: i64, _: i32, _: i32| 70)?;
    linker.func_wrap(WASI, "fd_close", |_: i32| 0)?;
    linker.func_wrap(
        WASI,
        "fd_fdstat_get",
        |mut caller: Caller<'_, State>, _stream: i32, at: i32| {
            let mut stat = [0; 24];
            stat[0] = 2;
            memory(&mut caller)?.write(&mut caller, place(at), &stat)?;
            Ok(0)
        },
    )?;
    Ok(())
}

/// Places and lengths of a list of pieces.
fn pieces(data: &[u8], (list, count): (i32, i32)) -> Result<Vec<(usize, usize)>> {
    let start = place(list);
    let bytes = data.get(start..start.saturating_add(place(count) * 8));
    let bytes = bytes.ok_or_else(|| Error::msg("outside"))?;
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, i32::from_le_bytes);
    let piece = |piece: &[u8]| {
        let (start, length) = piece.split_at(4);
        (place(number(start)), place(number(length)))
    };
    Ok(bytes.chunks_exact(8).map(piece).collect())
}

impl Opa {
    fn new(engine: &Engine, module: &Module, input: String) -> Result<Self> {
        let mut store = store(engine, State::default());
        let mut linker = Linker::new(engine);
        let wanted = module
            .imports()
            .find_map(|import| import.ty().memory().cloned());
        let memory = Memory::new(&mut store, wanted.ok_or_else(|| Error::msg("no memory"))?)?;
        linker.define(&store, "env", "memory", memory)?;
        linker.define_unknown_imports_as_traps(module)?;
        let instance = linker.instantiate(&mut store, module)?;
        let mut opa = Self {
            store,
            instance,
            memory,
            input: input.into_bytes(),
            data: 0,
            heap: 0,
        };
        let data = b"{\"inventory\":{\"cluster\":{},\"namespace\":{}}}";
        let length = i32::try_from(data.len())?;
        let at = opa
            .function::<i32>("opa_malloc")?
            .call(&mut opa.store, length)?;
        opa.memory.write(&mut opa.store, place(at), data)?;
        let parse = opa.function::<(i32, i32)>("opa_json_parse")?;
        opa.data = parse.call(&mut opa.store, (at, length))?;
        opa.heap = opa
            .function::<()>("opa_heap_ptr_get")?
            .call(&mut opa.store, ())?;
        // Room for the input once and for all.
        opa.memory.grow(&mut opa.store, 1)?;
        Ok(opa)
    }

    fn function<Parameters: wasmtime::WasmParams>(
        &mut self,
        name: &str,
    ) -> Result<wasmtime::TypedFunc<Parameters, i32>> {
        self.instance.get_typed_func(&mut self.store, name)
    }

    fn run(&mut self) -> Result<(u64, Vec<u8>)> {
        let evaluate = self.function::<(i32, i32, i32, i32, i32, i32, i32)>("opa_eval")?;
        let length = i32::try_from(self.input.len())?;
        let started = Instant::now();
        self.memory
            .write(&mut self.store, place(self.heap), &self.input)?;
        let asked = (0, 0, self.data, self.heap, length, self.heap + length, 0);
        let at = evaluate.call(&mut self.store, asked)?;
        let took = nanoseconds(started);
        let text = self
            .memory
            .data(&self.store)
            .get(place(at)..)
            .unwrap_or(&[]);
        let answer = text.split(|byte| *byte == 0).next().unwrap_or(&[]);
        Ok((took, answer.to_vec()))
    }
}
