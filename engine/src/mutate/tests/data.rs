//! What an object says does not decide what a patch does.

use super::*;

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
