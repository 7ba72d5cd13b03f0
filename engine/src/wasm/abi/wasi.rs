//! WASI commands: the request on standard input, the answer on standard output, nothing else of a system.
//!
//! The functions of `wasi_snapshot_preview1` that compilers link into any command: no file, no socket, no environment, a
//! clock that stands, and numbers that only look random.

use wasmtime::InstancePre;

use super::host_call;
use crate::wasm::bounds;
use crate::wasm::call::{Outcome, Ran, Terms};
use crate::wasm::error::WasmError;
use crate::wasm::guest::{self, Ended, State, Stop, ended, ran};
use crate::wasm::linker::Imports;
use crate::wasm::memory::{guarded, range, read, read_start, write, write_u32};
use crate::wasm::runtime::Runtime;

const MODULE: &str = "wasi_snapshot_preview1";

const SUCCESS: i32 = 0;
const BAD_FILE: i32 = 8;
const NOT_SUPPORTED: i32 = 52;
const SEEK_ON_PIPE: i32 = 70;

/// The most pieces that one call reads or writes.
const MOST_PIECES: i32 = 1_024;

/// The type of a stream that is no terminal.
const CHARACTER_DEVICE: u8 = 2;

type Caller<'a> = wasmtime::Caller<'a, State>;

/// The functions of any command.
pub(in crate::wasm) fn define(imports: &mut Imports) {
    define_arguments(imports);
    define_streams(imports);
    imports.function(
        MODULE,
        "clock_time_get",
        |caller: Caller<'_>, _clock: i32, _precision: i64, pointer: i32| {
            guarded(caller, |caller| {
                let nanoseconds = caller.data().seconds.saturating_mul(1_000_000_000);
                write(caller, pointer, &nanoseconds.to_le_bytes())?;
                Ok(SUCCESS)
            })
        },
    );
    imports.function(
        MODULE,
        "random_get",
        |caller: Caller<'_>, pointer: i32, length: i32| {
            guarded(caller, |caller| {
                let length = usize::try_from(length.cast_unsigned()).unwrap_or(usize::MAX);
                let mut bytes = vec![0; length.min(bounds::ERROR_TEXT)];
                if bytes.len() < length {
                    return Err(Stop::Wrong(WasmError::TooLarge {
                        what: "the number of random bytes",
                        size: length as u64,
                        most: bounds::ERROR_TEXT as u64,
                    }));
                }
                caller.data_mut().random(&mut bytes);
                write(caller, pointer, &bytes)?;
                Ok(SUCCESS)
            })
        },
    );
    imports.function(MODULE, "proc_exit", |caller: Caller<'_>, status: i32| {
        guarded(caller, |_caller| -> Result<(), Stop> {
            Err(Stop::Exit(status))
        })
    });
    imports.function(MODULE, "sched_yield", || SUCCESS);
    imports.function(
        MODULE,
        "poll_oneoff",
        |_in: i32, _out: i32, _count: i32, _events: i32| NOT_SUPPORTED,
    );
}

/// Two arguments, `policy.wasm` and the operation; no environment.
fn define_arguments(imports: &mut Imports) {
    imports.function(
        MODULE,
        "args_sizes_get",
        |caller: Caller<'_>, count: i32, size: i32| {
            guarded(caller, |caller| {
                let bytes: usize = arguments(caller.data())
                    .iter()
                    .map(|text| text.len() + 1)
                    .sum();
                write_u32(caller, count, 2)?;
                write_u32(caller, size, bytes)?;
                Ok(SUCCESS)
            })
        },
    );
    imports.function(
        MODULE,
        "args_get",
        |caller: Caller<'_>, mut places: i32, mut texts: i32| {
            guarded(caller, |caller| {
                for text in arguments(caller.data()) {
                    write(caller, places, &texts.to_le_bytes())?;
                    write(caller, texts, text.as_bytes())?;
                    texts = texts.wrapping_add(i32::try_from(text.len()).unwrap_or(0));
                    write(caller, texts, &[0])?;
                    texts = texts.wrapping_add(1);
                    places = places.wrapping_add(4);
                }
                Ok(SUCCESS)
            })
        },
    );
    imports.function(
        MODULE,
        "environ_sizes_get",
        |caller: Caller<'_>, count: i32, size: i32| {
            guarded(caller, |caller| {
                write_u32(caller, count, 0)?;
                write_u32(caller, size, 0)?;
                Ok(SUCCESS)
            })
        },
    );
    imports.function(MODULE, "environ_get", |_places: i32, _texts: i32| SUCCESS);
}

fn arguments(state: &State) -> [&'static str; 2] {
    ["policy.wasm", state.operation]
}

