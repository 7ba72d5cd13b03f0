use regent_engine::evaluation::need::FactError;
use serde_json::json;

use super::namespace_labels;
use crate::review;
use crate::watch::namespaces::Namespaces;

fn request(kind: &str, object: &serde_json::Value) -> regent_engine::admission::AdmissionRequest {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "operation": "CREATE", "userInfo": {},
            "kind": {"group": "", "version": "v1", "kind": kind},
            "resource": {"group": "", "version": "v1", "resource": "x"},
            "object": object,
        },
    });
    review::read(review.to_string().as_bytes()).unwrap()
}

#[test]
fn labels_come_from_the_namespace_itself_or_from_the_file() {
    let text = "kind: Namespace\nmetadata: {name: a, labels: {from: file}}\n";
    let file = Namespaces::parse("n".into(), text.into()).unwrap();
    let own = json!({"metadata": {"name": "a", "labels": {"from": "request"}}});
    let of = |kind: &str, name: &str, file: Option<&Namespaces>| {
        namespace_labels(&request(kind, &own), file, name).map(|labels| labels["from"].clone())
    };
    assert_eq!(of("Namespace", "a", Some(&file)).unwrap(), "request");
    assert_eq!(of("Pod", "a", Some(&file)).unwrap(), "file");
    assert!(matches!(
        of("Pod", "b", Some(&file)),
        Err(FactError::NotFound(_))
    ));
    assert!(matches!(
        of("Pod", "a", None),
        Err(FactError::Unavailable(_))
    ));
}

#[test]
fn labels_that_are_no_labels_are_an_error() {
    for labels in [json!(["a"]), json!({"a": 1})] {
        let object = json!({"metadata": {"name": "a", "labels": labels}});
        let found = namespace_labels(&request("Namespace", &object), None, "a");
        assert!(matches!(found, Err(FactError::Malformed(_))));
    }
}
