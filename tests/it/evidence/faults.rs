//! Single faults: each refused with its own message, and nothing gained by leaving something out.

use regent_engine::image::Evidence;
use regent_engine::image::evidence::Verification;
use regent_server::image::artifact::Artifacts;
use serde_json::{Value, json};

use super::material::{Sample, edited_bundle, edited_root, reasons, sample};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
const STAMPS: &str = "/verificationMaterial/timestampVerificationData";

fn refused(evidence: &Evidence) -> &str {
    assert!(
        evidence.signatures.is_empty() && evidence.statements.is_empty(),
        "{evidence:?}"
    );
    let [reason] = reasons(evidence)[..] else {
        panic!("{evidence:?}")
    };
    reason
}

fn accepted(evidence: &Evidence) -> &Verification {
    assert_eq!(evidence.refused, []);
    let signature = evidence.signatures.first().map(|s| &s.verified);
    signature
        .or(evidence.statements.first().map(|s| &s.verified))
        .unwrap()
}

/// The reason why the first piece of `name` is refused once `edit` was made to its bundle.
fn reason(name: &str, edit: impl FnOnce(&mut Value)) -> Option<String> {
    let sample = sample("cosign", name)?;
    let piece = edited_bundle(&sample.piece(0).unwrap(), edit);
    Some(refused(&sample.verify_with(&piece, &sample.root())).to_owned())
}

/// Checks one fault in a bundle.
fn fault(name: &str, expected: &str, edit: impl FnOnce(&mut Value)) {
    if let Some(reason) = reason(name, edit) {
        assert!(reason.starts_with(expected), "{name}: {reason}");
    }
}

fn set(place: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |bundle| *bundle.pointer_mut(place).unwrap() = value
}

fn remove(parent: &'static str, name: &'static str) -> impl FnOnce(&mut Value) {
    move |bundle| {
        let members = bundle.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        assert!(members.remove(name).is_some(), "{name}");
    }
}

/// Changes one character of a base64 text, not its last ones.
fn flip(place: &'static str) -> impl FnOnce(&mut Value) {
    move |bundle| {
        let text = bundle.pointer_mut(place).unwrap();
        let mut bytes = text.as_str().unwrap().as_bytes().to_vec();
        let at = bytes.len() / 2;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        *text = String::from_utf8(bytes).unwrap().into();
    }
}

/// Edits the JSON in an annotation of the first piece.
fn edit_annotation(piece: &mut Artifacts, name: &str, edit: impl FnOnce(&mut Value)) {
    let signature = piece.signatures.first_mut();
    let layer = signature.or(piece.attestations.first_mut()).unwrap();
    let text = layer.annotations.get_mut(name).unwrap();
    let mut json: Value = serde_json::from_str(text).unwrap();
    edit(&mut json);
    *text = json.to_string();
}

const ANNOTATION: &str = "dev.sigstore.cosign/bundle";

#[test]
fn tampered_content_and_signatures_are_refused() {
    let signature = "the signature does not verify with the certificate's key";
    fault(
        "cosign-keyless-bundle-v1",
        signature,
        flip("/dsseEnvelope/signatures/0/sig"),
    );
    // White space changes no meaning, and still every byte counts.
    fault("cosign-keyless-bundle-v1", signature, |bundle| {
        use base64::Engine;
        let engine = base64::engine::general_purpose::STANDARD;
        let payload = bundle.pointer_mut("/dsseEnvelope/payload").unwrap();
        let mut bytes = engine.decode(payload.as_str().unwrap()).unwrap();
        bytes.push(b' ');
        *payload = engine.encode(bytes).into();
    });
    let unknown = "it was not signed by a key that the policy names";
    fault(
        "cosign-keyed-bundle-v1",
        unknown,
        flip("/dsseEnvelope/signatures/0/sig"),
    );
    let kind = set("/dsseEnvelope/payloadType", json!("text/plain"));
    fault(
        "cosign-keyed-bundle-v1",
        "the envelope's payload type is `text/plain`",
        kind,
    );
}

