//! One call of a module: how long it takes, how much of that is the guest's own work, and memory after many.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use regent_benches::numbers::{by_turns, float, percentile, rounded};
use regent_benches::{pods, usage};
use regent_engine::wasm::bounds::Limits;
use regent_engine::wasm::call::{Outcome, Request, Terms};
use regent_engine::wasm::module::Module;
use regent_server::guests::{GuestSettings, Guests};
use serde_json::{Value, json};

use super::floor::Floor;
use super::{Args, shipped};

/// Rounds into which the calls are divided: module and floor take turns.
const ROUNDS: usize = 20;

/// A request of about 10 KB.
pub(crate) fn request() -> Value {
    let mut review = pods::review(&pods::large());
    review
        .pointer_mut("/request")
        .map(Value::take)
        .unwrap_or_default()
}

/// A module that ships, with settings by which it accepts the request.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) settings: Value,
}

/// One of each kind.
pub(crate) fn cases() -> [Case; 3] {
    [
        Case {
            name: "pod-guard",
            settings: json!({"allowed_host_paths": ["/var/log"]}),
        },
        Case {
            name: "quantity-limits-c",
            settings: json!({"cpu": "2", "memory": "1Gi"}),
        },
        Case {
            name: "required-labels",
            settings: json!({"labels": [{"key": "app.kubernetes.io/name", "allowedRegex": "^[a-z]+$"}]}),
        },
    ]
}

/// A module and what it is asked.
pub(crate) struct Asked {
    _guests: Arc<Guests>,
    module: Module,
    uid: String,
    json: String,
    settings: String,
    terms: Terms,
}

impl Asked {
    pub(crate) fn new(case: &Case, request: &Value) -> Result<Self> {
        let guests = Guests::start(GuestSettings::default())?;
        let wasm = fs::read(shipped(case.name)).context(case.name)?;
        let uid = request.get("uid").and_then(Value::as_str);
        Ok(Self {
            module: guests.module(&wasm, None)?,
            _guests: guests,
            uid: uid.unwrap_or("").to_owned(),
            json: request.to_string(),
            settings: case.settings.to_string(),
            terms: Terms {
                limits: Limits::default(),
                capabilities: [].into(),
                answers: [].into(),
                seconds: 1_800_000_000,
            },
        })
    }

    /// Asks; the most memory that the guest had.
    pub(crate) fn ask(&self, accepts: bool) -> Result<usize> {
        let request = Request {
            uid: &self.uid,
            json: &self.json,
            settings: &self.settings,
        };
        let ran = self.module.validate(&request, self.terms.clone());
        match ran.outcome? {
            Outcome::Answered(verdict) if verdict.accepted == accepts => Ok(ran.memory),
            other => bail!("it was to say {accepts}: {other:?}"),
        }
    }
}

/// Each module beside its floor.
pub(crate) fn measure(args: &Args) -> Result<Value> {
    let request = request();
    let mut all = Vec::new();
    for case in cases() {
        let asked = Asked::new(&case, &request)?;
        let memory = asked.ask(true).with_context(|| case.name.to_owned())?;
        let wasm = fs::read(shipped(case.name))?;
        let mut floor =
            Floor::new(&wasm, &request, &case.settings).map_err(|error| of_floor(&error))?;
        let (mut whole, mut own) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for _ in 0..args.calls.div_ceil(ROUNDS) {
                let started = Instant::now();
                black_box(asked.ask(true)?);
                whole.push(nanoseconds(started));
            }
            for _ in 0..args.calls.div_ceil(ROUNDS) {
                own.push(floor.run().map_err(|error| of_floor(&error))?);
            }
        }
        let processor = by_turns(
            args.turns,
            args.turn(),
            &mut [&mut || drop(black_box(asked.ask(true)))],
        );
        let (whole, own) = (Spread::of(whole), Spread::of(own));
        all.push(json!({
            "module": case.name,
            "abi": asked.module.abi().name(),
            "bytes": wasm.len(),
            "call_us": whole.to_json(),
            "own_work_us": own.to_json(),
            "over_it_p50_us": rounded(whole.p50 - own.p50),
            "processor_us": processor.first().copied().map(rounded),
            "memory_of_a_call_kib": memory / 1024,
        }));
    }
    Ok(all.into())
}

fn of_floor(error: &wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("in the bare host: {error:#}")
}

/// Memory of this process before and after many evaluations, after some to warm up.
pub(crate) fn flat(args: &Args) -> Result<Value> {
    let request = request();
    let mut all = Vec::new();
    for case in cases() {
        let asked = Asked::new(&case, &request)?;
        let many = |count: usize| (0..count).try_for_each(|_| asked.ask(true).map(drop));
        many(args.evaluations / 10)?;
        let before = usage::read(std::process::id())?.resident;
        many(args.evaluations)?;
        let after = usage::read(std::process::id())?.resident;
        all.push(json!({
            "module": case.name,
            "evaluations": args.evaluations,
            "rss_before_kib": before,
            "rss_after_kib": after,
        }));
    }
    Ok(all.into())
}

/// Percentiles of some times, in microseconds.
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Spread {
    pub(crate) fn of(mut nanoseconds: Vec<u64>) -> Self {
        nanoseconds.sort_unstable();
        let at =
            |share| percentile(&nanoseconds, share).map_or(f64::NAN, |found| float(found) / 1e3);
        Self {
            p50: at(0.5),
            p99: at(0.99),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"p50": rounded(self.p50), "p99": rounded(self.p99)})
    }
}

pub(crate) fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
