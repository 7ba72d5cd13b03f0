use serde_json::json;

use super::*;

fn digest() -> Digest {
    Digest::from_sha256([7; 32])
}

fn repository() -> ImageReference {
    ImageReference::parse("ghcr.io/your-org/app").unwrap()
}

fn layer(bytes: &'static [u8]) -> LegacyArtifact {
    LegacyArtifact {
        layer: Digest::from_sha256(sha256(bytes)),
        bytes: Bytes::from_static(bytes),
        annotations: BTreeMap::from([("dev.cosignproject.cosign/signature".into(), "aa".into())]),
    }
}

fn artifacts() -> Artifacts {
    Artifacts {
        bundles: vec![BundleArtifact {
            manifest: digest(),
            bytes: Bytes::from_static(b"{\"a\": 1}\n"),
        }],
        signatures: vec![layer(b"\xff\x00")],
        attestations: vec![layer(b"{}")],
        skipped: vec![("a".to_owned(), "too large".to_owned())],
        has_unread: true,
        ..Artifacts::default()
    }
}

fn recorded() -> Facts {
    let recorder = Recorder::new(1_795_000_000);
    recorder.trust_root("{\"tlogs\": []}").unwrap();
    recorder.trust_root("{\"tlogs\":[]}").unwrap();
    recorder.tag("ghcr.io/your-org/app:v1", &Ok(digest()));
    let nothing = FetchError::NotFound("there is no tag".to_owned());
    recorder.tag("ghcr.io/your-org/app:v2", &Err(nothing));
    let outage = FetchError::Unavailable("no route".to_owned());
    recorder.tag("ghcr.io/your-org/app:v3", &Err(outage));
    recorder.evidence(
        &repository(),
        (&digest(), Wanted::Sigstore),
        &Ok(artifacts()),
    );
    recorder.image("ghcr.io/your-org/app:v1", &Ok(json!({"image": "x"})));
    recorder.facts()
}

#[test]
fn what_was_recorded_is_said_again_byte_for_byte() {
    let text = recorded().to_text().unwrap();
    let facts = Facts::parse(&text).unwrap();
    assert_eq!(facts, recorded());
    assert_eq!(facts.to_text().unwrap(), text);
    assert_eq!(facts.recorded_at(), 1_795_000_000);
    assert_eq!(facts.trust_roots().count(), 1);
    assert_eq!(facts.digest("ghcr.io/your-org/app:v1"), Ok(digest()));
    let said = facts.artifacts(&repository(), (&digest(), Wanted::Sigstore));
    assert_eq!(said, Ok(artifacts()));
    let image = facts.image("ghcr.io/your-org/app:v1");
    assert_eq!(image, Ok(json!({"image": "x"})));
}

#[test]
fn what_is_not_there_was_said_and_what_was_not_said_is_not_known() {
    let facts = recorded();
    let missing = facts.digest("ghcr.io/your-org/app:v2");
    assert!(matches!(missing, Err(FetchError::NotFound(_))));
    // An outage is no answer, and neither is silence.
    for tag in ["v3", "v4"] {
        let unknown = facts.digest(&format!("ghcr.io/your-org/app:{tag}"));
        assert!(matches!(unknown, Err(FetchError::Unavailable(_))));
    }
    let elsewhere = ImageReference::parse("ghcr.io/your-org/signatures").unwrap();
    let unknown = facts.artifacts(&elsewhere, (&digest(), Wanted::Sigstore));
    assert!(matches!(unknown, Err(FetchError::Unavailable(_))));
}

#[test]
fn a_file_that_was_changed_by_hand_is_refused_with_its_place() {
    let text = recorded().to_text().unwrap();
    let changed = text.replace("\"text\": \"{}\"", "\"text\": \"{ }\"");
    assert_ne!(changed, text);
    let error = Facts::parse(&changed).unwrap_err().to_string();
    assert!(error.contains("ghcr.io/your-org/app@sha256:"), "{error}");
    assert!(error.contains("is not what its digest says"), "{error}");
    for (from, to) in [
        ("\"regentFacts\": 1", "\"regentFacts\": 2"),
        ("\"tags\"", "\"tag\""),
        ("2026-", "yesterday-"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        assert!(Facts::parse(&changed).is_err(), "{to}");
    }
}
