//! Every leaf of every good piece of evidence, changed: it must be refused, or say nothing more than it did.
//!
//! What may change unseen is listed in `mutation.txt`, by field and with the reason. All mutants are tried;
//! `REGENT_MUTATION_STRIDE=11` tries one in eleven, which is enough while writing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regent_engine::image::evidence::{Signer, Verification};
use regent_engine::image::{Digest, Evidence};
use regent_server::image::artifact::{Artifacts, BundleArtifact, LegacyArtifact};
use regent_server::image::trust::{PUBLIC_SIGSTORE, TrustRoot, sha256};
use regent_tests::{note, shared_path, workspace};
use serde_json::Value;

use super::material::{Sample, artifacts, public_key};

/// One in so many mutants is tried: as many as the environment says, else `usual`.
pub(super) fn stride(usual: usize) -> usize {
    let given = std::env::var("REGENT_MUTATION_STRIDE").ok();
    given.map_or(usual, |text| text.parse().unwrap())
}

/// What was tried, and what was accepted, by field.
#[derive(Default)]
struct Tried {
    mutants: usize,
    /// `same`: it says as much as before; `less`: it says less than before.
    accepted: BTreeMap<(String, &'static str), usize>,
}

impl Tried {
    fn piece(&mut self, sample: &Sample, piece: &Artifacts) {
        let root = sample.root();
        let original = sample.verify_with(piece, &root);
        if !original.refused.is_empty() {
            return;
        }
        for (place, mutant) in mutants(piece).into_iter().step_by(stride(1)) {
            self.mutants += 1;
            let accepted = check(sample, &root, &original, (&place, &mutant));
            self.note(&place, accepted);
        }
    }

    fn note(&mut self, place: &str, accepted: Option<&'static str>) {
        let Some(accepted) = accepted else { return };
        let parts = place.split('/').map(|part| {
            let (name, rest) = part.split_once(' ').unwrap_or((part, ""));
            let is_index = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            match (is_index, rest) {
                (true, "") => "*".to_owned(),
                (true, rest) => format!("* {rest}"),
                (false, _) => part.to_owned(),
            }
        });
        let place = parts.collect::<Vec<_>>().join("/");
        *self.accepted.entry((place, accepted)).or_default() += 1;
    }

    /// Everything that was accepted is listed, with a reason.
    fn is_listed(&self, section: &str) {
        let listed = listed(section);
        let unlisted: Vec<String> = self
            .accepted
            .keys()
            .map(|(place, kind)| format!("{kind} {place}"))
            .filter(|line| !listed.contains(line))
            .collect();
        let all = self.accepted.iter();
        let all = all.map(|((place, kind), count)| format!("{count:5} {kind} {place}\n"));
        note(
            &format!("mutation-{section}"),
            &format!("{} mutants\n{}", self.mutants, all.collect::<String>()),
        );
        assert!(unlisted.is_empty(), "{section}\n{}", unlisted.join("\n"));
    }
}

/// The fields of a section of `mutation.txt`: a reason stands above each group of them, behind `#`.
fn listed(section: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(workspace().join("tests/it/evidence/mutation.txt")).unwrap();
    let mut current = "";
    let mut has_reason = false;
    let mut listed = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            current = name;
        } else if line.is_empty() {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else {
            assert!(has_reason, "`{line}` has no reason above it");
            if current == section {
                listed.insert(line.to_owned());
            }
        }
    }
    listed
}

#[test]
fn nothing_that_is_changed_makes_evidence_say_more() {
    let mut tried = Tried::default();
    let shared = ["conformance/cosign", "conformance/provenance"].map(shared_path);
    let [Some(cosign), Some(provenance)] = shared else {
        return;
    };
    for path in [cosign, provenance, workspace().join("tests/cosign2")] {
        for sample in Sample::read_all(&path) {
            for piece in sample.pieces() {
                tried.piece(&sample, &piece);
            }
        }
    }
    assert!(tried.mutants * stride(1) > 6_000, "{}", tried.mutants);
    tried.is_listed("evidence");
}

#[test]
fn the_conformance_bundles_cannot_be_changed_unseen() {
    let Some(path) = shared_path("conformance/sigstore-bundles") else {
        return;
    };
    let mut tried = Tried::default();
    let mut cases: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|case| case.unwrap().path())
        .filter(|case| case.is_dir() && !case.to_string_lossy().ends_with("_fail"))
        .collect();
    cases.sort();
    for case in cases {
        let own = fs::read(case.join("artifact"));
        let artifact = own.unwrap_or_else(|_| fs::read(path.join("a.txt")).unwrap());
        let root = fs::read_to_string(case.join("trusted_root.json"));
        let key = fs::read_to_string(case.join("key.pub"));
        let digest = Digest::from_sha256(sha256(&artifact));
        let sample = Sample {
            name: case.file_name().unwrap().to_string_lossy().into_owned(),
            artifacts: Artifacts {
                bundles: vec![BundleArtifact {
                    manifest: digest.clone(),
                    bytes: fs::read(case.join("bundle.sigstore.json")).unwrap().into(),
                }],
                ..Artifacts::default()
            },
            keys: key.iter().map(|pem| public_key(pem)).collect(),
            trust_root: root.unwrap_or_else(|_| PUBLIC_SIGSTORE.to_owned()),
            digest,
        };
        tried.piece(&sample, &sample.artifacts);
    }
    assert!(tried.mutants * stride(1) > 500, "{}", tried.mutants);
    tried.is_listed("bundles");
}

