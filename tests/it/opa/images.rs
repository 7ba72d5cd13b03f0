//! Programs of image rules, over evidence that is made up: attestors, attestations, and what is denied of several of them.

use std::sync::Arc;

use regent_engine::evaluation::need::{Fact, FactError, Need};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::image::evidence::{
    CertificateIdentity, Format, LogEntry, Resolution, Signer, Verification, VerifiedSignature,
    VerifiedStatement,
};
use regent_engine::image::{Digest, Evidence, Projected, VerifiedImage};
use regent_engine::load::{self, Environment};
use regent_engine::rego::record::Asked;
use regent_engine::response::RuleStatus;
use regent_engine::source::Source;
use serde_json::{Value, json};

use super::corpora::{Questions, compare};
use crate::oracle;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ISSUER: &str = "https://issuer.example";
const SIGNER: &str = "builder@example.com";

fn verified() -> Verification {
    Verification {
        signer: Signer::Certificate(CertificateIdentity {
            issuer: ISSUER.into(),
            subjects: vec![SIGNER.into()],
            extensions: std::iter::empty::<(String, String)>().collect(),
            sct_verified: true,
            validity: (1, 2),
        }),
        format: Format::Bundle,
        carrier: String::new(),
        log_entries: vec![LogEntry {
            log_id: "00".into(),
            log_url: "https://rekor.sigstore.dev".into(),
            log_key: "11".into(),
            kind: "dsse 0.0.1".into(),
            log_index: 1,
            integrated_time: Some(1),
            inclusion_proof: true,
            promise: true,
        }],
        timestamps: Vec::new(),
    }
}

fn statement(kind: &str, predicate: Value) -> VerifiedStatement {
    VerifiedStatement {
        verified: verified(),
        statement_type: "https://in-toto.io/Statement/v1".into(),
        predicate_type: format!("https://example.com/{kind}"),
        predicate: predicate.into(),
        annotations: Value::Null,
        envelope: None,
    }
}

fn evidence(statements: Vec<VerifiedStatement>) -> Evidence {
    Evidence {
        digest: Digest::parse(DIGEST).expect("a digest"),
        trust_root: "t".into(),
        signatures: vec![VerifiedSignature {
            verified: verified(),
            annotations: Value::Null,
            payload: Value::Null,
        }],
        statements,
        refused: Vec::new(),
        has_unread: false,
        fetched_at: 1,
        projected: Projected::default(),
    }
}

fn policy(choice: &str) -> String {
    let attestors =
        json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": "*@example.com"}}]}]);
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
        "metadata": {"name": "scanned", "annotations": {"regent.dev/attestations": choice}},
        "spec": {"rules": [{
            "name": "scanned",
            "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "verifyImages": [{
                "imageReferences": ["registry.example/*"],
                "attestors": attestors,
                "attestations": [
                    {"name": "bom", "type": "https://example.com/bom", "attestors": attestors},
                    {"name": "scan", "type": "https://example.com/scan", "attestors": attestors,
                     "conditions": [{"all": [{"key": "{{ done }}", "operator": "Equals", "value": true}]}]},
                ],
                "validate": {"deny": {"conditions": {"any": [
                    {"key": "{{ bom.of }}", "operator": "NotEquals", "value": "{{ scan.of }}"},
                ]}}},
            }],
        }]},
    })
    .to_string()
}

/// What the programs of a policy are asked about an image with some statements, and what the rule says.
fn asked(policy: &str, statements: Vec<VerifiedStatement>) -> (Vec<Asked>, RuleStatus) {
    let set = load::load(
        &[Source::new("policy.yaml", policy)],
        &Environment::default(),
    )
    .policies;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "c", "image": "registry.example/app:v1"}]}});
    let evidence = Arc::new(evidence(statements));
    let environment = regent_engine::jmespath::Environment {
        seconds: 1_780_000_000,
        nanoseconds: 0,
        seed: 1,
    };
    let request = Arc::new(oracle::request(&pod));
    let evaluation = set.evaluate(request, Phase::Mutate, Scope::All, environment);
    let mut evaluation = evaluation.recording();
    loop {
        match evaluation.step() {
            Step::Need(needs) => {
                for (id, need) in needs {
                    let fact = match &need {
                        Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
                            need.image.clone(),
                            Arc::clone(&evidence),
                            Resolution::Registry,
                        ))),
                        _ => Fact::missing(&need, FactError::NotFound("nobody".into())),
                    };
                    evaluation.answer(id, fact);
                }
            }
            Step::Done(responses) => {
                let status = responses[0].rules[0].status;
                return (evaluation.take_record(), status);
            }
        }
    }
}

#[test]
fn what_is_denied_of_images_means_the_same_in_opa() {
    let bom = |of: &str| statement("bom", json!({"of": of}));
    let scan = |of: &str, done: bool| statement("scan", json!({"of": of, "done": done}));
    let cases = [
        (vec![bom("a"), scan("a", true)], "pass pass pass"),
        (vec![bom("a"), scan("b", true)], "fail fail fail"),
        (vec![bom("a"), scan("a", false)], "fail fail fail"),
        (vec![bom("a"), bom("b"), scan("a", true)], "fail pass fail"),
        (vec![bom("a")], "fail fail fail"),
        (
            vec![statement("bom", json!({})), scan("a", true)],
            // What is signed and cannot be judged is refused, not an error.
            "fail fail fail",
        ),
        (Vec::new(), "fail fail fail"),
    ];
    let mut questions = Questions::default();
    for (statements, expected) in cases {
        let mut said = Vec::new();
        for choice in ["all", "any", "latest"] {
            let (asked, status) = asked(&policy(choice), statements.clone());
            for one in &asked {
                assert_eq!(&one.second_opinion(), one.answer());
            }
            questions.add(choice, asked);
            said.push(status.name());
        }
        assert_eq!(said.join(" "), expected);
    }
    assert!(questions.len() > 20);
    compare("images", &questions);
}
