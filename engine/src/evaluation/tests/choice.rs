//! Which of several statements must be as demanded.

use super::attestors::{KEY, fails, key_of, passes, policy};
use super::images::statement;
use super::provenance::{CALLER, ISSUER, annotated, of};
use super::*;

const KIND: &str = "https://scan.example/v1";
const FAILED: &str = "attestation checks failed";

/// A policy that asks for good results of somebody.
fn choosing(word: &str, attestor: &Value) -> String {
    let attestation = json!([{
        "type": KIND, "attestors": [{"entries": [attestor]}],
        "conditions": [{"all": [{"key": "{{ result }}", "operator": "Equals", "value": "good"}]}],
    }]);
    annotated(
        &policy("ClusterPolicy", &json!([]), &attestation),
        &json!({"regent.dev/attestations": word}),
    )
}

fn caller() -> Value {
    json!({"keyless": {"issuer": ISSUER, "subject": CALLER}})
}

/// A statement by a certificate of a time, or by one that lasts, which says nothing of when it was used.
fn scan(result: &str, time: Option<u64>) -> VerifiedStatement {
    let mut one = statement(KIND, "", CALLER);
    one.predicate = json!({"result": result}).into();
    let validity = time.map_or((0, 31_536_000), |time| (time, time + 600));
    if let Signer::Certificate(identity) = &mut one.verified.signer {
        identity.validity = validity;
    }
    one
}

#[test]
fn of_several_attestations_all_any_or_the_latest_counts() {
    let choosing = |word: &str| choosing(word, &caller());
    let better = of(vec![scan("bad", Some(1)), scan("good", Some(2))]);
    let worse = of(vec![scan("good", Some(1)), scan("bad", Some(2))]);
    let undated = of(vec![scan("bad", None), scan("good", Some(2))]);
    let tie = of(vec![scan("bad", Some(2)), scan("good", Some(2))]);
    let none = of(vec![scan("bad", Some(2))]);
    let all = of(vec![scan("good", Some(1)), scan("good", None)]);
    for evidence in [&better, &worse, &undated, &tie, &none] {
        fails(&choosing("all"), evidence, FAILED);
    }
    for evidence in [&better, &worse, &undated, &tie, &all] {
        passes(&choosing("any"), evidence);
    }
    fails(&choosing("any"), &none, FAILED);
    for evidence in [&better, &all] {
        passes(&choosing("latest"), evidence);
    }
    for evidence in [&worse, &undated, &tie, &none] {
        fails(&choosing("latest"), evidence, FAILED);
    }
    for word in ["all", "any", "latest"] {
        fails(&choosing(word), &of(vec![]), "attestations not found");
    }
}

/// Whoever has an old signature can log it again: that does not make it the latest.
#[test]
fn nobody_makes_a_statement_later_by_logging_it_again() {
    let latest = choosing("latest", &caller());
    let mut again = scan("good", Some(1));
    again.verified.log_entries[0].integrated_time = Some(9);
    let replayed = of(vec![scan("good", Some(1)), scan("bad", Some(2)), again]);
    fails(&latest, &replayed, FAILED);
    // Of a key's statements nothing but a log says when they were made, so that all of them count.
    let keyed = |result: &str, time| {
        let mut one = scan(result, Some(time));
        one.verified.log_entries[0].integrated_time = Some(time);
        one.verified.signer = Signer::Key {
            spki_sha256: key_of(KEY),
        };
        one
    };
    let latest = choosing("latest", &json!({"keys": {"publicKeys": KEY}}));
    let replayed = of(vec![keyed("bad", 2), keyed("good", 9)]);
    fails(&latest, &replayed, FAILED);
    passes(&latest, &of(vec![keyed("good", 2), keyed("good", 9)]));
}
