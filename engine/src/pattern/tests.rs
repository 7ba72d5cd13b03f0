use serde_json::json;

use super::*;

fn said(pattern: &Value, resource: &Value) -> String {
    match walk(pattern, resource) {
        Ok(()) => "pass".to_owned(),
        Err(mismatch) => format!(
            "{:?} {} {}",
            mismatch.status, mismatch.path, mismatch.reason
        ),
    }
}

#[test]
fn the_path_leads_to_what_is_wrong() {
    let pattern = json!({"spec": {"containers": [{"image": "!*:latest"}]}});
    let pod = json!({"spec": {"containers": [{"image": "a:1"}, {"image": "b:latest"}]}});
    assert_eq!(
        said(&pattern, &pod),
        "Fail /spec/containers/1/image/ resource value 'b:latest' does not match '!*:latest' at path /spec/containers/1/image/"
    );
    let other = json!({"spec": {"containers": "none"}});
    assert_eq!(
        said(&pattern, &other),
        "Fail /spec/containers/ validation rule failed at path /spec/containers/, resource does not satisfy the expected overlay pattern"
    );
}

#[test]
fn conditions_skip_and_negations_forbid() {
    let condition = json!({"(kind)": "Pod", "spec": {"x": 1}});
    assert_eq!(
        said(&condition, &json!({"kind": "Job"})),
        "Nested / conditional anchor mismatch: resource value 'Job' does not match 'Pod' at path /kind/"
    );
    assert_eq!(
        said(&json!({"X(hostPath)": null}), &json!({"hostPath": {}})),
        "Forbidden /hostPath/ negation anchor matched in resource: /hostPath/ is not allowed"
    );
    assert_eq!(said(&json!({"X(hostPath)": null}), &json!({})), "pass");
}

#[test]
fn a_global_anchor_skips_the_whole_from_below_another_anchor() {
    let pattern = json!({"=(a)": {"<(b)": 1}, "X(c)": null});
    let skip = "global anchor mismatch: resource value '2' does not match '1' at path /a/b/";
    assert_eq!(
        said(&pattern, &json!({"a": {"b": 2}})),
        format!("Nested / {skip}")
    );
    // A condition down there is about that map only.
    let pattern = json!({"=(a)": {"(b)": 1}, "X(c)": null});
    assert_eq!(said(&pattern, &json!({"a": {"b": 2}})), "pass");
}

#[test]
fn elements_that_are_not_meant_do_not_count() {
    let pattern = json!([{"(name)": "a*", "tag": "?*"}]);
    assert_eq!(said(&pattern, &json!([])), "pass");
    assert_eq!(
        said(
            &pattern,
            &json!([{"name": "b"}, {"name": "a1", "tag": "x"}])
        ),
        "pass"
    );
    assert!(said(&pattern, &json!([{"name": "b"}])).starts_with("Nested / "));
    assert!(said(&pattern, &json!([{"name": "a1"}])).starts_with("Fail /0/tag/ "));
}

#[test]
fn labels_are_found_by_wildcards() {
    let pattern = json!({"metadata": {"labels": {"team-*": "?*"}}});
    let with = |labels: Value| json!({"metadata": {"labels": labels}});
    assert_eq!(said(&pattern, &with(json!({"team-a": "x"}))), "pass");
    assert!(said(&pattern, &with(json!({"other": "x"}))).starts_with("Fail "));
}

#[test]
fn missing_keys_of_anchors_are_told() {
    let pattern = json!({"spec": {"(a)": 1}});
    assert!(keys_are_missing(&pattern, &json!({"spec": {"b": 1}})));
    assert!(!keys_are_missing(&pattern, &json!({"spec": {"a": 2}})));
    assert!(!keys_are_missing(&pattern, &json!({})));
}

#[test]
fn deep_patterns_end() {
    let (mut pattern, mut value) = (json!("?*"), json!("x"));
    for _ in 0..1000 {
        pattern = json!({ "a": pattern });
        value = json!({ "a": value });
    }
    assert!(said(&pattern, &value).ends_with("nested too deeply"));
}
