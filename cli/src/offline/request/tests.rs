use std::collections::BTreeMap;

use regent_engine::admission::{AdmissionRequest, GroupVersionKind, Operation};
use serde_json::{Value, json};

use super::{Assumptions, assume, is_of_request, resource_of};
use crate::offline::values::SubResource;

fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop"},
    })
}

fn assumed(operation: Option<Operation>, values: &[(&str, Value)]) -> AdmissionRequest {
    let values: BTreeMap<_, _> = values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let assumptions = Assumptions {
        operation,
        user: None,
        sub_resources: &[],
        values: &values,
    };
    assume(&pod(), assumptions)
}

#[test]
fn without_more_an_object_is_created_by_nobody() {
    let request = assumed(None, &[]);
    assert_eq!(request.operation, Operation::Create);
    assert_eq!(request.name, "web");
    assert_eq!(request.namespace.as_deref(), Some("shop"));
    assert_eq!(request.resource.resource, "pods");
    assert_eq!(
        (request.object, request.old_object),
        (Some(pod().into()), None)
    );
    assert_eq!(request.user_info, None);
}

#[test]
fn values_say_the_operation_and_a_row_says_it_louder() {
    let values = [("request.operation", json!("UPDATE"))];
    let request = assumed(None, &values);
    assert_eq!(request.old_object, Some(pod().into()));
    let request = assumed(Some(Operation::Delete), &values);
    assert_eq!(
        (request.object, request.old_object),
        (None, Some(pod().into()))
    );
}

#[test]
fn values_reach_into_the_object_and_what_is_elsewhere_is_for_expressions() {
    let request = assumed(
        None,
        &[
            (
                r#"request.object.metadata.annotations."example.com/a.b""#,
                json!("yes"),
            ),
            ("request.namespace", json!("other")),
            ("serviceAccountName", json!("safe")),
            ("settings.data.mode", json!("strict")),
        ],
    );
    assert_eq!(request.namespace.as_deref(), Some("other"));
    let object = request.object.unwrap();
    assert_eq!(
        object["metadata"]["annotations"]["example.com/a.b"],
        json!("yes")
    );
    assert!(is_of_request("request.oldObject.spec"));
    assert!(!is_of_request("serviceAccountName"));
    assert!(!is_of_request("request.mode"));
}

#[test]
fn a_kind_can_stand_for_a_sub_resource() {
    let gvk = |group: &str, version: &str, kind: &str| {
        (group.to_owned(), version.to_owned(), kind.to_owned())
    };
    let scale = SubResource {
        object: gvk("autoscaling", "v1", "Scale"),
        name: "deployments/scale".to_owned(),
        parent: gvk("apps", "v1", "Deployment"),
        parent_name: "deployments".to_owned(),
    };
    let assumptions = Assumptions {
        operation: None,
        user: None,
        sub_resources: &[scale],
        values: &BTreeMap::new(),
    };
    let object =
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}});
    let request = assume(&object, assumptions);
    assert_eq!(request.kind.kind, "Deployment");
    assert_eq!(request.sub_resource.as_deref(), Some("scale"));
    assert_eq!(request.resource.resource, "deployments");
}

#[test]
fn plurals_are_guessed_as_clients_do() {
    let plural = |kind: &str| {
        let kind = GroupVersionKind {
            kind: kind.to_owned(),
            ..GroupVersionKind::default()
        };
        resource_of(&kind).resource
    };
    assert_eq!(plural("NetworkPolicy"), "networkpolicies");
    assert_eq!(plural("Ingress"), "ingresses");
    assert_eq!(plural("Endpoints"), "endpoints");
    assert_eq!(plural("CronJob"), "cronjobs");
}
