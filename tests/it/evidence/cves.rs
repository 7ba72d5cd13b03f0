//! What others were fooled with, each under its number: on evidence that real signers wrote.

use regent_engine::image::evidence::Signer;
use regent_engine::image::{Digest, Evidence};
use regent_server::image::artifact::Artifacts;
use serde_json::{Value, json};

use super::certified::{Fault, Pki, digest, judge, refused};
use super::material::{Sample, edited_bundle, edited_root, reasons, sample};

const ENTRIES: &str = "/verificationMaterial/tlogEntries";
const STAMPS: &str = "/verificationMaterial/timestampVerificationData";

fn none_in(evidence: &Evidence) -> &str {
    assert!(
        evidence.signatures.is_empty() && evidence.statements.is_empty(),
        "{evidence:?}"
    );
    reasons(evidence)[0]
}

fn first(sample: &Sample) -> Artifacts {
    sample.piece(0).unwrap()
}

fn with_first(sample: &Sample, edit: impl FnOnce(&mut Value)) -> Evidence {
    sample.verify_with(&edited_bundle(&first(sample), edit), &sample.root())
}

/// The bundle of the second piece, as JSON.
fn second(sample: &Sample) -> Value {
    let bundle = sample.piece(1).unwrap().bundles.remove(0);
    serde_json::from_slice(&bundle.bytes).unwrap()
}

/// cosign took an entry of the log that was about something else.
#[test]
fn cve_2022_36056_a_log_entry_is_bound_to_what_was_signed() {
    for name in ["cosign-keyless-bundle-v1", "cosign-keyed-bundle-both"] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        let other = second(&sample);
        let evidence = with_first(&sample, |bundle| {
            *bundle.pointer_mut(ENTRIES).unwrap() = other.pointer(ENTRIES).unwrap().clone();
        });
        assert!(none_in(&evidence).starts_with("the log entry is of another"));
    }
}

/// cosign took any entry that the log had signed, sigstore-java did not compare it, sigstore-ruby did not look at the outcome.
#[test]
fn cve_2026_22703_cve_2024_53267_cve_2026_31830_each_part_of_an_entry_is_compared() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-v1-notsa") else {
        return;
    };
    let other = second(&sample);
    for part in [
        "canonicalizedBody",
        "inclusionPromise",
        "inclusionProof",
        "integratedTime",
        "logIndex",
    ] {
        let place = format!("{ENTRIES}/0/{part}");
        let borrowed = other.pointer(&place).unwrap().clone();
        let evidence = with_first(&sample, |bundle| {
            *bundle.pointer_mut(&place).unwrap() = match part {
                "integratedTime" => json!("1795473333"),
                _ => borrowed,
            };
        });
        none_in(&evidence);
    }
}

/// sigstore-java did not compare the checkpoint with the proof.
#[test]
fn cve_2024_54140_a_checkpoint_is_of_the_tree_of_the_proof() {
    for name in ["cosign-keyless-bundle-v1", "cosign-keyed-bundle-both"] {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        let place = format!("{ENTRIES}/0/inclusionProof/checkpoint");
        let other = second(&sample).pointer(&place).unwrap().clone();
        let own: Value = serde_json::from_slice(&first(&sample).bundles[0].bytes).unwrap();
        assert_ne!(own.pointer(&place), Some(&other));
        let evidence = with_first(&sample, |bundle| {
            *bundle.pointer_mut(&place).unwrap() = other;
        });
        assert!(none_in(&evidence).starts_with("the checkpoint is of another tree"));
    }
}

/// cosign took chains whose intermediate had ended.
#[test]
fn cve_2026_24122_every_certificate_of_the_chain_must_be_valid() {
    for fault in [Fault::LeafEnded, Fault::MiddleEnded, Fault::RootEnded] {
        let pki = Pki::new(fault);
        let signed = pki.sign(&digest(), &pki.with_chain());
        refused(&judge(&signed, &[], Some(pki.root.pem())));
    }
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-v1-notsa") else {
        return;
    };
    let at = integrated(&sample);
    for (end, is_valid) in [(at, true), (at - 1, false)] {
        let root = edited_root(&sample.trust_root, |root| {
            let authorities = root["certificateAuthorities"].as_array_mut().unwrap();
            for authority in authorities {
                authority["validFor"]["end"] = written(end).into();
            }
        });
        let evidence = sample.verify_with(&first(&sample), &root);
        assert_eq!(evidence.refused.is_empty(), is_valid, "{evidence:?}");
    }
}

