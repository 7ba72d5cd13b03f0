//! One instance of a module, and what its host keeps for it: for one call, then it is gone.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::{Memory, ResourceLimiter, Store, Trap};

use super::bounds;
use super::builtins::Builtins;
use super::call::{HostAnswer, HostCall, Outcome, Ran, Terms};
use super::error::WasmError;
use super::runtime::{Metering, Runtime};
use super::text::{clean, clean_bytes};

/// Fuel that no call uses up before its time is over.
const FUEL: u64 = u64::MAX / 2;

/// Why a guest was stopped by its host.
#[derive(Debug)]
pub(super) enum Stop {
    /// It asks for something that is not known yet.
    Asks(HostCall),
    /// It did something that it may not.
    Wrong(WasmError),
    /// It ended by itself, with this status.
    Exit(i32),
}

/// What the host keeps for a guest.
pub(super) struct State {
    pub(super) stop: Option<Stop>,
    /// The operation and what it is given.
    pub(super) operation: &'static str,
    pub(super) payload: Vec<u8>,
    pub(super) response: Option<Vec<u8>>,
    pub(super) error: Option<Vec<u8>>,
    /// The host's last answer.
    pub(super) host: Option<HostAnswer>,
    /// How much of its input a command has read, and what it wrote.
    pub(super) read: usize,
    pub(super) written: Vec<u8>,
    /// Host functions of OPA's modules, by number.
    pub(super) builtins: Option<Arc<Builtins>>,
    pub(super) seconds: i64,
    /// Its memory, once it is known.
    pub(super) memory: Option<Memory>,
    /// Of what looks random to the guest, the same for the same request: a verdict is repeatable. Most guests draw nothing, so it is
    /// made when the first one draws.
    seed: Option<Sha256>,
    drawn: u64,
    log: Vec<String>,
    terms: Terms,
    most: usize,
    denied: bool,
}

impl State {
    pub(super) fn new(operation: &'static str, payload: Vec<u8>, terms: Terms) -> Self {
        Self {
            stop: None,
            operation,
            payload,
            response: None,
            error: None,
            host: None,
            read: 0,
            written: Vec::new(),
            builtins: None,
            seconds: terms.seconds,
            memory: None,
            seed: None,
            drawn: 0,
            log: Vec::new(),
            terms,
            most: 0,
            denied: false,
        }
    }

    /// Keeps a line of a guest's log, if there is room.
    pub(super) fn log(&mut self, text: &[u8]) {
        if self.log.len() < bounds::LOG_LINES {
            self.log.push(clean_bytes(text, bounds::LOG_LINE));
        }
    }

    /// Fills bytes from what looks random.
    pub(super) fn random(&mut self, bytes: &mut [u8]) {
        let seed = self
            .seed
            .get_or_insert_with(|| Sha256::new().chain_update(&self.payload));
        for chunk in bytes.chunks_mut(32) {
            let mut block = seed.clone();
            block.update(self.drawn.to_le_bytes());
            self.drawn += 1;
            for (to, from) in chunk.iter_mut().zip(block.finalize()) {
                *to = from;
            }
        }
    }

    /// What is answered to a question of the guest; why it stops, where it has to.
    pub(super) fn ask(
        &mut self,
        binding: &[u8],
        (namespace, operation): (&[u8], &[u8]),
        payload: Vec<u8>,
    ) -> Result<HostAnswer, Stop> {
        let text = |bytes: &[u8]| clean_bytes(bytes, bounds::NAME);
        let (binding, namespace, operation) = (text(binding), text(namespace), text(operation));
        if binding != "kubewarden" {
            let name = clean(&format!("{binding}:{namespace}/{operation}"), 80);
            return Err(Stop::Wrong(WasmError::NotSupported(name)));
        }
        let call = HostCall {
            namespace,
            operation,
            payload,
        };
        let name = call.capability();
        if name == "tracing/log" {
            self.log_event(&call.payload);
            return Ok(Ok(Vec::new()));
        }
        super::call::allowed(&name, &self.terms.capabilities).map_err(Stop::Wrong)?;
        let known = self.terms.answers.iter().find(|(asked, _)| *asked == call);
        match known {
            Some((_, answer)) => Ok(answer.clone()),
            None if self.terms.answers.len() >= bounds::QUESTIONS => {
                let most = bounds::QUESTIONS;
                Err(Stop::Wrong(WasmError::TooLarge {
                    what: "the number of its questions",
                    size: most as u64 + 1,
                    most: most as u64,
                }))
            }
            None => Err(Stop::Asks(call)),
        }
    }

