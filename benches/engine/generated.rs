//! Policies that are made up, in the mix of `reference/rego.md`: of ten rules four look at a scalar, four at a text of each container,
//! two at five fields of each container.

use std::sync::Arc;

use regent_benches::pods;
use regent_engine::response::RuleStatus;
use regent_engine::source::Source;
use serde_json::{Value, json};

/// What the 900 policies are about that are not about a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Others {
    /// Other kinds: the index leaves them out.
    OtherKinds,
    /// Pods of other namespaces.
    OtherNamespaces,
}

/// 1,000 policies, of which 100 are about pods of the namespace `shop`; one in ten of each kind of rule.
pub(super) fn policies(others: Others) -> Vec<Arc<Source>> {
    (0..1000_usize)
        .map(|index| {
            let matching = index % 10 == 0;
            let resources = match (matching, others) {
                (true, _) => json!({"kinds": ["Pod"]}),
                (false, Others::OtherKinds) => {
                    let kinds = ["ConfigMap", "Service", "Ingress"];
                    json!({"kinds": [kinds.get(index % 3)]})
                }
                (false, Others::OtherNamespaces) => {
                    json!({"kinds": ["Pod"], "namespaces": [format!("team-{index}")]})
                }
            };
            let name = format!("policy-{index}");
            let text = policy(&name, &resources, &Value::Null, &pattern(index / 10));
            Source::new(name, text)
        })
        .collect()
}

/// A pod that every generated pattern refuses.
pub(super) fn refused() -> Value {
    let mut pod = pods::good();
    let mut set = |pointer: &str, value: Value| {
        if let Some(place) = pod.pointer_mut(pointer) {
            *place = value;
        }
    };
    set("/spec/restartPolicy", "Never".into());
    set(
        "/spec/containers/1/image",
        "registry.example/shop/proxy:latest".into(),
    );
    set(
        "/spec/containers/2/securityContext/allowPrivilegeEscalation",
        true.into(),
    );
    pod
}

/// A policy of one rule for each outcome about the large pod, and how the rule ends; none where it is not about the pod.
pub(super) fn outcomes() -> Vec<(&'static str, Option<RuleStatus>, String)> {
    let pods = json!({"kinds": ["Pod"]});
    let elsewhere = json!({"kinds": ["Pod"], "namespaces": ["elsewhere"]});
    let update = json!({"all": [
        {"key": "{{ request.operation }}", "operator": "Equals", "value": "UPDATE"},
    ]});
    let images = |image: &str| json!({"spec": {"containers": [{"image": image}]}});
    let none = Value::Null;
    let scalar = json!({"spec": {"restartPolicy": "Always"}});
    let one = |resources, preconditions, pattern: &Value| {
        policy("one", resources, preconditions, pattern)
    };
    let (pass, fail) = (images("!*:latest"), images("*:latest"));
    vec![
        ("not_about", None, one(&elsewhere, &none, &pass)),
        ("skip", Some(RuleStatus::Skip), one(&pods, &update, &pass)),
        (
            "pass_scalar",
            Some(RuleStatus::Pass),
            one(&pods, &none, &scalar),
        ),
        (
            "pass_images",
            Some(RuleStatus::Pass),
            one(&pods, &none, &pass),
        ),
        (
            "pass_five_fields",
            Some(RuleStatus::Pass),
            one(&pods, &none, &five_fields()),
        ),
        (
            "fail_images",
            Some(RuleStatus::Fail),
            one(&pods, &none, &fail),
        ),
    ]
}

fn pattern(index: usize) -> Value {
    match index % 10 {
        0..4 => json!({"spec": {"restartPolicy": "Always"}}),
        4..8 => json!({"spec": {"containers": [{"image": "!*:latest"}]}}),
        _ => five_fields(),
    }
}

fn five_fields() -> Value {
    json!({"spec": {"containers": [{
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
        "resources": {"limits": {"memory": "?*"}, "requests": {"cpu": "?*"}},
    }]}})
}

/// JSON is YAML.
fn policy(name: &str, resources: &Value, preconditions: &Value, pattern: &Value) -> String {
    let mut rule = json!({
        "name": "rule",
        "match": {"any": [{"resources": resources}]},
        "validate": {
            "failureAction": "Enforce",
            "message": format!("{name} refuses this"),
            "pattern": pattern,
        },
    });
    if let (false, Some(fields)) = (preconditions.is_null(), rule.as_object_mut()) {
        fields.insert("preconditions".to_owned(), preconditions.clone());
    }
    json!({
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": name},
        "spec": {"rules": [rule]},
    })
    .to_string()
}
