//! Questions of modules about images, by real evidence: what Kubewarden's kits ask, answered by our own verifier, recorded
//! and replayed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use regent::exit_status::ExitStatus;
use regent_engine::evaluation::need::{DataNeed, Fact, Need};
use regent_engine::evaluation::{Phase, Step};
use regent_engine::load::{Environment, load};
use regent_engine::response::RuleStatus;
use regent_engine::source::Source;
use regent_engine::wasm::call::HostAnswer;
use regent_server::clock;
use regent_server::guests::{GuestSettings, Guests};
use regent_server::image::layout::Layouts;
use regent_server::image::trust::{TrustRoot, TrustRoots};
use regent_server::image::{ImageSettings, Images};
use regent_server::layout_registry::{LayoutRegistry, ReferrersApi};
use regent_server::metrics::Metrics;
use regent_tests::workspace;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::command::{Ran, regent};
use crate::oracle::request;

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const SUBJECT: &str =
    "https://github.com/your-org/app/.github/workflows/build-with-provenance.yml@refs/heads/main";
const APP: &str = "ghcr.io/your-org/app:v1";

/// A module that asks one question about every request, and accepts it where there is an answer.
fn module(operation: &str, payload: &str) -> Vec<u8> {
    let data = |at: usize, text: &str| {
        let mut escaped = String::new();
        for byte in text.bytes() {
            write!(escaped, "\\{byte:02x}").unwrap();
        }
        format!("(data (i32.const {at}) \"{escaped}\")")
    };
    let constant = |at: usize, text: &str| format!("(i32.const {at}) (i32.const {})", text.len());
    let (yes, no) = (
        r#"{"accepted":true,"valid":true}"#,
        r#"{"accepted":false,"message":"the host says no"}"#,
    );
    let pieces = [
        (64, yes),
        (256, no),
        (512, "kubewarden"),
        (544, "oci"),
        (576, operation),
        (1024, payload),
    ];
    let written = pieces.map(|(at, text)| data(at, text)).join("\n");
    let asked = pieces
        .get(2..)
        .unwrap()
        .iter()
        .map(|(at, text)| constant(*at, text))
        .collect::<Vec<_>>()
        .join(" ");
    let text = format!(
        "(module
          (import \"wapc\" \"__guest_response\" (func $response (param i32 i32)))
          (import \"wapc\" \"__host_call\" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
          (memory (export \"memory\") 1)
          {written}
          (func (export \"__guest_call\") (param $operation i32) (param $payload i32) (result i32)
            (if (i32.ne (local.get $operation) (i32.const 8))
              (then (call $response {yes}))
              (else (if (call $call {asked})
                (then (call $response {yes}))
                (else (call $response {no})))))
            (i32.const 1)))",
        yes = constant(64, yes),
        no = constant(256, no),
    );
    wat::parse_str(text).unwrap()
}

const POLICY: &str = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: asks}\nspec:\n  rules:\n  - name: asks\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate:\n      failureAction: Enforce\n      wasm: {module: module.wasm, capabilities: ['oci/*']}\n";

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default"}, "spec": {"containers": [{"name": "a", "image": APP}]}})
}

fn demo(name: &str) -> std::path::PathBuf {
    workspace().join("cli/demo").join(name)
}

fn images() -> Images {
    let root = fs::read_to_string(demo("trusted_root.json")).unwrap();
    let roots = TrustRoots::new(TrustRoot::parse(&root).unwrap());
    let settings = ImageSettings {
        layouts: vec![demo("registry")],
        ..ImageSettings::default()
    };
    Images::new(&settings, roots, Metrics::new().unwrap()).unwrap()
}

/// What becomes of a pod whose module asks something, and what the module was told.
async fn ask(operation: &str, payload: &Value) -> (RuleStatus, Vec<HostAnswer>) {
    let folder = tempfile::tempdir().unwrap();
    let wasm = module(operation, &payload.to_string());
    fs::write(folder.path().join("module.wasm"), wasm).unwrap();
    let name = folder.path().join("policy.yaml").display().to_string();
    let mut loaded = load(&[Source::new(&name, POLICY)], &Environment::default());
    let guests = Guests::start(GuestSettings::default()).unwrap();
    guests.prepare(&mut loaded);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let images = images();
    let request = request(&pod());
    let set = Arc::clone(&loaded.policies);
    let mut evaluation = set.review(Arc::new(request), Phase::Validate, clock::environment());
    let mut told = Vec::new();
    let deadline = Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let needs = match evaluation.step() {
            Step::Done(responses) => return (responses[0].rules[0].status, told),
            Step::Need(needs) => needs,
        };
        for (id, need) in needs {
            let fact = match &need {
                Need::Guest(need) => {
                    told = need
                        .answers
                        .iter()
                        .map(|(_, answer)| answer.clone())
                        .collect();
                    guests.answer(need)
                }
                Need::Image(need) => Fact::Image(images.evidence(need, deadline).await),
                Need::Data(DataNeed::ImageData { reference, .. }) => {
                    Fact::Data(images.data(reference, &[], deadline).await)
                }
                other => panic!("{other:?}"),
            };
            evaluation.answer(id, fact);
        }
    }
}

/// Who signed the image that a question is about, in the words of each kind of question.
fn questions() -> Vec<(&'static str, Value, bool)> {
    let keyless = |issuer: &str, subject: &str| {
        let identity = json!({"issuer": issuer, "subject": subject});
        json!({"type": "SigstoreKeylessVerify", "image": APP, "keyless": [identity], "annotations": null})
    };
    let prefix = |prefix: &str| {
        let identity = json!({"issuer": ISSUER, "url_prefix": prefix});
        json!({"type": "SigstoreKeylessPrefixVerify", "image": APP, "keyless_prefix": [identity], "annotations": null})
    };
    let github = |owner: &str, repository: Option<&str>| json!({"type": "SigstoreGithubActionsVerify", "image": APP, "owner": owner, "repo": repository, "annotations": null});
    let of = |image: &str, mut question: Value| {
        question["image"] = json!(format!("ghcr.io/your-org/{image}:v1"));
        question
    };
    let first = json!({"image": APP, "keyless": [{"issuer": ISSUER, "subject": SUBJECT}], "annotations": {}});
    let mut noted = keyless(ISSUER, SUBJECT);
    noted["annotations"] = json!({"team": "nobody"});
    let key = rcgen::KeyPair::generate().unwrap().public_key_pem();
    let keys = json!({"type": "SigstorePubKeyVerify", "image": APP, "pub_keys": [key], "annotations": null});
    let mut both = keyless(ISSUER, SUBJECT);
    both["keyless"]
        .as_array_mut()
        .unwrap()
        .push(json!({"issuer": ISSUER, "subject": SUBJECT.replace("your-org", "other-org")}));
    let certificate = json!({"type": "SigstoreCertificateVerify", "image": APP, "certificate": [1, 2], "certificate_chain": null, "require_rekor_bundle": true, "annotations": null});
    let somebody = || keyless(ISSUER, SUBJECT);
    let refused = [
        keyless("https://issuer.example", SUBJECT),
        keyless(ISSUER, "https://github.com/your-org/app"),
        both,
        prefix("https://github.com/your-o"),
        github("your-org", Some("ap")),
        github("your", None),
        noted,
        keys,
        certificate,
        of("unsigned", somebody()),
        of("not-there", somebody()),
        of("foreign-signature", somebody()),
        of("lookalike-signature", github("your-org", None)),
    ];
    let mut all = vec![
        ("v2/verify", somebody(), true),
        ("v1/verify", first, true),
        ("v2/verify", prefix("https://github.com/your-org"), true),
        ("v2/verify", github("your-org", None), true),
        ("v2/verify", github("your-org", Some("app")), true),
    ];
    all.extend(refused.map(|question| ("v2/verify", question, false)));
    all
}

fn is_unknown(question: &Value) -> bool {
    question["image"]
        .as_str()
        .is_some_and(|image| image.contains("not-there"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_an_image_is_answered_by_our_own_verifier() {
    for (operation, question, trusted) in questions() {
        let (status, told) = ask(operation, &question).await;
        if is_unknown(&question) {
            // Layouts do not have it, and nobody else was asked.
            assert_eq!((status, told.len()), (RuleStatus::Error, 0), "{question}");
            continue;
        }
        let expected = if trusted {
            RuleStatus::Pass
        } else {
            RuleStatus::Fail
        };
        assert_eq!(status, expected, "{question}: {told:?}");
        assert_eq!(told.len(), 1, "{question}");
        if let Ok(answer) = &told[0] {
            let answer: Value = serde_json::from_slice(answer).unwrap();
            assert_eq!(answer["is_trusted"], true, "{question}");
            assert!(answer["digest"].as_str().unwrap().starts_with("sha256:"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_has_is_answered_as_it_is() {
    let resolved = Layouts::open(&[demo("registry")]).unwrap();
    let reference = regent_engine::image::ImageReference::parse(APP).unwrap();
    let digest = resolved.resolve(&reference).unwrap().unwrap();
    let manifest = resolved.manifest(&digest).await.unwrap();
    let manifest: Value = serde_json::from_slice(&manifest.bytes).unwrap();
    for operation in [
        "v1/manifest_digest",
        "v1/oci_manifest",
        "v1/oci_manifest_config",
    ] {
        // Kits ask with the name alone, or with a map.
        for question in [json!(APP), json!({"image": APP})] {
            let (status, told) = ask(operation, &question).await;
            assert_eq!(status, RuleStatus::Pass, "{operation}: {told:?}");
            let answer: Value = serde_json::from_slice(told[0].as_ref().unwrap()).unwrap();
            let expected = match operation {
                "v1/manifest_digest" => json!({"digest": digest.to_string()}),
                "v1/oci_manifest" => manifest.clone(),
                _ => json!({
                    "digest": digest.to_string(), "manifest": manifest, "config": answer["config"],
                }),
            };
            assert_eq!(answer, expected, "{operation}");
        }
        let (status, told) = ask(operation, &json!("ghcr.io/your-org/not-there:v1")).await;
        assert_eq!(status, RuleStatus::Error, "{operation}: {told:?}");
    }
}

/// A test of a policy whose module asks something about an image.
fn write(folder: &Path, operation: &str, question: &Value, result: &str) {
    let test = json!({
        "apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Test", "metadata": {"name": "asks"},
        "policies": ["policy.yaml"], "resources": ["pod.json"], "facts": "facts.json",
        "results": [{"policy": "asks", "rule": "asks", "kind": "Pod", "resources": ["a"], "result": result}],
    });
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("module.wasm", &module(operation, &question.to_string()));
    write("policy.yaml", POLICY.as_bytes());
    write("pod.json", pod().to_string().as_bytes());
    write("kyverno-test.yaml", test.to_string().as_bytes());
}

fn run(folder: &Path, more: &[&str]) -> Ran {
    let test = ["test", folder.to_str().unwrap(), "--format", "json"];
    regent(&[&test[..], more].concat())
}

fn record(folder: &Path) -> Ran {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let layouts = Layouts::open(&[demo("registry")]).unwrap();
    let starting = LayoutRegistry::start(layouts, "ghcr.io", ReferrersApi::Served);
    let registry = runtime.block_on(starting).unwrap();
    let mirror = format!("ghcr.io=http://{}", registry.address());
    let facts = folder.join("facts.json");
    let root = demo("trusted_root.json");
    run(
        folder,
        &[
            "--record",
            facts.to_str().unwrap(),
            "--registry-mirror",
            &mirror,
            "--trusted-root",
            root.to_str().unwrap(),
        ],
    )
}

#[test]
fn questions_of_modules_are_recorded_and_replayed_to_the_letter() {
    let named = json!(APP);
    let mut all = questions();
    for operation in [
        "v1/manifest_digest",
        "v1/oci_manifest",
        "v1/oci_manifest_config",
    ] {
        all.push((operation, named.clone(), true));
    }
    // One of each kind, and one of those that are refused.
    for (operation, question, answered) in all.into_iter().step_by(3) {
        let folder = tempfile::tempdir().unwrap();
        let result = if answered { "pass" } else { "fail" };
        write(folder.path(), operation, &question, result);
        let recorded = record(folder.path());
        assert_eq!(
            recorded.status,
            ExitStatus::Pass,
            "{question}: {}{}",
            recorded.stdout,
            recorded.stderr
        );
        // The registry is gone.
        let replayed = run(folder.path(), &[]);
        assert_eq!(replayed.stdout, recorded.stdout, "{question}");
        let facts = folder.path().join("facts.json");
        let known = fs::read_to_string(&facts).unwrap();
        let mut without: Value = serde_json::from_str(&known).unwrap();
        for part in ["tags", "evidence", "images"] {
            without[part] = json!({});
        }
        if without.to_string().len()
            == serde_json::from_str::<Value>(&known)
                .unwrap()
                .to_string()
                .len()
        {
            continue;
        }
        fs::write(&facts, without.to_string()).unwrap();
        let missing = run(folder.path(), &[]);
        if answered {
            assert_ne!(missing.status, ExitStatus::Pass, "{question}");
            assert!(
                missing.stdout.contains("the recorded facts do not say"),
                "{question}: {}",
                missing.stdout
            );
        }
    }
}
