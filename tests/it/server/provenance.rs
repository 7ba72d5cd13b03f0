//! The reference policy's story through `serve`: 24 images by real signers, each with what must become of it.
//!
//! Reads `../shared/conformance/provenance`; the images lie in OCI layouts, tagged in a copy of their indexes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_server::image::trust::{TrustRoot, TrustRoots};
use regent_server::settings::Settings;
use regent_tests::{record, shared_path, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Answer, pod_review, start};

/// What a case's refusal has to say, by the beginning of its name.
const REASONS: [(&str, &str); 10] = [
    ("unsigned", "no signatures found"),
    (
        "no-provenance",
        "attestations not found for predicate type https://slsa.dev/provenance/v1",
    ),
    ("foreign-signature", "received https://github.com/evil/app/"),
    (
        "lookalike-signature",
        "received https://github.com/your-org-evil/app/",
    ),
    (
        "foreign-source",
        "was called by https://github.com/evil/app, wanted https://github.com/your-org/*",
    ),
    (
        "handwritten",
        "is signed by https://github.com/your-org/app/",
    ),
    ("other-builder", "@refs/tags/v1.9.0, wanted https://"),
    (
        "builder-not-signer",
        "generator_container_slsa3.yml@refs/tags/v2.0.0, but is signed by",
    ),
    ("one-bad-of-two", "built by https://"),
    ("shadowed", "@refs/tags/v1.9.0, wanted https://"),
];

/// One image.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Reference with a digest.
    pub(crate) image: String,
    pub(crate) admitted: bool,
}

impl Case {
    /// The reference with a tag instead of the digest.
    pub(crate) fn tagged(&self) -> String {
        let (repository, _) = self.image.split_once('@').unwrap();
        format!("{repository}:v1")
    }

    pub(crate) fn digest(&self) -> &str {
        self.image.split_once('@').unwrap().1
    }

    /// Whether a message, folded or not, says what it has to; there is nothing to say about what is admitted.
    pub(crate) fn is_explained_by(&self, message: &str) -> bool {
        let words: Vec<&str> = message.split_whitespace().collect();
        let mut reasons = REASONS.iter();
        let reason = reasons.find(|(name, _)| self.name.starts_with(name));
        self.admitted || reason.is_some_and(|(_, reason)| words.join(" ").contains(reason))
    }
}

/// The images, where they lie, and what is trusted.
pub(crate) struct Story {
    pub(crate) cases: Vec<Case>,
    /// The reference policy with the issuer, the registry and the log that the images know.
    pub(crate) policy: String,
    layouts: TempDir,
    trusted_root: String,
}

impl Story {
    /// Reads it, or says what is missing.
    pub(crate) fn read() -> Option<Self> {
        let folder = shared_path("conformance/provenance")?;
        let written = fs::read_to_string(folder.join("cases.json")).unwrap();
        let written: Value = serde_json::from_str(&written).unwrap();
        let layouts = tempfile::tempdir().unwrap();
        let mut cases = Vec::new();
        for case in written["cases"].as_array().unwrap() {
            let case = Case {
                name: case["case"].as_str().unwrap().to_owned(),
                image: case["image"].as_str().unwrap().to_owned(),
                admitted: case["expect"] == "admit",
            };
            tag(
                &folder.join(&case.name).join("layout"),
                layouts.path(),
                &case,
            );
            cases.push(case);
        }
        let root = folder.join(&cases[0].name).join("trusted_root.json");
        let trusted_root = fs::read_to_string(root).unwrap();
        let policy = reference_policy(written["issuer"].as_str().unwrap(), &trusted_root);
        Some(Self {
            cases,
            policy,
            layouts,
            trusted_root,
        })
    }

    /// Where the images lie.
    pub(crate) fn layouts(&self) -> &Path {
        self.layouts.path()
    }

    /// What is trusted, as JSON.
    pub(crate) fn trusted_root(&self) -> &str {
        &self.trusted_root
    }

