//! A module as OPA makes them, by hand: its values are addresses of JSON texts, and its answer is always the same.

use super::{compile, terms, validate, verdict};
use crate::wasm::builtins::Builtins;
use crate::wasm::error::WasmError;
use crate::wasm::metadata::Abi;
use crate::wasm::module::Module;

/// `NEWER` is the function of ABI 1.2, `ANSWER` the result set, `BUILTINS` the list of host functions.
const MINI: &str = r#"(module
  (import "env" "memory" (memory 2))
  (import "env" "opa_builtin1" (func $builtin1 (param i32 i32 i32) (result i32)))
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 100) "ENTRYPOINTS\00")
  (data (i32.const 300) "BUILTINS\00")
  (data (i32.const 500) "ANSWER\00")
  (data (i32.const 3000) "ARGUMENT\00")
  (func (export "entrypoints") (result i32) (i32.const 100))
  (func (export "builtins") (result i32) (i32.const 300))
  (func (export "opa_heap_ptr_get") (result i32) (global.get $heap))
  (func $malloc (export "opa_malloc") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (i32.add (local.get $size) (i32.const 8)))))
  (func (export "opa_json_parse") (param $at i32) (param i32) (result i32) (local.get $at))
  (func (export "opa_json_dump") (param $at i32) (result i32) (local.get $at))
  (func (export "opa_eval_ctx_new") (result i32) (i32.const 8))
  (func (export "opa_eval_ctx_set_input") (param i32 i32))
  (func (export "opa_eval_ctx_set_data") (param i32 i32))
  (func (export "opa_eval_ctx_set_entrypoint") (param i32 i32))
  (func (export "eval") (param i32) (result i32) (i32.const 0))
  (func $result (export "opa_eval_ctx_get_result") (param i32) (result i32) RESULT)
  NEWER)"#;

const AT_ONCE: &str = r#"(func (export "opa_eval") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (global.set $heap (i32.add (local.get 5) (i32.const 8))) (call $result (i32.const 8)))"#;

struct Mini<'a> {
    entry_points: &'a str,
    builtins: &'a str,
    answer: &'a str,
    argument: &'a str,
    /// Whether the answer is what the first host function answers.
    asks: bool,
    newer: bool,
}

const PLAIN: Mini<'static> = Mini {
    entry_points: r#"{"policy/violation":0}"#,
    builtins: "{}",
    answer: r#"[{"result":[]}]"#,
    argument: "",
    asks: false,
    newer: true,
};

impl Mini<'_> {
    fn wat(&self) -> String {
        let text = |text: &str| text.replace('"', "\\\"");
        MINI.replace("ENTRYPOINTS", &text(self.entry_points))
            .replace("BUILTINS", &text(self.builtins))
            .replace("ANSWER", &text(self.answer))
            .replace("ARGUMENT", &text(self.argument))
            .replace(
                "RESULT",
                if self.asks {
                    "(call $builtin1 (i32.const 3) (i32.const 0) (i32.const 3000))"
                } else {
                    "(i32.const 500)"
                },
            )
            .replace("NEWER", if self.newer { AT_ONCE } else { "" })
    }

    fn module(&self) -> Result<Module, WasmError> {
        compile(&self.wat())
    }

    fn answer(&self) -> Result<bool, &'static str> {
        let module = self.module().expect("a module");
        match validate(&module, terms()).outcome {
            Ok(super::Outcome::Answered(verdict)) => Ok(verdict.accepted),
            Ok(super::Outcome::Asks(_)) => Err("asks"),
            Err(error) => Err(error.name()),
        }
    }
}

