use super::{asking, compile, terms, validate, verdict};
use crate::wasm::call::{HostCall, Outcome};
use crate::wasm::error::WasmError;
use crate::wasm::verdict::SettingsVerdict;

/// Accepts everything.
pub(super) const ACCEPTS: &str = r#"(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{\"accepted\":true}")
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $response (i32.const 8) (i32.const 17)) (i32.const 1)))"#;

/// Answers with what it was given.
const ECHO: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (call $request (i32.const 0) (i32.const 100))
    (call $error (i32.const 0) (i32.add (i32.const 100) (local.get $payload)))
    (i32.const 0)))"#;

/// Answers with a text of its own.
fn says(answer: &str) -> String {
    format!(
        r#"(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{}")
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $response (i32.const 8) (i32.const {})) (i32.const 1)))"#,
        answer
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\u{1b}', "\\1b"),
        answer.len()
    )
}

fn answer(text: &str) -> Result<crate::wasm::verdict::Verdict, WasmError> {
    let module = compile(&says(text))?;
    match validate(&module, terms()).outcome? {
        Outcome::Answered(verdict) => Ok(verdict),
        Outcome::Asks(call) => panic!("it asks {call}"),
    }
}

#[test]
fn an_answer_is_read_whole() {
    let all = r#"{"accepted":false,"message":"no","code":403,"mutated_object":{"a":1},"audit_annotations":{"k":"v"},"warnings":["w"]}"#;
    let verdict = answer(all).expect("an answer");
    assert!(!verdict.accepted);
    assert_eq!(verdict.message.as_deref(), Some("no"));
    assert_eq!(verdict.code, Some(403));
    assert_eq!(verdict.mutated, Some(serde_json::json!({"a": 1})));
    assert_eq!(verdict.warnings, ["w"]);
    assert_eq!(
        verdict.audit_annotations.get("k").map(String::as_str),
        Some("v")
    );
    let nulls = r#"{"accepted":true,"message":null,"code":null,"mutated_object":null,"audit_annotations":null,"warnings":null}"#;
    assert_eq!(answer(nulls).expect("an answer").mutated, None);
}

#[test]
fn what_is_no_answer_is_an_error() {
    for text in [
        "null",
        "[]",
        "{}",
        r#"{"accepted":1}"#,
        r#"{"accepted":true,"code":"x"}"#,
        r#"{"accepted":true,"code":70000}"#,
        r#"{"accepted":true,"message":1}"#,
        r#"{"accepted":true,"warnings":"w"}"#,
        r#"{"accepted":true,"warnings":[1]}"#,
        r#"{"accepted":true} x"#,
    ] {
        let error = answer(text).expect_err(text);
        assert_eq!(error.name(), "output", "{text}");
    }
}

#[test]
fn text_of_guests_is_cleaned_and_cut() {
    let text = format!(
        r#"{{"accepted":false,"message":"a\n\u001b[31mred\u202e{}"}}"#,
        "x".repeat(5_000)
    );
    let message = answer(&text)
        .expect("an answer")
        .message
        .expect("a message");
    assert!(message.starts_with("a  [31mred x"), "{message:?}");
    assert!(message.len() <= 2_048 && message.ends_with('…'));
}

#[test]
fn what_went_wrong_does_not_repeat_the_request() {
    let module = compile(ECHO).expect("a module");
    let error = validate(&module, terms()).outcome.expect_err("an error");
    let WasmError::Guest(reason) = error else {
        panic!("{error}");
    };
    assert!(reason.starts_with("validate"), "{reason}");
    assert!(!reason.contains("Pod"), "{reason}");
}

/// Asks for the digest of an image, and hands on what it is told.
const ASKS: &str = r#"(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__host_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $response_length (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $error_length (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "kubewardenociv1/manifest_digest\"a\"")
  (func (export "__guest_call") (param i32 i32) (result i32)
    (if (result i32)
      (call $call (i32.const 8) (i32.const 10) (i32.const 18) (i32.const 3) (i32.const 21) (i32.const 18)
        (i32.const 39) (i32.const 3))
      (then
        (call $host_response (i32.const 1000))
        (call $response (i32.const 1000) (call $response_length))
        (i32.const 1))
      (else
        (call $host_error (i32.const 1000))
        (call $error (i32.const 1000) (call $error_length))
        (i32.const 0)))))"#;

fn question() -> HostCall {
    HostCall {
        namespace: "oci".to_owned(),
        operation: "v1/manifest_digest".to_owned(),
        payload: b"\"a\"".to_vec(),
    }
}

#[test]
fn a_guest_asks_and_runs_again_with_the_answer() {
    let module = compile(ASKS).expect("a module");
    let asked = validate(&module, asking(&["oci/*"], &[])).outcome;
    assert_eq!(asked, Ok(Outcome::Asks(question())));
    let told = [(question(), Ok(br#"{"accepted":true}"#.to_vec()))];
    assert!(
        verdict(validate(
            &module,
            asking(&["oci/v1/manifest_digest"], &told)
        ))
        .accepted
    );
    let refused = [(question(), Err("no such image".to_owned()))];
    let failed = validate(&module, asking(&["*"], &refused)).outcome;
    assert_eq!(failed, Err(WasmError::Guest("no such image".to_owned())));
}

#[test]
fn a_guest_does_not_ask_for_what_its_policy_does_not_list() {
    let module = compile(ASKS).expect("a module");
    for capabilities in [&[][..], &["kubernetes/*"], &["oci/v2/*"], &["oci"]] {
        let answer = validate(&module, asking(capabilities, &[])).outcome;
        let error = answer.expect_err("an error");
        assert_eq!(error.name(), "not-allowed", "{capabilities:?}");
    }
}

#[test]
fn settings_are_valid_or_not() {
    let said = |text: &str| {
        let module = compile(&says(text)).expect("a module");
        module.validate_settings("{}", terms()).outcome
    };
    assert_eq!(
        said(r#"{"valid":true}"#),
        Ok(Outcome::Answered(SettingsVerdict::Valid))
    );
    let invalid = SettingsVerdict::Invalid("no".to_owned());
    assert_eq!(
        said(r#"{"valid":false,"message":"no"}"#),
        Ok(Outcome::Answered(invalid))
    );
    assert_eq!(said("{}").expect_err("an error").name(), "output");
    // An error of the guest is how kits answer settings of another shape; it may repeat them.
    let module = compile(ECHO).expect("a module");
    let answer = module.validate_settings("[1]", terms()).outcome;
    let Ok(Outcome::Answered(SettingsVerdict::Invalid(reason))) = answer else {
        panic!("{answer:?}");
    };
    assert!(reason.ends_with("[1]"), "{reason}");
}

#[test]
fn a_start_that_exits_well_is_a_start() {
    let wat = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "{\"accepted\":true}")
  (func (export "_start") (call $exit (i32.const STATUS)))
  (func (export "__guest_call") (param i32 i32) (result i32)
    (call $response (i32.const 8) (i32.const 17)) (i32.const 1)))"#;
    let well = compile(&wat.replace("STATUS", "0")).expect("a module");
    assert!(verdict(validate(&well, terms())).accepted);
    let badly = compile(&wat.replace("STATUS", "3")).expect("a module");
    let error = validate(&badly, terms()).outcome.expect_err("an error");
    assert_eq!(error.name(), "guest");
}