#[test]
fn an_unlogged_keyless_signature_is_refused() {
    fault(
        "cosign-keyless-bundle-v1",
        "no proven time: neither",
        |bundle| {
            set("/verificationMaterial/tlogEntries", json!([]))(bundle);
            set(STAMPS, json!({}))(bundle);
        },
    );
    let none = set("/verificationMaterial/tlogEntries", json!([]));
    fault(
        "cosign-keyless-bundle-v1-notsa",
        "no proven time: neither",
        none,
    );
}

#[test]
fn a_forged_signed_entry_timestamp_is_refused() {
    let forged = "the signed entry timestamp does not verify with the key of the log";
    let place = "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp";
    fault("cosign-keyless-bundle-v1", forged, flip(place));
    let time = set(
        "/verificationMaterial/tlogEntries/0/integratedTime",
        json!("1795473333"),
    );
    fault("cosign-keyless-bundle-v1-notsa", forged, time);
    let Some(sample) = sample("cosign", "cosign-keyless-legacy-v1-notsa") else {
        return;
    };
    for piece in sample.pieces() {
        let mut forgery = piece.clone();
        edit_annotation(&mut forgery, ANNOTATION, |json| {
            json["Payload"]["logIndex"] = json!(1);
        });
        let evidence = sample.verify_with(&forgery, &sample.root());
        assert!(refused(&evidence).starts_with(forged), "{evidence:?}");
    }
}

/// CVE-2022-36056: an entry of the log that is genuine, and of something else.
#[test]
fn a_log_entry_of_something_else_is_refused() {
    for name in [
        "cosign-keyless-legacy-v1-notsa",
        "cosign2-keyed-legacy-v1-notsa",
    ] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        let pieces: Vec<_> = sample.pieces().collect();
        let annotation = |piece: &Artifacts| {
            let layer = piece
                .signatures
                .first()
                .or(piece.attestations.first())
                .unwrap();
            layer.annotations[ANNOTATION].clone()
        };
        for (at, piece) in pieces.iter().enumerate() {
            let other =
                serde_json::from_str(&annotation(&pieces[(at + 1) % pieces.len()])).unwrap();
            let mut swapped = piece.clone();
            edit_annotation(&mut swapped, ANNOTATION, |json| *json = other);
            let evidence = sample.verify_with(&swapped, &sample.root());
            assert!(
                refused(&evidence).starts_with("the log entry is of another"),
                "{evidence:?}"
            );
        }
    }
    for name in ["cosign-keyless-bundle-v1", "cosign-keyed-bundle-both"] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        let other = sample.piece(1).unwrap().bundles.remove(0);
        let other: Value = serde_json::from_slice(&other.bytes).unwrap();
        fault(name, "the log entry is of another", |bundle| {
            *bundle.pointer_mut(ENTRY).unwrap() = other.pointer(ENTRY).unwrap().clone();
        });
    }
}

#[test]
fn a_stripped_or_broken_inclusion_proof_is_refused() {
    let missing = "the log entry has no inclusion proof, which this format must have";
    fault(
        "cosign-keyless-bundle-v1",
        missing,
        remove(ENTRY, "inclusionProof"),
    );
    fault(
        "cosign-keyed-bundle-both",
        missing,
        remove(ENTRY, "inclusionProof"),
    );
    let tree = "the checkpoint is of another tree than the inclusion proof";
    let root = "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash";
    fault("cosign-keyless-bundle-v1", tree, flip(root));
    let hash = "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0";
    fault(
        "cosign-keyless-bundle-v1",
        "the inclusion proof does not verify",
        flip(hash),
    );
    fault(
        "cosign-keyed-bundle-both",
        "the inclusion proof does not verify",
        flip(hash),
    );
}

#[test]
fn a_bundle_without_a_promise_needs_a_timestamp() {
    let name = "cosign-keyless-bundle-v1-notsa";
    fault(
        name,
        "no proven time: the entry of the log",
        remove(ENTRY, "inclusionPromise"),
    );
}

