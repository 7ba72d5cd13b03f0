//! Certificates of somebody's own with entries of the first Rekor, which no tool makes here: each way to store them, and each with
//! one thing wrong. `image_rules/certificates.rs` has those that cosign makes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, SigningKey};
use regent_engine::image::evidence::{Signer, Verification};
use regent_engine::image::{Digest, Evidence, PolicyTrust, pem};
use regent_server::image::artifact::{Artifacts, BundleArtifact, LegacyArtifact};
use regent_server::image::trust::{
    Chain, ChainId, ChainRules, Moment, TrustRoot, public_sigstore, sha256,
};
use regent_server::image::verify::verify;
use serde_json::{Value, json};

use super::certified::{Fault, Pki, digest};
use super::material::{edited_bundle, reasons};
use super::notary::authority::{Authority, Wrong};

/// 2026-11-27, when it was logged, and five years later, when it is judged.
const LOGGED: u64 = 1_795_737_600;
const NOW: u64 = LOGGED + 5 * 365 * 86_400;
const TREE: &str = "rekor.example - 7";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// A log of the first kind: its id is that of its key.
struct Log {
    key: KeyPair,
    time: u64,
}

impl Log {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        Self { key, time: LOGGED }
    }

    fn id(&self) -> [u8; 32] {
        let keys = pem::public_keys(self.key.public_key_pem().trim()).unwrap();
        hex::decode(&keys[0].spki_sha256)
            .unwrap()
            .try_into()
            .unwrap()
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        self.key.sign(text.as_bytes()).unwrap()
    }

    fn promise(&self, body: &str) -> String {
        let signed = format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":0}}"#,
            encode(body),
            self.time,
            hex::encode(self.id())
        );
        encode(self.sign(&signed))
    }

    /// The entry as bundles have it, in a tree of one.
    fn entry(&self, body: &str) -> Value {
        let root = sha256(&[b"\0", body.as_bytes()].concat());
        let note = format!("{TREE}\n1\n{}\n", encode(root));
        let signed = [self.id()[..4].to_vec(), self.sign(&note)].concat();
        let (name, _) = TREE.split_once(' ').unwrap();
        json!({
            "logId": {"keyId": encode(self.id())},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": self.time.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": self.promise(body)},
            "inclusionProof": {
                "rootHash": encode(root), "treeSize": "1",
                "checkpoint": {"envelope": format!("{note}\n— {name} {}\n", encode(signed))},
            },
            "canonicalizedBody": encode(body),
        })
    }

    /// The entry as an annotation has it.
    fn annotation(&self, body: &str) -> String {
        let payload = json!({
            "body": encode(body), "integratedTime": self.time, "logIndex": 0,
            "logID": hex::encode(self.id()),
        });
        json!({"SignedEntryTimestamp": self.promise(body), "Payload": payload}).to_string()
    }
}

/// How it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Bundle,
    Legacy,
}

/// What is made.
#[derive(Debug, Clone, Copy)]
struct Cell {
    stored: Stored,
    attestation: bool,
    /// Whether the certificates above the signer's are beside it.
    enclosed: bool,
}

/// What signs, what logs, and who the entry says that it was.
struct Made<'a> {
    pki: &'a Pki,
    log: &'a Log,
    logged: &'a str,
    image: Digest,
}

fn der_of(certificate: &str) -> Vec<u8> {
    let base64: String = certificate
        .lines()
        .filter(|one| !one.starts_with('-'))
        .collect();
    STANDARD.decode(base64).unwrap()
}

impl<'a> Made<'a> {
    /// The image, with an entry of the log that names whose certificate is `logged`.
    fn by(pki: &'a Pki, log: &'a Log, logged: &'a str) -> Self {
        Self {
            pki,
            log,
            logged,
            image: digest(),
        }
    }

    fn write(&self, cell: Cell) -> Artifacts {
        match (cell.stored, cell.attestation) {
            (Stored::Bundle, _) => self.bundle(cell),
            (Stored::Legacy, true) => {
                let (envelope, body) = self.envelope(cell);
                let layer = self.layer(cell, &envelope.to_string(), ("", &body));
                Artifacts {
                    attestations: vec![layer],
                    ..Artifacts::default()
                }
            }
            (Stored::Legacy, false) => self.signature(cell),
        }
    }

