//! Updates that do not change an image: nothing of the old object is believed, and nothing is asked of registries while
//! the evidence is remembered.

use regent_server::layout_registry::LayoutRegistry;
use serde_json::{Value, json};

use super::client::{Server, pod_review};
use super::load::{HOST, Image, at, images, registry};

/// What Kyverno writes about images that it verified; anybody who may write pods can write it.
const RECORDED: &str = "kyverno.io/verify-images";

/// A label is changed, and the container's image, named by digest, is the old one.
fn relabelled(image: &Image) -> Value {
    let reference = format!("{HOST}/{}@{}", image.repository, image.digest);
    let mut review = pod_review(&json!({}));
    let request = &mut review["request"];
    request["operation"] = "UPDATE".into();
    request["namespace"] = "production".into();
    let recorded = json!({reference.as_str(): "pass"}).to_string();
    let object = &mut request["object"];
    object["metadata"]["namespace"] = "production".into();
    object["metadata"]["annotations"] = json!({RECORDED: recorded});
    object["spec"]["containers"][0]["image"] = reference.into();
    request["oldObject"] = request["object"].clone();
    request["object"]["metadata"]["labels"] = json!({"changed": "yes"});
    review
}

async fn asked_by(server: &Server, registry: &LayoutRegistry, image: &Image) -> (bool, usize) {
    let before = registry.requests().len();
    let mut admitted = Vec::new();
    for path in ["/mutate?timeout=10s", "/validate?timeout=10s"] {
        admitted.push(server.post(path, &relabelled(image)).await.allowed());
    }
    let admitted = admitted.iter().all(|admitted| *admitted);
    (admitted, registry.requests().len() - before)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_image_is_judged_by_remembered_evidence() {
    let registry = registry(&images("updated")).await;
    let server = at(&registry).await;
    for image in images("updated") {
        let (first, asked) = asked_by(&server, &registry, &image).await;
        assert_eq!(first, image.is_good, "{image:?}");
        assert!(
            asked > 0,
            "what the old object says is not believed: {image:?}"
        );
        let (again, asked) = asked_by(&server, &registry, &image).await;
        assert_eq!(again, image.is_good, "{image:?}");
        if image.is_good {
            assert_eq!(asked, 0, "{image:?}");
        }
    }
}

/// What was let in before there was a rule, or by an exception, is refused like anything else when it comes again.
#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_image_that_nobody_signed_is_refused_with_the_registry_away() {
    let all = images("running");
    let mut registry = registry(&all).await;
    let server = at(&registry).await;
    let good = all.iter().find(|image| image.is_good).unwrap();
    let bad = all.iter().find(|image| !image.is_good).unwrap();
    assert!(asked_by(&server, &registry, good).await.0);
    registry.stop().await;
    assert!(asked_by(&server, &registry, good).await.0);
    assert!(!asked_by(&server, &registry, bad).await.0);
}
