use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regent_engine::evaluation::need::FactError;
use serde_json::json;
use tokio::time::Instant;

use super::Host;
use crate::cluster::{Cluster, ClusterSettings};
use crate::image::trust::{TrustRoots, public_sigstore};
use crate::image::{ImageSettings, Images};
use crate::metrics::Metrics;
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

/// A host without a cluster.
fn host() -> Host {
    let metrics = Metrics::new().unwrap();
    let roots = TrustRoots::new(public_sigstore().unwrap());
    let images = Images::new(&ImageSettings::default(), roots, metrics.clone()).unwrap();
    Host::new(
        images,
        Arc::new(Cluster::new(&ClusterSettings::default(), &metrics).unwrap()),
        crate::guests::Guests::start(crate::guests::GuestSettings::default()).unwrap(),
    )
}

async fn labels(
    object: &serde_json::Value,
    kind: &str,
    name: &str,
    file: Option<&Namespaces>,
) -> Result<BTreeMap<String, String>, FactError> {
    let deadline = Instant::now() + Duration::from_secs(1);
    host()
        .namespace_labels(&request(kind, object), file, name, deadline)
        .await
}

#[tokio::test]
async fn labels_come_from_the_namespace_itself_or_from_the_file() {
    let text = "kind: Namespace\nmetadata: {name: a, labels: {from: file}}\n";
    let file = Namespaces::parse("n".into(), text.into()).unwrap();
    let own = json!({"metadata": {"name": "a", "labels": {"from": "request"}}});
    let file = Some(&file);
    assert_eq!(
        labels(&own, "Namespace", "a", file).await.unwrap()["from"],
        "request"
    );
    assert_eq!(
        labels(&own, "Pod", "a", file).await.unwrap()["from"],
        "file"
    );
    assert!(matches!(
        labels(&own, "Pod", "b", file).await,
        Err(FactError::NotFound(_))
    ));
    assert!(matches!(
        labels(&own, "Pod", "a", None).await,
        Err(FactError::Unavailable(_))
    ));
}

#[tokio::test]
async fn labels_that_are_no_labels_are_an_error() {
    for written in [json!(["a"]), json!({"a": 1})] {
        let object = json!({"metadata": {"name": "a", "labels": written}});
        let found = labels(&object, "Namespace", "a", None).await;
        assert!(matches!(found, Err(FactError::Malformed(_))));
    }
}
