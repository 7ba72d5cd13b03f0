//! Every form of an attestor, under a rule that asks for a signature by it.

use super::images::{evidence, signature, statement};
use super::*;
use crate::evaluation::need::{DataNeed, ImageNeed};

const OTHER_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
pub(super) const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKjLjSz7phJxXPbm1oPfnIglHtfe6
LMgdXkqAugGtYyHVE5yhgIY8uyH6m622jFT0tW1PWoruPDWmHcI8VjBshQ==
-----END PUBLIC KEY-----
";
/// A certificate that signed itself, with that key.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUJ4duQouRKc9HJXQmLnMsmd9Xu8IwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMjcwMDE2MjJaGA8yMTI2MTEwMzAwMTYy
MlowDzENMAsGA1UEAwwEcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCoy
40s+6YScVz25taD35yIJR7X3uizIHV5KgLoBrWMh1ROcoYCGPLsh+puttoxU9LVt
T1qK7jw1ph3CPFYwbIWjUzBRMB0GA1UdDgQWBBQ+4NjEulweiTjWKX8yubFdHe+g
zDAfBgNVHSMEGDAWgBQ+4NjEulweiTjWKX8yubFdHe+gzDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIHSKLNhcSFfdI4Td26uPO7wlA431Uvt0G2YM
gwJiFAjeAiEAvBnUIt3nCQHulTC6mjW8vFvBmKV8Z/oJHezv1W2+JyM=
-----END CERTIFICATE-----
";

/// A rule with one set of attestors, in JSON.
pub(super) fn policy(kind: &str, attestors: &Value, attestations: &Value) -> String {
    json!({
        "apiVersion": "kyverno.io/v1", "kind": kind,
        "metadata": {"name": "signed", "namespace": if kind == "Policy" { json!("production") } else { Value::Null }},
        "spec": {"validationFailureAction": "Enforce", "rules": [{
            "name": "signed",
            "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "verifyImages": [{
                "imageReferences": ["registry.example/*"],
                "attestors": attestors, "attestations": attestations,
            }],
        }]},
    })
    .to_string()
    .replace("\"namespace\":null,", "")
    .replace(",\"namespace\":null", "")
}

fn signed_by(entry: &Value) -> String {
    policy("ClusterPolicy", &json!([{"entries": [entry]}]), &json!([]))
}

pub(super) fn diagnostics(policy: &str) -> Vec<String> {
    let loaded = load(
        &[Source::new("policy.yaml", policy)],
        &Environment::default(),
    );
    let said = loaded.diagnostics.iter();
    said.map(|one| one.message.clone()).collect()
}

/// What the policy says of the image, with some evidence and secrets; what it asked for.
pub(super) fn judge(
    policy: &str,
    evidence: &Evidence,
    secret: Option<&Value>,
) -> (RuleStatus, String, Vec<ImageNeed>) {
    let asked = std::cell::RefCell::new(Vec::new());
    let (_, statuses) = evaluate(
        &set(policy),
        &pod("registry.example/app:v1"),
        Phase::Mutate,
        &|need| match need {
            Need::Image(need) => {
                asked.borrow_mut().push(need.clone());
                Fact::Image(Ok(VerifiedImage::assertion(
                    need.image.clone(),
                    Arc::new(evidence.clone()),
                    Resolution::Registry,
                )))
            }
            Need::Data(DataNeed::Secret { namespace, name }) => {
                assert_eq!((namespace.as_str(), name.as_str()), ("keys", "cosign"));
                Fact::Data(match secret {
                    Some(secret) => Ok(secret.clone()),
                    None => Err(FactError::Unavailable("nobody to ask".into())),
                })
            }
            Need::NamespaceLabels { .. }
            | Need::Roles
            | Need::Data(_)
            | Need::Inventory(_)
            | Need::Guest(_) => no_facts(need),
        },
    );
    let [(status, message)] = &statuses[..] else {
        panic!("one rule: {statuses:?}")
    };
    (*status, message.clone(), asked.into_inner())
}

pub(super) fn passes(policy: &str, evidence: &Evidence) {
    let (status, message, _) = judge(policy, evidence, None);
    assert_eq!(status, RuleStatus::Pass, "{message}");
}

pub(super) fn fails(policy: &str, evidence: &Evidence, why: &str) {
    let (status, message, _) = judge(policy, evidence, None);
    assert_eq!(status, RuleStatus::Fail, "{message}");
    assert!(message.contains(why), "{message}");
}

