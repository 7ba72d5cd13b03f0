//! A guest's memory: every place that it names is checked before it is touched.

use wasmtime::{Caller, Extern, Memory};

use super::error::WasmError;
use super::guest::{State, Stop};

/// The memory of the guest that calls.
fn memory(caller: &mut Caller<'_, State>) -> Result<Memory, Stop> {
    if let Some(memory) = caller.data().memory {
        return Ok(memory);
    }
    // A start function calls before anybody has looked for it.
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(Stop::Wrong(WasmError::Pointer)),
    }
}

/// A place and a length as a guest gives them: without a sign.
pub(super) fn range(pointer: i32, length: i32) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(pointer.cast_unsigned()).ok()?;
    let length = usize::try_from(length.cast_unsigned()).ok()?;
    Some(start..start.checked_add(length)?)
}

/// A copy of what stands at a place; `what` it is, for the message where it is longer than it may be.
pub(super) fn read(
    caller: &mut Caller<'_, State>,
    (pointer, length): (i32, i32),
    (what, most): (&'static str, usize),
) -> Result<Vec<u8>, Stop> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let place = range(pointer, length).ok_or(Stop::Wrong(WasmError::Pointer))?;
    if place.len() > most {
        return Err(Stop::Wrong(WasmError::TooLarge {
            what,
            size: place.len() as u64,
            most: most as u64,
        }));
    }
    let memory = memory(caller)?;
    let bytes = memory.data(&*caller).get(place);
    bytes
        .map(<[u8]>::to_vec)
        .ok_or(Stop::Wrong(WasmError::Pointer))
}

/// The start of what stands at a place, of which the rest does not matter.
pub(super) fn read_start(
    caller: &mut Caller<'_, State>,
    (pointer, length): (i32, i32),
    most: usize,
) -> Result<Vec<u8>, Stop> {
    let most = i32::try_from(most).unwrap_or(i32::MAX);
    let length = if (0..=most).contains(&length) {
        length
    } else {
        most
    };
    let whole = usize::try_from(most).unwrap_or(0);
    read(caller, (pointer, length), ("a text", whole))
}

/// Writes bytes to a place, which may be anything where there are none.
pub(super) fn write(
    caller: &mut Caller<'_, State>,
    pointer: i32,
    bytes: &[u8],
) -> Result<(), Stop> {
    if bytes.is_empty() {
        return Ok(());
    }
    let memory = memory(caller)?;
    put(memory.data_mut(caller), pointer, bytes)
}

/// Writes what a guest gave its host, without a copy in between.
pub(super) fn write_from(
    caller: &mut Caller<'_, State>,
    pointer: i32,
    from: impl FnOnce(&State) -> &[u8],
) -> Result<(), Stop> {
    let memory = memory(caller)?;
    let (data, state) = memory.data_and_store_mut(caller);
    let bytes = from(state);
    if bytes.is_empty() {
        return Ok(());
    }
    put(data, pointer, bytes)
}

fn put(data: &mut [u8], pointer: i32, bytes: &[u8]) -> Result<(), Stop> {
    let start = usize::try_from(pointer.cast_unsigned()).ok();
    let end = start.and_then(|start| start.checked_add(bytes.len()));
    let place = start
        .zip(end)
        .and_then(|(start, end)| data.get_mut(start..end));
    match place {
        Some(place) => {
            place.copy_from_slice(bytes);
            Ok(())
        }
        None => Err(Stop::Wrong(WasmError::Pointer)),
    }
}

/// A number as WASI has it.
pub(super) fn write_u32(
    caller: &mut Caller<'_, State>,
    pointer: i32,
    number: usize,
) -> Result<(), Stop> {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    write(caller, pointer, &number.to_le_bytes())
}

/// Gives a host function its form for wasmtime: what stops the guest is kept, and the guest does not go on.
pub(super) fn guarded<T>(
    mut caller: Caller<'_, State>,
    function: impl FnOnce(&mut Caller<'_, State>) -> Result<T, Stop>,
) -> wasmtime::Result<T> {
    match function(&mut caller) {
        Ok(value) => Ok(value),
        Err(stop) => {
            caller.data_mut().stop = Some(stop);
            Err(wasmtime::Error::msg("stopped by its host"))
        }
    }
}
