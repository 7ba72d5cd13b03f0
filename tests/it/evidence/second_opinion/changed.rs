//! The bundles of sigstore-conformance, changed, relabelled and mixed with each other: `sigstore-verify`, which judges the whole suite
//! as it says, and we agree on each, but for the kinds of change that are listed here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regent_engine::image::Digest;
use regent_engine::image::evidence::{Evidence, Signer};
use regent_server::image::artifact::{Artifacts, BundleArtifact};
use regent_server::image::trust::{PUBLIC_SIGSTORE, sha256};
use serde_json::{Value, json};

use super::{ask, verification};
use crate::evidence::material::{Sample, public_key, reasons};
use crate::evidence::mutation::{json_mutants, stride};

const MATERIAL: &str = "/verificationMaterial";
const ENTRIES: &str = "/verificationMaterial/tlogEntries";
const TOKENS: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";

/// One in so many is tried, which takes some seconds; no number of changes of one place is a multiple of it, so that each kind
/// comes up. `REGENT_MUTATION_STRIDE=1` tries all.
const USUAL: usize = 11;

/// What only we accept, by kind and place of the change.
const LAXER: [&str; 3] = [
    // One good timestamp is enough, as it is for sigstore-go.
    "added /verificationMaterial/timestampVerificationData/rfc3161Timestamps",
    // A timestamp of an authority that nobody knows does not count, and a log says when.
    "swapped /verificationMaterial/timestampVerificationData",
    // `sigstore.md` §9, G6: nor does an entry of a log that nobody knows.
    "added /verificationMaterial/tlogEntries",
];

/// What only `sigstore-verify` accepts.
const STRICTER: [&str; 9] = [
    // `sigstore.md` §9: it finds the log by the checkpoint, and does not look at the rest of the entry.
    "changed /verificationMaterial/tlogEntries/0/logId",
    "swapped /verificationMaterial/tlogEntries/0/logId",
    "changed /verificationMaterial/tlogEntries/0/inclusionProof/logIndex",
    "changed /verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
    "changed /verificationMaterial/tlogEntries/0/inclusionProof/treeSize",
    // Nor at whose name heads a checkpoint.
    "changed /verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope",
    // Two entries, of which one is not what the format demands.
    "added /verificationMaterial/tlogEntries",
    // One of two signers.
    "relabelled both",
    "changed /mediaType",
];

fn read(case: &Path, usual: &Path) -> Sample {
    let own = fs::read(case.join("artifact"));
    let artifact = own.unwrap_or_else(|_| fs::read(usual).unwrap());
    let root = fs::read_to_string(case.join("trusted_root.json"));
    let key = fs::read_to_string(case.join("key.pub"));
    let digest = Digest::from_sha256(sha256(&artifact));
    let bytes = fs::read(case.join("bundle.sigstore.json")).unwrap();
    Sample {
        name: case.file_name().unwrap().to_string_lossy().into_owned(),
        artifacts: one(&digest, bytes),
        keys: key.iter().map(|pem| public_key(pem)).collect(),
        trust_root: root.unwrap_or_else(|_| PUBLIC_SIGSTORE.to_owned()),
        digest,
    }
}

fn one(digest: &Digest, bytes: Vec<u8>) -> Artifacts {
    Artifacts {
        bundles: vec![BundleArtifact {
            manifest: digest.clone(),
            bytes: bytes.into(),
        }],
        ..Artifacts::default()
    }
}

fn bundle(sample: &Sample) -> Value {
    serde_json::from_slice(&sample.artifacts.bundles[0].bytes).unwrap()
}

/// Changed bundles, each with what was changed.
type Changed = Vec<(String, Vec<u8>)>;

/// Other versions, without a part each, and with the certificate written in another way.
fn relabelled(bundle: &Value, changed: &mut Changed) {
    let version = "application/vnd.dev.sigstore.bundle+json;version=";
    let labels = ["0.1", "0.2", "0.3", "0.4"].map(|number| format!("{version}{number}"));
    let newer =
        ["v0.3", "v0.4"].map(|name| format!("application/vnd.dev.sigstore.bundle.{name}+json"));
    let parts = [
        "",
        "/inclusionProof",
        "/inclusionPromise",
        "/integratedTime",
        "/inclusionProof/checkpoint",
    ];
    let hows = ["as it is", "chain", "single", "both"];
    let labels = labels.iter().chain(&newer);
    for (label, without) in labels.flat_map(|label| parts.map(|part| (label, part))) {
        changed.extend(hows.iter().filter_map(|how| {
            let mut one = bundle.clone();
            one["mediaType"] = json!(label);
            let place = format!("{ENTRIES}/0{without}");
            let is_there = without.is_empty() || remove(&mut one, &place);
            let what = format!("relabelled {how} as {label} without {without}");
            (is_there && write_certificate(&mut one, how))
                .then(|| (what, one.to_string().into_bytes()))
        }));
    }
}