    /// A statement in its envelope, and what is logged of it.
    fn envelope(&self, cell: Cell) -> (Value, String) {
        let kind = if cell.attestation {
            "https://slsa.dev/provenance/v1"
        } else {
            "https://sigstore.dev/cosign/sign/v1"
        };
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": self.image.hex()}}],
            "predicateType": kind, "predicate": {},
        });
        let payload = statement.to_string();
        let (kind, length) = (PAYLOAD_TYPE.len(), payload.len());
        let signed = format!("DSSEv1 {kind} {PAYLOAD_TYPE} {length} {payload}");
        let signature = encode(self.pki.key.sign(signed.as_bytes()).unwrap());
        let envelope = json!({
            "payloadType": PAYLOAD_TYPE, "payload": encode(&payload),
            "signatures": [{"sig": signature}],
        });
        let hash = |text: &str| {
            let value = hex::encode(sha256(text.as_bytes()));
            json!({"algorithm": "sha256", "value": value})
        };
        let one = json!({"signature": signature, "verifier": encode(self.logged)});
        let spec = json!({
            "envelopeHash": hash(&envelope.to_string()), "payloadHash": hash(&payload),
            "signatures": [one],
        });
        let body = json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec});
        (envelope, body.to_string())
    }

    fn bundle(&self, cell: Cell) -> Artifacts {
        let (envelope, body) = self.envelope(cell);
        let raw = |bytes: &[u8]| json!({"rawBytes": encode(bytes)});
        let leaf = raw(&der_of(&self.pki.leaf));
        let mut material = json!({"tlogEntries": [self.log.entry(&body)]});
        if cell.enclosed {
            // A root has no business in a bundle.
            let chain = json!([leaf, raw(self.pki.middle.der())]);
            material["x509CertificateChain"] = json!({"certificates": chain});
        } else {
            material["certificate"] = leaf;
        }
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": material, "dsseEnvelope": envelope,
        });
        Artifacts {
            bundles: vec![BundleArtifact {
                manifest: Digest::from_sha256([1; 32]),
                bytes: bundle.to_string().into_bytes().into(),
            }],
            ..Artifacts::default()
        }
    }

    fn signature(&self, cell: Cell) -> Artifacts {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": "registry.example/app"},
                "image": {"docker-manifest-digest": self.image.to_string()},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string();
        let signature = encode(self.pki.key.sign(payload.as_bytes()).unwrap());
        let value = hex::encode(sha256(payload.as_bytes()));
        let spec = json!({
            "data": {"hash": {"algorithm": "sha256", "value": value}},
            "signature": {"content": signature, "publicKey": {"content": encode(self.logged)}},
        });
        let body = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec});
        let layer = self.layer(cell, &payload, (&signature, &body.to_string()));
        Artifacts {
            signatures: vec![layer],
            ..Artifacts::default()
        }
    }

    fn layer(&self, cell: Cell, bytes: &str, (signature, body): (&str, &str)) -> LegacyArtifact {
        let mut annotations = vec![
            ("dev.cosignproject.cosign/signature", signature.to_owned()),
            ("dev.sigstore.cosign/certificate", self.pki.leaf.clone()),
            ("dev.sigstore.cosign/bundle", self.log.annotation(body)),
        ];
        if cell.enclosed {
            let chain = format!("{}{}", self.pki.middle.pem(), self.pki.root.pem());
            annotations.push(("dev.sigstore.cosign/chain", chain));
        }
        let annotations = annotations.into_iter();
        LegacyArtifact {
            layer: Digest::from_sha256([1; 32]),
            bytes: bytes.as_bytes().to_vec().into(),
            annotations: annotations
                .map(|(name, text)| (name.to_owned(), text))
                .collect(),
        }
    }
}

fn judge(artifacts: &Artifacts, roots: String, log: &Log) -> Evidence {
    verify(artifacts, &digest(), &[], &trusting(roots, log), NOW).unwrap()
}

fn trusting(roots: String, log: &Log) -> TrustRoot {
    let trust = PolicyTrust {
        authorities: Some(roots),
        logs: Some(log.key.public_key_pem()),
        ..PolicyTrust::default()
    };
    public_sigstore().unwrap().with_policy(&trust).unwrap()
}

fn accepted(evidence: &Evidence, cell: Cell) -> &Verification {
    assert_eq!(evidence.refused, [], "{cell:?}");
    if cell.attestation {
        let [statement] = &evidence.statements[..] else {
            panic!("{cell:?}")
        };
        &statement.verified
    } else {
        let [signature] = &evidence.signatures[..] else {
            panic!("{cell:?}")
        };
        &signature.verified
    }
}

fn is_refused(evidence: &Evidence, says: &str, cell: Cell) {
    assert!(evidence.signatures.is_empty() && evidence.statements.is_empty());
    let [reason] = reasons(evidence)[..] else {
        panic!("{cell:?}: {evidence:?}")
    };
    assert!(reason.contains(says), "{cell:?}: {reason}, not {says}");
}

