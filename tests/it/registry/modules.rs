//! Modules of policies in registries: pulled by digest, and refused where they are not what was meant.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_engine::evaluation::need::{NamedBy, PullSecret};
use regent_engine::load::{Environment, load};
use regent_engine::source::Source;
use regent_server::cluster::{ClusterSettings, ClusterSource};
use regent_server::guests::{GuestSettings, Guests};
use regent_server::image::module::RemoteModules;
use regent_server::image::oci::{OCI_MANIFEST, digest_of};
use regent_server::image::trust::{TrustRoots, public_sigstore};
use regent_server::image::{ImageSettings, Network};
use regent_tests::workspace;
use serde_json::json;

use super::mirrored;
use super::scripted::{Reply, Scripted};
use crate::server::client::{pod_review, start};

const LAYER: &str = "application/vnd.wasm.content.layer.v1+wasm";

/// A module in a registry.
struct Pushed {
    wasm: Vec<u8>,
    manifest: String,
}

impl Pushed {
    fn new(size: impl FnOnce(usize) -> usize) -> Self {
        let path = workspace().join("wasm-modules/pod-guard/pod-guard.wasm");
        let wasm = fs::read(path).unwrap();
        let layer = format!(
            r#"{{"mediaType":"{LAYER}","digest":"{}","size":{}}}"#,
            digest_of(&wasm),
            size(wasm.len())
        );
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"application/vnd.wasm.config.v1+json","digest":"{}","size":2}},"layers":[{layer}]}}"#,
            digest_of(b"{}")
        );
        Self { wasm, manifest }
    }

    fn digest(&self) -> String {
        digest_of(self.manifest.as_bytes()).to_string()
    }

    async fn served(self: &Arc<Self>) -> Scripted {
        let this = Arc::clone(self);
        Scripted::start(move |asked| this.reply(&asked.path)).await
    }

    fn reply(&self, path: &str) -> Reply {
        let digest = self.digest();
        if path.ends_with("/manifests/v1") || path.ends_with(&format!("/manifests/{digest}")) {
            let head =
                format!("Content-Type: {OCI_MANIFEST}\r\nDocker-Content-Digest: {digest}\r\n");
            Reply::Full(200, head, self.manifest.clone().into())
        } else if path.ends_with(&format!("/blobs/{}", digest_of(&self.wasm))) {
            Reply::blob(self.wasm.clone())
        } else {
            Reply::not_found()
        }
    }
}

