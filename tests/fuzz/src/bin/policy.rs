//! A text as policies: YAML, policy, programs, and what they say of a pod.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let policies = regent_fuzz::policies(text);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web", "team": "a"}},
        "spec": {"replicas": 3, "containers": [
            {"name": "a", "image": "nginx:1.2", "resources": {"limits": {"memory": "1Gi", "cpu": "100m"}}},
            {"name": "b", "image": "ghcr.io/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        ], "hostNetwork": false, "volumes": []},
    });
    regent_fuzz::evaluate(&policies, &pod);
});