fn by_key(spki: &str) -> Evidence {
    let mut one = signature("nobody");
    one.verified.signer = Signer::Key {
        spki_sha256: spki.to_owned(),
    };
    evidence(vec![one], vec![])
}

pub(super) fn key_of(pem: &str) -> String {
    crate::image::pem::public_keys(pem).unwrap()[0]
        .spki_sha256
        .clone()
}

#[test]
fn a_certificate_is_its_key_and_with_a_chain_the_verifier_is_told() {
    let key = key_of(KEY);
    let alone = signed_by(&json!({"certificates": {"cert": CERTIFICATE}}));
    passes(&alone, &by_key(&key));
    fails(
        &alone,
        &by_key(OTHER_DIGEST),
        "certificates: not signed by the key",
    );
    fails(
        &alone,
        &evidence(vec![signature("x")], vec![]),
        "not signed by the key",
    );
    let (_, _, asked) = judge(&alone, &by_key(&key), None);
    assert_eq!(asked[0].keys[0].certificate, None);
    assert!(asked[0].trust.is_empty());

    let both = signed_by(&json!({"certificates": {"cert": CERTIFICATE, "certChain": CERTIFICATE}}));
    passes(&both, &by_key(&key));
    let (_, _, asked) = judge(&both, &by_key(&key), None);
    assert_eq!(
        asked[0].keys[0].certificate.as_deref(),
        asked[0].trust.authorities.as_deref()
    );
    assert!(asked[0].trust.authorities.is_some());
}

#[test]
fn a_chain_alone_takes_every_certificate_below_it_that_is_logged() {
    let chain = signed_by(&json!({"certificates": {"certChain": CERTIFICATE}}));
    let mut one = signature("builder@example.org");
    passes(&chain, &evidence(vec![one.clone()], vec![]));
    fails(
        &chain,
        &by_key(&key_of(KEY)),
        "signed by a key, wanted a certificate",
    );
    if let Signer::Certificate(identity) = &mut one.verified.signer {
        identity.sct_verified = false;
    }
    let unlogged = evidence(vec![one.clone()], vec![]);
    fails(&chain, &unlogged, "no certificate log has the certificate");
    one.verified.log_entries.clear();
    let bare = evidence(vec![one], vec![]);
    let lax = signed_by(&json!({"certificates": {
        "certChain": CERTIFICATE, "rekor": {"ignoreTlog": true}, "ctlog": {"ignoreSCT": true},
    }}));
    passes(&lax, &bare);
    let (_, _, asked) = judge(&lax, &bare, None);
    assert!(asked[0].trust.authorities.is_some() && asked[0].keys.is_empty());
}

