//! Images that cosign 3 and 2 signed and attested, in every combination of signer, format and log.

use regent_engine::image::Digest;
use regent_engine::image::evidence::{Evidence, Format, Signer, Verification};
use regent_server::image::trust::TrustRoot;
use regent_server::image::verify::verify;
use serde_json::Value;

use super::material::{Sample, public_key, reasons};

const SET: &str = "conformance/cosign";
const IDENTITY: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
const OTHER_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIGCtBntBgnuYYiGxgggVAnZKHgrV
OxqONwLlut+ugo0TNcO0PYpmRs85pXyB2DtLYDvUw9Ubp+M/oUcohdH9xg==
-----END PUBLIC KEY-----
";

fn samples() -> Vec<Sample> {
    regent_tests::shared_path(SET).map_or_else(Vec::new, |path| Sample::read_all(&path))
}

fn all(evidence: &Evidence) -> Vec<&Verification> {
    let signatures = evidence.signatures.iter().map(|s| &s.verified);
    let statements = evidence.statements.iter().map(|s| &s.verified);
    signatures.chain(statements).collect()
}

/// Whether cosign could sign at all: its second version cannot write to the second Rekor.
fn is_signed(name: &str) -> bool {
    !(name.starts_with("cosign2-") && (name.ends_with("-both") || name.ends_with("-v2")))
}

/// The trust root without the parts that are named.
fn without(root: &str, parts: &[&str]) -> TrustRoot {
    let mut json: Value = serde_json::from_str(root).unwrap();
    for part in parts {
        json[part] = Value::Array(Vec::new());
    }
    TrustRoot::parse(&json.to_string()).unwrap()
}

#[test]
fn every_layout_gives_what_was_put_into_it() {
    let samples = samples();
    let mut passed = 0;
    for sample in &samples {
        check_layout(sample);
        passed += 1;
    }
    if passed > 0 {
        regent_tests::record("cosign layouts verified", passed, samples.len());
    }
}

fn check_layout(sample: &Sample) {
    let name = &sample.name;
    let evidence = sample.verify();
    assert_eq!(evidence.trust_root, sample.root().id());
    if !is_signed(name) {
        assert!(
            all(&evidence).is_empty() && evidence.refused.is_empty(),
            "{name}"
        );
        return;
    }
    if name.contains("keyless") && name.ends_with("-none") {
        // Nothing says when the certificate was used, so it can never be shown that it was valid.
        assert!(all(&evidence).is_empty(), "{name}");
        assert_eq!(evidence.refused.len(), 3, "{name}");
        assert!(
            reasons(&evidence)
                .iter()
                .all(|r| r.starts_with("no proven time")),
            "{name}"
        );
        return;
    }
    assert_eq!(evidence.refused, [], "{name}");
    assert_eq!(evidence.signatures.len(), 1, "{name}");
    let mut types: Vec<_> = evidence
        .statements
        .iter()
        .map(|s| s.predicate_type.as_str())
        .collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            "https://slsa.dev/provenance/v0.2",
            "https://slsa.dev/provenance/v1"
        ],
        "{name}"
    );
    for verified in all(&evidence) {
        check_verification(name, verified);
    }
}

