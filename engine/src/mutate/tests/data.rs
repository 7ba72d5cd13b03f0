//! What an object says, and how it is built, does not decide what a patch does.

use super::*;

fn refused(spec: &Value, patch: &Value) -> String {
    let merged = strategic_merge::apply(&pod(spec), &json!({ "spec": patch }));
    merged.unwrap_err().to_string()
}

#[test]
fn a_text_is_no_anchor() {
    let spec = json!({"containers": [{"name": "a", "securityContext": {"privileged": true}}]});
    for text in ["bob", "(x)", "<(x)", "+(x)"] {
        let env = json!([{"name": "OWNER", "value": text}]);
        let patch = json!({"containers": [{"(name)": "*", "securityContext": {"privileged": false},
            "env": env, "args": [text]}]});
        let merged = merged_spec(&spec, &patch);
        assert_eq!(
            merged["containers"][0],
            json!({"name": "a", "securityContext": {"privileged": false}, "env": env, "args": [text]})
        );
        let patch = json!({"containers": [{"name": "audit", "args": [text]}]});
        assert_eq!(
            merged_spec(&spec, &patch)["containers"][0]["args"],
            json!([text])
        );
    }
}

#[test]
fn a_condition_holds_or_not_whatever_is_added_below_it() {
    let spec = json!({"securityContext": {"runAsUser": 1000}});
    let patch = |user: u64| json!({"(securityContext)": {"runAsUser": user, "+(fsGroup)": 5}, "dnsPolicy": "None"});
    assert_eq!(merged_spec(&spec, &patch(0)), spec);
    assert_eq!(
        merged_spec(&spec, &patch(1000)),
        json!({"securityContext": {"runAsUser": 1000, "fsGroup": 5}, "dnsPolicy": "None"})
    );
}

#[test]
fn two_elements_of_one_key_are_not_patched_as_if_they_were_one() {
    let env = json!([{"name": "X", "value": "1"}, {"name": "X", "value": "2"}, {"name": "Y"}]);
    let spec = json!({"containers": [{"name": "a", "env": env}]});
    let of = |env: Value| json!({"containers": [{"name": "a", "env": env}]});
    let reason = refused(&spec, &of(json!([{"name": "X", "value": "3"}])));
    assert!(reason.contains("have the same name (X)"), "{reason}");
    let twice = json!({"containers": [{"name": "a"}, {"name": "a", "securityContext": {"privileged": true}}]});
    let patch = json!({"containers": [{"(name)": "*", "securityContext": {"privileged": false}}]});
    let reason = refused(&twice, &patch);
    assert!(reason.contains("have the same name (a)"), "{reason}");
    // Both go, and others may be patched beside them.
    let gone = merged_spec(&spec, &of(json!([{"name": "X", "$patch": "delete"}])));
    assert_eq!(gone["containers"][0]["env"], json!([{"name": "Y"}]));
    let other = merged_spec(&spec, &of(json!([{"name": "Y", "value": "3"}])));
    assert_eq!(
        other["containers"][0]["env"][0],
        json!({"name": "Y", "value": "3"})
    );
}

#[test]
fn elements_of_the_object_without_a_key_do_not_take_others_away() {
    for secrets in [
        json!([{}, {"name": "o"}]),
        json!([{"name": ""}, {"name": "o"}]),
    ] {
        let spec = json!({ "imagePullSecrets": secrets });
        let reason = refused(&spec, &json!({"imagePullSecrets": [{"name": "reg"}]}));
        assert!(reason.contains("has no name"), "{reason}");
        let merged = merged_spec(&spec, &json!({"dnsPolicy": "None"}));
        assert_eq!(merged["imagePullSecrets"], secrets);
    }
    let patch = json!({"imagePullSecrets": [{"name": "reg"}]});
    let merged = merged_spec(&json!({"imagePullSecrets": [{}]}), &patch);
    assert_eq!(merged["imagePullSecrets"], json!([{"name": "reg"}]));
}

#[test]
fn bytes_are_bounded_as_values_are() {
    let text = "a".repeat(1 << 20);
    let object = json!({"text": text});
    let copies = |many: u32| -> Value {
        (0..many)
            .map(|n| json!({"op": "copy", "from": "/text", "path": format!("/c{n}")}))
            .collect()
    };
    assert!(patched(&object, &copies(6)).is_ok());
    assert_eq!(patched(&object, &copies(9)), Err(PatchError::TooLarge));
    let env = json!({"name": "X", "value": text});
    let patch = json!({"spec": {"containers": [{"(name)": "*", "env": [env]}]}});
    let containers: Vec<Value> = (0..9).map(|n| json!({"name": format!("c{n}")})).collect();
    let object = pod(&json!({ "containers": containers }));
    assert_eq!(
        strategic_merge::apply(&object, &patch),
        Err(PatchError::TooLarge)
    );
}