#[test]
fn what_a_policy_trusts_goes_to_the_verifier() {
    let keyless = json!({"keyless": {
        "issuer": "*", "subject": "builder*", "roots": CERTIFICATE,
        "rekor": {"pubkey": KEY},
        "ctlog": {"pubkey": KEY, "tsaCertChain": CERTIFICATE},
    }});
    let mut one = signature("builder@example.org");
    one.verified.log_entries[0].log_key = key_of(KEY);
    one.verified.timestamps.push(1);
    let policy = signed_by(&keyless);
    let good = evidence(vec![one.clone()], vec![]);
    passes(&policy, &good);
    let (_, _, asked) = judge(&policy, &good, None);
    let trust = &asked[0].trust;
    for part in [&trust.authorities, &trust.timestamp_authority] {
        assert!(
            part.as_ref()
                .unwrap()
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
    }
    assert_eq!(trust.logs.as_deref(), Some(KEY));
    assert_eq!(trust.certificate_logs.as_deref(), Some(KEY));
    one.verified.timestamps.clear();
    let unstamped = evidence(vec![one.clone()], vec![]);
    fails(
        &policy,
        &unstamped,
        "no timestamp of the authority that `tsaCertChain` names",
    );
    one.verified.timestamps.push(1);
    one.verified.log_entries[0].log_key = OTHER_DIGEST.to_owned();
    fails(
        &policy,
        &evidence(vec![one], vec![]),
        "no entry in the log of the key",
    );
}

#[test]
fn nested_sets_count_as_one_entry() {
    let keyless = |subject: &str| json!({"keyless": {"issuer": "https://token.actions.githubusercontent.com", "subject": subject}});
    let nested = |count: usize| {
        json!([{"count": 2, "entries": [
            keyless("a"),
            {"attestor": {"count": count, "entries": [keyless("b"), keyless("c")]}},
            keyless("d"),
        ]}])
    };
    let by = |subjects: &[&str]| {
        let signatures = subjects.iter().map(|subject| signature(subject));
        evidence(signatures.collect(), vec![])
    };
    let one = policy("ClusterPolicy", &nested(1), &json!([]));
    passes(&one, &by(&["a", "c"]));
    passes(&one, &by(&["a", "d"]));
    // Both of the nested set are one entry.
    fails(
        &one,
        &by(&["b", "c"]),
        ".attestors[0].entries[0].keyless: subject mismatch",
    );
    let two = policy("ClusterPolicy", &nested(2), &json!([]));
    passes(&two, &by(&["a", "b", "c"]));
    fails(
        &two,
        &by(&["a", "c"]),
        "entries[1].attestor.entries[0].keyless: subject mismatch",
    );

    let v1 = "https://slsa.dev/provenance/v1";
    let attested = json!([{"type": v1, "attestors": nested(2)}]);
    let attested = policy("ClusterPolicy", &json!([]), &attested);
    let said = |signers: &[&str]| {
        let statements = signers.iter().map(|signer| statement(v1, "x", signer));
        evidence(vec![], statements.collect())
    };
    passes(&attested, &said(&["a", "b", "c"]));
    fails(&attested, &said(&["a", "b"]), ".attestations[0]");
}

#[test]
fn beside_a_nested_set_nothing_is_said() {
    let entry = json!({
        "attestor": {"entries": [{"keys": {"publicKeys": KEY}}]},
        "annotations": {"team": "blue"},
    });
    let said = diagnostics(&signed_by(&entry));
    assert_eq!(
        said,
        ["beside a nested `attestor` nothing else can be said"]
    );
}

#[test]
fn annotations_of_an_attestation_are_those_of_the_statements_subject() {
    let v1 = "https://slsa.dev/provenance/v1";
    let attestations = json!([{"type": v1, "attestors": [{"entries": [{
        "keyless": {"issuer": "https://token.actions.githubusercontent.com", "subject": "a"},
        "annotations": {"team": "bl*"},
    }]}]}]);
    let policy = policy("ClusterPolicy", &json!([]), &attestations);
    let mut one = statement(v1, "x", "a");
    fails(
        &policy,
        &evidence(vec![], vec![one.clone()]),
        "the statement lacks the annotations",
    );
    one.annotations = json!({"team": "blue"});
    passes(&policy, &evidence(vec![], vec![one]));
}

#[test]
fn a_key_in_a_secret_is_asked_for() {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(KEY);
    let secret = json!({"kind": "Secret", "data": {"cosign.pub": encoded}});
    let key = key_of(KEY);
    for entry in [
        json!({"keys": {"publicKeys": "k8s://keys/cosign"}}),
        json!({"keys": {"secret": {"namespace": "keys", "name": "cosign"}}}),
    ] {
        let policy = signed_by(&entry);
        let (status, message, asked) = judge(&policy, &by_key(&key), Some(&secret));
        assert_eq!(status, RuleStatus::Pass, "{message}");
        assert_eq!(asked[0].keys[0].pem, KEY);
        let (status, message, _) = judge(&policy, &by_key(OTHER_DIGEST), Some(&secret));
        assert_eq!(status, RuleStatus::Fail);
        assert!(message.contains("keys: not signed by the key"), "{message}");
        for (secret, why) in [
            (
                None,
                "the key in Secret `keys/cosign` is not known: nobody to ask",
            ),
            (Some(json!({})), "the secret has no field `cosign.pub`"),
            (Some(json!({"data": {"cosign.pub": "%"}})), "is not base64"),
            (
                Some(json!({"data": {"cosign.pub": "AAAA"}})),
                "cannot be read",
            ),
        ] {
            let (status, message, asked) = judge(&policy, &by_key(&key), secret.as_ref());
            let unknown = secret.is_none();
            let expected = if unknown {
                RuleStatus::Error
            } else {
                RuleStatus::Fail
            };
            assert_eq!(status, expected, "{message}");
            assert!(message.contains(why) && asked.is_empty(), "{message}");
        }
    }
}

#[test]
fn keys_that_cannot_be_had_are_refused_at_load() {
    for (keys, why) in [
        (
            json!({"kms": "gcpkms://projects/x"}),
            "a key in a key management service is not supported",
        ),
        (
            json!({"publicKeys": "awskms:///alias/x"}),
            "a key in a key management service is not supported",
        ),
        (
            json!({"publicKeys": "k8s://cosign"}),
            "a key in a secret is `k8s://NAMESPACE/NAME`",
        ),
        (
            json!({"secret": {"name": "cosign"}}),
            "`secret` needs the `name` and the `namespace` of a secret",
        ),
        (
            json!({"publicKeys": KEY, "kms": "x"}),
            "`keys` has one of `publicKeys`, `secret` and `kms`",
        ),
        (
            json!({"publicKeys": KEY, "signatureAlgorithm": "sha224"}),
            "`signatureAlgorithm: sha224` is not supported",
        ),
    ] {
        let said = diagnostics(&signed_by(&json!({"keys": keys})));
        assert!(said.contains(&why.to_owned()), "{said:?}");
    }
    let junk = json!({"certificates": {"certChain": KEY}});
    let said = diagnostics(&signed_by(&junk));
    assert!(
        said[0].contains("it is PEM of something else than a certificate"),
        "{said:?}"
    );
    let foreign = json!([{"entries": [{"keys": {"publicKeys": "k8s://keys/cosign"}}]}]);
    let said = diagnostics(&policy("Policy", &foreign, &json!([])));
    assert_eq!(
        said,
        ["a policy of namespace `production` reads no secret of `keys`"]
    );
}

/// A policy with an entry that has some more fields.
fn entry_with(fields: &Value) -> String {
    let mut policy: Value =
        serde_json::from_str(&policy("ClusterPolicy", &json!([]), &json!([]))).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        policy["spec"]["rules"][0]["verifyImages"][0][name] = value.clone();
    }
    policy.to_string()
}