#[test]
fn both_ways_of_asking_answer() {
    for newer in [true, false] {
        let accepts = Mini { newer, ..PLAIN };
        assert_eq!(accepts.module().expect("a module").abi(), Abi::Gatekeeper);
        assert_eq!(accepts.answer(), Ok(true));
        let violations = Mini {
            answer: r#"[{"result":[{"msg":"no","details":{}},{"msg":"nor this"}]}]"#,
            newer,
            ..PLAIN
        };
        let verdict = verdict(validate(&violations.module().expect("a module"), terms()));
        assert!(!verdict.accepted);
        assert_eq!(verdict.message.as_deref(), Some("no; nor this"));
    }
}

#[test]
fn what_is_undefined_or_malformed_is_no_acceptance() {
    for answer in [
        "[]",
        "{}",
        "[{}]",
        r#"[{"result":null}]"#,
        r#"[{"result":[{"msg":42}]}]"#,
        r#"[{"result":[{}]}]"#,
        r#"[{"result":[]},{"result":[]}]"#,
        "x",
    ] {
        assert_eq!(Mini { answer, ..PLAIN }.answer(), Err("output"), "{answer}");
    }
}

#[test]
fn a_review_must_be_of_this_request() {
    let review = |answer| {
        let mini = Mini {
            entry_points: r#"{"policy/main":0}"#,
            answer,
            ..PLAIN
        };
        mini.answer()
    };
    assert_eq!(
        review(r#"[{"result":{"response":{"uid":"one","allowed":true}}}]"#),
        Ok(true)
    );
    assert_eq!(
        review(
            r#"[{"result":{"response":{"uid":"one","allowed":false,"status":{"message":"m"}}}}]"#
        ),
        Ok(false)
    );
    assert_eq!(
        review(r#"[{"result":{"response":{"uid":"other","allowed":true}}}]"#),
        Err("output")
    );
    assert_eq!(
        review(r#"[{"result":{"response":{"allowed":"true"}}}]"#),
        Err("output")
    );
    assert_eq!(
        review(r#"[{"result":{"response":{"allowed":true,"patch":"W10="}}}]"#),
        Err("output")
    );
}

#[test]
fn host_functions_are_answered_by_the_rego_engine() {
    let asks = |builtins: &str, argument: &str| {
        let mini = Mini {
            builtins,
            argument,
            asks: true,
            ..PLAIN
        };
        mini.answer()
    };
    // The function's answer stands for the result set.
    let yaml = r#"{"yaml.unmarshal":3}"#;
    assert_eq!(asks(yaml, r#""[{result: []}]""#), Ok(true));
    assert_eq!(asks(yaml, r#""[{result: [{msg: no}]}]""#), Ok(false));
    // What cannot be computed is undefined, and so nothing that accepts.
    assert_eq!(asks(yaml, "1"), Err("output"));
}

#[test]
fn a_host_function_takes_no_more_memory_than_a_module_of_rego_may() {
    let asks = |builtins: &str, argument: &str| {
        let mini = Mini {
            builtins,
            argument,
            asks: true,
            ..PLAIN
        };
        mini.answer()
    };
    // One argument is all that this module gives: of the wrong number there is no answer, and no memory taken.
    assert_eq!(asks(r#"{"numbers.range":3}"#, "1"), Err("output"));
    let builtins = serde_json::json!({"numbers.range": 3});
    let builtins = Builtins::of(builtins.as_object().unwrap()).unwrap();
    let range = |to: &[u8]| builtins.call(3, &[b"1".to_vec(), to.to_vec()], 0);
    assert_eq!(range(b"3").as_deref(), Some("[1,2,3]"));
    assert_eq!(range(b"100000000000"), None);
}

#[test]
fn a_module_that_needs_an_unknown_function_is_not_loaded() {
    for name in [
        "http.send",
        "opa.runtime",
        "no.such_function",
        "x); y := (1",
    ] {
        let builtins = format!("{{\"{name}\":3}}");
        let mini = Mini {
            builtins: &builtins,
            ..PLAIN
        };
        let error = mini.module().expect_err(name);
        assert_eq!(error.name(), "unknown-import", "{name}");
    }
}
