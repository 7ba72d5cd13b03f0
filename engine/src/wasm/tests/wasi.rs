use super::{compile, terms, validate, verdict};
use crate::wasm::error::WasmError;
use crate::wasm::metadata::Abi;

/// Reads its input and writes `{"accepted":true}` where that begins as a request does.
const COMMAND: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{\"accepted\":true}")
  (func (export "_start")
    (drop (call $sizes (i32.const 500) (i32.const 504)))
    (if (i32.ne (i32.load (i32.const 500)) (i32.const 2)) (then (call $exit (i32.const 10))))
    (drop (call $arguments (i32.const 600) (i32.const 700)))
    ;; The second argument begins with the letters `vali`.
    (if (i32.ne (i32.load (i32.load (i32.const 604))) (i32.const 0x696c6176)) (then (call $exit (i32.const 11))))
    (i32.store (i32.const 100) (i32.const 1000))
    (i32.store (i32.const 104) (i32.const 8))
    (drop (call $read (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))
    ;; The input begins with the letters `{"re`.
    (if (i32.ne (i32.load (i32.const 1000)) (i32.const 0x6572227b)) (then (call $exit (i32.const 12))))
    (drop (call $random (i32.const 2000) (i32.const 16)))
    (drop (call $time (i32.const 0) (i64.const 0) (i32.const 2100)))
    (if (i64.ne (i64.load (i32.const 2100)) (i64.const 1800000000000000000)) (then (call $exit (i32.const 13))))
    (i32.store (i32.const 100) (i32.const 8))
    (i32.store (i32.const 104) (i32.const 17))
    (drop (call $write (i32.const 1) (i32.const 100) (i32.const 1) (i32.const 200)))
    (call $exit (i32.const STATUS))))"#;

#[test]
fn a_command_answers_on_its_output() {
    let module = compile(&COMMAND.replace("STATUS", "0")).expect("a module");
    assert_eq!(module.abi(), Abi::Wasi);
    assert!(verdict(validate(&module, terms())).accepted);
}

#[test]
fn a_command_that_ends_badly_has_not_answered() {
    let module = compile(&COMMAND.replace("STATUS", "1")).expect("a module");
    let answer = validate(&module, terms()).outcome;
    assert_eq!(
        answer,
        Err(WasmError::Guest("it ended with status 1".to_owned()))
    );
}