/// What is said of a policy whose module is at a place.
fn said(address: &str, fields: &str, cache: Option<&Path>) -> Vec<String> {
    let text = format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: p}}\nspec:\n  rules:\n  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      wasm: {{{fields}}}\n"
    );
    let source = Source::new("policy.yaml", text);
    let mut loaded = load(&[source], &Environment::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let guests = Guests::start(GuestSettings {
        cache: cache.map(Path::to_owned),
        remote: Some(RemoteModules::new(
            ImageSettings {
                network: Network::Registries(mirrored(address)),
                ..ImageSettings::default()
            },
            || Ok(Arc::new(TrustRoots::new(public_sigstore().unwrap()))),
        )),
    });
    tokio::task::block_in_place(|| guests.unwrap().prepare(&mut loaded));
    let messages = loaded.diagnostics.iter().map(|one| one.message.clone());
    messages.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_pulled_by_its_digest() {
    let pushed = Arc::new(Pushed::new(|size| size));
    let server = pushed.served().await;
    let address = server.address.to_string();
    let (manifest, module) = (pushed.digest(), digest_of(&pushed.wasm));
    for fields in [
        format!("module: 'oci://registry.example/policies/guard@{manifest}'"),
        format!("module: 'registry://registry.example/policies/guard@{manifest}'"),
        format!("module: 'registry://registry.example/policies/guard:v1', digest: '{module}'"),
        format!(
            "module: 'oci://registry.example/policies/guard:v1@{manifest}', digest: '{module}'"
        ),
    ] {
        assert_eq!(
            said(&address, &fields, None),
            Vec::<String>::new(),
            "{fields}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_not_the_one_that_was_meant_is_refused() {
    let pushed = Arc::new(Pushed::new(|size| size));
    let server = pushed.served().await;
    let address = server.address.to_string();
    let other = format!("sha256:{}", "0".repeat(64));
    let fields = format!("module: 'oci://registry.example/policies/guard:v1', digest: '{other}'");
    let messages = said(&address, &fields, None);
    assert!(
        messages[0].contains("its digest is sha256:"),
        "{messages:?}"
    );
    let fields = format!("module: 'oci://registry.example/policies/guard@{other}'");
    assert_eq!(said(&address, &fields, None).len(), 1);

    // The registry sends something else for the digest of the manifest, or of the layer.
    let manifest = pushed.digest();
    for blob in [true, false] {
        let pushed = Arc::clone(&pushed);
        let server = Scripted::start(move |asked| {
            let is_blob = asked.path.contains("/blobs/");
            match is_blob {
                true if blob => Reply::blob(b"\0asm\x01\0\0\0".to_vec()),
                true => Reply::blob(pushed.wasm.clone()),
                false if blob => Reply::manifest(pushed.manifest.clone()),
                false => Reply::manifest(pushed.manifest.replace("\"layers\"", " \"layers\"")),
            }
        })
        .await;
        let fields = format!("module: 'oci://registry.example/policies/guard@{manifest}'");
        let messages = said(&server.address.to_string(), &fields, None);
        assert_eq!(messages.len(), 1, "{blob}: {messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_too_large_is_not_fetched() {
    let pushed = Arc::new(Pushed::new(|_| 17 << 20));
    let server = pushed.served().await;
    let manifest = pushed.digest();
    let fields = format!("module: 'oci://registry.example/policies/guard@{manifest}'");
    let messages = said(&server.address.to_string(), &fields, None);
    assert!(messages[0].contains("is the most"), "{messages:?}");
    assert_eq!(server.count("GET /v2/policies/guard/blobs/"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_was_fetched_is_there_while_the_registry_is_away() {
    let pushed = Arc::new(Pushed::new(|size| size));
    let server = pushed.served().await;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("modules");
    let module = digest_of(&pushed.wasm).to_string();
    let fields = format!("module: 'oci://registry.example/policies/guard:v1', digest: '{module}'");
    let nothing = Vec::<String>::new();
    assert_eq!(
        said(&server.address.to_string(), &fields, Some(&cache)),
        nothing
    );
    let away = "127.0.0.1:1";
    assert_eq!(said(away, &fields, Some(&cache)), nothing);
    // What is no longer what its digest says is not taken.
    let digits = module.strip_prefix("sha256:").unwrap();
    fs::write(cache.join(format!("{digits}.wasm")), b"\0asm\x01\0\0\0").unwrap();
    assert_eq!(said(away, &fields, Some(&cache)).len(), 1);
    assert_eq!(
        said(&server.address.to_string(), &fields, Some(&cache)),
        nothing
    );
    assert_eq!(said(away, &fields, Some(&cache)), nothing);
}

/// A policy whose module is in the registry under test.
fn policy(name: &str, body: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n  - name: r\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    validate:\n      failureAction: Enforce\n      {body}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_does_not_answer_holds_up_no_other_policy() {
    let silent = Scripted::start(|_asked| Reply::Silence).await;
    let nowhere = format!("sha256:{}", "0".repeat(64));
    let pattern = "message: a team\n      pattern: {metadata: {labels: {team: '?*'}}}";
    let team = policy("team", pattern);
    let modules: Vec<String> = (0..6)
        .map(|number| {
            let kind = if number % 2 == 0 { "wasm" } else { "rego" };
            let place = format!("oci://registry.example/policies/m{number}@{nowhere}");
            policy(
                &format!("m{number}"),
                &format!("{kind}: {{module: '{place}'}}"),
            )
        })
        .collect();
    let all = [vec![team], modules].concat().join("---\n");
    let begun = Instant::now();
    let address = silent.address.to_string();
    let server = start(&[("all.yaml", &all)], |settings| {
        settings.images.network = Network::Registries(mirrored(&address));
    })
    .await;
    // One wait for the registry, not one for each module; each of these would be a minute.
    assert!(begun.elapsed() < Duration::from_secs(30));
    let ready = server.get("/health/readiness").await;
    assert_eq!(
        ready.body.matches("has not given it in time").count(),
        6,
        "{}",
        ready.body
    );
    let said = server.post("/validate", &pod_review(&json!({}))).await;
    assert!(!said.allowed());
    assert!(said.body.contains("a team"), "{}", said.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_pulled_with_the_secrets_that_images_are_pulled_with() {
    let pushed = Arc::new(Pushed::new(|size| size));
    let digest = pushed.digest();
    let private = Arc::clone(&pushed);
    let registry = Scripted::start(move |asked| {
        // robot:hunter2
        if asked.header("authorization") == Some("Basic cm9ib3Q6aHVudGVyMg==") {
            return private.reply(&asked.path);
        }
        let basic = "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned();
        Reply::Full(401, basic, Vec::new())
    })
    .await;
    let auths = json!({registry.address.to_string(): {"auth": "cm9ib3Q6aHVudGVyMg=="}});
    let config = STANDARD.encode(json!({"auths": auths}).to_string());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"}, "data": {".dockerconfigjson": config}});
    let api = Scripted::start(move |asked| match asked.path.as_str() {
        "/api/v1/namespaces/policies/secrets/pull" => Reply::json(secret.to_string()),
        _ => Reply::not_found(),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\nclusters: [{{name: a, cluster: {{server: 'http://{}'}}}}]\nusers: [{{name: a, user: {{token: t}}}}]\n",
        api.address
    );
    fs::write(&kubeconfig, text).unwrap();
    let place = format!("oci://registry.example/policies/guard@{digest}");
    let guard = policy("guard", &format!("wasm: {{module: '{place}'}}"));
    let serving = async |pull_secrets: Vec<PullSecret>| {
        let server = start(&[("policy.yaml", &guard)], |settings| {
            settings.images.network = Network::Registries(mirrored(registry.address));
            settings.cluster = ClusterSettings {
                source: Some(ClusterSource::Kubeconfig(kubeconfig.clone(), None)),
                pull_secrets,
                ..ClusterSettings::default()
            };
        })
        .await;
        server.get("/health/readiness").await.body
    };
    let without = serving(Vec::new()).await;
    assert!(without.contains("its rule is an error"), "{without}");
    let with = serving(vec![PullSecret {
        namespace: Some("policies".to_owned()),
        name: "pull".to_owned(),
        named_by: NamedBy::Trusted,
    }]);
    let with = with.await;
    assert!(with.starts_with("ok"), "{with}");
}
