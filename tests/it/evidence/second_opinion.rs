//! Every piece of evidence that we accept, `sigstore-verify` accepts too, but for what it does not support; each of these by name.

mod changed;

use std::collections::BTreeMap;
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regent_engine::image::Digest;
use regent_engine::image::evidence::{Evidence, Verification};
use regent_server::image::artifact::{Artifacts, LegacyArtifact};
use regent_server::image::trust::sha256;
use serde_json::{Map, Value, json};
use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_verify::types::{Bundle, DerPublicKey, Sha256Hash};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use super::material::{Sample, artifacts};

/// Why `sigstore-verify` refuses what we accept, by the names of `sigstore.md` §9; nothing where it has no reason to.
fn gap(verified: &Verification) -> Option<&'static str> {
    let kinds: Vec<_> = verified
        .log_entries
        .iter()
        .map(|entry| entry.kind.as_str())
        .collect();
    match (kinds.as_slice(), verified.timestamps.as_slice()) {
        ([], []) => Some("G2 neither log nor timestamp"),
        ([], _) => Some("G1 timestamp and no log"),
        (["dsse 0.0.2"], _) => Some("G4 dsse 0.0.2"),
        (["intoto 0.0.1"], _) => Some("intoto 0.0.1"),
        _ => None,
    }
}

fn verification(evidence: &Evidence) -> Option<&Verification> {
    let signature = evidence.signatures.first().map(|s| &s.verified);
    signature.or(evidence.statements.first().map(|s| &s.verified))
}

#[test]
fn what_we_accept_sigstore_verify_accepts_too_or_does_not_support() {
    let mut counts = BTreeMap::new();
    for set in ["cosign", "provenance"] {
        let Some(path) = regent_tests::shared_path(&format!("conformance/{set}")) else {
            return;
        };
        for sample in Sample::read_all(&path) {
            for piece in sample.pieces() {
                let evidence = sample.verify_with(&piece, &sample.root());
                compare(&sample, &piece, &evidence, &mut counts);
            }
        }
    }
    for sample in images() {
        for piece in sample.pieces() {
            let evidence = sample.verify_with(&piece, &sample.root());
            compare(&sample, &piece, &evidence, &mut counts);
        }
    }
    let expected = BTreeMap::from([
        ("G1 timestamp and no log", 12),
        ("G2 neither log nor timestamp", 3),
        ("both accept", 79),
        ("both refuse", 6),
        ("intoto 0.0.1", 2),
    ]);
    assert_eq!(counts, expected);
}

fn compare(
    sample: &Sample,
    piece: &Artifacts,
    evidence: &Evidence,
    counts: &mut BTreeMap<&'static str, usize>,
) {
    let name = &sample.name;
    let opinion = ask(sample, piece);
    let outcome = match (verification(evidence), opinion) {
        (Some(_), Ok(())) => "both accept",
        (None, Err(_)) => "both refuse",
        (None, Ok(())) => panic!(
            "{name}: only sigstore-verify accepts: {:?}",
            evidence.refused
        ),
        (Some(verified), Err(error)) => match gap(verified) {
            Some(gap) => gap,
            None => panic!("{name}: only we accept; sigstore-verify says {error}"),
        },
    };
    *counts.entry(outcome).or_default() += 1;
}

/// What `sigstore-verify` says under its default policy, whoever signed.
fn ask(sample: &Sample, piece: &Artifacts) -> Result<(), String> {
    let root = TrustedRoot::from_json(&sample.trust_root).map_err(|e| e.to_string())?;
    let verifier = Verifier::new(&root).map_err(|e| e.to_string())?;
    let (bundle, payload) = bundle(piece);
    let keyed = bundle.pointer("/verificationMaterial/publicKey").is_some();
    let bundle = Bundle::from_json(&bundle.to_string()).map_err(|e| e.to_string())?;
    let image = Sha256Hash::from_hex(sample.digest.hex()).map_err(|e| e.to_string())?;
    let outcome = if keyed {
        let named = sample.keys.first().ok_or("no key is named")?;
        let key = DerPublicKey::from_pem(&named.pem).map_err(|e| e.to_string())?;
        let policy = PublicKeyVerificationPolicy::new(key);
        match &payload {
            Some(bytes) => verifier.verify(bytes.as_slice(), &bundle, &policy),
            None => verifier.verify(image, &bundle, &policy),
        }
    } else {
        let policy = VerificationPolicy::any_identity();
        match &payload {
            Some(bytes) => verifier.verify(bytes.as_slice(), &bundle, &policy),
            None => verifier.verify(image, &bundle, &policy),
        }
    };
    outcome.map(|_| ()).map_err(|error| error.to_string())
}

