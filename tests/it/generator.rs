//! Images that the container generator of `slsa-github-generator` described, in three of its versions: provenance on
//! the public Sigstore, no signature; in a registry that is not ours, asked for by `verify` and by `serve`.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent::exit_status::ExitStatus;
use regent_server::image::Network;
use regent_server::image::registry::RegistrySettings;
use regent_tests::{record, shared_path, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Ran, regent};
use crate::docker_registry::DockerRegistry;
use crate::server::client::{Answer, Server, pod_review, start};

const VERSIONS: [&str; 3] = ["v1.4.0", "v1.9.0", "v2.0.0"];
const REPOSITORY: &str = "slsa-framework/example-package";
const GENERATOR: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The only demand is provenance, by who writes it and for which repository.
const POLICY: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: generator}
spec:
  validationFailureAction: Enforce
  rules:
  - name: built-from-our-source
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ["ghcr.io/slsa-framework/*"]
      attestations:
      - type: https://slsa.dev/provenance/v0.2
        attestors:
        - entries:
          - keyless:
              issuer: https://token.actions.githubusercontent.com
              subject: https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/*
              additionalExtensions:
                githubWorkflowRepository: slsa-framework/example-package
              rekor: {url: https://rekor.sigstore.dev}
        conditions:
        - all:
          - key: "{{ invocation.configSource.uri }}"
            operator: Equals
            value: git+https://github.com/slsa-framework/example-package@*
"#;

/// The registry with all versions in it.
struct Images {
    registry: DockerRegistry,
    digests: Vec<String>,
    home: TempDir,
}

impl Images {
    async fn push() -> Option<Self> {
        let all = shared_path("images/slsa-github-generator")?;
        let registry = DockerRegistry::start().await?;
        let mut digests = Vec::new();
        for version in VERSIONS {
            let layout = all.join(version).join("layout");
            registry.push(&layout, REPOSITORY, version).await;
            let digest = fs::read_to_string(all.join(version).join("digest")).unwrap();
            digests.push(digest.trim().to_owned());
        }
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("config.json"), "{}").unwrap();
        Some(Self {
            registry,
            digests,
            home,
        })
    }

    /// A server that finds them where they seem to be.
    async fn serve(&self, policy: &str) -> Server {
        start(&[("policy.yaml", policy)], |settings| {
            settings.images.network = Network::Registries(RegistrySettings {
                mirrors: vec![("ghcr.io".to_owned(), self.mirror())],
                docker_config: Some(self.home.path().to_owned()),
                ..RegistrySettings::default()
            });
        })
        .await
    }

    fn mirror(&self) -> String {
        format!("http://{}", self.registry.address())
    }

    /// Runs `regent verify` on a version, with arguments as one types them.
    async fn verify(&self, version: &str, arguments: &str) -> Ran {
        let line = format!(
            "verify {} --registry-mirror ghcr.io={} --docker-config {} {arguments}",
            reference(version),
            self.mirror(),
            self.home.path().display()
        );
        // The command has a runtime of its own.
        let run = move || regent(&line.split(' ').collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

fn reference(version: &str) -> String {
    format!("ghcr.io/{REPOSITORY}:{version}")
}

fn pinned(version: &str, digest: &str) -> String {
    format!("{}@{digest}", reference(version))
}

/// A pod with an image in `production`.
fn review(image: &str) -> Value {
    let mut review = pod_review(&json!({}));
    review["request"]["namespace"] = json!("production");
    review["request"]["object"]["metadata"]["namespace"] = json!("production");
    review["request"]["object"]["spec"]["containers"][0]["image"] = json!(image);
    review
}

/// The message in one line.
fn message(answer: &Answer) -> String {
    let response = answer.response();
    let message = response["status"]["message"].as_str().unwrap_or_default();
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_says_who_built_them_and_from_what() {
    let Some(images) = Images::push().await else {
        return;
    };
    for (version, digest) in VERSIONS.iter().zip(&images.digests) {
        let identity = format!("{GENERATOR}{version}");
        let who = format!(
            "--type slsaprovenance --certificate-oidc-issuer {ISSUER} --certificate-identity {identity}"
        );
        let said = images.verify(version, &who).await;
        assert_eq!(said.status, ExitStatus::Pass, "{version}: {}", said.stderr);
        let log = "rekor.sigstore.dev";
        for part in [digest, identity.as_str(), ISSUER, REPOSITORY, log] {
            assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
        }

        let said = images.verify(version, &format!("{who} -o json")).await;
        let envelope: Value = serde_json::from_str(&said.stdout).expect(&said.stderr);
        let payload = STANDARD.decode(envelope["payload"].as_str().unwrap());
        let statement: Value = serde_json::from_slice(&payload.unwrap()).unwrap();
        assert_eq!(statement["predicate"]["builder"]["id"], identity);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_refuses_them_where_something_else_is_asked_for() {
    let Some(images) = Images::push().await else {
        return;
    };
    for version in VERSIONS {
        let identity = format!("--certificate-identity {GENERATOR}{version}");
        let issuer = format!("--certificate-oidc-issuer {ISSUER}");
        let provenance = "--type slsaprovenance";
        let other_issuer = "https://accounts.google.com";
        let other_identity = "^https://github.com/your-org/";
        for (arguments, expected) in [
            (
                format!("{issuer} {identity}"),
                "a signature is asked for, which an attestation is not",
            ),
            (
                format!("{issuer} {identity} --type spdx"),
                "https://spdx.dev/Document",
            ),
            (
                format!("{identity} {provenance} --certificate-oidc-issuer {other_issuer}"),
                other_issuer,
            ),
            (
                format!("{issuer} {provenance} --certificate-identity-regexp {other_identity}"),
                other_identity,
            ),
            (
                format!(
                    "{issuer} {identity} {provenance} --certificate-github-workflow-repository evil/app"
                ),
                "evil/app",
            ),
        ] {
            let said = images.verify(version, &arguments).await;
            assert_eq!(said.status, ExitStatus::Failed, "{version}: {arguments}");
            let stderr = said.stderr;
            assert!(stderr.contains(expected), "{expected}: {stderr}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_admits_them_for_who_names_the_generator_and_the_source() {
    let Some(images) = Images::push().await else {
        return;
    };
    let server = images.serve(POLICY).await;
    for (version, digest) in VERSIONS.iter().zip(&images.digests) {
        let answer = server.post("/mutate", &review(&reference(version))).await;
        assert!(answer.allowed(), "{version}: {}", message(&answer));
        let patch = STANDARD.decode(answer.response()["patch"].as_str().unwrap());
        let patch: Value = serde_json::from_slice(&patch.unwrap()).unwrap();
        let pinned = pinned(version, digest);
        let mut operations = patch.as_array().unwrap().iter();
        assert!(operations.any(|one| one["value"] == pinned), "{patch}");
        let answer = server.post("/validate", &review(&pinned)).await;
        assert!(answer.allowed(), "{version}: {}", message(&answer));
    }
    record("generator-images", VERSIONS.len(), VERSIONS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_refuses_them_for_who_names_another() {
    let Some(images) = Images::push().await else {
        return;
    };
    for (ours, other, expected) in [
        (
            "generator_container_slsa3.yml",
            "generator_generic_slsa3.yml",
            "subject mismatch: expected https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml",
        ),
        (
            "githubWorkflowRepository: slsa-framework/example-package",
            "githubWorkflowRepository: your-org/app",
            "extension githubWorkflowRepository mismatch: expected your-org/app, received slsa-framework/example-package",
        ),
        (
            "issuer: https://token.actions.githubusercontent.com",
            "issuer: https://accounts.google.com",
            "issuer mismatch: expected https://accounts.google.com, received https://token.actions",
        ),
        (
            "git+https://github.com/slsa-framework/example-package@*",
            "git+https://github.com/your-org/app@*",
            "attestation checks failed for predicate type https://slsa.dev/provenance/v0.2",
        ),
    ] {
        assert!(POLICY.contains(ours));
        refuses_all(&images, &POLICY.replace(ours, other), expected).await;
    }
    // Provenance is no signature, whoever made it.
    refuses_all(&images, &reference_form(), "no signatures found").await;
}

async fn refuses_all(images: &Images, policy: &str, expected: &str) {
    let server = images.serve(policy).await;
    for (version, digest) in VERSIONS.iter().zip(&images.digests) {
        let (by_tag, by_digest) = (reference(version), pinned(version, digest));
        for (path, image) in [("/mutate", by_tag), ("/validate", by_digest)] {
            let answer = server.post(path, &review(&image)).await;
            assert!(!answer.allowed(), "{version} {path}: {expected}");
            let message = message(&answer);
            assert!(message.contains(expected), "{version} {path}: {message}");
        }
    }
}

/// The reference policy for these images: their repository's organisation is whom it names.
fn reference_form() -> String {
    let path = Path::new("policies/provenance/verify-slsa-provenance/policy.yaml");
    let policy = fs::read_to_string(workspace().join(path)).unwrap();
    policy
        .replace("ghcr.io/your-org/*", "ghcr.io/slsa-framework/*")
        .replace(
            "https://github.com/your-org/*",
            "https://github.com/slsa-framework/*",
        )
}
