//! Patches against objects, by the rules of RFC 6902, of kustomize and of Kyverno's anchors.

use serde_json::{Map, Value, json};

use super::diff::diff;
use super::{PatchError, json_patch, strategic_merge};
use crate::response::PatchOperation;

mod data;
mod lists;

fn patched(object: &Value, patch: &Value) -> Result<Value, PatchError> {
    json_patch::apply(object, &json_patch::parse(patch)?)
}

fn merged(object: &Value, patch: &Value) -> Value {
    strategic_merge::apply(object, patch).unwrap()
}

fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
}

fn merged_spec(spec: &Value, patch: &Value) -> Value {
    merged(&pod(spec), &json!({"spec": patch}))["spec"].clone()
}

#[test]
fn json_patch_operations() {
    let object = json!({"a": {"b": [1, 2, 3]}, "c": null});
    for (patch, result) in [
        (
            json!([{"op": "add", "path": "/a/b/-", "value": 4}]),
            json!({"a": {"b": [1, 2, 3, 4]}, "c": null}),
        ),
        (
            json!([{"op": "add", "path": "/a/b/-1", "value": 4}]),
            json!({"a": {"b": [1, 2, 3, 4]}, "c": null}),
        ),
        (
            json!([{"op": "add", "path": "/a/b/0", "value": 0}]),
            json!({"a": {"b": [0, 1, 2, 3]}, "c": null}),
        ),
        (
            json!([{"op": "add", "path": "/x/y~1z/0/k", "value": 1}]),
            json!({"a": {"b": [1, 2, 3]}, "c": null, "x": {"y/z": [{"k": 1}]}}),
        ),
        (
            json!([{"op": "add", "path": "/x/-", "value": 1}]),
            json!({"a": {"b": [1, 2, 3]}, "c": null, "x": [1]}),
        ),
        (
            json!([{"op": "add", "path": "/c/d", "value": 1}]),
            json!({"a": {"b": [1, 2, 3]}, "c": {"d": 1}}),
        ),
        (
            json!([{"op": "remove", "path": "/a/b/-1"}]),
            json!({"a": {"b": [1, 2]}, "c": null}),
        ),
        (
            json!([{"op": "remove", "path": "/no/such/path"}]),
            object.clone(),
        ),
        (json!([{"op": "remove", "path": "/a/b/7"}]), object.clone()),
        (
            json!([{"op": "replace", "path": "/a/b/1", "value": "x"}]),
            json!({"a": {"b": [1, "x", 3]}, "c": null}),
        ),
        (
            json!([{"op": "move", "from": "/a/b", "path": "/d"}]),
            json!({"a": {}, "c": null, "d": [1, 2, 3]}),
        ),
        (
            json!([{"op": "copy", "from": "/a/b/0", "path": "/d"}]),
            json!({"a": {"b": [1, 2, 3]}, "c": null, "d": 1}),
        ),
        (
            json!([{"op": "test", "path": "/a/b/0", "value": 1.0}]),
            object.clone(),
        ),
        (
            json!([{"op": "test", "path": "/nothing", "value": null}]),
            object.clone(),
        ),
    ] {
        assert_eq!(patched(&object, &patch).as_ref(), Ok(&result), "{patch}");
    }
}

#[test]
fn json_patch_errors_are_kyvernos() {
    let object = json!({"a": [1], "t": "x"});
    for (patch, error) in [
        (
            json!([{"op": "test", "path": "/t", "value": "y"}]),
            "testing value /t failed: test failed",
        ),
        (
            json!([{"op": "copy", "from": "/t", "path": "/b/c"}]),
            "copy operation does not apply: doc is missing destination path: /b/c: missing value",
        ),
        (
            json!([{"op": "replace", "path": "/b", "value": 1}]),
            "replace operation does not apply: doc is missing key: /b: missing value",
        ),
        (
            json!([{"op": "add", "path": "/t/u/v", "value": 1}]),
            "invalid state detected",
        ),
        (
            json!([{"op": "add", "path": "/a/9", "value": 1}]),
            "error in add for path: '/a/9': Unable to access invalid index: 9: invalid index referenced",
        ),
    ] {
        assert_eq!(
            patched(&object, &patch).unwrap_err().to_string(),
            error,
            "{patch}"
        );
    }
    for patch in [
        json!({}),
        json!([{"op": "add"}]),
        json!([{"op": "frob", "path": "/a"}]),
        json!([{"op": "add", "path": "/a"}]),
    ] {
        assert!(
            matches!(patched(&object, &patch), Err(PatchError::Malformed(_))),
            "{patch}"
        );
    }
}