#[test]
fn a_timestamp_of_something_else_is_refused() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-tsa") else {
        return;
    };
    let other = sample.piece(1).unwrap().bundles.remove(0);
    let other: Value = serde_json::from_slice(&other.bytes).unwrap();
    fault(
        "cosign-keyless-bundle-tsa",
        "the timestamp is of another signature",
        |bundle| {
            *bundle.pointer_mut(STAMPS).unwrap() = other.pointer(STAMPS).unwrap().clone();
        },
    );
}

/// Whoever can push can add a token to a bundle: it neither helps nor harms.
#[test]
fn a_bad_timestamp_beside_a_good_one_changes_nothing() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-tsa") else {
        return;
    };
    let list = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    let other = sample.piece(1).unwrap().bundles.remove(0);
    let other: Value = serde_json::from_slice(&other.bytes).unwrap();
    let other = other.pointer(list).unwrap()[0].clone();
    let garbage = json!({"signedTimestamp": "MAA="});
    let original = sample.verify_with(&sample.piece(0).unwrap(), &sample.root());
    for added in [other.clone(), garbage.clone()] {
        for at in [0, 1] {
            let piece = edited_bundle(&sample.piece(0).unwrap(), |bundle| {
                let tokens = bundle.pointer_mut(list).unwrap().as_array_mut().unwrap();
                tokens.insert(at, added.clone());
            });
            let evidence = sample.verify_with(&piece, &sample.root());
            assert_eq!(accepted(&evidence), accepted(&original));
        }
    }
    let both = json!([other, garbage]);
    fault(
        &sample.name,
        "the timestamp is of another signature",
        set(list, both),
    );
}

/// `sigstore.md` §9: the key is found by the checkpoint's hint, and the entry's own `logId` is not looked at.
#[test]
fn wrong_accept_the_log_id_of_rekor_v2_is_bound() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-both") else {
        return;
    };
    let place = "/verificationMaterial/tlogEntries/0/logId/keyId";
    let root: Value = serde_json::from_str(&sample.trust_root).unwrap();
    for other in [0, 2] {
        let id = root["tlogs"][other]["logId"]["keyId"].clone();
        fault(
            &sample.name,
            "the checkpoint has no signature of the log",
            set(place, id),
        );
    }
    let unknown = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let piece = edited_bundle(&sample.piece(0).unwrap(), set(place, unknown));
    assert!(
        accepted(&sample.verify_with(&piece, &sample.root()))
            .log_entries
            .is_empty()
    );
}

/// Sets one end of the validity of every part of a trust root's list.
fn end_all(root: &mut Value, list: &str, end: &str, time: &str) {
    for part in root.pointer_mut(list).unwrap().as_array_mut().unwrap() {
        let is_log = part.get("publicKey").is_some();
        let place = if is_log {
            "/publicKey/validFor"
        } else {
            "/validFor"
        };
        part.pointer_mut(place).unwrap()[end] = json!(time);
    }
}

/// Windows have two ends: `sigstore-verify` looks at the start alone for keys of Rekor v2.
#[test]
fn wrong_accept_keys_and_authorities_count_only_while_they_are_valid() {
    let both_ends = |sample: &Sample, window: &'static str, expected: &str| {
        for (end, time) in [
            ("end", "2026-11-23T22:00:00Z"),
            ("start", "2027-01-01T00:00:00Z"),
        ] {
            let root = edited_root(&sample.trust_root, |root| end_all(root, window, end, time));
            let evidence = sample.verify_with(&sample.piece(0).unwrap(), &root);
            assert!(refused(&evidence).contains(expected), "{end}: {evidence:?}");
        }
    };
    let Some(v2) = sample("cosign", "cosign-keyed-bundle-both") else {
        return;
    };
    both_ends(&v2, "/tlogs", "was not valid at the proven time");
    let Some(v1) = sample("cosign", "cosign-keyless-bundle-v1-notsa") else {
        return;
    };
    both_ends(&v1, "/tlogs", "was not valid at the proven time");
    both_ends(
        &v1,
        "/certificateAuthorities",
        "the certificate authority was not valid",
    );
    let Some(stamped) = sample("cosign", "cosign-keyless-bundle-tsa") else {
        return;
    };
    let root = edited_root(&stamped.trust_root, |root| {
        root["timestampAuthorities"][0]["validFor"]["end"] = json!("2026-11-23T22:00:00Z");
    });
    let evidence = stamped.verify_with(&stamped.piece(0).unwrap(), &root);
    assert!(refused(&evidence).starts_with("the timestamp authority `http://127.0.0.1:23706"));
}

