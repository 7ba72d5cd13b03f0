use regent_engine::jmespath::functions::signatures;

use super::{described, signature};

#[test]
fn every_function_is_described() {
    let missing: Vec<_> = signatures()
        .filter(|function| described(function.name).is_none())
        .map(|function| function.name)
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert_eq!(super::DESCRIPTIONS.len(), signatures().count());
}

#[test]
fn a_signature_names_types() {
    let of = |name: &str| {
        let found = signatures().find(|function| function.name == name).unwrap();
        signature(&found)
    };
    assert_eq!(of("truncate"), "truncate(string, number) string");
    assert_eq!(of("contains"), "contains(array|string, any) boolean");
    assert_eq!(of("merge"), "merge(object...) object");
}
