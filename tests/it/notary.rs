//! `type: Notary` from the policy to the verdict, and with the real `notation`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use regent_server::image::Network;
use regent_server::settings::Settings;
use regent_tests::{needs, workspace};
use serde_json::{Value, json};

use crate::docker_registry::DockerRegistry;
use crate::registry::mirrored_as;
use crate::server::client::{pod_review, start};

/// The image of `tests/notary`.
const DIGEST: &str = "sha256:418c30b6638cf7fbd7f8851059845330db9053d7b6b20a2b31259e37fe39a801";

fn file(name: &str) -> String {
    fs::read_to_string(workspace().join("tests/notary").join(name)).unwrap()
}

/// A policy whose entry has some more fields, and attestors.
fn policy(fields: &Value, entries: &Value) -> String {
    let mut entry = json!({
        "imageReferences": ["registry.example/*"],
        "attestors": [{"count": 1, "entries": entries}],
    });
    for (name, value) in fields.as_object().unwrap() {
        entry[name] = value.clone();
    }
    let pods = json!({"any": [{"resources": {"kinds": ["Pod"]}}]});
    let rule = json!({"name": "signed", "match": pods, "verifyImages": [entry]});
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "notary"},
        "spec": {"validationFailureAction": "Enforce", "rules": [rule]},
    })
    .to_string()
}

/// What becomes of a pod with the image: nothing where it is admitted, else the message.
async fn refusal(policy: &str, image: &str, adjust: impl FnOnce(&mut Settings)) -> Option<String> {
    let server = start(&[("policy.yaml", policy)], adjust).await;
    let ready = server.get("/health/readiness").await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    let mut review = pod_review(&json!({}));
    review["request"]["object"]["spec"]["containers"][0]["image"] = image.into();
    let answer = server.post("/validate?timeout=10s", &review).await;
    let response = answer.response();
    let message = response["status"]["message"].as_str().unwrap_or_default();
    let message: Vec<&str> = message.split_whitespace().collect();
    (!answer.allowed()).then(|| message.join(" "))
}

async fn of_layout(fields: Value, entries: Value) -> Option<String> {
    of("tests/notary/layout", fields, entries).await
}

