//! Evidence is remembered under a trust root, and forgotten with it: what a mirror takes away counts at once, also for
//! images that were admitted a moment ago.

use std::fs;
use std::time::Duration;

use rcgen::KeyPair;
use regent_server::image::Network;
use regent_server::image::trust::{PUBLIC_SIGSTORE, TrustRoot, TrustRoots};
use regent_server::layout_registry::LayoutRegistry;
use regent_tests::workspace;
use serde_json::{Value, json};

use super::repository::{Publisher, Served};
use super::settings;
use crate::registry::mirrored_as;
use crate::server::client::{PATIENCE, Server, pod_review, start};
use crate::server::load::{HOST, Image, images, registry};

/// The trust root of the demonstration, with something changed.
fn trust_root(edit: impl FnOnce(&mut Value)) -> String {
    let text = fs::read_to_string(workspace().join("cli/demo/trusted_root.json")).unwrap();
    let mut root = serde_json::from_str(&text).unwrap();
    edit(&mut root);
    root.to_string()
}

/// Somebody else's certificate authority stands where the one was that issued the signer's certificate.
fn other_authority() -> String {
    trust_root(|root| {
        let public: Value = serde_json::from_str(PUBLIC_SIGSTORE).unwrap();
        root["certificateAuthorities"] = public["certificateAuthorities"].clone();
    })
}

/// No log and no timestamp authority that the evidence names; a log with the URL that the policy asks for is there.
fn other_log() -> String {
    trust_root(|root| {
        let public: Value = serde_json::from_str(PUBLIC_SIGSTORE).unwrap();
        root["tlogs"] = public["tlogs"].clone();
        root["timestampAuthorities"] = json!([]);
    })
}

/// What became of one request.
struct Asked {
    admitted: bool,
    message: String,
    /// How often evidence was remembered.
    hits: u64,
}

/// Asks about an image that is named by its digest.
async fn asked(server: &Server, image: &Image) -> Asked {
    let mut review = pod_review(&json!({}));
    review["request"]["namespace"] = json!("production");
    review["request"]["object"]["metadata"]["namespace"] = json!("production");
    let reference = format!("{HOST}/{}@{}", image.repository, image.digest);
    review["request"]["object"]["spec"]["containers"][0]["image"] = reference.into();
    let before = hits(server).await;
    let answer = server.post("/validate?timeout=10s", &review).await;
    Asked {
        admitted: answer.allowed(),
        message: answer.response()["status"]["message"].to_string(),
        hits: hits(server).await - before,
    }
}

async fn hits(server: &Server) -> u64 {
    let metrics = server.metrics().await;
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix("regent_image_cache_hits_total "));
    value.unwrap().parse().unwrap()
}

/// Asks until the image is judged in another way.
async fn judged(server: &Server, image: &Image, admitted: bool) -> Asked {
    let changed = async {
        loop {
            let asked = asked(server, image).await;
            if asked.admitted == admitted {
                return asked;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.unwrap()
}

/// The first image of the demonstration with such a name, and a registry that has it.
async fn registry_with(name: &str) -> (Image, LayoutRegistry) {
    let wanted = format!("your-org/trusted-{name}");
    let mut all = images("trusted").into_iter();
    let image = all.find(|one| one.repository == wanted).unwrap();
    let registry = registry(std::slice::from_ref(&image)).await;
    (image, registry)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_under_an_earlier_trust_root_is_forgotten() {
    let (image, registry) = registry_with("app").await;
    let mut publisher = Publisher::new();
    publisher.publish(&trust_root(|_| {}));
    let served = Served::start(&publisher).await;
    let policy = workspace().join("policies/provenance/verify-slsa-provenance/policy.yaml");
    let policy = fs::read_to_string(policy).unwrap();
    let regent = start(&[("policy.yaml", &policy)], |to| {
        to.images.network = Network::Registries(mirrored_as(HOST, registry.address()));
        to.tuf = Some(settings(&served, &publisher));
    })
    .await;
    for (name, root, reason) in [
        ("authority", other_authority(), "does not chain to"),
        ("log", other_log(), "no proven time"),
    ] {
        // What is verified anew is remembered from then on; also where this trust root was in force before.
        let first = judged(&regent, &image, true).await;
        assert_eq!(first.hits, 0, "{name}");
        let again = asked(&regent, &image).await;
        assert!(
            again.admitted && again.hits > 0,
            "{name}: {}",
            again.message
        );

        publisher.publish(&root);
        served.serve(&publisher);
        let refused = judged(&regent, &image, false).await;
        assert!(
            refused.message.contains(reason),
            "{name}: {}",
            refused.message
        );

        publisher.publish(&trust_root(|_| {}));
        served.serve(&publisher);
    }
}

fn by_key(pem: &str) -> String {
    let pem = pem.trim().replace('\n', "\n              ");
    format!(
        "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: signed}}
spec:
  validationFailureAction: Enforce
  webhookTimeoutSeconds: 10
  rules:
  - name: is-signed
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    verifyImages:
    - imageReferences: ['{HOST}/*']
      attestors:
      - entries:
        - keys:
            publicKeys: |-
              {pem}
"
    )
}

/// A policy's keys are part of what evidence is remembered by.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_by_an_earlier_key_of_a_policy_does_not_count() {
    let (image, registry) = registry_with("keyed").await;
    let key = fs::read_to_string(workspace().join("cli/demo/key.pub")).unwrap();
    let other = KeyPair::generate().unwrap().public_key_pem();
    let root = TrustRoot::parse(&trust_root(|_| {})).unwrap();
    let server = start(&[("policy.yaml", &by_key(&key))], |to| {
        to.images.network = Network::Registries(mirrored_as(HOST, registry.address()));
        to.trust_roots = TrustRoots::new(root);
        to.reload_interval = Duration::from_millis(50);
    })
    .await;
    let ready = server.get("/health/readiness").await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    assert_eq!(judged(&server, &image, true).await.hits, 0);
    assert!(asked(&server, &image).await.hits > 0);
    fs::write(server.policy_path("policy.yaml"), by_key(&other)).unwrap();
    let refused = judged(&server, &image, false).await.message;
    assert!(
        refused.contains("by a key that the policy names"),
        "{refused}"
    );
}
