//! Many images at once, with a registry that is some way off and goes away: a small version of the bench `images`.
//!
//! What is known stays admitted, what is not is refused in time, and nothing is admitted that must not be.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regent_engine::image::Digest;
use regent_server::image::Network;
use regent_server::image::layout::Layouts;
use regent_server::image::trust::{TrustRoot, TrustRoots};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_tests::workspace;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::{Server, pod_review, start};
use crate::registry::mirrored_as;

pub(crate) const HOST: &str = "ghcr.io";
/// What an API server waits for at most.
const DEADLINE: Duration = Duration::from_secs(10);

/// An image of the demonstration in a repository of its own.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) repository: String,
    pub(crate) digest: Digest,
    pub(crate) is_good: bool,
}

/// Those of the demonstration, under names of their own.
pub(crate) fn images(name: &str) -> Vec<Image> {
    let text = fs::read_to_string(workspace().join("cli/demo/cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    let image = |case: &Value| Image {
        repository: format!("your-org/{name}-{}", case["case"].as_str().unwrap()),
        digest: Digest::parse(case["digest"].as_str().unwrap()).unwrap(),
        is_good: case["expect"] == "admit",
    };
    cases["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(image)
        .collect()
}

/// A registry that has some images as `v1`.
pub(crate) async fn registry(images: &[Image]) -> LayoutRegistry {
    let layouts = Layouts::open(&[workspace().join("cli/demo/registry")]).unwrap();
    let starting = LayoutRegistry::start(layouts, HOST, ReferrersApi::Served);
    let registry = starting.await.unwrap();
    for image in images {
        registry.move_tag(&image.repository, "v1", &image.digest);
    }
    registry
}

/// A server with the reference policy, for which that is the registry.
pub(crate) async fn at(registry: &LayoutRegistry) -> Server {
    let policy = workspace().join("policies/provenance/verify-slsa-provenance/policy.yaml");
    let policy = fs::read_to_string(policy).unwrap();
    let root = fs::read_to_string(workspace().join("cli/demo/trusted_root.json")).unwrap();
    let address = registry.address();
    start(&[("policy.yaml", &policy)], |settings| {
        settings.images.network = Network::Registries(mirrored_as(HOST, address));
        settings.trust_roots = TrustRoots::new(TrustRoot::parse(&root).unwrap());
    })
    .await
}

/// Asks for all images at once, by tag and by digest: which were admitted, in time.
async fn ask(server: &Arc<Server>, images: &[Image]) -> Vec<(Image, bool)> {
    let mut running = JoinSet::new();
    for image in images {
        for is_tag in [true, false] {
            running.spawn(ask_about(Arc::clone(server), image.clone(), is_tag));
        }
    }
    running.join_all().await
}

async fn ask_about(server: Arc<Server>, image: Image, is_tag: bool) -> (Image, bool) {
    let (repository, digest) = (&image.repository, &image.digest);
    let (reference, path) = if is_tag {
        (format!("{HOST}/{repository}:v1"), "/mutate?timeout=10s")
    } else {
        (
            format!("{HOST}/{repository}@{digest}"),
            "/validate?timeout=10s",
        )
    };
    let mut review = pod_review(&json!({}));
    review["request"]["namespace"] = "production".into();
    let pod = &mut review["request"]["object"];
    pod["metadata"]["namespace"] = "production".into();
    pod["spec"]["containers"][0]["image"] = reference.into();
    let started = Instant::now();
    let answer = server.post(path, &review).await;
    assert!(started.elapsed() < DEADLINE, "{image:?}");
    let admitted = answer.allowed();
    // What was admitted by tag is pinned.
    let is_patched = answer.response().get("patch").is_some();
    assert_eq!(is_patched, admitted && is_tag, "{image:?}");
    (image, admitted)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_admits_what_is_known_and_nothing_else() {
    let (known, unknown) = (images("known"), images("unknown"));
    let mut registry = registry(&[known.clone(), unknown.clone()].concat()).await;
    registry.set_latency(Duration::from_millis(20));
    let server = Arc::new(at(&registry).await);
    for round in ["cold", "cached"] {
        for (image, admitted) in ask(&server, &known).await {
            assert_eq!(admitted, image.is_good, "{round} {image:?}");
        }
    }
    registry.stop().await;
    for round in 0..3 {
        for (image, admitted) in ask(&server, &known).await {
            assert_eq!(admitted, image.is_good, "away, {round} {image:?}");
        }
        for (image, admitted) in ask(&server, &unknown).await {
            assert!(!admitted, "away, {round} {image:?}");
        }
    }
    registry.resume().await.unwrap();
    // It is asked again after some seconds, by one first.
    let good: Vec<Image> = unknown
        .iter()
        .filter(|image| image.is_good)
        .cloned()
        .collect();
    let started = Instant::now();
    while ask(&server, &good)
        .await
        .iter()
        .any(|(_, admitted)| !admitted)
    {
        assert!(started.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for (image, admitted) in ask(&server, &unknown).await {
        assert_eq!(admitted, image.is_good, "back {image:?}");
    }
}