#[test]
fn patches_that_grow_without_end_are_refused() {
    let double = json!({"op": "copy", "from": "", "path": "/a"});
    let patch = Value::Array(vec![double; 64]);
    let object = json!({"a": 1, "b": [1, 2, 3, 4, 5, 6, 7, 8]});
    assert_eq!(
        patched(
            &object,
            &json!([{"op": "add", "path": "/l/999999999", "value": 1}])
        ),
        Err(PatchError::TooLarge)
    );
    assert!(
        patched(&object, &patch).is_ok(),
        "each copy replaces the last"
    );
    let wider: Vec<Value> = (0..64)
        .map(|n| json!({"op": "copy", "from": "", "path": format!("/c{n}")}))
        .collect();
    assert_eq!(
        patched(&object, &Value::Array(wider)),
        Err(PatchError::TooLarge)
    );
}

#[test]
fn elements_are_merged_by_their_keys() {
    let spec = json!({
        "containers": [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "0"}]}, {"name": "b", "image": "b:1"}],
        "tolerations": [{"key": "q"}],
    });
    let patch = json!({
        "containers": [{"name": "b", "tty": true}, {"name": "n", "image": "n:1"}, {"name": "a", "env": [{"name": "Y", "value": "1"}]}],
        "tolerations": [{"key": "r"}],
    });
    assert_eq!(
        merged_spec(&spec, &patch),
        json!({
            "containers": [
                {"name": "b", "image": "b:1", "tty": true},
                {"name": "n", "image": "n:1"},
                {"name": "a", "image": "a:1", "env": [{"name": "Y", "value": "1"}, {"name": "X", "value": "0"}]},
            ],
            "tolerations": [{"key": "r"}],
        })
    );
}

