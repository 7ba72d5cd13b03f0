//! A log of the second kind made here, for what no recorded sample has: other curves, RSA, `dsse 0.0.2`, a second log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, SigningKey};
use regent_engine::image::evidence::Verification;
use regent_engine::image::{Digest, Evidence, HashAlgorithm, PolicyTrust, PublicKey, pem};
use regent_server::image::artifact::{Artifacts, BundleArtifact};
use regent_server::image::trust::{Hash, public_sigstore, sha256};
use regent_server::image::verify::verify;
use serde_json::{Value, json};

use super::material::{edited_bundle, reasons};

const ORIGIN: &str = "log.example";
const TIME: u64 = 1_795_737_600;
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

struct Log {
    key: KeyPair,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

impl Log {
    fn new() -> Self {
        Self {
            key: KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
        }
    }

    fn id(&self) -> [u8; 32] {
        sha256(&[ORIGIN.as_bytes(), b"\n\x01", self.key.public_key_raw()].concat())
    }

    /// The entry of a body in a tree of one, with a promise that states a time.
    fn entry(&self, kind: &str, body: &Value) -> Value {
        let body = body.to_string();
        let root = sha256(&[b"\0", body.as_bytes()].concat());
        let note = format!("{ORIGIN}\n1\n{}\n", encode(root));
        let signed = [&self.id()[..4], &self.key.sign(note.as_bytes()).unwrap()].concat();
        let promised = format!(
            r#"{{"body":"{}","integratedTime":{TIME},"logID":"{}","logIndex":0}}"#,
            encode(&body),
            hex::encode(self.id())
        );
        json!({
            "logId": {"keyId": encode(self.id())},
            "kindVersion": {"kind": kind, "version": "0.0.2"},
            "integratedTime": TIME.to_string(),
            "inclusionPromise": {
                "signedEntryTimestamp": encode(self.key.sign(promised.as_bytes()).unwrap()),
            },
            "inclusionProof": {
                "rootHash": encode(root), "treeSize": "1",
                "checkpoint": {"envelope": format!("{note}\n— {ORIGIN} {}\n", encode(signed))},
            },
            "canonicalizedBody": encode(body),
        })
    }
}

/// A statement about the image, signed by a key and logged.
struct Signed {
    log: Log,
    key: KeyPair,
    hash: Hash,
    bundle: Value,
}

fn image() -> Digest {
    Digest::from_sha256([9; 32])
}

impl Signed {
    fn new(key: KeyPair, hash: Hash, kind: &str) -> Self {
        let log = Log::new();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": image().hex()}}],
            "predicateType": "https://example.org/predicate", "predicate": {},
        });
        let payload = statement.to_string().into_bytes();
        let head = format!(
            "DSSEv1 {} {PAYLOAD_TYPE} {} ",
            PAYLOAD_TYPE.len(),
            payload.len()
        );
        let signed = [head.as_bytes(), &payload].concat();
        let signature = encode(key.sign(&signed).unwrap());
        let spki = pem::public_keys(key.public_key_pem().trim()).unwrap();
        let spki: String = spki[0]
            .pem
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let one = json!({"content": signature, "verifier": {"publicKey": {"rawBytes": spki}}});
        let algorithm = match hash {
            Hash::Sha256 => "SHA2_256",
            Hash::Sha384 => "SHA2_384",
            Hash::Sha512 => "SHA2_512",
        };
        let spec = if kind == "dsse" {
            let digest = encode(sha256(&payload));
            let hash = json!({"algorithm": "SHA2_256", "digest": digest});
            json!({"dsseV002": {"payloadHash": hash, "signatures": [one]}})
        } else {
            let data = json!({"algorithm": algorithm, "digest": encode(hash.digest(&signed))});
            json!({"hashedRekordV002": {"data": data, "signature": one}})
        };
        let entry = log.entry(
            kind,
            &json!({"apiVersion": "0.0.2", "kind": kind, "spec": spec}),
        );
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": [entry]},
            "dsseEnvelope": {
                "payloadType": PAYLOAD_TYPE, "payload": encode(&payload),
                "signatures": [{"sig": signature}],
            },
        });
        Self {
            log,
            key,
            hash,
            bundle,
        }
    }

    fn artifacts(&self) -> Artifacts {
        Artifacts {
            bundles: vec![BundleArtifact {
                manifest: Digest::from_sha256([1; 32]),
                bytes: self.bundle.to_string().into_bytes().into(),
            }],
            ..Artifacts::default()
        }
    }

    fn judge(&self, artifacts: &Artifacts) -> Evidence {
        let text = self.key.public_key_pem();
        let block = pem::public_keys(text.trim()).unwrap().remove(0);
        let key = PublicKey {
            pem: block.pem,
            spki_sha256: block.spki_sha256,
            hash: match self.hash {
                Hash::Sha256 => HashAlgorithm::Sha256,
                Hash::Sha384 => HashAlgorithm::Sha384,
                Hash::Sha512 => HashAlgorithm::Sha512,
            },
            certificate: None,
        };
        let trust = PolicyTrust {
            logs: Some(self.log.key.public_key_pem()),
            ..PolicyTrust::default()
        };
        let root = public_sigstore().unwrap().with_policy(&trust).unwrap();
        verify(artifacts, &image(), &[key], &root, 0).unwrap()
    }
}

