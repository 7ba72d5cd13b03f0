use serde_json::json;

use super::*;

fn entry(spec: &Value) -> Result<Entry, String> {
    Entry::of(&json!({"spec": spec}))
}

#[test]
fn entries_say_what_is_kept() {
    let of = |resource: Value| match entry(&json!({"kubernetesResource": resource})) {
        Ok(Entry {
            source: Source::Objects(path),
            ..
        }) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        of(json!({"version": "v1", "resource": "pods"})),
        "/api/v1/pods"
    );
    assert_eq!(
        of(json!({"group": "apps", "version": "v1", "resource": "deployments", "namespace": "a"})),
        "/apis/apps/v1/namespaces/a/deployments"
    );
    let called = entry(&json!({
        "apiCall": {"urlPath": "/api/v1/nodes", "refreshInterval": "90s"},
        "projections": [{"name": "count", "jmesPath": "length(items)"}],
    }))
    .unwrap();
    assert_eq!(called.projections["count"], "length(items)");
    let Source::Call(call) = called.source else {
        panic!("no call");
    };
    assert_eq!(call.refresh, Duration::from_secs(90));
}

#[test]
fn entries_that_cannot_be_kept_are_errors() {
    for spec in [
        json!({}),
        json!({"kubernetesResource": {"version": "v1"}}),
        json!({"kubernetesResource": {"version": "v1", "resource": "pods/../secrets"}}),
        json!({"apiCall": {}}),
        json!({"apiCall": {"urlPath": "/api/v1/../x"}}),
        json!({"apiCall": {"urlPath": "/api/v1/pods", "method": "PUT"}}),
        json!({"apiCall": {"urlPath": "/api/v1/pods", "method": "POST"}}),
        json!({"apiCall": {"urlPath": "/api/v1/pods", "refreshInterval": "soon"}}),
        json!({"apiCall": {"urlPath": "/api/v1/pods"}, "projections": [{"name": "a", "jmesPath": "]"}]}),
    ] {
        assert!(entry(&spec).is_err(), "{spec}");
    }
}
