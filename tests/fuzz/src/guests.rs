//! Guest modules made of a fuzzer's bytes, and what must hold of every verdict: nothing but an answer that is one accepts.

use std::sync::OnceLock;
use std::time::Duration;

use regent_engine::wasm::bounds::{Limits, TICK};
use regent_engine::wasm::call::{Outcome, Request, Terms};
use regent_engine::wasm::metadata::Abi;
use regent_engine::wasm::module::Module;
use regent_engine::wasm::runtime::{Metering, Runtime};
use regent_engine::wasm::verdict::SettingsVerdict;
use serde_json::Value;

/// The id of each request.
pub const UID: &str = "one";

/// waPC: its answer is what stands behind the eleven bytes `{"request":`, without the end of the payload.
const WAPC: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 2)
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    (call $request (i32.const 0) (i32.const 100))
    (if (i32.eq (local.get $operation) (i32.const 17))
      (then (call $response (i32.const 100) (local.get $length)))
      (else (call $response (i32.const 111) (i32.sub (local.get $length) (i32.const 26)))))
    (i32.const 1)))"#;

/// The same as a command: the operation's second letter but eight is a dash where it is asked about settings.
const WASI: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $arguments (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (drop (call $arguments (i32.const 20) (i32.const 40)))
    (i32.store (i32.const 0) (i32.const 100))
    (i32.store (i32.const 4) (i32.const 131000))
    (i32.store (i32.const 4) (i32.const 130000))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.eq (i32.load8_u (i32.const 60)) (i32.const 45))
      (then (i32.store (i32.const 4) (i32.load (i32.const 8))))
      (else
        (i32.store (i32.const 0) (i32.const 111))
        (i32.store (i32.const 4) (i32.sub (i32.load (i32.const 8)) (i32.const 26)))))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// OPA's: its answer is the input's one field, which ends where the input's last brace stood. `START` is where the field
/// begins and `END` how long what follows it is.
const OPA: &str = r#"(module
  (import "env" "memory" (memory 4))
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 100) "{\"ENTRY\":0}\00")
  (data (i32.const 300) "{}\00")
  (func (export "entrypoints") (result i32) (i32.const 100))
  (func (export "builtins") (result i32) (i32.const 300))
  (func (export "opa_heap_ptr_get") (result i32) (global.get $heap))
  (func (export "opa_malloc") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (i32.add (local.get $size) (i32.const 8)))))
  (func (export "opa_json_parse") (param $at i32) (param i32) (result i32) (local.get $at))
  (func (export "opa_json_dump") (param $at i32) (result i32) (local.get $at))
  (func (export "eval") (param i32) (result i32) (i32.const 0))
  (func (export "opa_eval_ctx_new") (result i32) (i32.const 0))
  (func (export "opa_eval") (param i32 i32 i32) (param $at i32) (param $length i32) (param i32 i32) (result i32)
    (i32.store8 (i32.add (local.get $at) (i32.sub (local.get $length) (i32.const 1))) (i32.const 0))
    (i32.add (local.get $at) (i32.const START))))"#;