#[test]
fn directives_and_null() {
    let spec = json!({
        "containers": [{"name": "a", "image": "a:1"}, {"name": "b"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "nodeSelector": {"k": "v", "l": "w"},
        "dnsPolicy": "None",
    });
    for (patch, result) in [
        (
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            ("containers", json!([{"name": "b"}])),
        ),
        (
            json!({"containers": [{"$patch": "replace"}, {"name": "n"}]}),
            ("containers", json!([{"name": "n"}])),
        ),
        (
            json!({"nodeSelector": {"$patch": "replace", "m": "x"}}),
            ("nodeSelector", json!({"m": "x"})),
        ),
        (
            json!({"nodeSelector": {"$patch": "delete"}}),
            ("nodeSelector", Value::Null),
        ),
        (
            json!({"nodeSelector": {"k": null}}),
            ("nodeSelector", json!({"l": "w"})),
        ),
        (json!({"dnsPolicy": null}), ("dnsPolicy", Value::Null)),
        (json!({"volumes": null}), ("volumes", Value::Null)),
        (
            json!({"affinity": {"x": null, "y": 1}}),
            ("affinity", json!({"y": 1})),
        ),
    ] {
        assert_eq!(merged_spec(&spec, &patch)[result.0], result.1, "{patch}");
    }
}

#[test]
fn sets_and_custom_resources() {
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"finalizers": ["a", "b"]}});
    let patch = json!({"metadata": {"finalizers": ["c", "a"]}});
    assert_eq!(
        merged(&object, &patch)["metadata"]["finalizers"],
        json!(["c", "a", "b"])
    );
    let object = json!({"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"containers": [{"name": "a"}]}});
    let patch = json!({"spec": {"containers": [{"name": "b"}]}});
    assert_eq!(
        merged(&object, &patch)["spec"]["containers"],
        json!([{"name": "b"}])
    );
}

#[test]
fn ports_of_two_protocols_stay_two() {
    let ports =
        json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]);
    let spec = json!({"containers": [{"name": "a", "ports": ports}]});
    let patch = json!({"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]});
    assert_eq!(
        merged_spec(&spec, &patch)["containers"][0]["ports"],
        json!([{"containerPort": 80}, {"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}])
    );
}

#[test]
fn elements_without_a_key_do_not_take_the_objects_own_away() {
    let ports = json!([{"name": "http", "containerPort": 80}, {"containerPort": 81}]);
    let object = pod(&json!({"containers": [{"name": "a", "ports": ports}, {"name": "b"}]}));
    let of_ports = |ports: Value| json!({"containers": [{"name": "a", "ports": ports}]});
    for spec in [
        of_ports(json!([{"name": "http", "hostPort": 80}])),
        of_ports(json!([{"(containerPort)": 80, "hostPort": 80}])),
        of_ports(json!([{"+(hostPort)": 80}])),
        of_ports(json!([{"containerPort": 80}, {"containerPort": null, "hostPort": 80}])),
        json!({"containers": [{"image": "x"}]}),
        json!({"containers": [{"name": null, "image": "x"}, {"name": "b", "image": "y"}]}),
    ] {
        let refused = strategic_merge::apply(&object, &json!({"spec": spec}));
        let reason = refused.unwrap_err().to_string();
        assert!(reason.contains("would take them away"), "{spec}: {reason}");
    }
    // Where there are none to lose, or nothing is said, nothing is refused.
    for spec in [
        json!({"containers": [{"name": "b", "ports": [{"hostPort": 80}]}]}),
        json!({"containers": [{"name": "a", "ports": [{"(containerPort)": 80}]}]}),
        json!({"containers": [{}]}),
    ] {
        let applied = strategic_merge::apply(&object, &json!({"spec": spec})).unwrap();
        let containers = applied["spec"]["containers"].as_array().unwrap();
        let mut containers = containers.iter();
        let first = containers.find(|one| one["name"] == "a").unwrap();
        assert_eq!(first["ports"], ports, "{spec}");
    }
}

#[test]
fn anchors() {
    let spec = json!({"containers": [{"name": "a", "image": "x:latest"}, {"name": "b", "image": "y:1"}], "hostPID": true});
    for (patch, result) in [
        (
            json!({"containers": [{"(image)": "*:latest", "imagePullPolicy": "Always"}]}),
            json!({"containers": [{"name": "a", "image": "x:latest", "imagePullPolicy": "Always"}, {"name": "b", "image": "y:1"}], "hostPID": true}),
        ),
        (
            json!({"+(hostPID)": false, "+(hostIPC)": false}),
            json!({"containers": [{"name": "a", "image": "x:latest"}, {"name": "b", "image": "y:1"}], "hostPID": true, "hostIPC": false}),
        ),
        (json!({"(hostPID)": false, "tty": 1}), spec.clone()),
        (
            json!({"containers": [{"<(image)": "z:*"}], "tty": 1}),
            spec.clone(),
        ),
        (
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"containers": [{"name": "a", "image": "x:latest"}, {"name": "b", "image": "y:1"}], "hostPID": true, "volumes": [{"name": "v"}]}),
        ),
    ] {
        assert_eq!(merged_spec(&spec, &patch), result, "{patch}");
    }
    let global = json!({"containers": [{"<(image)": "y:*"}], "tty": 1});
    assert_eq!(merged_spec(&spec, &global)["tty"], json!(1));
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let wrong = |spec: Value, patch: Value| {
        let error = strategic_merge::apply(&pod(&spec), &json!({ "spec": patch }));
        error.unwrap_err().to_string()
    };
    assert_eq!(
        wrong(
            json!({"containers": "x"}),
            json!({"containers": [{"name": "a"}]})
        ),
        "failed to preProcess rule: wrong node kind: expected SequenceNode but got ScalarNode: node contents:\n\"x\"\n"
    );
    assert_eq!(
        wrong(json!({"affinity": 1}), json!({"affinity": {"a": [1, "b"]}})),
        "wrong node kind: expected ScalarNode but got MappingNode: node contents:\n{\"a\": [1, \"b\"]}\n"
    );
    assert_eq!(
        wrong(json!({"containers": ["x"]}), json!({"tty": 1})),
        "wrong node kind: expected MappingNode but got ScalarNode: node contents:\n\"x\"\n"
    );
}

/// Pseudo-random values: the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.roll(if depth == 0 { 4 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!(self.roll(5)),
            3 => json!(format!("t{}", self.roll(4))),
            4 | 5 => (0..self.roll(5)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let mut fields = Map::new();
                for _ in 0..self.roll(5) {
                    let name =
                        ["a", "b/c", "d~e", "", "0", "~1"][usize::try_from(self.roll(6)).unwrap()];
                    fields.insert(name.to_owned(), self.value(depth - 1));
                }
                Value::Object(fields)
            }
        }
    }
}

