//! What compiles and runs modules: one for a process.

use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};
use wasmtime::{Config, Engine, EngineWeak};

use crate::hexadecimal;

use super::bounds;
use super::error::WasmError;

/// What of a call is metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// Its time.
    Time,
    /// Its time, and how much it computes: a quarter slower.
    TimeAndFuel,
}

/// A compiler with its settings.
#[derive(Debug, Clone)]
pub struct Runtime {
    engine: Engine,
    metering: Metering,
}

/// Counts time for a runtime as long as there is one.
#[derive(Clone)]
pub struct Ticker(EngineWeak);

impl fmt::Debug for Ticker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ticker")
    }
}

impl Ticker {
    /// Says that [`bounds::TICK`] has gone by, and whether there still is a runtime.
    pub fn tick(&self) -> bool {
        self.0.upgrade().inspect(Engine::increment_epoch).is_some()
    }
}

impl Runtime {
    /// A runtime. Guests are not stopped unless somebody ticks.
    pub fn new(metering: Metering) -> Result<Self, WasmError> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .consume_fuel(metering == Metering::TimeAndFuel)
            .max_wasm_stack(bounds::STACK)
            // Threads would outlive their call; the others are not needed by any compiler of today's policies.
            .wasm_multi_memory(false)
            .wasm_memory64(false)
            .wasm_relaxed_simd(false);
        let engine = Engine::new(&config).map_err(|error| internal(&error))?;
        Ok(Self { engine, metering })
    }

    /// Who counts its time.
    pub fn ticker(&self) -> Ticker {
        Ticker(self.engine.weak())
    }

    /// Says that [`bounds::TICK`] has gone by.
    pub fn tick(&self) {
        self.engine.increment_epoch();
    }

    /// What code that it made fits: the same settings of the same version on the same kind of processor.
    pub fn compatibility(&self) -> String {
        let mut hasher = Sha256Hasher(Sha256::new());
        self.engine
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        hexadecimal::of(&hasher.0.finalize())
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn metering(&self) -> Metering {
        self.metering
    }
}

/// The digest of a module's bytes, as `sha256:…`.
pub fn digest(wasm: &[u8]) -> String {
    format!("sha256:{}", hexadecimal::of(&Sha256::digest(wasm)))
}

pub(super) fn internal(error: &wasmtime::Error) -> WasmError {
    WasmError::Internal(super::text::clean(&format!("{error:#}"), 300))
}

/// A hash that does not depend on the process.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