/// The piece as a bundle, and the payload that it is about where that is not the image itself.
fn bundle(piece: &Artifacts) -> (Value, Option<Vec<u8>>) {
    if let Some(bundle) = piece.bundles.first() {
        return (serde_json::from_slice(&bundle.bytes).unwrap(), None);
    }
    if let Some(layer) = piece.attestations.first() {
        let mut envelope: Value = serde_json::from_slice(&layer.bytes).unwrap();
        for signature in envelope["signatures"].as_array_mut().unwrap() {
            signature.as_object_mut().unwrap().remove("keyid");
        }
        return (converted(layer, "dsseEnvelope", &envelope), None);
    }
    let layer = piece.signatures.first().unwrap();
    let signature = json!({
        "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(sha256(&layer.bytes)) },
        "signature": layer.annotations["dev.cosignproject.cosign/signature"],
    });
    (
        converted(layer, "messageSignature", &signature),
        Some(layer.bytes.to_vec()),
    )
}

/// A legacy layer as a bundle of version 0.1.
fn converted(layer: &LegacyArtifact, name: &str, content: &Value) -> Value {
    let annotation = |name: &str| {
        let text = layer
            .annotations
            .get(&format!("dev.sigstore.cosign/{name}"))?;
        (!text.is_empty()).then_some(text)
    };
    let parsed =
        |name: &str| annotation(name).map(|text| serde_json::from_str::<Value>(text).unwrap());
    let mut material = Map::new();
    match annotation("certificate") {
        Some(pem) => {
            let lines = pem.lines().filter(|line| !line.starts_with("-----"));
            let certificate = json!({ "rawBytes": lines.collect::<String>() });
            material.insert(
                "x509CertificateChain".into(),
                json!({ "certificates": [certificate] }),
            );
        }
        None => {
            material.insert("publicKey".into(), json!({ "hint": "" }));
        }
    }
    let entries: Vec<_> = parsed("bundle").iter().map(entry).collect();
    material.insert("tlogEntries".into(), entries.into());
    if let Some(stamp) = parsed("rfc3161timestamp") {
        let stamp = json!({ "signedTimestamp": stamp["SignedRFC3161Timestamp"] });
        material.insert(
            "timestampVerificationData".into(),
            json!({ "rfc3161Timestamps": [stamp] }),
        );
    }
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": material,
        name: content,
    })
}

fn entry(written: &Value) -> Value {
    let payload = &written["Payload"];
    let body = payload["body"].as_str().unwrap();
    let kind: Value = serde_json::from_slice(&STANDARD.decode(body).unwrap()).unwrap();
    let log_id = hex::decode(payload["logID"].as_str().unwrap()).unwrap();
    json!({
        "logIndex": payload["logIndex"].to_string(),
        "logId": { "keyId": STANDARD.encode(log_id) },
        "kindVersion": { "kind": kind["kind"], "version": kind["apiVersion"] },
        "integratedTime": payload["integratedTime"].to_string(),
        "inclusionPromise": { "signedEntryTimestamp": written["SignedEntryTimestamp"] },
        "canonicalizedBody": body,
    })
}

/// The real images of the SLSA generator.
fn images() -> Vec<Sample> {
    let Some(path) = regent_tests::shared_path("images/slsa-github-generator") else {
        return Vec::new();
    };
    let read = |version: &str| {
        let folder = path.join(version);
        let digest = fs::read_to_string(folder.join("digest")).unwrap();
        let digest = Digest::parse(digest.trim()).unwrap();
        Sample {
            name: version.to_owned(),
            artifacts: artifacts(&folder.join("layout"), &digest),
            keys: Vec::new(),
            trust_root: SIGSTORE_PRODUCTION_TRUSTED_ROOT.to_owned(),
            digest,
        }
    };
    ["v1.4.0", "v1.9.0", "v2.0.0"].map(read).into()
}