fn remove(bundle: &mut Value, place: &str) -> bool {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = bundle.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.is_some_and(|members| members.remove(name).is_some())
}

fn write_certificate(bundle: &mut Value, how: &str) -> bool {
    let material = bundle["verificationMaterial"].as_object_mut().unwrap();
    let (single, chain) = ("certificate", "x509CertificateChain");
    match how {
        "chain" => material
            .remove(single)
            .map(|one| material.insert(chain.to_owned(), json!({"certificates": [one]})))
            .is_some(),
        "single" => material
            .remove(chain)
            .map(|all| material.insert(single.to_owned(), all["certificates"][0].clone()))
            .is_some(),
        "both" => {
            let one = material.get(single).cloned();
            one.map(|one| material.insert(chain.to_owned(), json!({"certificates": [one]})))
                .is_some()
        }
        _ => true,
    }
}

/// Parts of another bundle in place of its own, and beside its own.
fn mixed(bundle: &Value, other: &Value, changed: &mut Changed) {
    let entry = format!("{ENTRIES}/0");
    let parts = [
        "",
        "/certificate",
        "/x509CertificateChain",
        "/timestampVerificationData",
        "/tlogEntries",
    ];
    let of_entry = [
        "/inclusionProof",
        "/inclusionProof/checkpoint",
        "/inclusionPromise",
        "/canonicalizedBody",
        "/logId",
        "/kindVersion",
    ];
    let places = ["/messageSignature", "/dsseEnvelope"]
        .map(str::to_owned)
        .into_iter();
    let places = places.chain(parts.map(|part| format!("{MATERIAL}{part}")));
    for place in places.chain(of_entry.map(|part| format!("{entry}{part}"))) {
        let mut one = bundle.clone();
        if let (Some(own), Some(theirs)) = (one.pointer_mut(&place), other.pointer(&place))
            && own != theirs
        {
            *own = theirs.clone();
            changed.push((format!("swapped {place}"), one.to_string().into_bytes()));
        }
    }
    for (place, before) in [ENTRIES, TOKENS]
        .map(|place| [(place, false), (place, true)])
        .as_flattened()
    {
        let mut one = bundle.clone();
        let own = one.pointer_mut(place).and_then(Value::as_array_mut);
        if let (Some(own), Some(Value::Array(theirs))) = (own, other.pointer(place)) {
            let at = if *before { 0 } else { own.len() };
            own.splice(at..at, theirs.clone());
            changed.push((format!("added {place}"), one.to_string().into_bytes()));
        }
    }
}

/// Whether it is what `sigstore-verify` asks for: in a log, and with a certificate that is in one.
fn is_enough(evidence: &Evidence) -> bool {
    verification(evidence).is_some_and(|verified| {
        let is_logged = match &verified.signer {
            Signer::Certificate(certificate) => certificate.sct_verified,
            Signer::Key { .. } => true,
        };
        is_logged && !verified.log_entries.is_empty()
    })
}

#[test]
fn changed_bundles_are_judged_as_sigstore_verify_judges_them() {
    let Some(path) = regent_tests::shared_path("conformance/sigstore-bundles") else {
        return;
    };
    let cases = fs::read_dir(&path)
        .unwrap()
        .map(|case| case.unwrap().path());
    let mut cases: Vec<_> = cases.filter(|case| case.is_dir()).collect();
    cases.sort();
    let usual = path.join("a.txt");
    let samples: Vec<Sample> = cases.iter().map(|case| read(case, &usual)).collect();
    let all: Vec<Value> = samples.iter().map(bundle).collect();
    let good = samples
        .iter()
        .filter(|sample| !sample.name.ends_with("_fail"));
    let mut tried = 0;
    let mut unlisted = BTreeSet::new();
    for sample in good {
        let own = bundle(sample);
        let bytes = own.to_string().into_bytes();
        let mutants = json_mutants(&bytes).into_iter();
        let mut changed: Changed = mutants
            .map(|(place, bytes)| (format!("changed {place}"), bytes))
            .collect();
        relabelled(&own, &mut changed);
        for other in &all {
            mixed(&own, other, &mut changed);
        }
        let root = sample.root();
        for (what, bytes) in changed.into_iter().step_by(stride(USUAL)) {
            let piece = one(&sample.digest, bytes);
            let evidence = sample.verify_with(&piece, &root);
            let (ours, theirs) = (is_enough(&evidence), ask(sample, &piece));
            tried += 1;
            let listed: &[&str] = if ours { &LAXER } else { &STRICTER };
            let is_listed = listed.iter().any(|known| what.starts_with(known));
            if ours != theirs.is_ok() && !is_listed {
                let said = reasons(&evidence);
                unlisted.insert(format!("{} {what}: {said:?} and {theirs:?}", sample.name));
            }
        }
    }
    assert!(tried * stride(USUAL) > 5_000, "{tried}");
    let unlisted: Vec<String> = unlisted.into_iter().collect();
    assert!(unlisted.is_empty(), "{}", unlisted.join("\n"));
}
