mod hostile;
mod mutated;
mod opa;
mod sealed;
mod wapc;
mod wasi;

use std::sync::OnceLock;
use std::time::Duration;

use super::bounds::{Limits, TICK};
use super::call::{HostAnswer, HostCall, Outcome, Ran, Request, Terms};
use super::error::WasmError;
use super::module::Module;
use super::runtime::{Metering, Runtime};
use super::verdict::Verdict;

/// The runtime of all tests, with its time counted.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Runtime::new(Metering::Time).expect("a runtime");
        let ticker = runtime.ticker();
        std::thread::spawn(move || {
            while ticker.tick() {
                std::thread::sleep(TICK);
            }
        });
        runtime
    })
}

pub(super) fn compile(wat: &str) -> Result<Module, WasmError> {
    let wasm = wat::parse_str(wat).expect("a module's text");
    Module::compile(runtime(), &wasm, None)
}

pub(super) fn terms() -> Terms {
    Terms {
        limits: Limits {
            timeout: Duration::from_millis(100),
            ..Limits::default()
        },
        capabilities: [].into(),
        answers: [].into(),
        seconds: 1_800_000_000,
    }
}

pub(super) fn asking(capabilities: &[&str], answers: &[(HostCall, HostAnswer)]) -> Terms {
    Terms {
        capabilities: capabilities.iter().map(|text| (*text).to_owned()).collect(),
        answers: answers.into(),
        ..terms()
    }
}

pub(super) const REQUEST: Request<'static> = Request {
    uid: "one",
    json: r#"{"uid":"one","object":{"kind":"Pod"}}"#,
    settings: r#"{"a":1}"#,
};

pub(super) fn validate(module: &Module, terms: Terms) -> Ran<Verdict> {
    module.validate(&REQUEST, terms)
}

pub(super) fn verdict(ran: Ran<Verdict>) -> Verdict {
    match ran.outcome.expect("an answer") {
        Outcome::Answered(verdict) => verdict,
        Outcome::Asks(call) => panic!("it asks {call}"),
    }
}
