//! waPC as Kubewarden has it: the host puts a request into the guest's memory, the guest gives its response back.

use wasmtime::{Instance, InstancePre};

use super::{host_call, length};
use crate::wasm::bounds;
use crate::wasm::call::{Outcome, Ran, Terms};
use crate::wasm::error::WasmError;
use crate::wasm::guest::{self, Ended, State, ended, ran};
use crate::wasm::linker::Imports;
use crate::wasm::memory::{guarded, read, read_start, write, write_from};
use crate::wasm::runtime::Runtime;
use crate::wasm::text::{reason, reason_about_settings};

const MODULE: &str = "wapc";

/// What a guest exports to be asked.
pub(in crate::wasm) const CALL: &str = "__guest_call";

/// The operation that asks about settings.
pub(in crate::wasm) const VALIDATE_SETTINGS: &str = "validate_settings";

/// Functions that are called once before, where there are any, in this order.
const INITIALISERS: [&str; 3] = ["_initialize", "_start", "wapc_init"];

/// The host functions.
pub(in crate::wasm) fn define(imports: &mut Imports) {
    imports.function(
        MODULE,
        "__guest_request",
        |caller: Caller<'_>, operation: i32, payload: i32| {
            guarded(caller, |caller| {
                let name = caller.data().operation;
                write(caller, operation, name.as_bytes())?;
                write_from(caller, payload, |state| &state.payload)
            })
        },
    );
    imports.function(
        MODULE,
        "__guest_response",
        |caller: Caller<'_>, pointer: i32, length: i32| {
            guarded(caller, |caller| {
                let response = read(caller, (pointer, length), ("its answer", bounds::MESSAGE))?;
                caller.data_mut().response = Some(response);
                Ok(())
            })
        },
    );
    imports.function(
        MODULE,
        "__guest_error",
        |caller: Caller<'_>, pointer: i32, length: i32| {
            guarded(caller, |caller| {
                let error = read_start(caller, (pointer, length), bounds::ERROR_TEXT)?;
                caller.data_mut().error = Some(error);
                Ok(())
            })
        },
    );
    imports.function(
        MODULE,
        "__console_log",
        |caller: Caller<'_>, pointer: i32, length: i32| {
            guarded(caller, |caller| {
                let text = read_start(caller, (pointer, length), bounds::LOG_LINE + 4)?;
                caller.data_mut().log(&text);
                Ok(())
            })
        },
    );
    define_host_calls(imports);
}

type Caller<'a> = wasmtime::Caller<'a, State>;

/// Questions to the host, and what it said.
fn define_host_calls(imports: &mut Imports) {
    imports.function(
        MODULE,
        "__host_call",
        |caller: Caller<'_>,
         binding: i32,
         binding_length: i32,
         namespace: i32,
         namespace_length: i32,
         operation: i32,
         operation_length: i32,
         payload: i32,
         payload_length: i32| {
            guarded(caller, |caller| {
                let names = [
                    (binding, binding_length),
                    (namespace, namespace_length),
                    (operation, operation_length),
                ];
                let answer = host_call(caller, names, (payload, payload_length))?;
                let said = i32::from(answer.is_ok());
                caller.data_mut().host = Some(answer);
                Ok(said)
            })
        },
    );
    imports.function(MODULE, "__host_response_len", |caller: Caller<'_>| {
        length(host_response(caller.data()))
    });
    imports.function(
        MODULE,
        "__host_response",
        |caller: Caller<'_>, pointer: i32| {
            guarded(caller, |caller| write_from(caller, pointer, host_response))
        },
    );
    imports.function(MODULE, "__host_error_len", |caller: Caller<'_>| {
        length(host_error(caller.data()))
    });
    imports.function(
        MODULE,
        "__host_error",
        |caller: Caller<'_>, pointer: i32| {
            guarded(caller, |caller| write_from(caller, pointer, host_error))
        },
    );
}

fn host_response(state: &State) -> &[u8] {
    match &state.host {
        Some(Ok(response)) => response,
        Some(Err(_)) | None => &[],
    }
}

fn host_error(state: &State) -> &[u8] {
    match &state.host {
        Some(Err(error)) => error.as_bytes(),
        Some(Ok(_)) | None => &[],
    }
}

/// Asks a guest.
pub(in crate::wasm) fn call(
    runtime: &Runtime,
    pre: &InstancePre<State>,
    (operation, payload): (&'static str, Vec<u8>),
    terms: Terms,
) -> Ran<Vec<u8>> {
    let mut store = guest::store(runtime, State::new(operation, payload, terms));
    let outcome = asked(&mut store, pre);
    ran(store, outcome)
}

type Store = wasmtime::Store<State>;

fn asked(store: &mut Store, pre: &InstancePre<State>) -> Result<Outcome<Vec<u8>>, WasmError> {
    let instance = pre.instantiate(&mut *store);
    let instance = match ended(store, instance).returned() {
        Ok(instance) => instance,
        Err(otherwise) => return otherwise,
    };
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    if let Err(otherwise) = initialised(store, &instance) {
        return otherwise;
    }
    let function = instance
        .get_typed_func::<(i32, i32), i32>(&mut *store, CALL)
        .map_err(|_no_such_function| WasmError::Abi(format!("`{CALL}` is not what waPC has")))?;
    let state = store.data();
    let lengths = (length(state.operation.as_bytes()), length(&state.payload));
    let said = function.call(&mut *store, lengths);
    match ended(store, said).returned() {
        Ok(said) => answer(store.data_mut(), said).map(Outcome::Answered),
        Err(otherwise) => otherwise,
    }
}

/// Calls what is to be called before; a command that ends well is started as well as one that returns.
fn initialised(
    store: &mut Store,
    instance: &Instance,
) -> Result<(), Result<Outcome<Vec<u8>>, WasmError>> {
    for name in INITIALISERS {
        let Ok(function) = instance.get_typed_func::<(), ()>(&mut *store, name) else {
            continue;
        };
        let said = function.call(&mut *store, ());
        match ended(store, said) {
            Ended::Exit(0) => {}
            otherwise => otherwise.returned()?,
        }
    }
    Ok(())
}

fn answer(state: &mut State, said: i32) -> Result<Vec<u8>, WasmError> {
    let (response, error) = (state.response.take(), state.error.take());
    let why = |error: &[u8]| {
        WasmError::Guest(if state.operation == VALIDATE_SETTINGS {
            reason_about_settings(error)
        } else {
            reason(error)
        })
    };
    if said == 0 {
        return Err(why(&error.unwrap_or_default()));
    }
    match (response, error) {
        (Some(response), _) => Ok(response),
        (None, Some(error)) => Err(why(&error)),
        (None, None) => Err(WasmError::Output("it gave none".to_owned())),
    }
}