/// Standard input, output and error; there are no others.
fn define_streams(imports: &mut Imports) {
    imports.function(
        MODULE,
        "fd_read",
        |caller: Caller<'_>, stream: i32, pieces: i32, count: i32, done: i32| {
            guarded(caller, |caller| {
                if stream != 0 {
                    return Ok(BAD_FILE);
                }
                let total = read_input(caller, pieces, count)?;
                write_u32(caller, done, total)?;
                Ok(SUCCESS)
            })
        },
    );
    imports.function(
        MODULE,
        "fd_write",
        |caller: Caller<'_>, stream: i32, pieces: i32, count: i32, done: i32| {
            guarded(caller, |caller| {
                if stream != 1 && stream != 2 {
                    return Ok(BAD_FILE);
                }
                let total = write_output(caller, stream == 1, (pieces, count))?;
                write_u32(caller, done, total)?;
                Ok(SUCCESS)
            })
        },
    );
    imports.function(MODULE, "fd_close", |_stream: i32| SUCCESS);
    imports.function(
        MODULE,
        "fd_seek",
        |_stream: i32, _offset: i64, _whence: i32, _place: i32| SEEK_ON_PIPE,
    );
    imports.function(
        MODULE,
        "fd_fdstat_get",
        |caller: Caller<'_>, stream: i32, place: i32| {
            guarded(caller, |caller| {
                if !(0..=2).contains(&stream) {
                    return Ok(BAD_FILE);
                }
                let mut stat = [0_u8; 24];
                if let Some(kind) = stat.first_mut() {
                    *kind = CHARACTER_DEVICE;
                }
                write(caller, place, &stat)?;
                Ok(SUCCESS)
            })
        },
    );
    imports.function(MODULE, "fd_prestat_get", |_stream: i32, _place: i32| {
        BAD_FILE
    });
    imports.function(
        MODULE,
        "fd_prestat_dir_name",
        |_stream: i32, _place: i32, _length: i32| BAD_FILE,
    );
}

/// The pieces of a call, each a place and a length.
fn pieces(caller: &mut Caller<'_>, place: i32, count: i32) -> Result<Vec<(i32, i32)>, Stop> {
    if !(0..=MOST_PIECES).contains(&count) {
        return Err(Stop::Wrong(WasmError::Pointer));
    }
    let most = usize::try_from(MOST_PIECES * 8).unwrap_or(0);
    let bytes = read(caller, (place, count * 8), ("a list of pieces", most))?;
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, i32::from_le_bytes);
    let piece = |bytes: &[u8]| {
        let (pointer, length) = bytes.split_at_checked(4).unwrap_or((&[], &[]));
        (number(pointer), number(length))
    };
    Ok(bytes.chunks_exact(8).map(piece).collect())
}

/// Gives a guest the next bytes of its input.
fn read_input(caller: &mut Caller<'_>, place: i32, count: i32) -> Result<usize, Stop> {
    let mut total = 0;
    for (pointer, length) in pieces(caller, place, count)? {
        let wanted = range(pointer, length).ok_or(Stop::Wrong(WasmError::Pointer))?;
        let state = caller.data();
        let rest = state.payload.get(state.read..).unwrap_or(&[]);
        let given = rest.get(..wanted.len()).unwrap_or(rest).to_vec();
        write(caller, pointer, &given)?;
        caller.data_mut().read += given.len();
        total += given.len();
        if given.len() < wanted.len() {
            break;
        }
    }
    Ok(total)
}

/// Takes what a guest writes, to its answer or to its log.
fn write_output(
    caller: &mut Caller<'_>,
    is_answer: bool,
    (place, count): (i32, i32),
) -> Result<usize, Stop> {
    let mut total = 0;
    for (pointer, length) in pieces(caller, place, count)? {
        if is_answer {
            let left = bounds::MESSAGE.saturating_sub(caller.data().written.len());
            let bytes = read(caller, (pointer, length), ("its answer", left))?;
            caller.data_mut().written.extend_from_slice(&bytes);
        } else {
            let bytes = read_start(caller, (pointer, length), bounds::LOG_LINE + 4)?;
            if !bytes.trim_ascii().is_empty() {
                caller.data_mut().log(&bytes);
            }
        }
        total += usize::try_from(length.cast_unsigned()).unwrap_or(0);
    }
    Ok(total)
}

/// The host's answers for commands: a function of its own, whose answer comes on standard input.
pub(in crate::wasm) fn define_host(imports: &mut Imports) {
    for module in ["host", "kubewarden:javy/host"] {
        imports.function(
            module,
            "call",
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
                    // The other way round than in waPC.
                    let said = i32::from(answer.is_err());
                    let input = &mut caller.data_mut().payload;
                    match answer {
                        Ok(bytes) => input.extend_from_slice(&bytes),
                        Err(text) => input.extend_from_slice(text.as_bytes()),
                    }
                    Ok(said)
                })
            },
        );
    }
}

/// Runs a command.
pub(in crate::wasm) fn call(
    runtime: &Runtime,
    pre: &InstancePre<State>,
    (operation, payload): (&'static str, Vec<u8>),
    terms: Terms,
) -> Ran<Vec<u8>> {
    let mut store = guest::store(runtime, State::new(operation, payload, terms));
    let outcome = run(&mut store, pre);
    ran(store, outcome)
}

fn run(
    store: &mut wasmtime::Store<State>,
    pre: &InstancePre<State>,
) -> Result<Outcome<Vec<u8>>, WasmError> {
    let started = pre.instantiate(&mut *store).and_then(|instance| {
        store.data_mut().memory = instance.get_memory(&mut *store, "memory");
        let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
        start.call(&mut *store, ())
    });
    let ended = match ended(store, started) {
        Ended::Exit(0) => Ok(()),
        otherwise => otherwise.returned(),
    };
    match ended {
        Ok(()) => Ok(Outcome::Answered(std::mem::take(
            &mut store.data_mut().written,
        ))),
        Err(otherwise) => otherwise,
    }
}
