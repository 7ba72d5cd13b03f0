//! The languages that modules and their host speak, each in a file of its own; here is what they share.

pub(super) mod opa;
pub(super) mod wapc;
pub(super) mod wasi;

use super::bounds;
use super::call::HostAnswer;
use super::guest::{State, Stop};
use super::memory::read;

/// A place and a length, as a guest gives them.
type Place = (i32, i32);

/// The answer to a question that a guest has written into its memory: who is asked, for what, and with what.
fn host_call(
    caller: &mut wasmtime::Caller<'_, State>,
    [binding, namespace, operation]: [Place; 3],
    payload: Place,
) -> Result<HostAnswer, Stop> {
    let name = ("the name of an operation", bounds::NAME);
    let binding = read(caller, binding, name)?;
    let namespace = read(caller, namespace, name)?;
    let operation = read(caller, operation, name)?;
    let payload = read(caller, payload, ("a question", bounds::MESSAGE))?;
    let state = caller.data_mut();
    state.ask(&binding, (&namespace, &operation), payload)
}

/// How many bytes there are, as guests count.
fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX)
}
