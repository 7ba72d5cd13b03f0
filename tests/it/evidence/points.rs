//! The 15 points that a verifier of what cosign writes has to handle, each on what real cosign wrote.
//!
//! `tests/cosign2` is what cosign 2.6.5 wrote with the same tools where `../shared` has no sample: tokens that enclose a certificate and
//! cover the envelope (points 5 and 6), and entries of the second Rekor that cosign 3 cannot read (point 10).

use regent_engine::image::evidence::Signer;
use serde_json::{Value, json};

use super::material::{Sample, edited_bundle, public_key, reasons, sample};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

/// The bundles of a sample.
fn bundles(sample: &Sample) -> Vec<Value> {
    let bundles = sample.artifacts.bundles.iter();
    bundles
        .map(|one| serde_json::from_slice(&one.bytes).unwrap())
        .collect()
}

fn is_whole(sample: &Sample) -> bool {
    let evidence = sample.verify();
    evidence.refused.is_empty() && evidence.signatures.len() == 1 && evidence.statements.len() == 2
}

#[test]
fn point_01_the_second_rekor_states_no_time_and_the_token_is_the_only_one() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-both") else {
        return;
    };
    for bundle in bundles(&sample) {
        let entry = bundle.pointer(ENTRY).unwrap();
        assert!(entry.get("integratedTime").is_none() && entry.get("inclusionPromise").is_none());
    }
    for statement in &sample.verify().statements {
        let verified = &statement.verified;
        assert_eq!(verified.log_entries[0].integrated_time, None);
        assert_eq!(verified.time(), verified.timestamps.first().copied());
    }
}

#[test]
fn point_02_zeros_are_left_out_of_the_first_entry_of_a_log() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-v1") else {
        return;
    };
    let first = bundles(&sample);
    let first = first.iter().find(|bundle| {
        let entry = bundle.pointer(ENTRY).unwrap();
        entry.get("logIndex").is_none() && entry.pointer("/inclusionProof/hashes").is_none()
    });
    assert!(first.is_some(), "the sample has the first entry of its log");
    assert!(is_whole(&sample), "{:?}", sample.verify());
}

#[test]
fn point_03_and_04_ids_and_origins_of_both_kinds_of_log_are_known() {
    for (name, kind, by_key) in [
        ("cosign-keyed-bundle-both", "hashedrekord 0.0.2", false),
        ("cosign-keyless-bundle-v1", "dsse 0.0.1", true),
    ] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        for statement in &sample.verify().statements {
            let entry = &statement.verified.log_entries[0];
            assert_eq!(entry.kind, kind);
            // The first Rekor's id is that of its key; the second's covers the name too, which is a host without a port.
            assert_eq!(entry.log_id == entry.log_key, by_key, "{name}");
        }
        let checkpoint = "/inclusionProof/checkpoint/envelope";
        for bundle in bundles(&sample) {
            let text = bundle.pointer(&format!("{ENTRY}{checkpoint}")).unwrap();
            let origin = text.as_str().unwrap().lines().next().unwrap();
            assert_eq!(origin == "127.0.0.1", !by_key, "{origin}");
        }
    }
}

#[test]
fn point_05_a_token_without_a_certificate_is_the_trust_roots() {
    for name in ["cosign-keyless-bundle-tsa", "cosign-keyed-legacy-tsa"] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        let evidence = sample.verify();
        let mut all = evidence.statements.iter().map(|one| &one.verified);
        assert!(all.all(|verified| verified.timestamps.len() == 1), "{name}");
    }
}

#[test]
fn point_06_a_token_of_a_legacy_attestation_covers_its_signature() {
    let Some(sample) = sample("cosign", "cosign-keyed-legacy-tsa") else {
        return;
    };
    assert!(is_whole(&sample));
    // A token of another attestation covers neither the signature nor the envelope of this one.
    let mut swapped = sample.artifacts.clone();
    let name = "dev.sigstore.cosign/rfc3161timestamp";
    let other = swapped.attestations[1].annotations[name].clone();
    swapped.attestations[0]
        .annotations
        .insert(name.to_owned(), other);
    let evidence = sample.verify_with(&swapped, &sample.root());
    assert_eq!(
        reasons(&evidence),
        ["the timestamp is of another signature"]
    );
}

