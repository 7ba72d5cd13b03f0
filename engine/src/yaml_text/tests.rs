use serde_json::json;

use super::document;

#[test]
fn a_document_is_laid_out_as_go_yaml_does() {
    let value = json!({
        "metadata": {"name": "a", "labels": {}, "annotations": {"a10": "true", "a9": "1"}},
        "kind": "Pod",
        "spec": {
            "containers": [
                {"name": "c", "args": ["- x", "#", ""], "ports": [{"containerPort": 80}, [1, [2]]]},
            ],
            "script": "a\n  b\n",
            "nothing": null,
            "none": [],
            "ratio": 1.5,
            "on": true,
        },
    });
    assert_eq!(
        document(&value),
        "kind: Pod
metadata:
  annotations:
    a9: \"1\"
    a10: \"true\"
  labels: {}
  name: a
spec:
  containers:
  - args:
    - '- x'
    - '#'
    - \"\"
    name: c
    ports:
    - containerPort: 80
    - - 1
      - - 2
  none: []
  nothing: null
  \"on\": true
  ratio: 1.5
  script: |
    a
      b
"
    );
}

#[test]
fn a_scalar_alone_is_a_document() {
    assert_eq!(document(&json!("no")), "\"no\"\n");
    assert_eq!(document(&json!([])), "[]\n");
}
