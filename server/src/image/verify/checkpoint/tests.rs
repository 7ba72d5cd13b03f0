use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::image::trust::{TrustRoot, sha256};

const NAME: &str = "log.example";
const ROOT: [u8; 32] = [7; 32];

/// A log of the second kind, and its key.
fn log() -> (TrustRoot, Ed25519KeyPair) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let bits = pair.public_key().as_ref();
    let prefix = hex::decode("302a300506032b6570032100").unwrap();
    let id = sha256(&[NAME.as_bytes(), b"\n\x01", bits].concat());
    let log = json!({
        "baseUrl": "https://log.example",
        "publicKey": { "rawBytes": STANDARD.encode([&prefix, bits].concat()) },
        "logId": { "keyId": STANDARD.encode(id) },
    });
    let root = TrustRoot::parse(&json!({ "tlogs": [log] }).to_string()).unwrap();
    (root, pair)
}

fn body(origin: &str) -> String {
    format!("{origin}\n9\n{}\n", STANDARD.encode(ROOT))
}

fn line(name: &str, hint: &[u8], signature: &[u8]) -> String {
    let hint = hint.get(..4).unwrap();
    format!(
        "\u{2014} {name} {}\n",
        STANDARD.encode([hint, signature].concat())
    )
}

#[test]
fn a_checkpoint_of_the_log_counts_whoever_else_signed_it() {
    let (root, pair) = log();
    let [log] = root.logs() else {
        panic!("one log")
    };
    let body = body(NAME);
    let own = line(NAME, log.id(), pair.sign(body.as_bytes()).as_ref());
    let witness = line("witness.example", &[1, 2, 3, 4], &[0; 64]);
    let bad = line(NAME, log.id(), &[0; 64]);
    for lines in [
        own.clone(),
        format!("{witness}{own}"),
        format!("{bad}{own}{witness}"),
    ] {
        let head = verify(&format!("{body}\n{lines}"), log).unwrap();
        assert_eq!((head.root, head.size), (ROOT, 9));
    }
    let unsigned = Refusal::CheckpointUnsigned("https://log.example".to_owned());
    assert_eq!(verify(&format!("{body}\n{witness}"), log), Err(unsigned));
    let wrong = Refusal::CheckpointSignature("https://log.example".to_owned());
    assert_eq!(verify(&format!("{body}\n{bad}"), log), Err(wrong));
}

/// Each line would cost a verification, and anybody can write them.
#[test]
fn a_checkpoint_with_more_lines_than_a_log_writes_is_refused() {
    let (root, pair) = log();
    let [log] = root.logs() else {
        panic!("one log")
    };
    let body = body(NAME);
    let own = line(NAME, log.id(), pair.sign(body.as_bytes()).as_ref());
    let bad = line(NAME, log.id(), &[0; 64]);
    let with = |count: usize| format!("{body}\n{}{own}", bad.repeat(count));
    assert!(verify(&with(3), log).is_ok());
    assert!(matches!(
        verify(&with(4), log),
        Err(Refusal::TooMany { limit: 4, .. })
    ));
    let witness = line("witness.example", &[1, 2, 3, 4], &[0; 64]);
    let witnessed = |count: usize| format!("{body}\n{own}{}", witness.repeat(count));
    assert!(verify(&witnessed(50), log).is_ok());
    assert!(matches!(
        verify(&witnessed(500), log),
        Err(Refusal::Malformed("checkpoint", _))
    ));
}

/// `sigstore.md` §9: a checkpoint that the log's key signed for another tree counts as the log's there.
#[test]
fn wrong_accept_a_checkpoint_under_another_name_is_not_the_logs() {
    let (root, pair) = log();
    let [log] = root.logs() else {
        panic!("one log")
    };
    let body = body("other.example");
    for name in ["other.example", NAME] {
        let own = line(name, log.id(), pair.sign(body.as_bytes()).as_ref());
        let expected = Refusal::CheckpointOrigin {
            origin: "other.example".to_owned(),
            log: "https://log.example".to_owned(),
        };
        assert_eq!(
            verify(&format!("{body}\n{own}"), log),
            Err(expected),
            "{name}"
        );
    }
}

#[test]
fn a_checkpoint_whose_numbers_were_changed_is_refused() {
    let (root, pair) = log();
    let [log] = root.logs() else {
        panic!("one log")
    };
    let body = body(NAME);
    let own = line(NAME, log.id(), pair.sign(body.as_bytes()).as_ref());
    let grown = body.replace("\n9\n", "\n10\n");
    let wrong = Refusal::CheckpointSignature("https://log.example".to_owned());
    assert_eq!(verify(&format!("{grown}\n{own}"), log), Err(wrong));
    assert!(matches!(
        verify("", log),
        Err(Refusal::Malformed("checkpoint", _))
    ));
}
