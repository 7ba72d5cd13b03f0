use regent_engine::response::PatchOperation;
use serde_json::{Value, json};

use super::{apply, comparable, differences};

fn add(path: &str, value: Value) -> PatchOperation {
    PatchOperation::Add {
        path: path.to_owned(),
        value,
    }
}

#[test]
fn operations_apply_in_order() {
    let mut object = json!({"a": {"b/c": 1}, "list": [1, 3]});
    apply(
        &mut object,
        &[
            add("/list/1", json!(2)),
            add("/list/-", json!(4)),
            add("/a/new~0", json!({})),
            PatchOperation::Replace {
                path: "/a/b~1c".to_owned(),
                value: json!(5),
            },
            PatchOperation::Remove {
                path: "/list/0".to_owned(),
            },
        ],
    )
    .unwrap();
    assert_eq!(
        object,
        json!({"a": {"b/c": 5, "new~": {}}, "list": [2, 3, 4]})
    );
}

#[test]
fn an_operation_without_its_place_is_an_error() {
    let mut object = json!({"list": []});
    let missing = PatchOperation::Remove {
        path: "/list/0".to_owned(),
    };
    assert_eq!(
        apply(&mut object, &[missing]),
        Err("the patch of `/list/0` does not apply".to_owned())
    );
    assert!(apply(&mut object, &[add("/no/where", json!(1))]).is_err());
    assert!(apply(&mut object, &[add("/list/7", json!(1))]).is_err());
}

#[test]
fn nothing_and_bookkeeping_are_not_compared() {
    let object = json!({
        "metadata": {"labels": {"app.kubernetes.io/managed-by": "kyverno"}, "name": "a"},
        "spec": {"empty": [{}], "none": null, "zero": 0},
    });
    assert_eq!(
        comparable(&object),
        json!({"metadata": {"name": "a"}, "spec": {"zero": 0}})
    );
}

#[test]
fn differences_name_their_places() {
    let expected = json!({"a": 1, "b": [1, 2], "c": "x"});
    let actual = json!({"a": 1, "b": [1, 3], "d": "y"});
    assert_eq!(
        differences(&expected, &actual),
        [
            "/b/1: expected 2, found 3",
            "/c: expected \"x\", found nothing",
            "/d: expected nothing, found \"y\"",
        ]
    );
}