async fn of(layout: &str, fields: Value, entries: Value) -> Option<String> {
    let layout = workspace().join(layout);
    let image = format!("registry.example/acme/app@{DIGEST}");
    let policy = policy(&fields, &entries);
    refusal(&policy, &image, |settings| {
        settings.images.layouts = vec![layout];
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_names_its_trust_store() {
    let notary = || json!({"type": "Notary"});
    let trusts = |part: &str, name: &str| json!({"certificates": {part: file(name)}});
    for (part, name) in [
        ("cert", "ec.crt"),
        ("certChain", "root.crt"),
        ("cert", "root.crt"),
    ] {
        let refused = of_layout(notary(), json!([trusts(part, name)])).await;
        assert_eq!(refused, None, "{part} {name}");
    }
    let other = Signer::new().root;
    let others = json!({"certificates": {"certChain": other}});
    let refused = of_layout(notary(), json!([others.clone()])).await.unwrap();
    assert!(refused.contains("certificates"), "{refused}");
    // Each entry has a store of its own.
    let either = json!([others, trusts("certChain", "root.crt")]);
    assert_eq!(of_layout(notary(), either.clone()).await, None);
    let mut both = either;
    both.as_array_mut()
        .unwrap()
        .push(json!({"certificates": {"cert": Signer::new().root}}));
    let all = json!({"type": "Notary", "attestors": [{"entries": both}]});
    assert!(of_layout(all, json!([])).await.is_some());
}

/// The certificate was valid for four minutes: only the authority that the policy names says when it was used.
#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_admits_what_was_signed_while_the_certificate_was_valid() {
    let judge = async |tsa: Option<&str>| {
        let mut entry = json!({"certificates": {"certChain": file("stamped/root.crt")}});
        if let Some(tsa) = tsa {
            entry["certificates"]["ctlog"] = json!({"tsaCertChain": file(tsa)});
        }
        let notary = json!({"type": "Notary"});
        of("tests/notary/stamped/layout", notary, json!([entry])).await
    };
    assert_eq!(judge(Some("stamped/tsa.crt")).await, None);
    for (tsa, reason) in [
        (None, "not valid at the proven time"),
        (Some("root.crt"), "not valid at the proven time"),
    ] {
        let refused = judge(tsa).await.unwrap();
        assert!(refused.contains(reason), "{tsa:?}: {refused}");
    }
}

/// Who asks for cosign's signatures gets none of another kind, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_counts_where_its_kind_is_asked_for() {
    for fields in [
        json!({}),
        json!({"type": "Cosign"}),
        json!({"type": "SigstoreBundle"}),
    ] {
        let lax = json!({
            "certificates": {
                "certChain": file("root.crt"),
                "rekor": {"ignoreTlog": true}, "ctlog": {"ignoreSCT": true},
            },
        });
        let refused = of_layout(fields, json!([lax])).await.unwrap();
        assert!(refused.contains("no signatures found"), "{refused}");
    }
}

/// Somebody who signs with `notation`.
struct Signer {
    root: String,
    chain: String,
    key: String,
}

impl Signer {
    fn new() -> Self {
        let named = |name: &str| {
            let mut parameters = CertificateParams::new(Vec::new()).unwrap();
            let dn = &mut parameters.distinguished_name;
            dn.push(rcgen::DnType::CommonName, name);
            dn.push(rcgen::DnType::OrganizationName, "Acme");
            dn.push(rcgen::DnType::StateOrProvinceName, "Berlin");
            dn.push(rcgen::DnType::CountryName, "DE");
            parameters
        };
        let mut root = named("root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let mut leaf = named("leaf");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap().pem();
        Self {
            root: root.pem(),
            chain: format!("{leaf}{}", root.pem()),
            key: key.serialize_pem(),
        }
    }

    /// Has the real program sign an image.
    fn sign(&self, notation: &Path, folder: &Path, (image, format): (&str, &str)) {
        let at = |name: &str| folder.join(name);
        fs::create_dir_all(at("notation")).unwrap();
        fs::write(at("key.pem"), &self.key).unwrap();
        fs::write(at("chain.pem"), &self.chain).unwrap();
        let keys = json!({
            "default": "own",
            "keys": [{"name": "own", "keyPath": at("key.pem"), "certPath": at("chain.pem")}],
        });
        fs::write(at("notation/signingkeys.json"), keys.to_string()).unwrap();
        let said = Command::new(notation)
            .args([
                "sign",
                "--insecure-registry",
                "--signature-format",
                format,
                image,
            ])
            .env("XDG_CONFIG_HOME", folder)
            .env("HOME", folder)
            .output()
            .unwrap();
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}

async fn of_registry(policy: String, image: String, address: String) -> Option<String> {
    let network = Network::Registries(mirrored_as("registry.example", address));
    refusal(&policy, &image, |settings| {
        settings.images.network = network;
    })
    .await
}

/// `notation`, built as `.ci/run` does, with a registry that is not ours.
#[tokio::test(flavor = "multi_thread")]
async fn what_notation_signs_now_is_admitted() {
    let Some(notation) = std::env::var_os("NOTATION").map(PathBuf::from) else {
        needs("NOTATION (the notation command line, which .ci/run builds)");
        return;
    };
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let image = format!("registry.example/acme/app@{DIGEST}");
    let layout = workspace().join("tests/notary/layout");
    for format in ["jws", "cose"] {
        let repository = format!("acme/{format}");
        registry.push(&layout, &repository, "v1").await;
        let signer = Signer::new();
        let admits = |signer: &Signer| {
            let store = json!([{"certificates": {"certChain": signer.root}}]);
            policy(&json!({"type": "Notary"}), &store)
        };
        let image = image.replace("acme/app", &repository);
        let address = registry.address();
        let ask = |policy: String| of_registry(policy, image.clone(), address.clone());
        assert!(
            ask(admits(&signer)).await.is_some(),
            "{format}: nobody signed yet"
        );
        let place = format!("{}/{repository}@{DIGEST}", registry.address());
        signer.sign(&notation, folder.path(), (&place, format));
        assert_eq!(ask(admits(&signer)).await, None, "{format}");
        assert!(
            ask(admits(&Signer::new())).await.is_some(),
            "{format}: somebody else"
        );
    }
}
