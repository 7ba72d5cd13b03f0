//! Modules that want to hurt their host: each ends in its error, within its limits.

use std::fmt::Write as _;
use std::time::Duration;

use super::{compile, runtime, terms, validate, verdict};
use crate::wasm::module::Module;

macro_rules! hostile {
    ($($name:literal => $stage:ident $error:literal,)*) => {
        &[$(($name, include_str!(concat!("../../../../wasm-modules/hostile/", $name, ".wat")), Stage::$stage, $error),)*]
    };
}

/// Where a module is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Load,
    Call,
}

const HOSTILE: &[(&str, &str, Stage, &str)] = hostile![
    "loop" => Call "timeout",
    "loop-in-start" => Call "timeout",
    "loop-in-init" => Call "timeout",
    "fill-loop" => Call "timeout",
    "log-flood" => Call "timeout",
    "grow-bomb" => Call "memory",
    "grow-and-touch" => Call "memory",
    "table-bomb" => Call "memory",
    "four-gigabytes" => Load "too-large",
    "huge-table" => Load "too-large",
    "sixty-megabyte-response" => Call "too-large",
    "stdout-flood" => Call "too-large",
    "response-outside" => Call "pointer",
    "response-overflow" => Call "pointer",
    "request-outside" => Call "pointer",
    "pieces-outside" => Call "pointer",
    "unreachable" => Call "trap",
    "recursion" => Call "trap",
    "not-json" => Call "output",
    "accepted-as-text" => Call "output",
    "no-response" => Call "output",
    "error-not-utf-8" => Call "guest",
    "no-memory" => Load "abi",
    "opens-a-file" => Load "unknown-import",
    "asks-unlisted" => Call "not-allowed",
    "asks-deprecated" => Call "not-supported",
];

/// What came of a module: where it was stopped and by which error.
fn ending(wat: &str, timeout: Duration) -> (Stage, &'static str) {
    let module = match compile(wat) {
        Ok(module) => module,
        Err(error) => return (Stage::Load, error.name()),
    };
    let mut terms = terms();
    terms.limits.timeout = timeout;
    match validate(&module, terms).outcome {
        Ok(outcome) => panic!("it was answered: {outcome:?}"),
        Err(error) => (Stage::Call, error.name()),
    }
}

#[test]
fn each_ends_in_its_error_within_its_limits() {
    for (name, wat, stage, error) in HOSTILE {
        let module = compile(wat);
        let ended = match &module {
            Ok(module) => {
                let ran = validate(module, terms());
                assert!(ran.memory <= 64 << 20, "{name}: {} bytes", ran.memory);
                assert!(ran.log.len() <= 64, "{name}");
                (Stage::Call, ran.outcome.expect_err(name).name())
            }
            Err(error) => (Stage::Load, error.name()),
        };
        assert_eq!(ended, (*stage, *error), "{name}");
    }
}

#[test]
fn no_module_troubles_another_that_runs_beside_it() {
    let good = compile(super::wapc::ACCEPTS).expect("a module");
    // All of them share the processor.
    let patient = Duration::from_secs(2);
    std::thread::scope(|scope| {
        let calls: Vec<_> = HOSTILE
            .iter()
            .filter(|(_, _, stage, _)| *stage == Stage::Call)
            .map(|(name, wat, stage, error)| {
                scope.spawn(move || assert_eq!(ending(wat, patient), (*stage, *error), "{name}"))
            })
            .collect();
        while !calls.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let mut terms = terms();
            terms.limits.timeout = patient;
            assert!(verdict(validate(&good, terms)).accepted);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn what_is_no_module_is_refused() {
    for bytes in [&b""[..], b"\0asm", b"not wasm at all", &[0; 1_000]] {
        let error = Module::compile(runtime(), bytes, None).expect_err("no module");
        assert!(matches!(error.name(), "invalid" | "abi"), "{error}");
    }
    let error = Module::compile(runtime(), &vec![0; 17 << 20], None).expect_err("too large");
    assert_eq!(error.name(), "too-large");
}

/// Code that takes long to compile: nothing interrupts that, so its size is bounded and it is done in the background.
#[test]
fn code_that_takes_long_to_compile_is_compiled_or_refused() {
    let mut long = String::new();
    for _ in 0..40_000 {
        long.push_str("(local.set 0 (i32.add (local.get 0) (i32.const 3)))\n");
    }
    let mut many = String::new();
    for _ in 0..5_000 {
        many.push_str("(func (result i32) (i32.const 1))\n");
    }
    let mut nested = String::new();
    for _ in 0..500 {
        nested.push_str("(if (local.get 0) (then ");
    }
    for _ in 0..500 {
        nested.push_str("))");
    }
    for (functions, body) in [("", &long), (many.as_str(), &String::new()), ("", &nested)] {
        let mut wat = String::new();
        write!(
            wat,
            "(module (memory (export \"memory\") 1) {functions} (func (export \"__guest_call\") (param i32 i32) (result i32) {body} (i32.const 1)))"
        )
        .expect("a text");
        assert_eq!(
            ending(&wat, Duration::from_secs(2)),
            (Stage::Call, "output")
        );
    }
}