/// Accepts in nothing that it says: what is damaged in it may say anything.
const DAMAGED: [&str; 3] = [
    r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__host_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $length (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__console_log" (func $log (param i32 i32)))
  (memory (export "memory") 1 4)
  (table 4 funcref)
  (data (i32.const 8) "{\"accepted\":null}kubewardenociv1/manifest_digest\"a\"")
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $log (i32.const 8) (i32.const 17))
    (if (i32.eqz (local.get 0)) (then (call $error (i32.const 8) (i32.const 4)) (return (i32.const 0))))
    (if (i32.eq (local.get 1) (i32.const 7)) (then
      (drop (call $call (i32.const 25) (i32.const 10) (i32.const 35) (i32.const 3) (i32.const 38) (i32.const 18)
        (i32.const 56) (i32.const 3)))
      (call $host_response (call $length))))
    (drop (memory.grow (i32.const 1)))
    (call $request (i32.const 1000) (i32.const 2000))
    (call $response (i32.const 8) (i32.const 17))
    (i32.const 1)))"#,
    r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{\"accepted\":null}")
  (func (export "_start")
    (drop (call $sizes (i32.const 500) (i32.const 504)))
    (drop (call $arguments (i32.const 600) (i32.const 700)))
    (i32.store (i32.const 100) (i32.const 1000))
    (i32.store (i32.const 104) (i32.const 8))
    (drop (call $read (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))
    (drop (call $random (i32.const 2000) (i32.const 16)))
    (drop (call $time (i32.const 0) (i64.const 0) (i32.const 2100)))
    (i32.store (i32.const 100) (i32.const 8))
    (i32.store (i32.const 104) (i32.const 17))
    (drop (call $write (i32.const 1) (i32.const 100) (i32.const 1) (i32.const 200)))
    (call $exit (i32.const 0))))"#,
    r#"(module
  (import "env" "memory" (memory 2))
  (import "env" "opa_abort" (func $abort (param i32)))
  (import "env" "opa_println" (func $print (param i32)))
  (import "env" "opa_builtin1" (func $builtin1 (param i32 i32 i32) (result i32)))
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 100) "{\"policy/violation\":0,\"policy/main\":0}\00")
  (data (i32.const 300) "{\"lower\":3}\00")
  (data (i32.const 500) "[{\"result\":{}}]\00")
  (data (i32.const 3000) "\"A\"\00")
  (func (export "entrypoints") (result i32) (i32.const 100))
  (func (export "builtins") (result i32) (i32.const 300))
  (func (export "opa_heap_ptr_get") (result i32) (global.get $heap))
  (func (export "opa_malloc") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (i32.add (local.get $size) (i32.const 8)))))
  (func (export "opa_json_parse") (param $at i32) (param i32) (result i32) (local.get $at))
  (func (export "opa_json_dump") (param $at i32) (result i32) (local.get $at))
  (func (export "eval") (param i32) (result i32) (i32.const 0))
  (func (export "opa_eval_ctx_new") (result i32) (i32.const 0))
  (func (export "opa_eval") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (global.set $heap (i32.add (local.get 5) (i32.const 8)))
    (call $print (i32.const 500))
    (if (i32.eqz (call $builtin1 (i32.const 3) (i32.const 0) (i32.const 3000))) (then (call $abort (i32.const 100))))
    (i32.const 500)))"#,
];

fn runtime() -> &'static Runtime {
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

fn terms() -> Terms {
    Terms {
        limits: Limits {
            timeout: Duration::from_millis(50),
            memory: 1 << 20,
        },
        capabilities: ["*".to_owned()].into(),
        answers: [].into(),
        seconds: 1_780_000_000,
    }
}

/// Whether a module accepts a request; none where it does not answer.
fn accepts(module: &Module, json: &str) -> Option<bool> {
    let request = Request {
        uid: UID,
        json,
        settings: "{}",
    };
    let ran = module.validate(&request, terms());
    assert!(ran.memory <= 1 << 20, "{} bytes", ran.memory);
    let clean = |text: &str| !text.chars().any(char::is_control);
    assert!(ran.log.iter().all(|line| clean(line)), "{:?}", ran.log);
    match ran.outcome {
        Ok(Outcome::Answered(verdict)) => {
            let message = verdict.message.unwrap_or_default();
            let mut texts = verdict.warnings.iter().chain([&message]);
            assert!(texts.all(|text| clean(text)));
            Some(verdict.accepted)
        }
        Ok(Outcome::Asks(_)) => None,
        Err(error) => {
            assert_ne!(error.name(), "internal", "{error}");
            assert!(clean(&error.to_string()), "{error}");
            None
        }
    }
}