/// When the first piece was logged.
fn integrated(sample: &Sample) -> u64 {
    let bundle: Value = serde_json::from_slice(&first(sample).bundles[0].bytes).unwrap();
    let place = format!("{ENTRIES}/0/integratedTime");
    let time = bundle.pointer(&place).unwrap().as_str().unwrap();
    time.parse().unwrap()
}

/// A moment of 2026, as trust roots write it.
fn written(seconds: u64) -> String {
    // 2026-11-01 in seconds since 1970; the samples are of that month.
    let since = seconds.checked_sub(1_793_491_200).unwrap();
    assert!(since < 30 * 86_400, "{seconds}");
    let (day, rest) = (since / 86_400 + 1, since % 86_400);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A timestamp counts only from an authority of the trust root, and only in its time.
#[test]
fn cve_2026_54787_a_timestamp_is_bound_to_its_authority() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-tsa") else {
        return;
    };
    let evidence = sample.verify_with(&first(&sample), &sample.root());
    let statement = evidence.statements.first().map(|s| &s.verified);
    let verified = statement.or(evidence.signatures.first().map(|s| &s.verified));
    let at = verified.unwrap().timestamps[0];
    for (end, is_valid) in [(at + 1, true), (at - 1, false)] {
        let root = edited_root(&sample.trust_root, |root| {
            root["timestampAuthorities"][0]["validFor"]["end"] = written(end).into();
        });
        let evidence = sample.verify_with(&first(&sample), &root);
        assert_eq!(evidence.refused.is_empty(), is_valid, "{evidence:?}");
    }
    // An authority that the root does not have.
    let root = edited_root(&sample.trust_root, |root| {
        root["timestampAuthorities"] = json!([]);
    });
    none_in(&sample.verify_with(&first(&sample), &root));
    // The token of another signature.
    let other = second(&sample);
    let evidence = with_first(&sample, |bundle| {
        *bundle.pointer_mut(STAMPS).unwrap() = other.pointer(STAMPS).unwrap().clone();
    });
    assert!(none_in(&evidence).starts_with("the timestamp is of another signature"));
}

/// A threshold of logs was reached by one log that was quoted twice.
#[test]
fn cve_2026_49834_one_log_counts_once() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-both") else {
        return;
    };
    for times in [2, 32] {
        let evidence = with_first(&sample, |bundle| {
            let entries = bundle.pointer_mut(ENTRIES).unwrap().as_array_mut().unwrap();
            let entry = entries[0].clone();
            entries.resize(times, entry);
        });
        let statement = evidence.statements.first().map(|s| &s.verified);
        let verified = statement.or(evidence.signatures.first().map(|s| &s.verified));
        assert_eq!(verified.unwrap().log_entries.len(), 1);
    }
}

/// policy-controller and cosign took an attestation that could not be read, or any attestation, for the one that was asked for.
#[test]
fn cve_2026_39395_cve_2022_35929_cve_2022_35930_an_attestation_is_what_it_says() {
    let Some(sample) = sample("cosign", "cosign-keyed-bundle-v1") else {
        return;
    };
    for payload in ["", "e30=", "bnVsbA==", "W10=", "!", "eyJfdHlwZSI6IA=="] {
        let evidence = with_first(&sample, |bundle| {
            bundle["dsseEnvelope"]["payload"] = payload.into();
        });
        none_in(&evidence);
    }
    // A statement stays of its own type, whatever stands beside it.
    let types = |evidence: &Evidence| {
        let statements = evidence.statements.iter();
        let mut types: Vec<_> = statements.map(|s| s.predicate_type.clone()).collect();
        types.sort_unstable();
        types
    };
    let evidence = sample.verify();
    assert_eq!(
        types(&evidence),
        [
            "https://slsa.dev/provenance/v0.2",
            "https://slsa.dev/provenance/v1"
        ]
    );
    assert_eq!(evidence.signatures.len(), 1);
    let other = Digest::from_sha256([9; 32]);
    let root = sample.root();
    let of_other =
        regent_server::image::verify::verify(&sample.artifacts, &other, &sample.keys, &root, 0);
    assert!(none_in(&of_other.unwrap()).starts_with("it is about"));
}

/// Kyverno did not look at `subjectRegExp` and `issuerRegExp`: see also the matrix of `image_rules`.
#[test]
fn cve_2025_29778_who_signed_is_part_of_the_evidence() {
    let Some(sample) = sample("cosign", "cosign-keyless-bundle-v1") else {
        return;
    };
    let evidence = sample.verify();
    for signature in &evidence.signatures {
        let Signer::Certificate(identity) = &signature.verified.signer else {
            panic!("a key")
        };
        assert!(!identity.subjects.is_empty() && !identity.issuer.is_empty());
    }
}
