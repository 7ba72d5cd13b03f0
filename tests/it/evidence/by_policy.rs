//! Authorities, logs and timestamp authorities that a policy names instead of those of the trust root, on what real
//! signers wrote.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regent_engine::image::evidence::Signer;
use regent_engine::image::{Evidence, PolicyTrust};
use regent_server::image::trust::{TrustRoot, public_sigstore};
use serde_json::Value;

use super::material::{Sample, reasons, sample};

const KEYLESS: [&str; 5] = [
    "cosign-keyless-bundle-tsa",
    "cosign-keyless-bundle-v1",
    "cosign-keyless-bundle-v1-notsa",
    "cosign-keyless-legacy-v1-notsa",
    "cosign2-keyless-bundle-tsa",
];

/// Rekor v2, whose id is not that of the key alone.
const BY_REKOR_2: &str = "cosign-keyed-bundle-both";

fn pem(kind: &str, base64: &Value) -> String {
    let der = STANDARD.decode(base64.as_str().unwrap()).unwrap();
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        STANDARD.encode(der)
    )
}

fn keys(root: &Value, list: &str) -> String {
    let logs = root[list].as_array().unwrap().iter();
    logs.map(|log| pem("PUBLIC KEY", &log["publicKey"]["rawBytes"]))
        .collect()
}

fn chain(root: &Value, list: &str) -> String {
    let certificates = root[list][0]["certChain"]["certificates"].as_array();
    let certificates = certificates.unwrap().iter();
    certificates
        .map(|one| pem("CERTIFICATE", &one["rawBytes"]))
        .collect()
}

/// Everything of a sample's trust root as a policy would write it.
fn whole(sample: &Sample) -> PolicyTrust {
    let root: Value = serde_json::from_str(&sample.trust_root).unwrap();
    PolicyTrust {
        authorities: Some(chain(&root, "certificateAuthorities")),
        certificate_logs: Some(keys(&root, "ctlogs")),
        logs: Some(keys(&root, "tlogs")),
        timestamp_authority: Some(chain(&root, "timestampAuthorities")),
        trust_store: None,
    }
}

fn verify(sample: &Sample, trust: &PolicyTrust) -> Evidence {
    let root = public_sigstore().unwrap().with_policy(trust).unwrap();
    sample.verify_with(&sample.artifacts, &root)
}

fn is_verified(evidence: &Evidence) -> bool {
    evidence.refused.is_empty() && evidence.signatures.len() == 1 && evidence.statements.len() == 2
}

/// The parts are changed one by one: what is then refused is refused for it.
#[test]
fn a_policy_can_name_everybody_that_counts() {
    for name in KEYLESS {
        let Some(sample) = sample("cosign", name) else {
            return;
        };
        let own = sample.verify();
        let evidence = verify(&sample, &whole(&sample));
        assert!(is_verified(&evidence), "{name}: {evidence:?}");
        for (of_policy, of_root) in evidence.statements.iter().zip(&own.statements) {
            let (of_policy, of_root) = (&of_policy.verified, &of_root.verified);
            assert_eq!(of_policy.signer, of_root.signer, "{name}");
            assert_eq!(of_policy.timestamps, of_root.timestamps, "{name}");
            let times = |verified: &regent_engine::image::evidence::Verification| {
                let entries = verified.log_entries.iter();
                entries.map(|one| one.integrated_time).collect::<Vec<_>>()
            };
            assert_eq!(times(of_policy), times(of_root), "{name}");
        }
        let authorities = PolicyTrust {
            authorities: None,
            ..whole(&sample)
        };
        let evidence = verify(&sample, &authorities);
        assert!(
            reasons(&evidence)
                .iter()
                .all(|r| r.starts_with("the certificate does not chain"))
                && evidence.refused.len() == 3,
            "{name}: {evidence:?}"
        );
        let timeless = PolicyTrust {
            logs: None,
            timestamp_authority: None,
            ..whole(&sample)
        };
        let evidence = verify(&sample, &timeless);
        // Without a proven time the certificates would have to be valid now, in 1970.
        assert_eq!(evidence.refused.len(), 3, "{name}: {evidence:?}");
    }
}