/// Fields of the entry itself, which Kyverno deprecates, are one more set of attestors.
#[test]
fn deprecated_fields_name_an_attestor() {
    let issuer = "https://token.actions.githubusercontent.com";
    let keyless = entry_with(&json!({"issuer": issuer, "subject": "a*"}));
    passes(&keyless, &evidence(vec![signature("abc")], vec![]));
    fails(
        &keyless,
        &evidence(vec![signature("b")], vec![]),
        "subject mismatch",
    );
    let keyed = entry_with(&json!({"key": KEY}));
    passes(&keyed, &by_key(&key_of(KEY)));
    fails(&keyed, &by_key(OTHER_DIGEST), "not signed by the key");
    let annotated = entry_with(&json!({"key": KEY, "annotations": {"team": "blue"}}));
    fails(
        &annotated,
        &by_key(&key_of(KEY)),
        "no signature has the annotations",
    );
    // Beside attestors it is demanded as well.
    let both = entry_with(&json!({"key": KEY, "attestors": [{"entries": [
        {"keyless": {"issuer": issuer, "subject": "a"}},
    ]}]}));
    fails(
        &both,
        &evidence(vec![signature("a")], vec![]),
        "not signed by the key",
    );
    for fields in [
        json!({"key": KEY, "issuer": issuer}),
        json!({"annotations": {"team": "blue"}}),
    ] {
        let said = diagnostics(&entry_with(&fields));
        assert!(said[0].contains("say who must have signed"), "{said:?}");
    }
    assert!(!diagnostics(&entry_with(&json!({"key": "junk"}))).is_empty());
    assert!(
        !diagnostics(&entry_with(
            &json!({"issuer": issuer, "additionalExtensions": {"no": "x"}})
        ))
        .is_empty()
    );
}

/// A chart with an unset value makes them.
#[test]
fn empty_fields_that_name_nobody_are_refused() {
    for (name, empty) in [
        ("key", json!("")),
        ("issuer", json!("")),
        ("subject", json!("")),
        ("roots", json!("")),
        ("annotations", json!({})),
    ] {
        let said = diagnostics(&entry_with(&json!({name: empty})));
        let expected = format!("`{name}` is empty: nobody is named, and every image would pass");
        assert_eq!(said, [expected]);
    }
    // What others demand stands.
    let beside = entry_with(&json!({"key": "", "attestors": [{"entries": [{"keyless": {
        "issuer": "https://token.actions.githubusercontent.com", "subject": "a",
    }}]}]}));
    passes(&beside, &evidence(vec![signature("a")], vec![]));
}