    /// Keeps an event that a kit's logger made of a line.
    fn log_event(&mut self, payload: &[u8]) {
        let event: Option<serde_json::Value> = serde_json::from_slice(payload).ok();
        let field = |name: &str| Some(event.as_ref()?.get(name)?.as_str()?.to_owned());
        match (field("level"), field("message")) {
            (Some(level), Some(message)) => self.log(format!("{level}: {message}").as_bytes()),
            // Whatever else it is may hold what nobody should see.
            _ => self.log(b"(an event without level and message)"),
        }
    }

    /// The most memory that it may have, in bytes.
    pub(super) fn most_memory(&self) -> u64 {
        self.terms.limits.memory
    }
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired as u64 <= self.terms.limits.memory;
        if fits {
            self.most = self.most.max(desired);
        }
        self.denied |= !fits;
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= bounds::TABLE_ELEMENTS;
        self.denied |= !fits;
        Ok(fits)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        bounds::TABLES
    }

    fn memories(&self) -> usize {
        1
    }
}

/// The store of one call, with its time running.
pub(super) fn store(runtime: &Runtime, state: State) -> Store<State> {
    let ticks = state.terms.limits.ticks();
    let mut store = Store::new(runtime.engine(), state);
    store.limiter(|state| state);
    store.set_epoch_deadline(ticks);
    store.epoch_deadline_trap();
    if runtime.metering() == Metering::TimeAndFuel {
        // Only a runtime without fuel refuses it.
        drop(store.set_fuel(FUEL));
    }
    store
}

/// How a call of a guest's function ended.
pub(super) enum Ended<T> {
    /// The function returned.
    Returned(T),
    /// The guest asks.
    Asks(HostCall),
    /// It ended by itself, with this status.
    Exit(i32),
    /// Neither.
    Failed(WasmError),
}

impl<T> Ended<T> {
    /// What the function returned, or else what that means for who asked the guest for a whole answer.
    pub(super) fn returned<A>(self) -> Result<T, Result<Outcome<A>, WasmError>> {
        match self {
            Self::Returned(value) => Ok(value),
            Self::Asks(call) => Err(Ok(Outcome::Asks(call))),
            Self::Exit(status) => Err(Err(WasmError::Guest(format!(
                "it ended with status {status}"
            )))),
            Self::Failed(error) => Err(Err(error)),
        }
    }
}

/// Says how a call ended.
pub(super) fn ended<T>(store: &mut Store<State>, result: wasmtime::Result<T>) -> Ended<T> {
    let state = store.data_mut();
    match (result, state.stop.take()) {
        (Ok(value), None) => Ended::Returned(value),
        (_, Some(Stop::Asks(call))) => Ended::Asks(call),
        (_, Some(Stop::Exit(status))) => Ended::Exit(status),
        (_, Some(Stop::Wrong(error))) => Ended::Failed(error),
        (Err(error), None) => Ended::Failed(failure(&error, state.denied)),
    }
}

fn failure(error: &wasmtime::Error, denied: bool) -> WasmError {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => WasmError::Timeout,
        _ if denied => WasmError::Memory,
        Some(trap) => WasmError::Trap(clean(&trap.to_string(), 120)),
        None => WasmError::Trap(clean(&format!("{error:#}"), 300)),
    }
}

/// What is left of a call.
pub(super) fn ran<T>(store: Store<State>, outcome: Result<Outcome<T>, WasmError>) -> Ran<T> {
    let fuel = store.get_fuel().ok().map(|left| FUEL.saturating_sub(left));
    let state = store.into_data();
    Ran {
        outcome,
        log: state.log,
        memory: state.most,
        fuel,
    }
}
