//! Modules in registries that a policy wants signed: who signs, signs while the test runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, SigningKey as _};
use regent::exit_status::ExitStatus;
use regent_engine::image::Digest;
use regent_engine::load::{Environment, load};
use regent_engine::source::Source;
use regent_server::guests::{GuestSettings, Guests};
use regent_server::image::ImageSettings;
use regent_server::image::layout::Layouts;
use regent_server::image::module::RemoteModules;
use regent_server::image::oci::{DSSE_ENVELOPE, OCI_MANIFEST, SIMPLE_SIGNING, digest_of};
use regent_server::image::trust::{TrustRoot, TrustRoots, public_sigstore};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_tests::workspace;
use serde_json::{Value, json};

use super::modules;
use crate::command::{Ran, regent};
use crate::server::client::{Server, start};

const WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";
const REGO: &str = "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego";
const REVIEWED: &str = "https://example.org/reviewed/v1";
const REPOSITORY: &str = "registry.example/policies/guard";

/// An OCI layout that is being written.
struct Layout<'a> {
    folder: &'a Path,
    entries: Vec<Value>,
}

impl<'a> Layout<'a> {
    fn new(folder: &'a Path) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        fs::write(
            folder.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        Self {
            folder,
            entries: Vec::new(),
        }
    }

    fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = digest_of(bytes);
        let path = self.folder.join("blobs/sha256").join(digest.hex());
        fs::write(path, bytes).unwrap();
        digest
    }

    /// A manifest with layers, each with its media type and annotations.
    fn manifest(
        &mut self,
        name: Option<&str>,
        layers: &[(&str, &[u8], BTreeMap<&str, String>)],
    ) -> Digest {
        let layers = layers.iter().map(|(media_type, bytes, annotations)| {
            json!({
                "mediaType": media_type, "digest": self.blob(bytes).to_string(),
                "size": bytes.len(), "annotations": annotations,
            })
        });
        let config = self.blob(b"{}").to_string();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": layers.collect::<Vec<_>>(),
        });
        let bytes = manifest.to_string().into_bytes();
        let digest = self.blob(&bytes);
        let mut entry =
            json!({"mediaType": OCI_MANIFEST, "digest": digest.to_string(), "size": bytes.len()});
        if let Some(name) = name {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        self.entries.push(entry);
        let index = json!({"schemaVersion": 2, "manifests": self.entries});
        fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
        digest
    }

    /// A module, signed by some.
    fn module(&mut self, media_type: &str, bytes: &[u8], signers: &[&KeyPair]) -> Digest {
        let digest = self.manifest(Some("v1"), &[(media_type, bytes, BTreeMap::new())]);
        for signer in signers {
            self.sign(&digest, signer);
        }
        digest
    }

    fn sign(&mut self, digest: &Digest, signer: &KeyPair) {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": REPOSITORY},
                "image": {"docker-manifest-digest": digest.to_string()},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let signature = STANDARD.encode(signer.sign(&payload).unwrap());
        let annotations = BTreeMap::from([("dev.cosignproject.cosign/signature", signature)]);
        let tag = format!("sha256-{}.sig", digest.hex());
        self.manifest(Some(&tag), &[(SIMPLE_SIGNING, &payload, annotations)]);
    }

    fn attest(&mut self, digest: &Digest, signer: &KeyPair) {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": REVIEWED,
            "subject": [{"name": REPOSITORY, "digest": {"sha256": digest.hex()}}],
            "predicate": {"by": "somebody"},
        });
        let statement = statement.to_string();
        let kind = "application/vnd.in-toto+json";
        let encoded = format!(
            "DSSEv1 {} {kind} {} {statement}",
            kind.len(),
            statement.len()
        );
        let signature = STANDARD.encode(signer.sign(encoded.as_bytes()).unwrap());
        let envelope = json!({
            "payloadType": kind, "payload": STANDARD.encode(statement),
            "signatures": [{"keyid": "", "sig": signature}],
        });
        let tag = format!("sha256-{}.att", digest.hex());
        let envelope = envelope.to_string();
        let annotations = BTreeMap::from([("predicateType", REVIEWED.to_owned())]);
        self.manifest(
            Some(&tag),
            &[(DSSE_ENVELOPE, envelope.as_bytes(), annotations)],
        );
    }
}

fn attestors(signers: &[&KeyPair]) -> Value {
    let entries = signers.iter().map(
        |signer| json!({"keys": {"publicKeys": signer.public_key_pem(), "rekor": {"ignoreTlog": true}}}),
    );
    json!([{"entries": entries.collect::<Vec<_>>()}])
}

