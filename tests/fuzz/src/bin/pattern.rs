//! Two texts of JSON, a zero byte between: a pattern, and what stands at `spec` of a pod.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regent_engine::pattern;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let Some((written, found)) = text.split_once('\0') else {
        return;
    };
    let (Ok(written), Ok(found)) = (
        serde_json::from_str::<Value>(written),
        serde_json::from_str::<Value>(found),
    ) else {
        return;
    };
    // The walk with and without notes is the same.
    let (looked, _) = pattern::look(&written, &found);
    assert_eq!(pattern::walk(&written, &found), looked);
    let _met = pattern::keys_are_missing(&written, &found);
    let policy = json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"},
        "spec": {"rules": [{
            "name": "r",
            "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "validate": {"message": "m", "pattern": {"spec": written}},
        }]},
    });
    let policies = regent_fuzz::policies(&policy.to_string());
    let pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": found});
    regent_fuzz::evaluate(&policies, &pod);
});