fn cells() -> impl Iterator<Item = Cell> {
    let both = [false, true];
    [Stored::Bundle, Stored::Legacy]
        .into_iter()
        .flat_map(move |stored| {
            both.into_iter().flat_map(move |attestation| {
                both.map(|enclosed| Cell {
                    stored,
                    attestation,
                    enclosed,
                })
            })
        })
}

#[test]
fn certificates_of_ones_own_count_by_the_time_of_the_first_rekor() {
    let (pki, log) = (Pki::new(Fault::None), Log::new());
    let made = Made::by(&pki, &log, &pki.leaf);
    let whole = || format!("{}{}", pki.middle.pem(), pki.root.pem());
    for cell in cells() {
        let evidence = judge(&made.write(cell), whole(), &log);
        let verified = accepted(&evidence, cell);
        let Signer::Certificate(identity) = &verified.signer else {
            panic!("a key")
        };
        assert_eq!(identity.subjects, ["builder@example.org"]);
        let [entry] = &verified.log_entries[..] else {
            panic!("one entry")
        };
        assert_eq!(entry.integrated_time, Some(LOGGED));
        assert_eq!(entry.inclusion_proof, cell.stored == Stored::Bundle);
        // The root alone is enough where the chain is there.
        let evidence = judge(&made.write(cell), pki.root.pem(), &log);
        if cell.enclosed {
            accepted(&evidence, cell);
        } else {
            is_refused(&evidence, "UnknownIssuer", cell);
        }
    }
}

#[test]
fn each_thing_that_is_wrong_beside_an_entry_of_the_first_rekor_refuses() {
    let (pki, other) = (Pki::new(Fault::None), Pki::new(Fault::None));
    let log = Log::new();
    let whole = |pki: &Pki| format!("{}{}", pki.middle.pem(), pki.root.pem());
    for cell in cells() {
        let right = Made::by(&pki, &log, &pki.leaf).write(cell);
        let evidence = judge(&right, whole(&other), &log);
        is_refused(&evidence, "does not chain", cell);
        // The log has the entry of another signer.
        let stranger = Made::by(&pki, &log, &other.leaf).write(cell);
        let evidence = judge(&stranger, whole(&pki), &log);
        is_refused(&evidence, "the log entry is of another signer", cell);
        let elsewhere = Made {
            image: Digest::from_sha256([8; 32]),
            ..Made::by(&pki, &log, &pki.leaf)
        };
        let evidence = judge(&elsewhere.write(cell), whole(&pki), &log);
        is_refused(&evidence, "it is about", cell);
        // Another log proves no time, and by now the certificates have ended.
        let evidence = judge(&right, whole(&pki), &Log::new());
        is_refused(&evidence, "the certificate was not valid", cell);
        for (fault, says) in [
            (Fault::LeafEnded, "the certificate was not valid"),
            (Fault::RootEnded, "the certificate authority was not valid"),
            (Fault::OtherUsage, "RequiredEkuNotFound"),
        ] {
            let faulty = Pki::new(fault);
            let signed = Made::by(&faulty, &log, &faulty.leaf).write(cell);
            is_refused(&judge(&signed, whole(&faulty), &log), says, cell);
        }
    }
}

/// What was logged while it was valid stays good, and what was logged later never is.
#[test]
fn an_ended_certificate_counts_for_what_was_logged_before() {
    let pki = Pki::new(Fault::LeafEnded);
    for (time, counts) in [(1_767_225_600, true), (1_767_225_601, false)] {
        let log = Log { time, ..Log::new() };
        let made = Made::by(&pki, &log, &pki.leaf);
        let roots = || format!("{}{}", pki.middle.pem(), pki.root.pem());
        for cell in cells() {
            let evidence = judge(&made.write(cell), roots(), &log);
            if counts {
                accepted(&evidence, cell);
            } else {
                is_refused(&evidence, "the certificate was not valid", cell);
            }
        }
    }
}

/// A chain is verified once under a trust root, and counts at no time at which a part of it is not valid.
#[test]
fn a_remembered_chain_counts_while_all_of_it_is_valid() {
    for fault in [Fault::LeafEnded, Fault::MiddleEnded, Fault::RootEnded] {
        let (pki, mut log) = (Pki::new(fault), Log::new());
        let root = trusting(pki.root.pem(), &log);
        for cell in cells().filter(|cell| cell.enclosed) {
            for (time, counts) in [(600, true), (601, false), (600, true)] {
                log.time = 1_767_225_000 + time;
                let made = Made::by(&pki, &log, &pki.leaf).write(cell);
                let evidence = verify(&made, &digest(), &[], &root, NOW).unwrap();
                assert_eq!(evidence.refused.is_empty(), counts, "{evidence:?}");
            }
        }
    }
}