/// A sample of cosign 2.
fn of_cosign_2(name: &str) -> Sample {
    Sample::read(&regent_tests::workspace().join("tests/cosign2").join(name))
}

#[test]
fn point_05_and_06_tokens_of_cosign_2_enclose_a_certificate_and_cover_the_envelope() {
    let sample = of_cosign_2("cosign2-keyed-legacy-tsa");
    assert!(is_whole(&sample), "{:?}", sample.verify().refused);
    let name = "dev.sigstore.cosign/rfc3161timestamp";
    // The signer's certificate is in each, and the trust root's counts: another in its place changes nothing.
    let stamped = &sample.artifacts.attestations[0].annotations[name];
    let token: Value = serde_json::from_str(stamped).unwrap();
    let token = token["SignedRFC3161Timestamp"].as_str().unwrap();
    assert!(token.len() > 1_500, "{}", token.len());
    // White space in the envelope is none of the signature's business, and of the token's it is.
    let mut spaced = sample.piece(1).unwrap();
    let layer = &mut spaced.attestations[0];
    layer.bytes = [&layer.bytes[..], b" "].concat().into();
    let evidence = sample.verify_with(&spaced, &sample.root());
    assert_eq!(
        reasons(&evidence),
        ["the timestamp is of another signature"]
    );
    spaced.attestations[0].annotations.remove(name);
    let evidence = sample.verify_with(&spaced, &sample.root());
    assert_eq!(evidence.refused, []);
}

#[test]
fn point_07_a_chain_that_says_nothing_is_none() {
    let Some(sample) = sample("provenance", "right-legacy") else {
        return;
    };
    let chain = "dev.sigstore.cosign/chain";
    let layers = sample
        .artifacts
        .signatures
        .iter()
        .chain(&sample.artifacts.attestations);
    for layer in layers {
        assert_eq!(layer.annotations[chain], "");
    }
    assert_eq!(sample.verify().refused, []);
}

#[test]
fn point_08_and_09_only_the_statement_says_its_type_and_no_attestation_signs_an_image() {
    for name in ["cosign2-keyed-bundle-v1", "cosign-keyless-bundle-v1"] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        let evidence = sample.verify();
        let mut types: Vec<&str> = evidence
            .statements
            .iter()
            .map(|one| one.predicate_type.as_str())
            .collect();
        types.sort_unstable();
        let slsa = [
            "https://slsa.dev/provenance/v0.2",
            "https://slsa.dev/provenance/v1",
        ];
        assert_eq!(types, slsa, "{name}");
        // Without the piece that is a signature there is none, however many attestations verify.
        let signature = &evidence.signatures[0].verified.carrier;
        let mut without = sample.artifacts.clone();
        without
            .bundles
            .retain(|one| one.manifest.as_str() != signature);
        let evidence = sample.verify_with(&without, &sample.root());
        assert!(
            evidence.signatures.is_empty() && evidence.statements.len() == 2,
            "{name}"
        );
    }
}

#[test]
fn point_10_what_cannot_be_read_is_said_and_not_passed_over() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-v1") else {
        return;
    };
    let piece = sample.piece(0).unwrap();
    let future = edited_bundle(&piece, |bundle| {
        let kind = json!({"kind": "dsse", "version": "9.9.9"});
        *bundle.pointer_mut(&format!("{ENTRY}/kindVersion")).unwrap() = kind;
    });
    let evidence = sample.verify_with(&future, &sample.root());
    assert!(reasons(&evidence)[0].starts_with("the log entry says `dsse 9.9.9`"));
    let other = edited_bundle(&piece, |bundle| bundle["mediaType"] = json!("text/plain"));
    let evidence = sample.verify_with(&other, &sample.root());
    assert!(reasons(&evidence)[0].contains("media type `text/plain` is not known"));
}