fn guard() -> Vec<u8> {
    fs::read(modules().join("pod-guard/pod-guard.wasm")).unwrap()
}

/// A policy with one rule that demands something of pods, and one without modules.
fn policy(validate: &Value) -> String {
    let pods = json!({"any": [{"resources": {"kinds": ["Pod"]}}]});
    let mut validate = validate.clone();
    validate["failureAction"] = json!("Enforce");
    let of = |name: &str, validate: &Value| {
        json!({
            "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": name},
            "spec": {"rules": [{"name": "asks", "match": pods, "validate": validate}]},
        })
        .to_string()
    };
    let team = json!({"failureAction": "Enforce", "message": "a team", "pattern": {"metadata": {"labels": {"team": "?*"}}}});
    format!("{}\n---\n{}", of("guard", &validate), of("team", &team))
}

fn wasm(digest: &Digest, verify: &Value) -> Value {
    json!({"wasm": {"module": format!("oci://{REPOSITORY}@{digest}"), "verify": verify}})
}

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"default","labels":{"team":"x"}},"spec":{"hostNetwork":true,"containers":[{"name":"a","image":"registry.example/a:v1"}]}}"#;

/// What a policy says of a pod that uses its node's network.
fn said(folder: &Path, policy: &str, more: &[&str]) -> Ran {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (policy, pod) = (file("policy.yaml", policy), file("pod.json", POD));
    let all = [&["apply", &policy, "--resource", &pod][..], more];
    regent(&all.concat())
}

