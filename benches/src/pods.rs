//! Admission reviews of pods, of the sizes that pods have.

use serde_json::{Value, json};

/// A review that asks to create `object`, as an API server writes it.
pub fn review(object: &Value) -> Value {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or("");
    let version = text("/apiVersion").unwrap_or("");
    let gvk = json!({"group": "", "version": version, "kind": kind});
    let resource = json!({
        "group": "",
        "version": version,
        "resource": format!("{}s", kind.to_lowercase()),
    });
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "00000000-0000-4000-8000-000000000001",
            "kind": gvk,
            "resource": resource,
            "requestKind": gvk,
            "requestResource": resource,
            "name": text("/metadata/name"),
            "namespace": text("/metadata/namespace"),
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:replicaset-controller",
                "uid": "5d0c1c53-6a4b-4c8e-a07e-fcbf8ce2a5f9",
                "groups": [
                    "system:serviceaccounts",
                    "system:serviceaccounts:kube-system",
                    "system:authenticated",
                ],
            },
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    })
}

/// A pod of three containers that every Pod Security policy admits; its review has about 4 KB.
pub fn good() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "checkout-7d4b9c6f5-x2x7p",
            "generateName": "checkout-7d4b9c6f5-",
            "namespace": "shop",
            "labels": {
                "app.kubernetes.io/name": "checkout",
                "app.kubernetes.io/instance": "checkout",
                "app.kubernetes.io/version": "1.42.0",
                "pod-template-hash": "7d4b9c6f5",
            },
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "9102",
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "checkout-7d4b9c6f5",
                "uid": "c1b3d0a8-0e55-4f1e-9bb4-3d6c2a1f7e90",
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "serviceAccountName": "checkout",
            "automountServiceAccountToken": false,
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": 30,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                container("checkout", 8080, 3),
                container("proxy", 15001, 1),
                container("metrics", 9102, 1),
            ],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                {"name": "config", "configMap": {"name": "checkout-config", "defaultMode": 420}},
                {"name": "keys", "secret": {"secretName": "checkout-keys", "defaultMode": 420}},
            ],
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
        },
    })
}

/// The same pod, with what a Pod Security set is there to refuse: host namespaces, a host path, a privileged container.
pub fn bad() -> Value {
    let mut pod = good();
    let mut set = |pointer: &str, name: &str, value: Value| {
        let place = pod.pointer_mut(pointer).and_then(Value::as_object_mut);
        if let Some(place) = place {
            place.insert(name.to_owned(), value);
        }
    };
    set("/spec", "hostNetwork", true.into());
    set("/spec/volumes/0", "hostPath", json!({"path": "/"}));
    set(
        "/spec/containers/0/securityContext",
        "privileged",
        true.into(),
    );
    pod
}

/// The good pod with so many environment variables that its review has about 10 KB.
pub fn large() -> Value {
    let mut pod = good();
    let places = [
        "/spec/containers/0/env",
        "/spec/containers/1/env",
        "/spec/containers/2/env",
    ];
    for place in places {
        if let Some(Value::Array(variables)) = pod.pointer_mut(place) {
            variables.extend((0..32).map(variable));
        }
    }
    pod
}

/// The good pod with one container of this image, in a namespace.
pub fn with_image(namespace: &str, image: &str) -> Value {
    let mut pod = good();
    let mut set = |pointer: &str, value: Value| {
        if let Some(place) = pod.pointer_mut(pointer) {
            *place = value;
        }
    };
    set("/metadata/namespace", namespace.into());
    set("/spec/containers/0/image", image.into());
    pod
}

fn variable(index: u32) -> Value {
    json!({"name": format!("CHECKOUT_SETTING_{index}"), "value": format!("value-{index}.shop.svc")})
}

fn container(name: &str, port: u32, variables: u32) -> Value {
    json!({
        "name": name,
        "image": format!("registry.example/shop/{name}:1.42.0"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--listen", format!("0.0.0.0:{port}"), "--config", "/etc/checkout/config.yaml"],
        "env": (0..variables).map(variable).collect::<Vec<_>>(),
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": port, "scheme": "HTTP"},
            "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3,
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "config", "mountPath": "/etc/checkout", "readOnly": true},
        ],
    })
}

#[cfg(test)]
mod tests;