/// What cosign 3 says has no signatures.
#[test]
fn point_10_entries_that_cosign_3_cannot_read_are_read() {
    let sample = of_cosign_2("cosign2-keyless-bundle-v2d");
    assert!(is_whole(&sample), "{:?}", sample.verify().refused);
    for statement in &sample.verify().statements {
        assert_eq!(statement.verified.log_entries[0].kind, "dsse 0.0.2");
    }
}

#[test]
fn point_11_evidence_in_another_order_is_the_same() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-v1") else {
        return;
    };
    let mut reversed = sample.artifacts.clone();
    reversed.bundles.reverse();
    let carriers = |evidence: &regent_engine::image::Evidence| {
        let mut all: Vec<String> = evidence
            .statements
            .iter()
            .map(|one| one.verified.carrier.clone())
            .collect();
        all.sort();
        all
    };
    let evidence = sample.verify_with(&reversed, &sample.root());
    assert_eq!(carriers(&evidence), carriers(&sample.verify()));
    assert_eq!(evidence.signatures.len(), 1);
}

#[test]
fn point_12_a_hint_names_a_key_and_proves_nothing() {
    use base64::Engine;
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-v1") else {
        return;
    };
    let fingerprint = hex::decode(&sample.keys[0].spki_sha256).unwrap();
    let hint = base64::engine::general_purpose::STANDARD.encode(fingerprint);
    let place = "/verificationMaterial/publicKey/hint";
    for bundle in bundles(&sample) {
        assert_eq!(bundle.pointer(place).unwrap(), &json!(hint));
    }
    let misled = edited_bundle(&sample.piece(0).unwrap(), |bundle| {
        *bundle.pointer_mut(place).unwrap() = json!("AAAA");
    });
    assert_eq!(sample.verify_with(&misled, &sample.root()).refused, []);
    // And with the right hint another key's signature stays another key's.
    let other = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIGCtBntBgnuYYiGxgggVAnZKHgrV
OxqONwLlut+ugo0TNcO0PYpmRs85pXyB2DtLYDvUw9Ubp+M/oUcohdH9xg==
-----END PUBLIC KEY-----
";
    let stranger = Sample {
        keys: vec![public_key(other)],
        ..sample
    };
    assert_eq!(stranger.verify().refused.len(), 3);
}

/// Point 13, other curves and hashes, is `certified::keys_of_every_algorithm_verify_what_they_signed`.
#[test]
fn point_14_a_certificate_is_not_believed_to_be_valid_now() {
    for name in ["cosign-keyless-legacy-none", "cosign2-keyless-bundle-none"] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        // Also at the very minute in which it was.
        let root = sample.root();
        for now in [0, 1_795_470_000, 1_795_472_400] {
            let verified = regent_server::image::verify::verify(
                &sample.artifacts,
                &sample.digest,
                &sample.keys,
                &root,
                now,
            );
            let evidence = verified.unwrap();
            assert_eq!(evidence.refused.len(), 3, "{name}");
            assert!(
                reasons(&evidence)[0].starts_with("no proven time"),
                "{name}"
            );
        }
    }
}

#[test]
fn point_15_claims_are_read_however_they_are_encoded() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-v1") else {
        return;
    };
    for statement in &sample.verify().statements {
        let Signer::Certificate(identity) = &statement.verified.signer else {
            panic!("a key")
        };
        let claim =
            |number: u8| identity.extensions[&format!("1.3.6.1.4.1.57264.1.{number}")].as_str();
        assert_eq!(claim(1), claim(8));
        assert_eq!(claim(2), "push");
        assert_eq!(claim(5), "acme/app");
        assert_eq!(claim(12), "https://github.com/acme/app");
        assert!(!claim(24).is_empty());
    }
}
