use super::{compile, runtime, terms, validate, verdict};
use crate::wasm::cache::{Key, open, seal};
use crate::wasm::metadata::{Inspection, annotate};

#[test]
fn sealed_code_is_opened_by_its_own_key_only() {
    let wat = super::wapc::ACCEPTS;
    let wasm = wat::parse_str(wat).expect("a module");
    let module = compile(wat).expect("a module");
    let key = Key::new([7; 32]);
    let sealed = seal(&module, runtime(), &key).expect("sealed");
    let again = open(runtime(), (&wasm, &sealed), None, &key)
        .expect("its own seal")
        .expect("a module");
    assert!(verdict(validate(&again, terms())).accepted);

    assert!(open(runtime(), (&wasm, &sealed), None, &Key::new([8; 32])).is_none());
    let other = wat::parse_str("(module)").expect("a module");
    assert!(open(runtime(), (&other, &sealed), None, &key).is_none());
    for at in [0, 20, 60, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(
            open(runtime(), (&wasm, &changed), None, &key).is_none(),
            "{at}"
        );
    }
    assert!(open(runtime(), (&wasm, &sealed[..40]), None, &key).is_none());
}

#[test]
fn metadata_is_written_and_replaced() {
    let wasm = wat::parse_str(super::wapc::ACCEPTS).expect("a module");
    let first = annotate(&wasm, &serde_json::json!({"executionMode": "wasi"})).expect("annotated");
    let second = serde_json::json!({"executionMode": "kubewarden-wapc", "mutating": false});
    let again = annotate(&first, &second).expect("annotated");
    assert_eq!(
        Inspection::of(&again).expect("a module").metadata,
        Some(second.clone())
    );
    assert_eq!(again, annotate(&wasm, &second).expect("annotated"));
    assert_eq!(Inspection::of(&wasm).expect("a module").metadata, None);
}