fn both(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

#[test]
fn a_module_runs_only_where_those_signed_it_who_must_have() {
    let [right, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let place = layout.to_str().unwrap().to_owned();
    let by = |signers: &[&KeyPair]| json!({"attestors": attestors(signers)});
    for (signed, wanted, runs) in [
        (vec![&right], by(&[&right]), true),
        (vec![&right, &other], by(&[&right, &other]), true),
        (vec![&other], by(&[&right]), false),
        (vec![&right], by(&[&right, &other]), false),
        (vec![], by(&[&right]), false),
    ] {
        let _nothing_there = fs::remove_dir_all(&layout);
        let digest = Layout::new(&layout).module(WASM, &guard(), &signed);
        let policy = policy(&wasm(&digest, &wanted));
        let ran = said(folder.path(), &policy, &["--oci-layout", &place]);
        let text = both(&ran);
        assert_eq!(
            text.contains("hostNetwork is not allowed"),
            runs,
            "{wanted}: {text}"
        );
        assert_eq!(
            text.contains("its signatures are not what `verify` demands"),
            !runs,
            "{text}"
        );
        if !runs {
            assert!(text.contains("attestors[0]"), "{text}");
        }
    }
}

#[test]
fn statements_about_a_module_are_demanded_in_the_same_words() {
    let [right, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let place = layout.to_str().unwrap().to_owned();
    for (signer, runs) in [(Some(&right), true), (Some(&other), false), (None, false)] {
        let _nothing_there = fs::remove_dir_all(&layout);
        let mut written = Layout::new(&layout);
        let digest = written.module(WASM, &guard(), &[&right]);
        if let Some(signer) = signer {
            written.attest(&digest, signer);
        }
        let wanted = json!({
            "type": "Cosign", "attestors": attestors(&[&right]),
            "attestations": [{"type": REVIEWED, "attestors": attestors(&[&right])}],
        });
        let policy = policy(&wasm(&digest, &wanted));
        let text = both(&said(folder.path(), &policy, &["--oci-layout", &place]));
        assert_eq!(text.contains("hostNetwork is not allowed"), runs, "{text}");
        assert_eq!(text.contains("attestations[0]"), !runs, "{text}");
    }
}

#[test]
fn what_was_changed_after_it_was_signed_does_not_run() {
    let right = KeyPair::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let place = layout.to_str().unwrap().to_owned();
    let digest = Layout::new(&layout).module(WASM, &guard(), &[&right]);
    let policy = policy(&wasm(&digest, &json!({"attestors": attestors(&[&right])})));
    let text = || both(&said(folder.path(), &policy, &["--oci-layout", &place]));
    assert!(text().contains("hostNetwork is not allowed"), "{}", text());
    // Another module under the digest that the signed manifest names.
    let blob = layout.join("blobs/sha256").join(digest_of(&guard()).hex());
    let mut bytes = guard();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&blob, bytes).unwrap();
    assert!(!text().contains("hostNetwork is not allowed"), "{}", text());
    assert!(text().contains("module"), "{}", text());
    fs::write(&blob, guard()).unwrap();
    assert!(text().contains("hostNetwork is not allowed"), "{}", text());
    // A signature of something else, put where that of the module would be.
    let other = Layout::new(&layout).module(WASM, b"\0asm\x01\0\0\0", &[]);
    let _nothing_there = fs::remove_dir_all(&layout);
    let mut written = Layout::new(&layout);
    let digest = written.module(WASM, &guard(), &[]);
    let payload = json!({"critical": {"identity": {"docker-reference": ""}, "image": {"docker-manifest-digest": other.to_string()}, "type": "cosign container image signature"}, "optional": null});
    let payload = payload.to_string().into_bytes();
    let signature = STANDARD.encode(right.sign(&payload).unwrap());
    let tag = format!("sha256-{}.sig", digest.hex());
    let annotations = BTreeMap::from([("dev.cosignproject.cosign/signature", signature)]);
    written.manifest(Some(&tag), &[(SIMPLE_SIGNING, &payload, annotations)]);
    assert!(text().contains("its signatures are not what"), "{}", text());
}

const LABELS: &str = "package labels\n\nviolation contains {\"msg\": \"the network of the node\"} if input.review.object.spec.hostNetwork\n";

#[test]
fn modules_of_rego_are_pulled_and_verified_too() {
    let [right, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let place = layout.to_str().unwrap().to_owned();
    for (signed, runs) in [(vec![&right], true), (vec![&other], false), (vec![], false)] {
        let _nothing_there = fs::remove_dir_all(&layout);
        let digest = Layout::new(&layout).module(REGO, LABELS.as_bytes(), &signed);
        let module = format!("registry://{REPOSITORY}@{digest}");
        let verify = json!({"attestors": attestors(&[&right])});
        let policy = policy(&json!({"rego": {"module": module, "verify": verify}}));
        let text = both(&said(folder.path(), &policy, &["--oci-layout", &place]));
        assert_eq!(text.contains("the network of the node"), runs, "{text}");
        assert_eq!(
            text.contains("its signatures are not what `verify` demands"),
            !runs,
            "{text}"
        );
    }
    // Bytes that are not what the policy says.
    let digest = Layout::new(&layout).module(REGO, LABELS.as_bytes(), &[&right]);
    let module = format!("registry://{REPOSITORY}@{digest}");
    let wrong = format!("sha256:{}", "0".repeat(64));
    let policy = policy(&json!({"rego": {"module": module, "digest": wrong}}));
    let text = both(&said(folder.path(), &policy, &["--oci-layout", &place]));
    assert!(text.contains("its digest is sha256:"), "{text}");
}

/// A test of a policy with a module that somebody must have signed.
fn write_test(tests: &Path, digest: &Digest, signer: &KeyPair) {
    fs::create_dir(tests).unwrap();
    let write = |name: &str, text: String| fs::write(tests.join(name), text).unwrap();
    let verify = json!({"attestors": attestors(&[signer])});
    write("policy.yaml", policy(&wasm(digest, &verify)));
    write("pod.json", POD.to_owned());
    let row = |policy: &str, result: &str| json!({"policy": policy, "rule": "asks", "kind": "Pod", "resources": ["a"], "result": result});
    let test = json!({
        "apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Test", "metadata": {"name": "signed"},
        "policies": ["policy.yaml"], "resources": ["pod.json"], "facts": "facts.json",
        "results": [row("guard", "fail"), row("team", "pass")],
    });
    write("kyverno-test.yaml", test.to_string());
}

/// A test whose module a registry has, recorded, and replayed when the registry is gone.
#[test]
fn a_module_and_its_signatures_are_recorded_and_replayed() {
    let [right, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
    for (signer, outcome) in [(&right, "pass"), (&other, "error")] {
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("layout");
        let digest = Layout::new(&layout).module(WASM, &guard(), &[signer]);
        let tests = folder.path().join("tests");
        write_test(&tests, &digest, &right);
        let facts = tests.join("facts.json");
        let run = |more: &[&str]| {
            let test = ["test", tests.to_str().unwrap(), "--format", "json"];
            regent(&[&test[..], more].concat())
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let layouts = Layouts::open(std::slice::from_ref(&layout)).unwrap();
        let starting = LayoutRegistry::start(layouts, "registry.example", ReferrersApi::Served);
        let registry = runtime.block_on(starting).unwrap();
        let mirror = format!("registry.example=http://{}", registry.address());
        let record = [
            "--record",
            facts.to_str().unwrap(),
            "--registry-mirror",
            &mirror,
        ];
        let recorded = run(&record);
        let rows = |ran: &Ran| {
            let document: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
            document["results"].clone()
        };
        assert_eq!(
            rows(&recorded)[0]["outcome"],
            outcome,
            "{}",
            both(&recorded)
        );
        drop((registry, runtime));
        let replayed = run(&[]);
        assert_eq!(replayed.stdout, recorded.stdout);
        let known = fs::read_to_string(&facts).unwrap();
        let without = |part: &str| {
            let mut facts: Value = serde_json::from_str(&known).unwrap();
            facts[part] = json!({});
            fs::write(tests.join("facts.json"), facts.to_string()).unwrap();
            let rows = rows(&run(&[]));
            assert_eq!(rows[0]["outcome"], "error", "{rows:#}");
            let message = rows[0]["message"].as_str().unwrap().to_owned();
            assert!(
                message.contains("the recorded facts do not say"),
                "{message}"
            );
            // Others are not disturbed.
            assert_eq!(rows[1]["actual"], "pass", "{rows:#}");
        };
        without("evidence");
        if outcome == "pass" {
            without("modules");
        }
    }
}

/// What lies in the cache of this machine does not lie in that of another one, where the facts are replayed.
#[test]
fn a_module_that_is_in_the_cache_is_recorded_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let digest = Layout::new(&layout).module(WASM, &guard(), &[]);
    let module = format!("registry://{REPOSITORY}@{digest}");
    let wasm = json!({"module": module, "digest": digest_of(&guard()).to_string()});
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("policy.yaml", policy(&json!({ "wasm": wasm })));
    write("pod.json", POD.to_owned());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let layouts = Layouts::open(std::slice::from_ref(&layout)).unwrap();
    let starting = LayoutRegistry::start(layouts, "registry.example", ReferrersApi::Served);
    let registry = runtime.block_on(starting).unwrap();
    let mirror = format!("registry.example=http://{}", registry.address());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (policy, pod, facts) = (path("policy.yaml"), path("pod.json"), path("facts.json"));
    let run = |more: &[&str]| {
        let apply = ["apply", &policy, "-r", &pod, "--registry-mirror", &mirror];
        let text = both(&regent(&[&apply[..], more].concat()));
        assert!(text.contains("hostNetwork is not allowed"), "{text}");
    };
    run(&["--registry"]);
    run(&["--record", &facts]);
    let facts: Value = serde_json::from_str(&fs::read_to_string(&facts).unwrap()).unwrap();
    let modules = facts["modules"].as_object().unwrap();
    assert_eq!(modules.len(), 1, "{facts:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_refuses_by_the_rule_until_the_module_is_signed() {
    let [right, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let mut written = Layout::new(&layout);
    let digest = written.module(WASM, &guard(), &[&other]);
    let verify = json!({"attestors": attestors(&[&right])});
    let policy = policy(&wasm(&digest, &verify));
    let (guards, team) = policy.split_once("\n---\n").unwrap();
    let server = start(&[("guard.yaml", guards), ("team.yaml", team)], |settings| {
        settings.images.layouts = vec![layout.clone()];
    })
    .await;
    let harmless = |labels: &Value| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default", "labels": labels}, "spec": {"containers": [{"name": "a", "image": "registry.example/a:v1"}]}});
        super::review(pod)
    };
    let asked = server
        .post("/validate/fail", &harmless(&json!({"team": "x"})))
        .await;
    assert!(asked.body.contains("\"allowed\":false"), "{}", asked.body);
    assert!(
        asked.body.contains("its signatures are not what"),
        "{}",
        asked.body
    );
    let without = server.post("/validate/fail", &harmless(&json!({}))).await;
    assert!(without.body.contains("a team"), "{}", without.body);
    written.sign(&digest, &right);
    server.running.reload();
    let review = harmless(&json!({"team": "x"}));
    let asked = async { while !server.post("/validate/fail", &review).await.allowed() {} };
    let in_time = tokio::time::timeout(Duration::from_mins(1), asked).await;
    assert!(in_time.is_ok());
}

/// Asks until the answer holds a text.
async fn says(server: &Server, review: &Value, text: &str) {
    let ask = async || server.post("/validate/fail", review).await.body;
    let asked = async { while !ask().await.contains(text) {} };
    let in_time = tokio::time::timeout(Duration::from_mins(1), asked).await;
    assert!(in_time.is_ok(), "never {text}: {}", ask().await);
}

/// Who demands signatures of a module that runs already stops it until there are some.
#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_runs_is_stopped_by_a_demand_that_it_does_not_meet() {
    let right = KeyPair::generate().unwrap();
    let pod: Value = serde_json::from_str(POD).unwrap();
    let review = super::review(pod);
    for (kind, media_type, bytes, says_of_module) in [
        ("wasm", WASM, guard(), "hostNetwork is not allowed"),
        ("rego", REGO, LABELS.into(), "the network of the node"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("layout");
        let mut written = Layout::new(&layout);
        let digest = written.module(media_type, &bytes, &[]);
        let mut asked = json!({"module": format!("oci://{REPOSITORY}@{digest}")});
        let unsigned = policy(&json!({kind: asked.clone()}));
        asked["verify"] = json!({"attestors": attestors(&[&right])});
        let signed = policy(&json!({kind: asked}));
        let server = start(&[("guard.yaml", &unsigned)], |settings| {
            settings.images.layouts = vec![layout.clone()];
            settings.reload_interval = Duration::from_millis(20);
        })
        .await;
        says(&server, &review, says_of_module).await;
        fs::write(server.policy_path("guard.yaml"), &signed).unwrap();
        says(&server, &review, "its signatures are not what").await;
        let ready = server.get("/health/readiness").await;
        assert_eq!(ready.status, 200, "{}", ready.body);
        assert!(
            ready.body.contains("(its rule is an error)"),
            "{}",
            ready.body
        );
        // Nothing changes on this side when somebody signs it, and it is found out all the same.
        written.sign(&digest, &right);
        says(&server, &review, says_of_module).await;
    }
}

/// What was verified counts as long as the trust roots do under which it was.
#[test]
fn a_module_is_verified_again_under_other_trust_roots() {
    let right = KeyPair::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let digest = Layout::new(&layout).module(WASM, &guard(), &[&right]);
    let verify = json!({"attestors": attestors(&[&right])});
    let source = Source::new("policy.yaml", policy(&wasm(&digest, &verify)));
    let demo = fs::read_to_string(workspace().join("cli/demo/trusted_root.json")).unwrap();
    let roots = [public_sigstore().unwrap(), TrustRoot::parse(&demo).unwrap()];
    let roots = roots.map(|root| Arc::new(TrustRoots::new(root)));
    let at = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&at);
    let settings = ImageSettings {
        layouts: vec![layout.clone()],
        ..ImageSettings::default()
    };
    let remote = RemoteModules::new(settings, move || {
        Ok(Arc::clone(&roots[now.load(Ordering::Relaxed)]))
    });
    let guests = Guests::start(GuestSettings {
        cache: None,
        remote: Some(remote),
    })
    .unwrap();
    let wrongs = || {
        let mut loaded = load(&[Arc::clone(&source)], &Environment::default());
        guests.prepare(&mut loaded);
        loaded.diagnostics.len()
    };
    assert_eq!(wrongs(), 0);
    // Its signature is gone, which nobody looks at while nothing has changed.
    fs::remove_dir_all(&layout).unwrap();
    let again = Layout::new(&layout).module(WASM, &guard(), &[]);
    assert_eq!(again, digest);
    assert_eq!(wrongs(), 0);
    at.store(1, Ordering::Relaxed);
    assert_eq!(wrongs(), 1);
    at.store(0, Ordering::Relaxed);
    assert_eq!(wrongs(), 1);
}

#[test]
fn a_check_says_nothing_of_what_lies_in_registries() {
    let folder = tempfile::tempdir().unwrap();
    let right = KeyPair::generate().unwrap();
    let verify = json!({"attestors": attestors(&[&right])});
    let digest = digest_of(b"");
    let path = folder.path().join("policy.yaml");
    let module = format!("oci://{REPOSITORY}@{digest}");
    for body in ["wasm", "rego"] {
        let text = policy(&json!({body: {"module": module, "verify": verify}}));
        fs::write(&path, text).unwrap();
        let ran = regent(&["check", path.to_str().unwrap()]);
        assert_eq!(ran.status, ExitStatus::Pass, "{}", both(&ran));
        let text = policy(&json!({body: {"module": module, "verify": {"attestors": []}}}));
        fs::write(&path, text).unwrap();
        let ran = regent(&["check", path.to_str().unwrap()]);
        assert_eq!(ran.status, ExitStatus::DoesNotCompile, "{}", both(&ran));
    }
}