#[test]
fn a_difference_leads_from_the_one_to_the_other() {
    let mut dice = Dice(7);
    for _ in 0..20_000 {
        let (old, new) = (json!({"x": dice.value(3)}), json!({"x": dice.value(3)}));
        let mut result = old.clone();
        for operation in diff(&old, &new) {
            strictly(&mut result, &operation);
        }
        assert_eq!(result, new, "from {old}");
    }
}

/// RFC 6902 to the letter, as an API server applies it.
fn strictly(document: &mut Value, operation: &PatchOperation) {
    let (path, value) = match operation {
        PatchOperation::Add { path, value } | PatchOperation::Replace { path, value } => {
            (path, Some(value.clone()))
        }
        PatchOperation::Remove { path } => (path, None),
    };
    let (parent, key) = path.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (document.pointer_mut(parent).unwrap(), operation, value) {
        (Value::Object(fields), PatchOperation::Add { .. }, Some(value)) => {
            assert!(
                fields.insert(key, value).is_none(),
                "an addition replaces nothing"
            );
        }
        (Value::Object(fields), PatchOperation::Replace { .. }, Some(value)) => {
            assert!(
                fields.insert(key, value).is_some(),
                "what is replaced is there"
            );
        }
        (Value::Object(fields), _, None) => {
            assert!(fields.remove(&key).is_some(), "what is removed is there");
        }
        (Value::Array(items), PatchOperation::Add { .. }, Some(value)) => {
            items.insert(key.parse().unwrap(), value);
        }
        (Value::Array(items), _, Some(value)) => items[key.parse::<usize>().unwrap()] = value,
        (Value::Array(items), _, None) => drop(items.remove(key.parse().unwrap())),
        (other, ..) => panic!("{other} has no parts"),
    }
}

#[test]
fn the_operation_that_does_not_fit_is_named_with_what_is_there() {
    let object =
        json!({"metadata": {"name": "web", "labels": {}}, "spec": {"containers": [{"name": "a"}]}});
    for (operation, there) in [
        (
            json!({"op": "replace", "path": "/spec/gone/x", "value": 1}),
            "`/spec` has `containers`",
        ),
        (
            json!({"op": "test", "path": "/metadata/name", "value": "api"}),
            "`/metadata/name` is \"web\"",
        ),
        (
            json!({"op": "copy", "from": "/spec/containers/3", "path": "/spec/x"}),
            "`/spec/containers` has 1 elements",
        ),
        (
            json!({"op": "move", "from": "/metadata/labels/a", "path": "/spec/x"}),
            "`/metadata/labels` is an empty map",
        ),
        (
            json!({"op": "replace", "path": "/status", "value": 1}),
            "the object has `metadata`, `spec`",
        ),
    ] {
        let fits = json!({"op": "add", "path": "/metadata/annotations/a", "value": "b"});
        let patch = json_patch::parse(&json!([fits, operation])).unwrap();
        let (index, said) = json_patch::misfit(&object, &patch).unwrap();
        assert_eq!((index, said.as_str()), (1, there));
        assert_eq!(json_patch::misfit(&object, &patch[..1]), None);
    }
}