/// What was verified with the certificates that came along says nothing of the certificate without them, nor under
/// another trust root, nor of another signature.
#[test]
fn a_remembered_chain_is_of_its_certificates_and_trust_root() {
    let (pki, log) = (Pki::new(Fault::None), Log::new());
    let cell = |enclosed| Cell {
        stored: Stored::Bundle,
        attestation: true,
        enclosed,
    };
    let root = trusting(pki.root.pem(), &log);
    let whole = Made::by(&pki, &log, &pki.leaf).write(cell(true));
    let judged = |artifacts: &Artifacts| verify(artifacts, &digest(), &[], &root, NOW).unwrap();
    accepted(&judged(&whole), cell(true));
    let certificates = [der_of(&pki.leaf), der_of(&pki.middle.pem())];
    let of = certificates.iter().map(Vec::as_slice);
    let id = ChainId::new(ChainRules::Sigstore, of);
    let chain = root
        .chains()
        .at(id, &[Moment::at(LOGGED)])
        .expect("it is remembered");
    assert!(!chain.is_logged);
    // It is asked: with another word of it the answer is another.
    let is_logged = true;
    root.chains().keep(id, Chain { is_logged, ..chain });
    let evidence = judged(&whole);
    let Signer::Certificate(identity) = &accepted(&evidence, cell(true)).signer else {
        panic!("a key")
    };
    assert!(identity.sct_verified);
    let alone = Made::by(&pki, &log, &pki.leaf).write(cell(false));
    is_refused(&judged(&alone), "UnknownIssuer", cell(false));
    let forged = edited_bundle(&whole, |bundle| {
        bundle["dsseEnvelope"]["payload"] = json!(encode("{}"));
    });
    assert!(!judged(&forged).refused.is_empty());
    let other = Pki::new(Fault::None).root.pem();
    let policy = PolicyTrust {
        authorities: Some(other),
        ..PolicyTrust::default()
    };
    let other = root.with_policy(&policy).unwrap();
    let evidence = verify(&whole, &digest(), &[], &other, NOW).unwrap();
    is_refused(&evidence, "does not chain", cell(true));
}

/// A timestamp whose certificate chains to an authority and cannot be used refuses where it is alone, and does no harm beside a
/// good one.
#[test]
fn a_timestamp_below_an_ended_intermediate_does_no_harm_beside_a_good_one() {
    let (pki, log) = (Pki::new(Fault::None), Log::new());
    let cell = Cell {
        stored: Stored::Bundle,
        attestation: true,
        enclosed: true,
    };
    let whole = Made::by(&pki, &log, &pki.leaf).write(cell);
    let bundle: Value = serde_json::from_slice(&whole.bundles[0].bytes).unwrap();
    let signature = bundle.pointer("/dsseEnvelope/signatures/0/sig").unwrap();
    let signature = STANDARD.decode(signature.as_str().unwrap()).unwrap();
    let (good, ended) = (Wrong::Nothing, Wrong::IntermediateEnded);
    let authorities = [good, ended].map(Authority::bringing);
    let written: Vec<_> = authorities
        .iter()
        .map(|authority| {
            let root = authority.certificates().pop().unwrap();
            let chain = json!([{"rawBytes": encode(root)}]);
            json!({"uri": "https://tsa.example", "certChain": {"certificates": chain}})
        })
        .collect();
    let root = json!({"timestampAuthorities": written}).to_string();
    let trust = PolicyTrust {
        authorities: Some(pki.root.pem()),
        ..PolicyTrust::default()
    };
    let root = TrustRoot::parse(&root)
        .unwrap()
        .with_policy(&trust)
        .unwrap();
    let tokens = [good, ended].into_iter().zip(&authorities);
    let tokens: Vec<_> = tokens
        .map(|(wrong, authority)| {
            json!({"signedTimestamp": encode(authority.token(&signature, wrong))})
        })
        .collect();
    let judge = |tokens: &[&Value]| {
        let stamped = edited_bundle(&whole, |bundle| {
            let material = &mut bundle["verificationMaterial"];
            material["tlogEntries"] = json!([]);
            material["timestampVerificationData"] = json!({"rfc3161Timestamps": tokens});
        });
        verify(&stamped, &digest(), &[], &root, NOW).unwrap()
    };
    let says = "is not one that the authority `https://tsa.example` may sign with";
    is_refused(&judge(&[&tokens[1]]), says, cell);
    for both in [[&tokens[0], &tokens[1]], [&tokens[1], &tokens[0]]] {
        let evidence = judge(&both);
        assert_eq!(accepted(&evidence, cell).timestamps.len(), 1);
    }
}
