//! Every leaf of every good piece of evidence, changed: it must be refused, or say nothing more than it did.

use regent_engine::image::Evidence;
use regent_engine::image::evidence::Verification;
use regent_server::image::artifact::{Artifacts, LegacyArtifact};
use regent_server::image::trust::TrustRoot;
use serde_json::Value;

use super::material::Sample;

#[test]
fn nothing_that_is_changed_makes_evidence_say_more() {
    let Some(path) = regent_tests::shared_path("conformance/cosign") else {
        return;
    };
    let mut tried = 0;
    let mut harmless = 0;
    for sample in Sample::read_all(&path) {
        let root = sample.root();
        for piece in sample.pieces() {
            let original = sample.verify_with(&piece, &root);
            if !original.refused.is_empty() {
                continue;
            }
            for (place, mutant) in mutants(&piece) {
                tried += 1;
                harmless += usize::from(check(&sample, &root, &original, (&place, &mutant)));
            }
        }
    }
    assert!(tried > 3_000, "{tried}");
    // What may change unseen is unsigned by design: hints, key ids, annotations that nobody reads, entries that are then missing.
    assert!(harmless * 4 < tried, "{harmless} of {tried}");
}

/// Whether the mutant was accepted; fails the test if it then says more than the original.
fn check(
    sample: &Sample,
    root: &TrustRoot,
    original: &Evidence,
    (place, mutant): (&str, &Artifacts),
) -> bool {
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
    accepted
}

fn assert_no_more(now: &Verification, before: &Verification, place: &str) {
    assert_eq!(now.signer, before.signer, "{place}");
    assert!(
        now.timestamps
            .iter()
            .all(|time| before.timestamps.contains(time)),
        "{place}"
    );
    for entry in &now.log_entries {
        let known = before.log_entries.iter().any(|other| {
            other.log_id == entry.log_id
                && other.log_index == entry.log_index
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
fn json_mutants(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
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
                vec![Value::from(number.as_u64().unwrap() + 1), Value::from(0)]
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