fn accepted(evidence: &Evidence) -> &Verification {
    assert_eq!(evidence.refused, []);
    &evidence.statements[0].verified
}

/// `sigstore.md` §9, G4 and G5: entries that `sigstore-verify` cannot read.
#[test]
fn gap_4_and_5_entries_of_every_key_and_kind_of_the_second_rekor_are_read() {
    for (algorithm, hash) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, Hash::Sha256),
        (&rcgen::PKCS_ECDSA_P384_SHA384, Hash::Sha384),
        (&rcgen::PKCS_ECDSA_P521_SHA512, Hash::Sha512),
        (&rcgen::PKCS_RSA_SHA256, Hash::Sha256),
        (&rcgen::PKCS_ED25519, Hash::Sha512),
    ] {
        for kind in ["hashedrekord", "dsse"] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let signed = Signed::new(key, hash, kind);
            let whole = signed.artifacts();
            let evidence = signed.judge(&whole);
            let entries = &accepted(&evidence).log_entries;
            assert_eq!(entries[0].kind, format!("{kind} 0.0.2"), "{algorithm:?}");
            assert_eq!(accepted(&evidence).time(), Some(TIME));

            // The same log's entry of another signature proves nothing of this one.
            let key = KeyPair::generate_for(algorithm).unwrap();
            let mut other = Signed::new(key, hash, kind);
            let material = "/verificationMaterial/tlogEntries/0/canonicalizedBody";
            let body = other.bundle.pointer_mut(material).unwrap().take();
            let swapped = edited_bundle(&whole, |bundle| {
                *bundle.pointer_mut(material).unwrap() = body;
            });
            let evidence = signed.judge(&swapped);
            assert!(reasons(&evidence)[0].starts_with("the log entry is of another"));
        }
    }
}

/// Point 13: what signers write with an Ed25519 key may be its pre-hashed form, which looks like a wrong signature of the
/// other; whoever reads the refusal is told.
#[test]
fn a_pre_hashed_signature_of_ed25519_is_refused_by_name() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let signed = Signed::new(key, Hash::Sha512, "hashedrekord");
    let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = Signed::new(other, Hash::Sha512, "hashedrekord");
    let evidence = other.judge(&signed.artifacts());
    assert!(reasons(&evidence)[0].starts_with("it was not signed by a key that the policy names"));
    assert!(reasons(&evidence)[0].contains("Ed25519ph"));
    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let other = Signed::new(other, Hash::Sha256, "hashedrekord");
    let evidence = other.judge(&signed.artifacts());
    assert_eq!(
        reasons(&evidence),
        ["it was not signed by a key that the policy names"]
    );
}

/// `sigstore.md` §9, G6: an entry of a log that nobody here knows does no harm, and does not count.
#[test]
fn gap_6_an_entry_of_an_unknown_log_beside_a_known_one_does_not_count() {
    let signed = Signed::new(KeyPair::generate().unwrap(), Hash::Sha256, "hashedrekord");
    let stranger = Signed::new(KeyPair::generate().unwrap(), Hash::Sha256, "hashedrekord");
    let place = "/verificationMaterial/tlogEntries";
    let entry = stranger.bundle.pointer(place).unwrap()[0].clone();
    let both = edited_bundle(&signed.artifacts(), |bundle| {
        let entries = bundle.pointer_mut(place).unwrap();
        entries.as_array_mut().unwrap().push(entry.clone());
    });
    assert_eq!(accepted(&signed.judge(&both)).log_entries.len(), 1);
    let alone = edited_bundle(&signed.artifacts(), |bundle| {
        *bundle.pointer_mut(place).unwrap() = json!([entry]);
    });
    // The signature is one all the same, and in no log: a policy that asks for one sees none.
    assert!(accepted(&signed.judge(&alone)).log_entries.is_empty());
}

#[test]
fn a_checkpoint_or_proof_of_another_tree_is_refused() {
    let signed = Signed::new(KeyPair::generate().unwrap(), Hash::Sha256, "hashedrekord");
    let entry = "/verificationMaterial/tlogEntries/0";
    let other = signed.log.entry("hashedrekord", &json!({"other": true}));
    for (part, says) in [
        ("/inclusionProof", "the inclusion proof does not verify"),
        (
            "/inclusionProof/checkpoint",
            "the checkpoint is of another tree",
        ),
        (
            "/inclusionPromise",
            "the signed entry timestamp does not verify",
        ),
    ] {
        let value = other.pointer(part).unwrap().clone();
        let swapped = edited_bundle(&signed.artifacts(), |bundle| {
            *bundle.pointer_mut(&format!("{entry}{part}")).unwrap() = value;
        });
        let evidence = signed.judge(&swapped);
        assert!(
            reasons(&evidence)[0].starts_with(says),
            "{part}: {evidence:?}"
        );
    }
}