#[test]
fn certificate_logs_of_a_policy_count_instead() {
    let Some(sample) = sample("cosign", KEYLESS[1]) else {
        return;
    };
    let seen = |trust: &PolicyTrust| {
        let evidence = verify(&sample, trust);
        let Signer::Certificate(identity) = &evidence.signatures[0].verified.signer else {
            panic!("a key")
        };
        identity.sct_verified
    };
    assert!(seen(&whole(&sample)));
    let other = PolicyTrust {
        certificate_logs: Some(sample.keys[0].pem.clone()),
        ..whole(&sample)
    };
    assert!(!seen(&other));
    let of_root = PolicyTrust {
        certificate_logs: None,
        ..whole(&sample)
    };
    assert!(!seen(&of_root));
}

#[test]
fn the_second_rekor_is_known_by_its_key_alone() {
    let Some(sample) = sample("cosign", BY_REKOR_2) else {
        return;
    };
    let evidence = verify(&sample, &whole(&sample));
    let kinds: Vec<&str> = evidence
        .statements
        .iter()
        .flat_map(|one| &one.verified.log_entries)
        .map(|entry| entry.kind.as_str())
        .collect();
    assert_eq!(kinds, ["hashedrekord 0.0.2"; 2]);
    let root: Value = serde_json::from_str(&sample.trust_root).unwrap();
    let first = pem("PUBLIC KEY", &root["tlogs"][0]["publicKey"]["rawBytes"]);
    let other = PolicyTrust {
        logs: Some(first),
        ..whole(&sample)
    };
    let evidence = verify(&sample, &other);
    let mut signed = evidence.statements.iter();
    assert!(signed.all(|one| one.verified.log_entries.is_empty()));
}

/// What the trust root says of a log goes for the log whose key a policy names.
#[test]
fn a_window_of_the_trust_root_counts_for_keys_of_a_policy() {
    let Some(sample) = sample("cosign", KEYLESS[2]) else {
        return;
    };
    let ended = sample.trust_root.replace(
        "\"start\":\"2026-11-23T21:34:20Z\"",
        "\"end\":\"2026-11-23T21:34:20Z\"",
    );
    assert_ne!(ended, sample.trust_root);
    let root = TrustRoot::parse(&ended).unwrap();
    let evidence = sample.verify_with(
        &sample.artifacts,
        &root.with_policy(&whole(&sample)).unwrap(),
    );
    let expected = "the key of the log `http://127.0.0.1:23715` was not valid";
    assert!(
        reasons(&evidence).iter().all(|r| r.starts_with(expected)) && evidence.refused.len() == 3,
        "{evidence:?}"
    );
}

#[test]
fn what_cannot_be_used_is_said() {
    let root = public_sigstore().unwrap();
    let refused = |trust: PolicyTrust| root.with_policy(&trust).unwrap_err().to_string();
    let junk = || Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned());
    for (trust, part) in [
        (
            PolicyTrust {
                authorities: junk(),
                ..PolicyTrust::default()
            },
            "`roots`",
        ),
        (
            PolicyTrust {
                logs: junk(),
                ..PolicyTrust::default()
            },
            "`rekor.pubkey`",
        ),
        (
            PolicyTrust {
                certificate_logs: junk(),
                ..PolicyTrust::default()
            },
            "`ctlog.pubkey`",
        ),
        (
            PolicyTrust {
                timestamp_authority: junk(),
                ..PolicyTrust::default()
            },
            "`tsaCertChain`",
        ),
    ] {
        assert!(refused(trust).starts_with(part));
    }
}

#[test]
fn evidence_under_other_trust_has_another_id() {
    let root = public_sigstore().unwrap();
    let Some(sample) = sample("cosign", KEYLESS[0]) else {
        return;
    };
    let mut ids = vec![root.id().to_owned()];
    let all = whole(&sample);
    for trust in [
        PolicyTrust {
            authorities: None,
            ..all.clone()
        },
        PolicyTrust {
            logs: None,
            ..all.clone()
        },
        PolicyTrust {
            certificate_logs: None,
            ..all.clone()
        },
        PolicyTrust {
            timestamp_authority: None,
            ..all.clone()
        },
        all,
    ] {
        ids.push(root.with_policy(&trust).unwrap().id().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}