/// Modules that answer with a part of what they are given, one of each kind.
fn echoes() -> &'static [Module; 4] {
    static MODULES: OnceLock<[Module; 4]> = OnceLock::new();
    MODULES.get_or_init(|| {
        let gatekeeper = OPA.replace("ENTRY", "policy/violation");
        // `{"parameters":{},"review":` and `{"request":`.
        let gatekeeper = gatekeeper.replace("START", "26");
        let opa = OPA.replace("ENTRY", "policy/main").replace("START", "11");
        [WAPC, WASI, &gatekeeper, &opa].map(|wat| {
            let wasm = wat::parse_str(wat).expect("a module's text");
            Module::compile(runtime(), &wasm, None).expect("a module")
        })
    })
}

/// Has a guest of each kind answer with a text: who accepts has said so.
pub fn answer_with(text: &str) {
    // A text that ends in the middle ends for OPA's modules there, which is what they say.
    let said = |text: &str| serde_json::from_str::<Value>(text).ok();
    let is_true = |value: Option<&Value>| value == Some(&Value::Bool(true));
    let whole = said(text);
    let until_zero = said(text.split('\0').next().unwrap_or(""));
    for module in echoes() {
        let (must, may) = match module.abi() {
            Abi::Wapc | Abi::Wasi => {
                let accepted = whole.as_ref().and_then(|value| value.get("accepted"));
                (false, is_true(accepted))
            }
            Abi::Gatekeeper => {
                let empty = serde_json::json!([{"result": []}]);
                let found = until_zero.as_ref() == Some(&empty);
                (
                    found,
                    found || until_zero.as_ref().is_some_and(is_result_without_violation),
                )
            }
            Abi::Opa => {
                let result = until_zero
                    .as_ref()
                    .and_then(|value| value.get(0)?.get("result"));
                let response = result.map(|result| result.get("response").unwrap_or(result));
                let own = response.is_some_and(|response| match response.get("uid") {
                    None | Some(Value::Null) => true,
                    Some(uid) => uid == UID || uid == "",
                });
                let allowed = response.and_then(|response| response.get("allowed"));
                (false, own && is_true(allowed))
            }
        };
        let accepted = accepts(module, text);
        assert!(accepted != Some(true) || may, "{:?}: {text}", module.abi());
        assert!(
            accepted == Some(true) || !must,
            "{:?}: {text}",
            module.abi()
        );
        settings(module, text);
    }
}

fn is_result_without_violation(value: &Value) -> bool {
    let result = value.get(0).and_then(|one| one.get("result"));
    result.and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// The same of settings.
fn settings(module: &Module, text: &str) {
    if !matches!(module.abi(), Abi::Wapc | Abi::Wasi) {
        return;
    }
    let ran = module.validate_settings(text, terms());
    if let Ok(Outcome::Answered(SettingsVerdict::Valid)) = ran.outcome {
        let said: Value = serde_json::from_str(text).expect("what says that they are valid");
        assert_eq!(said.get("valid"), Some(&Value::Bool(true)), "{text}");
    }
}

/// Damages a module and asks it: it accepts only where the damage made its answer one that does.
pub fn damage(bytes: &[u8]) {
    let (Some(which), rest) = (bytes.first(), bytes.get(1..).unwrap_or(&[])) else {
        return;
    };
    let which = usize::from(*which) % DAMAGED.len();
    let mut wasm = wat::parse_str(DAMAGED[which]).expect("a module's text");
    for edit in rest.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % wasm.len();
        wasm[at] = edit[2];
    }
    let has = |part: &[u8]| wasm.windows(part.len()).any(|window| window == part);
    let Ok(module) = Module::compile(runtime(), &wasm, None) else {
        return;
    };
    if accepts(&module, "{\"uid\":\"one\"}") == Some(true) {
        assert!(
            has(b"true") || has(b"[]"),
            "it accepts, and says so nowhere"
        );
    }
    drop(module.validate_settings("{}", terms()).outcome);
}
