//! Modules and answers that were damaged: whatever comes of them, it is no acceptance by accident and no panic.

use super::{Outcome, runtime, terms, validate};
use crate::wasm::module::Module;

/// Whether a module of these bytes accepts; none where it does not answer.
fn accepts(wasm: &[u8]) -> Option<bool> {
    let module = Module::compile(runtime(), wasm, None).ok()?;
    match validate(&module, terms()).outcome {
        Ok(Outcome::Answered(verdict)) => Some(verdict.accepted),
        Ok(Outcome::Asks(_)) | Err(_) => None,
    }
}

#[test]
fn no_changed_byte_of_a_module_hurts() {
    let wasm = wat::parse_str(super::wapc::ACCEPTS).expect("a module");
    assert_eq!(accepts(&wasm), Some(true));
    for at in 0..wasm.len() {
        for change in [1, 0x80] {
            let mut changed = wasm.clone();
            changed[at] ^= change;
            accepts(&changed);
        }
        accepts(&wasm[..at]);
    }
}

#[test]
fn no_changed_byte_of_an_answer_is_an_acceptance() {
    let wasm = wat::parse_str(super::wapc::ACCEPTS.replace("true}", "null}")).expect("a module");
    assert_eq!(accepts(&wasm), None);
    let answer = br#"{"accepted":null}"#;
    let at = wasm
        .windows(answer.len())
        .position(|window| window == answer)
        .expect("the answer");
    for place in at..at + answer.len() {
        for byte in [0, b' ', b'"', b'1', b't', b'{', 0x80, 0xff] {
            let mut changed = wasm.clone();
            changed[place] = byte;
            assert_ne!(accepts(&changed), Some(true), "{place} {byte}");
        }
    }
}
