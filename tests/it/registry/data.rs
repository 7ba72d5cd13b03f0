//! What registries know of images, for `imageRegistry` contexts.

use std::time::Duration;

use regent_engine::evaluation::need::FactError;
use regent_server::image::layout::Layouts;
use regent_server::image::{ImageSettings, Images, Network};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_server::metrics::Metrics;
use regent_tests::shared_path;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{HOST, image_of, images_at, mirrored, trust_roots};
use crate::server::client::{pod_review, start};

async fn data(images: &Images, reference: &str) -> Result<Value, FactError> {
    images
        .data(reference, &[], Instant::now() + Duration::from_secs(8))
        .await
}

/// Of an index, the image for linux/amd64 stands for it; the same comes from a registry and from its layout.
#[tokio::test]
async fn an_image_is_told_by_registries_as_by_layouts() {
    let Some(folder) = shared_path("images/slsa-github-generator/v2.0.0") else {
        return;
    };
    let layout = folder.join("layout");
    let digest = "sha256:55aee984fd6b1d0e0a19a55265d10d40063a2212bdbabd75b202b1728236548d";
    let reference = format!("{HOST}/acme/app@{digest}");
    let layouts = Layouts::open(std::slice::from_ref(&layout)).unwrap();
    let registry = LayoutRegistry::start(layouts, HOST, ReferrersApi::Served)
        .await
        .unwrap();
    let served = images_at(registry.address());
    let told = data(&served, &reference).await.unwrap();
    let offline = ImageSettings {
        layouts: vec![layout],
        network: Network::Offline,
        ..ImageSettings::default()
    };
    let offline = Images::new(&offline, trust_roots(None), Metrics::new().unwrap()).unwrap();
    assert_eq!(told, data(&offline, &reference).await.unwrap());

    assert_eq!(told["image"], json!(reference));
    assert_eq!(told["resolvedImage"], json!(reference));
    assert_eq!(told["registry"], json!(HOST));
    assert_eq!(told["repository"], json!("acme/app"));
    assert_eq!(told["identifier"], json!(digest));
    assert_eq!(
        told["manifestList"]["manifests"][0]["platform"]["os"],
        "linux"
    );
    assert_eq!(told["configData"]["architecture"], "amd64");
    assert!(
        told["manifest"]["layers"]
            .as_array()
            .is_some_and(|layers| !layers.is_empty())
    );

    // What a digest stands for does not change: it is remembered, a registry that is away or not.
    drop(registry);
    assert_eq!(told, data(&served, &reference).await.unwrap());
    let unknown = format!("{HOST}/acme/app:v1");
    let error = data(&served, &unknown).await.unwrap_err();
    assert!(matches!(error, FactError::Unavailable(_)), "{error}");
    // Nobody was asked, so that nobody said that it does not exist.
    let error = data(&offline, &unknown).await.unwrap_err();
    assert!(matches!(error, FactError::Unavailable(_)), "{error}");
    let error = data(&served, "no image at all").await.unwrap_err();
    assert!(matches!(error, FactError::Malformed(_)), "{error}");
}

const POLICY: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: small}
spec:
  validationFailureAction: Enforce
  rules:
    - name: is-small
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: "too large"
        foreach:
          - list: request.object.spec.containers
            context: [{name: size, imageRegistry: {reference: "{{ element.image }}", jmesPath: "sum(manifest.layers[*].size)"}}]
            deny: {conditions: {all: [{key: "{{ size }}", operator: GreaterThan, value: LIMIT}]}}
"#;

/// `serve` asks registries for contexts, and a registry that cannot be asked is no permission.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_judges_by_what_a_registry_says() {
    let Some(folder) = shared_path("conformance/provenance/right-bundle") else {
        return;
    };
    let image = format!("{HOST}/acme/app@{}", image_of(&folder));
    let layouts = Layouts::open(&[folder.join("layout")]).unwrap();
    let registry = LayoutRegistry::start(layouts, HOST, ReferrersApi::Served)
        .await
        .unwrap();
    let address = registry.address();
    let mut review = pod_review(&json!({}));
    review["request"]["object"]["spec"]["containers"][0]["image"] = json!(image);
    for (limit, message) in [("707", None), ("706", Some("too large"))] {
        let policy = POLICY.replace("LIMIT", limit);
        let server = start(&[("policy.yaml", &policy)], |settings| {
            settings.images.network = Network::Registries(mirrored(address));
        })
        .await;
        let response = server.post("/validate", &review).await.response();
        assert_eq!(response["allowed"], json!(message.is_none()), "{response}");
        let said = response["status"]["message"].as_str().unwrap_or_default();
        assert!(said.contains(message.unwrap_or_default()), "{said}");
    }
    drop(registry);
    let policy = POLICY.replace("LIMIT", "1000000");
    let server = start(&[("policy.yaml", &policy)], |settings| {
        settings.images.network = Network::Registries(mirrored(address));
    })
    .await;
    let response = server.post("/validate", &review).await.response();
    assert_eq!(response["allowed"], json!(false));
    let said = response["status"]["message"].as_str().unwrap();
    assert!(said.contains("could not be reached"), "{said}");
}