    /// Has a server find the images and trust their signers' instance.
    pub(crate) fn adjust(&self, settings: &mut Settings) {
        settings.images.layouts = vec![self.layouts.path().to_owned()];
        settings.trust_roots = TrustRoots::new(TrustRoot::parse(&self.trusted_root).unwrap());
    }
}

/// Makes a layout with the blobs of `layout` whose image has a tag.
fn tag(layout: &Path, folder: &Path, case: &Case) {
    let copy = folder.join(&case.name);
    fs::create_dir(&copy).unwrap();
    symlink(layout.join("blobs"), copy.join("blobs")).unwrap();
    fs::copy(layout.join("oci-layout"), copy.join("oci-layout")).unwrap();
    let index = fs::read_to_string(layout.join("index.json")).unwrap();
    let mut index: Value = serde_json::from_str(&index).unwrap();
    for manifest in index["manifests"].as_array_mut().unwrap() {
        if manifest["digest"] == case.digest() {
            manifest["annotations"]["org.opencontainers.image.ref.name"] = json!(case.tagged());
        }
    }
    fs::write(copy.join("index.json"), index.to_string()).unwrap();
}

pub(crate) fn reference_policy(issuer: &str, trusted_root: &str) -> String {
    let path = workspace().join("policies/provenance/verify-slsa-provenance/policy.yaml");
    let root: Value = serde_json::from_str(trusted_root).unwrap();
    let log = root["tlogs"][0]["baseUrl"].as_str().unwrap();
    let mut policy = fs::read_to_string(path).unwrap();
    for (ours, theirs) in [
        ("ghcr.io/your-org/*", "127.0.0.1:23700/your-org/*"),
        ("https://token.actions.githubusercontent.com", issuer),
        ("https://rekor.sigstore.dev", log),
    ] {
        assert!(policy.contains(ours), "{ours}");
        policy = policy.replace(ours, theirs);
    }
    policy
}

/// The review of a pod with one image in `production`.
pub(super) fn review(image: &str) -> Value {
    let mut review = pod_review(&json!({}));
    review["request"]["namespace"] = json!("production");
    review["request"]["object"]["metadata"]["namespace"] = json!("production");
    review["request"]["object"]["spec"]["containers"][0]["image"] = json!(image);
    review
}

#[tokio::test(flavor = "multi_thread")]
async fn every_image_of_the_story_gets_what_it_deserves() {
    let Some(story) = Story::read() else { return };
    let server = start(&[("policy.yaml", &story.policy)], |settings| {
        story.adjust(settings);
    })
    .await;
    let mut wrong = Vec::new();
    for case in &story.cases {
        // By digest, by tag, and again from the cache.
        for image in [&case.image, &case.tagged(), &case.image] {
            let mutated = server.post("/mutate", &review(image)).await;
            let validated = server.post("/validate", &review(&case.image)).await;
            wrong.extend(judge(case, &mutated.body));
            wrong.extend(judge(case, &validated.body));
        }
        let by_tag = case.tagged();
        if case.admitted {
            let mutated = server.post("/mutate", &review(&by_tag)).await;
            let pinned = format!("{by_tag}@{}", case.digest());
            assert_eq!(patched_image(&mutated), pinned);
        }
    }
    let failed = story
        .cases
        .iter()
        .filter(|case| wrong.iter().any(|line| line.starts_with(&case.name)))
        .count();
    record(
        "provenance-serve",
        story.cases.len() - failed,
        story.cases.len(),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the patch puts in place of the image.
pub(super) fn patched_image(answer: &Answer) -> String {
    let patch = answer.response()["patch"].as_str().unwrap().to_owned();
    let patch: Value = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
    let replaced = patch
        .as_array()
        .unwrap()
        .iter()
        .find(|operation| operation["path"] == "/spec/containers/0/image");
    replaced.unwrap()["value"].as_str().unwrap().to_owned()
}

fn judge(case: &Case, answer: &str) -> Option<String> {
    let review: Value = serde_json::from_str(answer).expect(answer);
    let response = &review["response"];
    let message = response["status"]["message"].as_str().unwrap_or("");
    let right = response["allowed"] == case.admitted && case.is_explained_by(message);
    (!right).then(|| format!("{}: {message}", case.name))
}