#[test]
fn wrong_accept_one_log_counts_once() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-both") else {
        return;
    };
    let twice = edited_bundle(&sample.piece(0).unwrap(), |bundle| {
        let entries = bundle
            .pointer_mut("/verificationMaterial/tlogEntries")
            .unwrap();
        let entry = entries[0].clone();
        entries.as_array_mut().unwrap().push(entry);
    });
    assert_eq!(
        accepted(&sample.verify_with(&twice, &sample.root()))
            .log_entries
            .len(),
        1
    );
}

#[test]
fn wrong_accept_a_stripped_timestamp_leaves_rekor_v2_without_a_time() {
    let expected = "no proven time: the entry of the log `http://127.0.0.1:23707` states none";
    fault("cosign-keyed-bundle-both", expected, set(STAMPS, json!({})));
}

#[test]
fn wrong_accept_a_bundle_stripped_of_its_log_is_seen_to_have_none() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-both") else {
        return;
    };
    let bare = edited_bundle(&sample.piece(0).unwrap(), |bundle| {
        set("/verificationMaterial/tlogEntries", json!([]))(bundle);
        set(STAMPS, json!({}))(bundle);
    });
    let evidence = sample.verify_with(&bare, &sample.root());
    let verified = accepted(&evidence);
    assert!(verified.log_entries.is_empty() && verified.timestamps.is_empty());
}

/// A payload that is signed correctly and names another image.
#[test]
fn wrong_accept_a_legacy_payload_must_name_this_image() {
    let Some(own) = sample("provenance", "right-legacy") else {
        return;
    };
    let Some(other) = sample("provenance", "right-v02-legacy") else {
        return;
    };
    let evidence = own.verify_with(&other.artifacts, &own.root());
    assert!(evidence.signatures.is_empty() && evidence.statements.is_empty());
    let expected = format!("it is about `{}`, not about this image", other.digest);
    assert!(
        reasons(&evidence).iter().all(|reason| *reason == expected),
        "{evidence:?}"
    );
}

/// An older bundle version demands less. What is then missing is seen to be missing.
#[test]
fn a_bundle_relabelled_to_an_older_version_is_seen_to_have_no_proof() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-v1") else {
        return;
    };
    let old = edited_bundle(&sample.piece(0).unwrap(), |bundle| {
        bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
        remove(ENTRY, "inclusionProof")(bundle);
    });
    let evidence = sample.verify_with(&old, &sample.root());
    let [entry] = accepted(&evidence).log_entries.as_slice() else {
        panic!("one entry")
    };
    assert!(entry.promise && !entry.inclusion_proof);
}

#[test]
fn more_entries_and_timestamps_than_anybody_writes_are_refused() {
    let many = |place: &'static str| {
        move |bundle: &mut Value| {
            let items = bundle.pointer_mut(place).unwrap().as_array_mut().unwrap();
            let item = items[0].clone();
            items.resize(33, item);
        }
    };
    let entries = many("/verificationMaterial/tlogEntries");
    fault(
        "cosign-keyless-bundle-v1",
        "it has more than 32 log entries",
        entries,
    );
    let stamps = many("/verificationMaterial/timestampVerificationData/rfc3161Timestamps");
    fault(
        "cosign-keyless-bundle-v1",
        "it has more than 32 timestamps",
        stamps,
    );
}