#[test]
fn the_demonstrations_evidence_cannot_be_changed_unseen() {
    let folder = workspace().join("cli/demo");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let cases: Value = serde_json::from_str(&read("cases.json")).unwrap();
    let mut tried = Tried::default();
    for case in cases["cases"].as_array().unwrap() {
        let Some(digest) = case["digest"].as_str() else {
            continue;
        };
        let digest = Digest::parse(digest).unwrap();
        let sample = Sample {
            name: case["case"].to_string(),
            artifacts: artifacts(&folder.join("registry"), &digest),
            keys: vec![public_key(&read("key.pub"))],
            trust_root: read("trusted_root.json"),
            digest,
        };
        for piece in sample.pieces() {
            tried.piece(&sample, &piece);
        }
    }
    assert!(tried.mutants * stride(1) > 1_000, "{}", tried.mutants);
    tried.is_listed("demonstration");
}

/// A trust root with something changed trusts nobody else with what is there.
#[test]
fn nothing_that_is_changed_in_a_trust_root_makes_evidence_say_more() {
    let mut tried = Tried::default();
    for name in [
        "cosign-keyless-bundle-v1",
        "cosign-keyless-bundle-tsa",
        "cosign-keyed-bundle-both",
        "cosign-keyless-legacy-v1-notsa",
    ] {
        let Some(sample) = super::material::sample("cosign", name) else {
            return;
        };
        let piece = sample.piece(0).unwrap();
        let original = sample.verify_with(&piece, &sample.root());
        let mutants = json_mutants(sample.trust_root.as_bytes());
        for (place, mutant) in mutants.into_iter().step_by(stride(1)) {
            tried.mutants += 1;
            let text = String::from_utf8(mutant).unwrap();
            let Ok(root) = TrustRoot::parse(&text) else {
                continue;
            };
            let accepted = check(&sample, &root, &original, (&place, &piece));
            tried.note(&place, accepted);
        }
    }
    assert!(tried.mutants * stride(1) > 500, "{}", tried.mutants);
    tried.is_listed("trust-root");
}

/// How the mutant was accepted, if it was; fails the test if it then says more than the original.
fn check(
    sample: &Sample,
    root: &TrustRoot,
    original: &Evidence,
    (place, mutant): (&str, &Artifacts),
) -> Option<&'static str> {
    let evidence = sample.verify_with(mutant, root);
    let name = &sample.name;
    assert!(
        evidence.signatures.len() <= original.signatures.len(),
        "{name} {place}"
    );
    assert!(
        evidence.statements.len() <= original.statements.len(),
        "{name} {place}"
    );
    for (now, before) in evidence.signatures.iter().zip(&original.signatures) {
        assert_eq!(now.annotations, before.annotations, "{name} {place}");
        assert_eq!(now.payload, before.payload, "{name} {place}");
        assert_no_more(&now.verified, &before.verified, &format!("{name} {place}"));
    }
    for (now, before) in evidence.statements.iter().zip(&original.statements) {
        assert_eq!(now.predicate, before.predicate, "{name} {place}");
        assert_eq!(now.predicate_type, before.predicate_type, "{name} {place}");
        assert_eq!(now.statement_type, before.statement_type, "{name} {place}");
        assert_no_more(&now.verified, &before.verified, &format!("{name} {place}"));
    }
    let accepted = evidence.signatures.len() + evidence.statements.len() > 0;
    assert_eq!(accepted, evidence.refused.is_empty(), "{name} {place}");
    let facts = |evidence: &Evidence| {
        let signatures = evidence.signatures.iter().map(|s| s.verified.clone());
        let statements = evidence.statements.iter().map(|s| s.verified.clone());
        signatures.chain(statements).collect::<Vec<_>>()
    };
    let kind = if facts(&evidence) == facts(original) {
        "same"
    } else {
        "less"
    };
    accepted.then_some(kind)
}

