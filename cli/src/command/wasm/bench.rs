//! `regent wasm bench`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use regent_engine::wasm::call::Outcome;
use regent_engine::wasm::module::Module;
use regent_engine::wasm::runtime::{Metering, Runtime};
use regent_server::guests::{GuestSettings, Guests};
use serde_json::json;

use super::ask::{Asked, terms};
use crate::args::wasm::BenchArgs;
use crate::exit_status::ExitStatus;
use crate::io::Io;

/// Calls that are not measured: the first ones find cold caches.
const WARM_UP: u32 = 20;

/// Runs `regent wasm bench`.
pub(super) fn run(args: &BenchArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let asked = Asked::read(&args.ask)?;
    let guests = Guests::start(GuestSettings::default())?;
    let begun = Instant::now();
    let module = guests.module(&asked.wasm, args.ask.abi);
    let module = module.with_context(|| args.ask.module.display().to_string())?;
    let compiled = begun.elapsed();
    let mut took = Vec::new();
    let mut memory = 0;
    for index in 0..args.iterations.saturating_add(WARM_UP) {
        let begun = Instant::now();
        let ran = module.validate(&asked.request(), terms(&[]));
        let elapsed = begun.elapsed();
        if !matches!(ran.outcome, Ok(Outcome::Answered(_))) {
            bail!(
                "it does not answer: {:?}",
                ran.outcome.map(|_asks| "it asks its host")
            );
        }
        memory = memory.max(ran.memory);
        if index >= WARM_UP {
            took.push(elapsed);
        }
    }
    took.sort_unstable();
    let fuel = fuel(&asked, args)?;
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let at = |share: usize| {
        took.get((took.len() * share / 1000).min(took.len() - 1))
            .copied()
            .unwrap_or_default()
    };
    let (half, most, worst) = (micros(at(500)), micros(at(990)), micros(at(1000)));
    let compile = compiled.as_secs_f64() * 1e3;
    if args.json {
        let said = json!({
            "iterations": args.iterations, "p50Microseconds": half, "p99Microseconds": most,
            "maxMicroseconds": worst, "memoryBytes": memory, "fuel": fuel, "compileMilliseconds": compile,
        });
        writeln!(io.stdout, "{said:#}")?;
    } else {
        writeln!(io.stdout, "compiled in   {compile:.1} ms")?;
        writeln!(
            io.stdout,
            "one call      {half:.0} µs p50, {most:.0} µs p99, {worst:.0} µs at most ({} calls)",
            args.iterations
        )?;
        writeln!(io.stdout, "memory        {} KiB", memory / 1024)?;
        writeln!(io.stdout, "fuel          {fuel}")?;
    }
    Ok(ExitStatus::Pass)
}

/// What one call computes, measured apart: metering makes it slower.
fn fuel(asked: &Asked, args: &BenchArgs) -> Result<u64> {
    let runtime = Runtime::new(Metering::TimeAndFuel)?;
    let module = Module::compile(&runtime, &asked.wasm, args.ask.abi)?;
    let ran = module.validate(&asked.request(), terms(&[]));
    ran.fuel.context("the fuel was not metered")
}