fn check_verification(name: &str, verified: &Verification) {
    match &verified.signer {
        Signer::Key { .. } => assert!(name.contains("-keyed-"), "{name}"),
        Signer::Certificate(identity) => {
            assert!(name.contains("-keyless-"), "{name}");
            assert_eq!(identity.subjects, [IDENTITY], "{name}");
            assert_eq!(identity.issuer, "http://127.0.0.1:23702", "{name}");
            assert!(identity.sct_verified, "{name}");
            let source = &identity.extensions["1.3.6.1.4.1.57264.1.12"];
            assert_eq!(source, "https://github.com/acme/app", "{name}");
            let trigger = &identity.extensions["1.3.6.1.4.1.57264.1.2"];
            assert_eq!(trigger, "push", "{name}");
        }
    }
    let legacy = name.contains("-legacy-");
    assert_eq!(verified.format == Format::LegacyTag, legacy, "{name}");
    let kinds: Vec<_> = verified
        .log_entries
        .iter()
        .map(|entry| entry.kind.as_str())
        .collect();
    let log = name
        .rsplit_once("keyed-")
        .or(name.rsplit_once("keyless-"))
        .unwrap()
        .1;
    match log.split_once('-').unwrap().1 {
        // The second cosign writes what only the second Rekor of before takes.
        "v2d" if name.starts_with("cosign2-") => assert_eq!(kinds, ["dsse 0.0.2"], "{name}"),
        "both" | "v2" | "v2d" => assert_eq!(kinds, ["hashedrekord 0.0.2"], "{name}"),
        "v1" | "v1-notsa" => {
            assert!(
                matches!(kinds.as_slice(), ["dsse 0.0.1" | "hashedrekord 0.0.1"]),
                "{name}"
            );
            let entry = &verified.log_entries[0];
            assert!(entry.promise && entry.integrated_time.is_some(), "{name}");
            assert_eq!(entry.inclusion_proof, !legacy, "{name}");
        }
        "tsa" | "none" => assert!(kinds.is_empty(), "{name}"),
        other => panic!("{other}"),
    }
    let stamped = !(name.ends_with("-notsa") || name.ends_with("-none"));
    assert_eq!(verified.timestamps.len(), usize::from(stamped), "{name}");
}

#[test]
fn evidence_of_another_image_is_refused() {
    for sample in samples().iter().filter(|sample| is_signed(&sample.name)) {
        let other = Digest::parse(&format!("sha256:{}", "ab".repeat(32))).unwrap();
        let evidence = verify(&sample.artifacts, &other, &sample.keys, &sample.root(), 0).unwrap();
        assert!(all(&evidence).is_empty(), "{}", sample.name);
        let expected = format!("it is about `{}`, not about this image", sample.digest);
        assert_eq!(
            reasons(&evidence),
            [expected.as_str(); 3],
            "{}",
            sample.name
        );
    }
}

#[test]
fn evidence_by_another_key_or_authority_is_refused() {
    for sample in samples().iter().filter(|sample| is_signed(&sample.name)) {
        let name = &sample.name;
        let (keys, root, reason) = if name.contains("-keyed-") {
            let keys = vec![public_key(OTHER_KEY)];
            (
                keys,
                sample.root(),
                "it was not signed by a key that the policy names",
            )
        } else if name.ends_with("-none") {
            continue;
        } else {
            let root = without(&sample.trust_root, &["certificateAuthorities"]);
            (
                Vec::new(),
                root,
                "the certificate does not chain to a certificate authority",
            )
        };
        let evidence = verify(&sample.artifacts, &sample.digest, &keys, &root, 0).unwrap();
        assert!(all(&evidence).is_empty(), "{name}");
        assert!(
            reasons(&evidence).iter().all(|r| r.starts_with(reason)),
            "{name} {evidence:?}"
        );
    }
}

#[test]
fn a_log_that_the_trust_root_does_not_have_does_not_count() {
    for sample in samples().iter().filter(|sample| is_signed(&sample.name)) {
        let name = &sample.name;
        let root = without(&sample.trust_root, &["tlogs"]);
        let evidence = sample.verify_with(&sample.artifacts, &root);
        assert!(
            all(&evidence).iter().all(|v| v.log_entries.is_empty()),
            "{name}"
        );
        let root = without(&sample.trust_root, &["tlogs", "timestampAuthorities"]);
        let evidence = sample.verify_with(&sample.artifacts, &root);
        if name.contains("-keyless-") {
            assert!(all(&evidence).is_empty(), "{name}");
            let says = |r: &&str| r.starts_with("no proven time");
            assert!(reasons(&evidence).iter().all(says), "{name} {evidence:?}");
        } else {
            assert!(
                all(&evidence).iter().all(|v| v.timestamps.is_empty()),
                "{name}"
            );
        }
    }
}

#[test]
fn a_certificate_log_that_the_trust_root_does_not_have_leaves_the_certificate_unlogged() {
    for sample in samples()
        .iter()
        .filter(|sample| sample.name.contains("-keyless-"))
    {
        let root = without(&sample.trust_root, &["ctlogs"]);
        let evidence = sample.verify_with(&sample.artifacts, &root);
        for verified in all(&evidence) {
            let Signer::Certificate(identity) = &verified.signer else {
                panic!("a key")
            };
            assert!(!identity.sct_verified, "{}", sample.name);
        }
    }
}