fn assert_no_more(now: &Verification, before: &Verification, place: &str) {
    let mut signer = now.signer.clone();
    if let (Signer::Certificate(now), Signer::Certificate(before)) = (&mut signer, &before.signer)
        && !now.sct_verified
    {
        // Not to be in a certificate log is to say less.
        now.sct_verified = before.sct_verified;
    }
    assert_eq!(signer, before.signer, "{place}");
    assert!(
        now.timestamps
            .iter()
            .all(|time| before.timestamps.contains(time)),
        "{place}"
    );
    for entry in &now.log_entries {
        let known = before.log_entries.iter().any(|other| {
            // Without its promise an entry has the place in its tree, which is proven, in place of that in the log, which is not.
            let is_promised_no_more = other.promise && !entry.promise;
            other.log_id == entry.log_id
                && (other.log_index == entry.log_index || is_promised_no_more)
                && other.kind == entry.kind
                && (entry.integrated_time.is_none()
                    || entry.integrated_time == other.integrated_time)
                && (other.promise || !entry.promise)
                && (other.inclusion_proof || !entry.inclusion_proof)
        });
        assert!(known, "{place}: {entry:?}");
    }
}

fn mutants(piece: &Artifacts) -> Vec<(String, Artifacts)> {
    let mut mutants = Vec::new();
    if let Some(bundle) = piece.bundles.first() {
        for (place, bytes) in json_mutants(&bundle.bytes) {
            let mut mutant = piece.clone();
            mutant.bundles[0].bytes = bytes.into();
            mutants.push((place, mutant));
        }
    }
    for (place, layer) in piece
        .signatures
        .first()
        .into_iter()
        .flat_map(legacy_mutants)
    {
        let signatures = vec![layer];
        mutants.push((
            place,
            Artifacts {
                signatures,
                ..Artifacts::default()
            },
        ));
    }
    for (place, layer) in piece
        .attestations
        .first()
        .into_iter()
        .flat_map(legacy_mutants)
    {
        let attestations = vec![layer];
        mutants.push((
            place,
            Artifacts {
                attestations,
                ..Artifacts::default()
            },
        ));
    }
    mutants
}

fn legacy_mutants(layer: &LegacyArtifact) -> Vec<(String, LegacyArtifact)> {
    let mut mutants = Vec::new();
    for (place, bytes) in json_mutants(&layer.bytes) {
        mutants.push((
            place,
            LegacyArtifact {
                bytes: bytes.into(),
                ..layer.clone()
            },
        ));
    }
    for (name, text) in &layer.annotations {
        let nested = json_mutants(text.as_bytes()).into_iter();
        let nested = nested.map(|(place, bytes)| (place, String::from_utf8(bytes).unwrap()));
        let plain = texts(text)
            .into_iter()
            .map(|text| ("text".to_owned(), text));
        for (place, text) in nested.chain(plain) {
            let mut mutant = layer.clone();
            mutant.annotations.insert(name.clone(), text);
            mutants.push((format!("{name} {place}"), mutant));
        }
        let mut mutant = layer.clone();
        mutant.annotations.remove(name);
        mutants.push((format!("{name} removed"), mutant));
    }
    mutants
}

/// The document with each leaf changed in several ways, and with each member removed.
pub(super) fn json_mutants(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        return Vec::new();
    };
    let mut places = Vec::new();
    collect(&document, "", &mut places);
    let mut mutants = Vec::new();
    for place in places {
        let original = document.pointer(&place).unwrap();
        let changed: Vec<Value> = match original {
            Value::String(text) => texts(text).into_iter().map(Value::from).collect(),
            Value::Number(number) => {
                vec![
                    Value::from(number.as_u64().unwrap_or(7) + 1),
                    Value::from(0),
                ]
            }
            _ => Vec::new(),
        };
        for value in changed.into_iter().filter(|value| value != original) {
            let mut mutant = document.clone();
            *mutant.pointer_mut(&place).unwrap() = value;
            mutants.push((place.clone(), mutant.to_string().into_bytes()));
        }
        let mut mutant = document.clone();
        if remove(&mut mutant, &place) {
            mutants.push((format!("{place} removed"), mutant.to_string().into_bytes()));
        }
    }
    mutants
}

fn collect(value: &Value, place: &str, places: &mut Vec<String>) {
    if !place.is_empty() {
        places.push(place.to_owned());
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(member, &format!("{place}/{name}"), places);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{place}/{index}"), places);
            }
        }
        _ => {}
    }
}

fn remove(document: &mut Value, place: &str) -> bool {
    let (parent, name) = place.rsplit_once('/').unwrap();
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => members
            .remove(&name.replace("~1", "/").replace("~0", "~"))
            .is_some(),
        Some(Value::Array(items)) => {
            items.remove(name.parse().unwrap());
            true
        }
        _ => false,
    }
}

/// A text with a character changed at its start, in its middle and near its end; cut; and empty.
fn texts(text: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    let length = text.len();
    for at in [0, length / 4, length / 2, length.saturating_sub(3)] {
        let mut bytes = text.as_bytes().to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = if *byte == b'A' { b'B' } else { b'A' };
        }
        texts.extend(String::from_utf8(bytes));
    }
    texts.push(text.chars().skip(4).collect());
    texts.retain(|changed| changed != text);
    texts
}
